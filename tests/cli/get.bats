#!/usr/bin/env bats
# p2p-get: from a link to content, with what may go wrong on the way.
load helper

# seeding [OPTION…]: serves the home of the seeder, $SEEDER; sets PORT, PEER and SEED (its number).
seeding() {
    rm -f "$BATS_TEST_TMPDIR/seeding"
    P2P_HOME=$SEEDER background p2p-seed --bind 127.0.0.1 "$@" >"$BATS_TEST_TMPDIR/seeding"
    SEED=$!
    wait_for 20 grep -q listening "$BATS_TEST_TMPDIR/seeding"
    PORT=$(sed -n 's/^listening	[^	]*:\([0-9]*\)	.*/\1/p' "$BATS_TEST_TMPDIR/seeding")
    PEER="--peer=127.0.0.1:$PORT"
}

# shared [OPTION…] PATH: adds it to the seeder's home; sets LINK.
shared() {
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    LINK=$(P2P_HOME=$SEEDER p2p-add "$@")
}

# What came over the network in the last run with --json.
fetched() { json_of done from_peers; }
json_of() {
    printf '%s\n' "$output" | py -c '
import json, sys
for line in sys.stdin:
    v = json.loads(line)
    if v["event"] == sys.argv[1]:
        print(v[sys.argv[2]])' "$@"
}

NOBODY='magnet:?xt=urn:btih:1111111111111111111111111111111111111111'

@test "a file by its link: verified, under its name, and its path on stdout" {
    random_file src/film.mkv 3000000
    shared src/film.mkv
    seeding
    status 0 p2p-get "$PEER" "$LINK"
    prints film.mkv
    silent
    cmp src/film.mkv film.mkv
    status 0 p2p-get "$PEER" -o "$PWD/elsewhere/" "$LINK"
    prints "$PWD/elsewhere/film.mkv"
    cmp src/film.mkv elsewhere/film.mkv
}

@test "a folder in each format, with empty files; executables and links only if asked for" {
    sample_folder src/d
    ln -s big src/d/link
    for format in v1 v2 hybrid; do
        shared --format $format src/d
        seeding
        status 0 p2p-get "$PEER" -o $format "$LINK"
        prints $format/d
        diff -r --no-dereference --exclude=link src/d $format/d
        [ ! -e $format/d/link ]
        [ ! -x $format/d/sub/run ]
        P2P_HOME=$format.home status 0 p2p-get "$PEER" --attributes -o $format.attributes "$LINK"
        diff -r --no-dereference src/d $format.attributes/d
        [ "$(readlink $format.attributes/d/link)" = big ]
        [ -x $format.attributes/d/sub/run ]
        [ ! -x $format.attributes/d/big ]
        kill $SEED
        wait $SEED || true
        rm -r "$P2P_HOME" "$SEEDER"
    done
}

@test "every form of SOURCE: hash, .torrent, its address, the catalogue's name, a list" {
    random_file src/f 100000
    mkdir web
    shared -o web/t.torrent src/f
    seeding
    hash=$(P2P_HOME=$SEEDER p2p-ls --hash f)
    status 0 p2p-get "$PEER" -o a/ "$hash"
    status 0 p2p-get "$PEER" -o a/ f
    prints a/f
    rm -r a
    status 5 p2p-get "$PEER" f
    serve_folder web
    status 0 p2p-get "$PEER" --home h1 -o b/ web/t.torrent
    status 0 p2p-get "$PEER" --home h2 -o c/ "$HTTP/t.torrent"
    status 3 p2p-get "$PEER" --home h2 -o c/ "$HTTP/nothing.torrent"
    says "404"
    printf '# a list\n\n%s\n' "$LINK" | p2p-get "$PEER" --home h3 -o d/ -
    for i in b c d; do cmp src/f $i/f; done
}

@test "-o: an existing folder or one with a slash behind; else the name of a single file" {
    random_file src/f 50000
    shared src/f
    seeding
    mkdir there
    status 0 p2p-get "$PEER" -o there "$LINK"
    prints there/f
    status 0 p2p-get "$PEER" -o new/deep/ "$LINK"
    prints new/deep/f
    status 0 p2p-get "$PEER" -o named "$LINK"
    prints named
    cmp src/f named
}

