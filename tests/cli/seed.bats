#!/usr/bin/env bats
# p2p-seed: serves what is here, one of them for a home, until it is told to stop.
load helper

# seeding [ARGUMENT…]: starts it; waits for its line; sets SEED, PORT, PEER and ITEMS.
seeding() {
    local out="$BATS_TEST_TMPDIR/seeding"
    rm -f "$out"
    background p2p-seed --bind 127.0.0.1 "$@" >"$out" 2>"$out.err"
    SEED=$!
    wait_for 20 test -s "$out"
    read_line "$out"
}
read_line() {
    PORT=$(sed -n 's/^listening	[^	]*:\([0-9]*\)	.*/\1/p' "$1")
    ITEMS=$(sed -n 's/^listening	[^	]*	//p' "$1")
    PEER="--peer=127.0.0.1:$PORT"
}

# ended SECONDS: SEED ends within so long; sets CODE.
ended() {
    wait_for "$1" not alive "$SEED"
    wait "$SEED" && CODE=0 || CODE=$?
}
# told PATTERN: a line of --status is so.
told() { p2p-seed --status | grep -qE "$1"; }

get() { P2P_HOME="$BATS_TEST_TMPDIR/getter" p2p-get -q "$PEER" --timeout 10 "$@"; }
serves() { rm -rf "$BATS_TEST_TMPDIR/getter" got; P2P_HOME="$BATS_TEST_TMPDIR/getter" p2p-get -q "$PEER" --timeout 1 -o got/ "$1" >/dev/null 2>&1; }

@test "all of the catalogue; one line when ready: listening, address and port, items" {
    sample_folder d
    random_file f 100000
    first=$(p2p-add d)
    second=$(p2p-add f)
    seeding
    [ "$ITEMS" = 2 ]
    grep -qE '^listening	127\.0\.0\.1:[0-9]+	2$' "$BATS_TEST_TMPDIR/seeding"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/seeding")" = 1 ]
    get -o got "$first" "$second"
    diff -r d got/d
    cmp f got/f
    [ ! -s "$BATS_TEST_TMPDIR/seeding.err" ]
}

@test "only what is named; a PATH is added first; a .torrent that the catalogue knows" {
    random_file f 100000
    random_file g 100000
    random_file h 100000
    f=$(p2p-add f)
    g=$(p2p-add -o g.torrent g)
    seeding g.torrent h
    [ "$ITEMS" = 2 ]
    h=$(p2p-ls --link h)
    serves "$g"
    serves "$h"
    not serves "$f"
}

@test "picks up what other programs add, and drops what they remove" {
    random_file f 100000
    random_file g 100000
    f=$(p2p-add f)
    seeding
    [ "$ITEMS" = 1 ]
    g=$(p2p-add g)
    wait_for 5 serves "$g"
    p2p-rm f
    wait_for 10 not serves "$f"
    p2p-rm g
    p2p-add g
    wait_for 5 serves "$g"
}

@test "an empty catalogue is served too, for what will come" {
    seeding
    [ "$ITEMS" = 0 ]
    random_file f 1000
    f=$(p2p-add f)
    wait_for 5 serves "$f"
}

@test "one for each home: a second one exits 6 at once" {
    seeding
    status 6 p2p-seed
    says "in use"
    P2P_HOME=other status 0 p2p-seed --for 1s
}

