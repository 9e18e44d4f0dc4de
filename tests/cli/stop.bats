#!/usr/bin/env bats
# Ends as cron and service managers need them: at once, clean, and having told the trackers.
load helper

# tracker http|udp [mute]: sets TOLD, its log, and URL.
tracker() {
    TOLD="$BATS_TEST_TMPDIR/tracker.$RANDOM"
    background py "$BATS_TEST_DIRNAME/announced.py" "$@" >"$TOLD"
    TRACKER=$!
    wait_for 10 test -s "$TOLD"
    URL=$(head -1 "$TOLD")
}
# shared [OPTION…]: a file of the seeder's home; sets LINK. It has another tracker than the link.
shared() {
    random_file src/f 3000000
    LINK=$(p2p-add "$@" src/f)
}
# stops SIGNAL STATUS COMMAND…: started, known to the tracker, stopped; ends so.
stops() {
    local signal=$1 wanted=$2 before
    shift 2
    before=$(grep -c "^started" "$TOLD" || true)
    background env --default-signal "$@" >out 2>err
    PROGRAM=$!
    wait_for 10 eval "[ \"\$(grep -c ^started '$TOLD')\" -gt $before ]"
    PORT=$(grep ^started "$TOLD" | tail -1 | cut -f 2)
    sleep 0.3
    kill -"$signal" $PROGRAM
    # Far more than the second that it takes: a machine may be busy.
    wait_for 5 not alive $PROGRAM
    wait $PROGRAM && CODE=0 || CODE=$?
    [ "$CODE" = "$wanted" ]
    grep -q "^stopped	$PORT	" "$TOLD"
}

@test "p2p-seed: SIGTERM 143, SIGINT 130, and the trackers know; also those that do not answer then" {
    for kind in http udp "http mute" "udp mute"; do
        # shellcheck disable=SC2086 # words
        tracker $kind
        rm -rf "$P2P_HOME"
        shared -t "$URL"
        stops TERM 143 p2p-seed --bind 127.0.0.1
        [ ! -s err ]
        stops INT 130 p2p-seed --bind 127.0.0.1
        [ ! -e "$P2P_HOME/locks/seed.lock" ]
    done
}

@test "p2p-get: the same, and it resumes" {
    tracker udp mute
    shared --format v1 -t "$URL"
    seed_here "$P2P_HOME" --no-trackers
    export P2P_HOME="$BATS_TEST_TMPDIR/getter"
    # Slow, so that it is in the middle.
    stops TERM 143 p2p-get --bind 127.0.0.1 --limit-down 1M --peer "127.0.0.1:$PORT" -o got/ "$LINK"
    grep -q 'run it again to go on' err
    [ -e got/f.part ]
    tracker http
    stops INT 130 p2p-get --bind 127.0.0.1 --limit-down 100k -o got/ "$LINK&tr=$URL"
}

@test "p2p-get that only has a link, and one that streams" {
    tracker http mute
    link='magnet:?xt=urn:btih:1111111111111111111111111111111111111111'
    stops TERM 143 p2p-get --bind 127.0.0.1 "$link&tr=$URL"
    stops INT 130 p2p-get --bind 127.0.0.1 -o - "$link&tr=$URL"
    stops TERM 143 p2p-get --bind 127.0.0.1 --wait "$link&tr=$URL"
}

@test "--for and --until-idle tell the trackers too" {
    tracker http
    shared -t "$URL"
    status 0 p2p-seed --bind 127.0.0.1 --for 2s
    [ "$(grep -c ^stopped "$TOLD")" = 2 ]
    status 0 p2p-seed --bind 127.0.0.1 --until-idle 2s
    # Both hashes of the hybrid, twice.
    [ "$(grep -c ^stopped "$TOLD")" = 4 ]
}

@test "of many items each is told, those too that nobody has talked to for a while" {
    tracker udp
    for i in 1 2 3 4 5 6 7 8; do random_file "d/$i" 20000; done
    p2p-add --format v1 -t "$URL" d/* >/dev/null
    background p2p-seed --bind 127.0.0.1 >line
    SEED=$!
    wait_for 10 eval "[ \"\$(grep -c ^started '$TOLD')\" = 8 ]"
    sleep 3
    kill $SEED
    wait $SEED || [ $? = 143 ]
    [ "$(grep -c ^stopped "$TOLD")" = 8 ]
}

@test "opentracker: knows the seed while it is there, and not after SIGTERM" {
    command -v opentracker >/dev/null || skip "no opentracker"
    port=$(free_port)
    shared --format v1 -t "udp://127.0.0.1:$port/announce"
    # It becomes somebody else, who must reach its folder, and tells of the listed hashes only.
    folder=$(mktemp -d)
    chmod 755 "$folder"
    p2p-ls --hash f >"$folder/hashes"
    (cd "$folder" && exec opentracker -i 127.0.0.1 -p "$port" -P "$port" -d . -w hashes) >/dev/null 2>&1 3>&- &
    BACKGROUND+=("$!")
    known() { p2p-ls --peers --no-dht f | grep -qx ".*	$1	0"; }
    wait_for 20 known 0 # a seed that found nobody there would wait before it asks again
    background p2p-seed --bind 127.0.0.1 >line
    SEED=$!
    wait_for 20 known 1
    kill $SEED
    wait $SEED || [ $? = 143 ]
    known 0
    rm -r "$folder"
}

@test "a lock that is taken: status 6 at once, also while the other one stops; none after kill -9" {
    tracker http mute
    shared -t "$URL"
    background p2p-seed --bind 127.0.0.1 >line
    SEED=$!
    wait_for 10 grep -q ^started "$TOLD"
    status 6 p2p-seed --bind 127.0.0.1 --for 55m
    says "another p2p-seed serves it"
    run bash -c 'p2p-seed -q --for 5h || [ $? -eq 6 ]'
    [ "$status" = 0 ]
    kill -9 $SEED
    wait $SEED || true
    status 0 p2p-seed --bind 127.0.0.1 --for 0s
    prints "listening	$(cut -f 2 <<<"$output")	1"
}

@test "the second signal ends it at once, whatever it waits for" {
    tracker http mute
    shared -t "$URL"
    background env --default-signal p2p-seed --bind 127.0.0.1 >line
    SEED=$!
    wait_for 10 grep -q ^started "$TOLD"
    kill $SEED
    kill $SEED
    wait $SEED && CODE=0 || CODE=$?
    [ $CODE = 143 ]
}
