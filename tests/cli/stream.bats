#!/usr/bin/env bats
# p2p-get -o -: content to standard output, in order, and nowhere else.
load helper

# added [OPTION…] PATH: to a seeder's home; sets LINK. shared: and served; sets PEER too.
added() { LINK=$(P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add "$@"); }
shared() {
    added "$@"
    seed_here "$BATS_TEST_TMPDIR/seeder"
    PEER="--peer=127.0.0.1:$PORT"
}

# streamed WANTED_STATUS [OPTION…]: to the file `out`.
streamed() {
    local wanted=$1 got=0
    shift
    p2p-get "$PEER" -o - "$@" "$LINK" >out 2>err || got=$?
    [ "$got" -eq "$wanted" ] || { cat err >&2; return 1; }
}

@test "a file of each format, by link and by manifest, to a pipe and to a file" {
    random_file src/film.mkv 3000001
    : >src/empty
    added src/empty
    empty=$LINK
    for format in v1 v2; do
        cp src/film.mkv src/$format # one item each
        added --format $format -o $format.torrent src/$format
    done
    shared -o hybrid.torrent src/film.mkv
    for format in v1 v2 hybrid; do
        LINK=$(p2p-ls --link $format.torrent)
        streamed 0
        cmp src/film.mkv out
        [ ! -s err ]
        p2p-get "$PEER" -o - $format.torrent | cmp - src/film.mkv
    done
    LINK=$empty streamed 0
    [ ! -s out ]
}

@test "nothing is left behind: no file, no record, no lock" {
    random_file src/f 300000
    shared src/f
    streamed 0
    [ -z "$(p2p-ls)" ]
    [ -z "$(find . -name '*.part')" ]
    [ ! -e f ]
    status 0 p2p-get -q "$PEER" "$LINK"
    cmp src/f f
}

@test "-r: these bytes, in the order of the content only" {
    random_file src/f 2000000
    shared --piece-size 64Ki src/f
    streamed 0 -r 1000-1999 -r 1500000-
    { tail -c +1001 src/f | head -c 1000; tail -c +1500001 src/f; } | cmp - out
    streamed 0 -r -5
    tail -c 5 src/f | cmp - out
    streamed 2 -r 1500000- -r 1000-1999
    [ ! -s out ]
    streamed 3 -r 2000000-
    sample_folder src/d
    P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add -o d.torrent src/d
    LINK=$(p2p-ls --link d.torrent)
    streamed 0 -r sub/deep/two:0-
    cmp src/d/sub/deep/two out
    streamed 2 -r sub/deep/two:0- --format tar
}

@test "a closed pipe ends it quietly with 141" {
    random_file src/f 9000000
    shared src/f
    run bash -c 'p2p-get "$0" -o - "$1" 2>err | head -c 1000 | cmp -n 1000 - src/f; echo "${PIPESTATUS[0]}"' \
        "$PEER" "$LINK"
    prints 141
    [ ! -s err ]
}

@test "what cannot be had is not 0: no peer, no peer any more, a full device" {
    status 3 p2p-get --timeout 1s --no-dht -o - magnet:?xt=urn:btih:1111111111111111111111111111111111111111
    prints ""
    random_file src/f 9000000
    shared --piece-size 64Ki src/f
    mkfifo pipe
    p2p-get "$PEER" -q --timeout 2s --window 256Ki -o - "$LINK" >pipe 2>err &
    local got=0 pid=$!
    { head -c 1000000 >out; kill "${BACKGROUND[0]}"; wait "${BACKGROUND[0]}" || true; cat >>out; } <pipe
    wait $pid || got=$?
    [ "$got" -eq 3 ]
    head -c "$(stat -c %s out)" src/f | cmp - out
    [ "$(stat -c %s out)" -lt 9000000 ]
    shared src/f
    run bash -c 'p2p-get "$0" -o - "$1" >/dev/full' "$PEER" "$LINK"
    [ "$status" -eq 5 ]
}