@test "SIGTERM: 143, SIGINT: 130, within about a second" {
    random_file f 1000
    p2p-add f
    for signal in TERM:143 INT:130; do
        background env --default-signal=INT p2p-seed --bind 127.0.0.1 >line
        SEED=$!
        wait_for 10 test -s line
        kill -${signal%:*} $SEED
        ended 3
        [ $CODE = ${signal#*:} ]
        rm line
    done
}

@test "--for, --until-idle, --until-ratio: it stops by itself, status 0" {
    random_file f 300000
    f=$(p2p-add f)
    start=$SECONDS
    status 0 p2p-seed --for 2s
    [ $((SECONDS - start)) -ge 2 ]
    status 0 p2p-seed --until-idle 1s
    seeding --until-ratio 1
    sleep 1
    kill -0 $SEED
    get -o got/ "$f"
    ended 10
    [ $CODE = 0 ]
    # What was given is remembered: the goal is reached from the start.
    status 0 p2p-seed --until-ratio 0.5
}

@test "--for: a manifest that does not come in that time is status 3, and said" {
    background py -u -c '
import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(60)' >port
    wait_for 5 test -s port
    random_file f 1000
    p2p-add f >/dev/null
    status 3 p2p-seed --bind 127.0.0.1 --for 1s "http://127.0.0.1:$(cat port)/a.torrent" f
    says "a.torrent: its manifest did not come in time"
    [ "$(grep -c 'in time' <<<"$stderr")" = 1 ]
}

@test "--status: a line for each item of the running one" {
    sample_folder d
    hash=$(p2p-add --print hash d)
    status 3 p2p-seed --status
    says "no p2p-seed"
    seeding
    status 0 p2p-seed --status
    prints "$(printf '%s\td\t0\t0\t0\t0.000\t0\t0' "$hash")"
    get -o got "$(p2p-ls --link d)"
    status 0 p2p-seed --status --json
    [ "$(json name)" = d ]
    [ "$(json uploaded)" -ge 386397 ]
    [ $(($(json to_local) + $(json to_far))) = "$(json uploaded)" ]
    [ "$(json from_local)" = 0 ]
    [ "$(json from_far)" = 0 ]
}

# Items that nobody talks to sleep: the rest of them must not notice.
@test "what was left alone is served again, and --status adds up" {
    random_file f 100000
    random_file g 100000
    f=$(p2p-add f)
    p2p-add g
    seeding
    for i in 1 2 3; do
        wait_for 5 serves "$f"
        cmp f got/f
        wait_for 10 told "	f	[0-9]+	${i}00000	"
        [ "$(p2p-seed --status | wc -l)" = 2 ]
        p2p-seed --status | grep -qE "	g	0	0	0	"
    done
    kill "$SEED"
    ended 5
    seeding
    p2p-seed --status | grep -qE "	f	0	300000	"
    p2p-seed --status --json | grep -q "\"path\":\"$PWD/f\""
}

@test "--daemon: back when it is ready, with its line; the work goes on" {
    random_file f 100000
    f=$(p2p-add f)
    p2p-seed --bind 127.0.0.1 --daemon >line 2>err 3>&-
    read_line line
    [ "$ITEMS" = 1 ]
    BACKGROUND+=("$(cat "$P2P_HOME/locks/seed.lock")")
    serves "$f"
    status 6 p2p-seed --daemon
    kill "${BACKGROUND[0]}"
    wait_for 5 test ! -e "$P2P_HOME/locks/seed.lock"
    status 2 p2p-seed --daemon --bind nonsense
}

@test "-d: content of a SOURCE that the catalogue does not know, checked first" {
    sample_folder there/d
    P2P_HOME=other p2p-add -o d.torrent there/d >/dev/null
    link=$(P2P_HOME=other p2p-ls --link d)
    seeding -d there d.torrent
    [ "$ITEMS" = 1 ]
    get -o got "$link"
    diff -r there/d got/d
    kill $SEED
    wait $SEED || true
    rm -r "$P2P_HOME" got
    seeding -d there/d d.torrent
    serves "$link"
    kill $SEED
    wait $SEED || true
    rm -r "$P2P_HOME"
    # What does not match is not given away.
    random_file there/d/big 300000
    printf XX | dd of=there/d/big bs=1 seek=70000 conv=notrunc status=none
    seeding -d there d.torrent
    not serves "$link"
    mkdir nowhere
    status 3 p2p-seed --home third -d nowhere d.torrent
    status 2 p2p-seed -d there
}

@test "what is missing is said, and the others are served" {
    random_file f 100000
    random_file mnt/g 100000
    f=$(p2p-add f)
    p2p-add mnt/g
    rm -r mnt
    seeding
    [ "$ITEMS" = 1 ]
    grep -q 'mounted' "$BATS_TEST_TMPDIR/seeding.err"
    serves "$f"
    status 5 p2p-seed --home "$P2P_HOME" g || [ "$status" = 6 ]
}

@test "a file that changed is checked before anything of it is served" {
    random_file f 400000
    f=$(p2p-add --piece-size 16Ki f)
    printf XX | dd of=f bs=1 seek=100000 conv=notrunc status=none
    seeding
    [ "$ITEMS" = 1 ]
    run get --timeout 2 -o got/ "$f"
    [ "$status" = 3 ]
    [ ! -e got/f ]
    status 0 p2p-ls
    [[ $output == *f ]]
}

@test "a file that goes away while it is served ends nothing" {
    random_file f 400000
    random_file g 400000
    f=$(p2p-add f)
    g=$(p2p-add g)
    seeding
    rm f
    not serves "$f"
    serves "$g"
    kill -0 $SEED
}

@test "a partial download is served, but not while p2p-get is at it" {
    random_file src/f 4000000
    link=$(P2P_HOME=first p2p-add src/f)
    P2P_HOME=first background p2p-seed --bind 127.0.0.1 >line
    wait_for 10 test -s line
    read_line line
    status 3 p2p-get -q "$PEER" --limit-down 1M --deadline 2s "$link"
    [ -f f.part ]
    seeding
    [ "$ITEMS" = 1 ]
    status 0 p2p-seed --status
    read_line line
    status 0 p2p-get -q "$PEER" "$link"
    cmp src/f f
    read_line "$BATS_TEST_TMPDIR/seeding"
    wait_for 10 serves "$link"
}

@test "it tells systemd when it is ready" {
    background py -u -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)' "$BATS_TEST_TMPDIR/notify" >told
    wait_for 10 grep -q bound told
    NOTIFY_SOCKET="$BATS_TEST_TMPDIR/notify" seeding
    wait_for 5 grep -q READY=1 told
}

@test "a port that is taken: status 5; usage: status 2" {
    seeding
    P2P_HOME=other status 5 p2p-seed --bind 127.0.0.1 --port "$PORT"
    status 2 p2p-seed --no-such-option
    status 2 p2p-seed --for soon
}

@test "a file that changes while it is served is looked at anew, before it is given away" {
    random_file f 400000
    f=$(p2p-add --piece-size 16Ki f)
    seeding
    serves "$f"
    sleep 1
    printf XX | dd of=f bs=1 seek=100000 conv=notrunc status=none
    rm -rf "$BATS_TEST_TMPDIR/getter"
    run get --json --timeout 12 -o got2/ "$f"
    [ "$status" = 3 ]
    grep -q 'changed' "$BATS_TEST_TMPDIR/seeding.err"
    # All but the piece that changed.
    done=$(sed -n 's/.*"state":"downloading","done":\([0-9]*\).*/\1/p' <<<"$output" | tail -1)
    echo "done: $done"
    [ "$done" = 383616 ]
}

@test "what a peer says is acknowledged at once, answered or not: some say no more before" {
    [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || skip "no namespaces here"
    random_file f 100000
    p2p-add --format v1 f >/dev/null
    hash=$(p2p-ls --hash f)
    late=$(timeout 20 unshare -n bash -c '
        ip link set lo up || exit 90
        p2p-seed --bind 127.0.0.1 --bootstrap none >ready 2>/dev/null &
        until [ -s ready ]; do sleep 0.05; done
        port=$(sed "s/.*:\\([0-9]*\\)\t.*/\\1/" ready)
        python3 "$1" "$port" "$2" 30 2>&1
        kill %1
        wait' - "$BATS_TEST_DIRNAME/words.py" "$hash")
    [ "$late" -lt 15 ] # all 30 otherwise; a busy machine may be late now and then
}