@test "a finished item is neither fetched nor hashed again" {
    random_file src/f 2000000
    shared src/f
    seeding
    p2p-get "$PEER" "$LINK"
    kill $SEED
    status 0 p2p-get --json "$LINK"
    [ "$(fetched)" = 0 ]
    [ "$(json_of done reused)" = 2000000 ]
    # One byte changed with the time put back would be hashed, were it hashed.
    touch -r f stamp
    printf X | dd of=f bs=1 seek=5 conv=notrunc status=none
    touch -r stamp f
    status 0 p2p-get "$LINK"
    prints f
}

@test "incomplete files are .part; SIGINT is 130, SIGTERM 143, and both resume" {
    random_file src/f 8000000
    shared src/f
    seeding
    enough=0
    for signal in INT:130 TERM:143; do
        env --default-signal=INT p2p-get -q "$PEER" --limit-down 1500k -o o/ "$LINK" 3>&- &
        pid=$!
        wait_for 20 holds $((enough += 1500000)) o/f.part
        kill -${signal%:*} $pid
        wait $pid && code=0 || code=$?
        [ $code = ${signal#*:} ]
        [ -f o/f.part ]
        [ ! -e o/f ]
    done
    status 0 p2p-get "$PEER" --json -o o/ "$LINK"
    cmp src/f o/f
    [ ! -e o/f.part ]
    [ "$(fetched)" -lt 7000000 ]
    [ "$(json_of done reused)" -gt 1000000 ]
}

@test "kill -9 at random moments, fifty times: resumed to an identical file" {
    random_file src/d/a 6000000
    random_file src/d/b 3000000
    shared --piece-size 64Ki src/d
    seeding
    kills=0
    for ((i = 0; i < 300 && kills < 50; i++)); do
        p2p-get -q "$PEER" --limit-down 1M -o o "$LINK" 3>&- &
        pid=$!
        sleep 0.$((RANDOM % 3))$((RANDOM % 10))
        kill -9 $pid 2>/dev/null && ((++kills))
        wait $pid || true
        if [ -e o/d/a ] && [ -e o/d/b ]; then rm -rf o "$P2P_HOME"; fi
    done
    [ $kills = 50 ]
    status 0 p2p-get "$PEER" -o o "$LINK"
    diff -r src/d o/d
}

@test "after kill -9 only what was in flight is fetched again" {
    random_file src/f 20000000
    shared src/f
    seeding
    p2p-get -q "$PEER" --limit-down 2M -o o/ "$LINK" 3>&- &
    pid=$!
    sleep 7
    kill -9 $pid
    wait $pid || true
    status 0 p2p-get "$PEER" --json -o o/ "$LINK"
    cmp src/f o/f
    [ "$(fetched)" -lt 12000000 ]
}

@test "no space left: status 5; with space again it goes on" {
    random_file src/f 12000000
    shared src/f
    seeding
    small_disk "$PWD/disk" 6M
    status 5 p2p-get "$PEER" -o disk/ "$LINK"
    says "No space left on device"
    mount -o remount,size=20M disk
    status 0 p2p-get "$PEER" --json -o disk/ "$LINK"
    cmp src/f disk/f
    [ "$(fetched)" -lt 9000000 ]
}

@test "a folder that may not be written, a home that may not be made: status 5" {
    random_file src/f 1000
    shared src/f
    seeding
    mkdir -m 755 closed
    mkdir -m 777 home
    status 5 as_nobody env P2P_HOME="$PWD/home" "$BIN/p2p-get" "$PEER" -o closed/ "$LINK"
    says "Permission denied"
    status 5 as_nobody env P2P_HOME="$PWD/closed/home" "$BIN/p2p-get" "$PEER" -o closed/ "$LINK"
    [ -z "$(ls closed)" ]
}

@test "what stands there and is something else stays: status 5" {
    random_file src/f 100000
    shared src/f
    seeding
    echo mine >f
    status 5 p2p-get "$PEER" "$LINK"
    says "exists and is something else"
    [ "$(cat f)" = mine ]
    rm f
    random_file f 100000
    cmp -s f src/f && skip "not another file"
    cp f before
    status 5 p2p-get "$PEER" "$LINK"
    cmp f before
    rm f
    mkdir f
    status 5 p2p-get "$PEER" -o . "$LINK"
    rmdir f
    mkfifo f.part
    status 5 p2p-get "$PEER" "$LINK"
    rm f.part
    ln -s /etc/passwd f.part
    status 5 p2p-get "$PEER" "$LINK"
    [ -L f.part ]
    rm f.part
    cp src/f f
    status 0 p2p-get --json "$PEER" "$LINK"
    [ "$(fetched)" = 0 ]
}

@test "a lost catalogue costs hashing, not fetching" {
    sample_folder src/d
    random_file src/d/z 6000000
    shared --format v1 src/d
    seeding
    p2p-get -q "$PEER" --limit-down 2M -o o "$LINK" 3>&- &
    pid=$!
    wait_for 20 holds 2000000 o/d/z.part
    kill -9 $pid
    wait $pid || true
    rm -r "$P2P_HOME"
    status 0 p2p-get "$PEER" --json -o o "$LINK"
    diff -r src/d o/d
    [ "$(json_of done reused)" -gt 1000000 ]
    rm -r "$P2P_HOME"
    status 0 p2p-get "$PEER" --json -o o "$LINK"
    [ "$(fetched)" = 0 ]
}

@test "a file that changed behind our back is noticed, checked and repaired" {
    random_file src/d/a 400000
    random_file src/d/b 500000
    shared --piece-size 16Ki src/d
    seeding
    p2p-get "$PEER" "$LINK"
    printf XX | dd of=d/a bs=1 seek=100000 conv=notrunc status=none
    truncate -s 450000 d/b
    status 0 p2p-get "$PEER" --json "$LINK"
    diff -r src/d d
    [ "$(fetched)" -lt 100000 ]
    rm d/a
    status 0 p2p-get "$PEER" "$LINK"
    diff -r src/d d
}

@test "the drive is not mounted: status 5, and nothing is made" {
    random_file src/f 100000
    shared src/f
    seeding
    p2p-get "$PEER" -o mnt/ "$LINK"
    mv mnt away
    status 5 p2p-get "$PEER" -o mnt/ "$LINK"
    says "mounted"
    [ ! -e mnt ]
    mv away mnt
    status 0 p2p-get -o mnt/ "$LINK"
}

@test "another p2p-get has it: status 6" {
    random_file src/f 5000000
    shared src/f
    seeding
    p2p-get -q "$PEER" --limit-down 1M "$LINK" >first 3>&- &
    pid=$!
    wait_for 10 test -s f.part
    status 6 p2p-get "$PEER" "$LINK"
    wait $pid
    cmp src/f f
}

@test "--select, --exclude, --files-from: only these, and nothing of the others" {
    sample_folder src/d
    for format in v1 v2 hybrid; do
        shared --format $format src/d
        seeding
        status 0 p2p-get "$PEER" -o $format --select 'sub/*' "$LINK"
        [ "$(cd $format && find d -type f | sort | tr '\n' ' ')" = "d/sub/one d/sub/run " ]
        cmp src/d/sub/one $format/d/sub/one
        status 0 p2p-get "$PEER" -o $format --select sub --exclude run "$LINK"
        cmp src/d/sub/deep/two $format/d/sub/deep/two
        [ ! -e $format/d/big ]
        printf 'a note.txt\nempty\n' >list
        status 0 p2p-get "$PEER" -o $format --files-from list "$LINK"
        cmp src/d/empty $format/d/empty
        status 0 p2p-get "$PEER" -o $format "$LINK"
        diff -r src/d $format/d
        [ -z "$(find "$P2P_HOME" -path '*/side/*' -type f)" ]
        status 3 p2p-get "$PEER" -o $format --select nothing "$LINK"
        echo nothing >list
        status 3 p2p-get "$PEER" -o $format --files-from list "$LINK"
        kill $SEED
        wait $SEED || true
        rm -r "$P2P_HOME" "$SEEDER"
    done
}

@test "a link's so= is honoured" {
    sample_folder src/d
    shared src/d
    seeding
    status 0 p2p-get "$PEER" "$LINK&so=0"
    [ "$(find d -type f)" = "d/a note.txt" ]
}

@test "-r: only these bytes, counted as curl does, in the order asked for" {
    random_file src/d/a 300000
    random_file src/d/b 200000
    shared src/d
    seeding
    status 0 p2p-get "$PEER" -r a:1000-1999 -r b:-10 -r a:0-0 -o bytes "$LINK"
    prints bytes
    { tail -c +1001 src/d/a | head -c 1000; tail -c 10 src/d/b; head -c 1 src/d/a; } | cmp - bytes
    status 0 p2p-get "$PEER" -r b:199990- "$LINK"
    prints b
    tail -c 10 src/d/b | cmp - b
    status 5 p2p-get "$PEER" -r b:0-1 "$LINK"
    status 3 p2p-get "$PEER" -r a:300000- -o c "$LINK"
    status 3 p2p-get "$PEER" -r nothing:0-1 -o c "$LINK"
    status 2 p2p-get "$PEER" -r 5-1x -o c "$LINK"
    [ -z "$(find "$P2P_HOME" -path '*/side/*' -type f)" ]
    [ ! -e d ]
}

@test "--manifest-only: the .torrent and nothing else, whole, in each format" {
    sample_folder src/d
    for format in v1 v2 hybrid; do
        shared --format $format -o want.$format src/d
        seeding
        status 0 p2p-get "$PEER" --manifest-only "$LINK"
        prints d.torrent
        [ ! -e d ]
        P2P_HOME=other status 0 p2p-get "$PEER" -o $format d.torrent
        diff -r src/d $format/d
        kill $SEED
        wait $SEED || true
        rm -r "$P2P_HOME" other "$SEEDER" d.torrent
    done
}

@test "timeouts: status 3, and soon" {
    for option in --timeout --metadata-timeout --deadline; do
        status 3 p2p-get $option 1s "$NOBODY"
        [ -n "$stderr" ]
    done
    [ -z "$(ls)" ]
}

@test "a time to give up after is not 0: status 2, also in the configuration" {
    random_file f 1000
    shared f
    for option in --timeout --metadata-timeout --deadline; do
        for zero in 0 0s 0h0m; do
            status 2 p2p-get -o out/ $option $zero "$LINK"
            says "$option: '$zero' is not a duration above 0"
        done
    done
    [ ! -e out ]
    status 2 p2p-ls --fetch --timeout 0 "$NOBODY"
    status 2 p2p-node --timeout 0 ping 127.0.0.1:1
    printf '[p2p-get]\ndeadline = 0s\n' >>"$XDG_CONFIG_HOME/p2p/config"
    status 2 p2p-get -o out/ "$LINK"
    says "--deadline: '0s'"
    status 3 p2p-get --deadline 1s -o out/ "$LINK" # as every value there, it gives way
}

@test "with nobody to ask it ends by itself: status 3, saying what to do" {
    status 3 timeout 60 p2p-get "$NOBODY"
    says "--peer"
}

@test "several SOURCEs: a line each, and the worst status" {
    random_file src/f 100000
    random_file src/g 200000
    shared src/f
    first=$LINK
    shared src/g
    seeding
    status 0 p2p-get "$PEER" -o o "$first" "$LINK"
    [ "$(printf '%s\n' "${lines[@]}" | sort | tr '\n' ' ')" = "o/f o/g " ]
    status 3 p2p-get "$PEER" -o p --timeout 2 "$first" "$NOBODY" "$LINK"
    [ "${#lines[@]}" = 2 ]
    cmp src/g p/g
    status 4 p2p-get "$PEER" -o p "$first" 'magnet:?xt=urn:btih:123'
}

@test "--json and --events-fd: what happens, an object a line" {
    sample_folder src/d
    shared src/d
    seeding
    status 0 p2p-get "$PEER" --json "$LINK"
    for event in start metadata file done; do [[ $output == *"\"event\":\"$event\""* ]]; done
    [ "$(json_of metadata size)" = 386397 ]
    [ "$(json_of done path)" = d ]
    [ "$(json_of done from_peers)" -ge 386397 ]
    [ $(($(json_of done from_local) + $(json_of done from_far))) = "$(json_of done from_peers)" ]
    [ $(($(json_of done to_local) + $(json_of done to_far))) = "$(json_of done uploaded)" ]
    P2P_HOME=other run p2p-get "$PEER" -o o --events-fd 5 "$LINK" 5>events
    [ "$output" = o/d ]
    grep -q '"event":"done"' events
    status 3 p2p-get --json --timeout 1 "$NOBODY"
    [ "$(json_of error status)" = 3 ]
}

@test "a web seed alone: no peer on earth, and it completes" {
    sample_folder web/d
    random_file web/f 3000000
    serve_folder web
    link=$(P2P_HOME=other p2p-add -w "$HTTP/f" -o f.torrent web/f)
    status 0 p2p-get -o o/ f.torrent
    cmp web/f o/f
    P2P_HOME=other p2p-add -w "$HTTP/" -o d.torrent web/d >/dev/null
    status 0 p2p-get -o o d.torrent
    diff -r web/d o/d
    rm -r "$P2P_HOME" o
    status 3 p2p-get -o o/ --no-web-seeds --timeout 1 f.torrent
}

@test "a link with a web seed alone: the manifest lies beside the content" {
    sample_folder web/d
    random_file web/f 3000000
    serve_folder web
    P2P_HOME=other p2p-add -w "$HTTP/f" -o web/f.torrent web/f >f.link
    P2P_HOME=other p2p-add -w "$HTTP/" -o web/d.torrent web/d >d.link
    status 0 p2p-get -o o/ "$(cat f.link)"
    cmp web/f o/f
    status 0 p2p-get -o o/ "$(cat d.link)"
    diff -r web/d o/d
    # Another item's manifest there is not taken.
    rm -r "$P2P_HOME" o
    cp web/d.torrent web/f.torrent
    status 3 p2p-get -o o/ --timeout 1 "$(cat f.link)"
    [ ! -e o/f ]
}

@test "results that cannot be written: nobody reads, 141; no space, 5; the content is there" {
    random_file src/f 50000
    shared src/f
    seeding
    (p2p-get "$PEER" "$LINK" || echo $? >code) | true
    [ "$(cat code)" = 141 ]
    cmp src/f f
    status 5 bash -c 'p2p-get "$1" >/dev/full' bash "$LINK"
    says "standard output"
}

@test "usage: status 2" {
    status 2 p2p-get
    status 2 p2p-get --no-such-option x
    status 2 p2p-get --bind nonsense "$NOBODY"
    status 2 p2p-get --peer nonsense "$NOBODY"
    status 2 p2p-get --range 0-1 --select x "$NOBODY"
    status 2 p2p-get --limit-down fast "$NOBODY"
}

@test "bad links and manifests: status 4; what is not there, 3 or 5" {
    status 4 p2p-get 'magnet:?dn=x'
    status 4 p2p-get 'magnet:?xt=urn:btih:zz'
    echo 'not a torrent' >t
    status 4 p2p-get t
    status 3 p2p-get nothing
    status 5 p2p-get ./nothing.torrent
    [ "$(ls)" = t ]
}

@test "--seed-for and --seed-ratio: the path is told before the sharing ends" {
    random_file src/f 100000
    shared src/f
    seeding
    start=$SECONDS
    p2p-get "$PEER" --seed-for 3s "$LINK" >told 3>&- &
    pid=$!
    wait_for 3 test -s told
    [ "$(cat told)" = f ]
    kill -0 $pid
    wait $pid
    [ $((SECONDS - start)) -ge 3 ]
    # Somebody else fetches from it, and it has given enough.
    P2P_HOME=second p2p-get -q "$PEER" --port 0 --seed-ratio 0.9 -o o/ "$LINK" >told 3>&- &
    pid=$!
    wait_for 5 test -s told
    kill $pid
    wait $pid || [ $? = 143 ]
}

@test "progress goes to stderr when asked for, and -q silences it" {
    random_file src/f 3000000
    shared src/f
    seeding
    status 0 p2p-get "$PEER" --progress=always --limit-down 1M "$LINK"
    says "%"
    prints f
    rm -r f "$P2P_HOME"
    status 0 p2p-get "$PEER" -q "$LINK"
    silent
}