@test "memory: a window whatever the size, while the reader reads and while it does not" {
    if ldd "$BIN/p2p-get" | grep -q "lib[at]san"; then skip "sanitizers take memory of their own"; fi
    random_file src/f 200000000
    shared --format v1 --piece-size 256Ki src/f
    mkfifo pipe
    p2p-get "$PEER" -q -o - "$LINK" >pipe &
    local pid=$!
    exec 4<pipe
    head -c 20000000 <&4 | cmp -n 20000000 - src/f
    sleep 3
    peak=$(awk '/VmHWM/ { print $2 }' /proc/$pid/status)
    [ "$peak" -lt $((64 << 10)) ]
    tail -c +20000001 src/f | cmp - <(cat <&4)
    exec 4<&-
    wait $pid
    p2p-get "$PEER" -q --window 8Mi --format tar -o - "$LINK" >pipe &
    pid=$!
    exec 4<pipe
    for ((i = 0; i < 150; i++)); do head -c 65536 <&4 >/dev/null; done
    peak=$(awk '/VmHWM/ { print $2 }' /proc/$pid/status)
    exec 4<&-
    [ "$peak" -lt $((64 << 10)) ]
    run wait $pid
}

@test "--window: too small for the pieces is said; a small one will do" {
    random_file src/f 3000000
    shared --piece-size 256Ki src/f
    streamed 2 --window 256Ki
    grep -q 'it takes 512 KiB' err
    streamed 0 --window 512Ki
    cmp src/f out
    status 2 p2p-get --window 1Mi "$LINK"
    says "for -o - and -x only"
}

@test "a terminal gets no content; and what does not go with a stream is said" {
    random_file src/f 100000
    shared src/f
    run script -qec "p2p-get $PEER -o - '$LINK'" /dev/null
    [ "$status" -eq 2 ]
    [[ $output == *"is a terminal"* ]]
    streamed 2 --json
    streamed 2 --preallocate
    streamed 2 --seed-for 1m
    streamed 2 "$LINK"
    exec 5>events
    streamed 0 --events-fd 5
    cmp src/f out
    grep -q '"event":"done"' events
}

@test "a folder is a tar: unpacked as it comes, in each format; the same bytes each time" {
    sample_folder src/d
    printf 'bytes' >"src/d/sub/$(printf '\303\244 name')"
    ln -s big src/d/link
    for format in v1 v2 hybrid; do added --format $format -n $format -o $format.torrent src/d; done
    shared src/d
    for format in v1 v2 hybrid; do
        LINK=$(p2p-ls --link $format.torrent)
        streamed 0
        mkdir -p got
        tar -C got -xf out 2>err
        [ ! -s err ]
        diff -r --no-dereference --exclude=link src/d got/$format
        [ ! -e got/$format/link ]
        [ ! -x got/$format/sub/run ]
        cp out once
        streamed 0
        cmp once out
        rm -r got
    done
    mkdir got
    p2p-get "$PEER" --attributes -o - hybrid.torrent | tar -C got -x
    diff -r --no-dereference src/d got/hybrid
    [ -x got/hybrid/sub/run ]
}

@test "--format, --select and --files-from: these files, as tar, cpio or zip" {
    sample_folder src/d
    random_file src/one 100000
    added src/one
    one=$LINK
    shared src/d
    streamed 0 --select 'sub/*'
    tar -tf out | sort >names
    printf 'd/sub/one\nd/sub/run\n' | cmp - names
    printf 'empty\nbig\n' >list
    streamed 0 --files-from list --format zip
    py -c 'import zipfile, sys
z = zipfile.ZipFile("out")
assert z.testzip() is None
assert sorted(z.namelist()) == ["d/big", "d/empty"], z.namelist()
sys.stdout.buffer.write(z.read("d/big"))' | cmp - src/d/big
    LINK=$one streamed 0 --format cpio
    head -c 6 out | grep -q 070701
    grep -q 'TRAILER!!!' out
    LINK=$one streamed 0 --format tar
    tar -xOf out | cmp - src/one
    status 2 p2p-get --format tar "$LINK"
}
