#!/usr/bin/env bats
# Plans as data, and sources from anywhere: what one program prints is what the next one takes.
load helper

# shared [OPTION…] PATH: adds it to the seeder's home; sets LINK.
shared() {
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    LINK=$(P2P_HOME=$SEEDER p2p-add "$@")
}
seeding() {
    seed_here "$SEEDER" "$@"
    PEER="--peer=127.0.0.1:$PORT"
}
NOBODY='magnet:?xt=urn:btih:1111111111111111111111111111111111111111'

@test "a .torrent on standard input: p2p-get, p2p-ls, p2p-seed, p2p-rm" {
    random_file src/f 300000
    shared -o f.torrent src/f
    seeding
    # Byte by byte too, as a slow pipe brings it.
    { head -c 1 f.torrent; sleep 0.2; tail -c +2 f.torrent; } | p2p-get "$PEER" -o got/ - >told
    [ "$(cat told)" = got/f ]
    cmp src/f got/f
    [ "$(p2p-ls - <f.torrent)" = "300000	f" ]
    P2P_HOME=none [ "$(p2p-ls --hash - <f.torrent)" = "$(P2P_HOME=$SEEDER p2p-ls --hash f)" ]
    P2P_HOME=other background bash -c 'exec p2p-seed --bind 127.0.0.1 -d src - <f.torrent' >line
    wait_for 10 grep -q listening line
    P2P_HOME=third p2p-get "--peer=127.0.0.1:$(sed -n 's/.*:\([0-9]*\)	.*/\1/p' line)" -o from/ "$LINK"
    cmp src/f from/f
    p2p-rm - <f.torrent
    [ -z "$(p2p-ls)" ]
    head -c 100 f.torrent >cut
    run bash -c 'p2p-get - <cut 2>err'
    [ "$status" = 4 ]
    grep -q '^p2p-get: standard input: ' err
}

@test "-i: lists in files and on standard input, with comments, blanks and empty lines" {
    random_file src/f 100000
    random_file src/g 200000
    shared src/f
    first=$LINK
    shared src/g
    seeding
    printf '# two\n\n  %s \r\n\t# %s\n' "$first" "$NOBODY" >list
    printf '%s\n' "$LINK" | p2p-get "$PEER" -o o -i list -i - >told
    [ "$(sort told | tr '\n' ' ')" = "o/f o/g " ]
    cmp src/f o/f
    cmp src/g o/g
    status 0 p2p-ls -i list
    prints "100000	f"
    P2P_HOME=$SEEDER status 0 p2p-ls --hash -i list f g
    [ "${#lines[@]}" = 3 ]
    printf '%s\0%s' "$first" "$LINK" >list0
    status 0 p2p-ls -0 --json -i list0
    [ "${#lines[@]}" = 2 ]
    status 5 p2p-get -i missing
    says "missing: No such file"
    : >empty
    status 0 p2p-get -i empty
    prints ""
}

@test "-i: a bad line is named, the others go on, the status is the worst" {
    random_file src/f 100000
    shared src/f
    seeding
    printf '%s\nmagnet:?xt=urn:btih:123\nnothing\na\0b\n' "$LINK" >list
    status 4 p2p-get "$PEER" --json -i list
    cmp src/f f
    says "p2p-get: list:2: "
    says "p2p-get: list:3: nothing: "
    says "p2p-get: list:4: there is a NUL in the line"
    printf '%s\n' "${lines[@]}" | grep -c '"event":"error".*"line":[234]' | grep -qx 3
    printf '%s\nnothing\n' "$LINK" >list
    status 3 p2p-get "$PEER" -i list
    prints f
    status 3 p2p-ls -i list
    says "p2p-ls: list:2: nothing: "
    prints "100000	f"
    printf 'f\nnothing\n' >paths
    status 5 p2p-add -i paths
    says "p2p-add: paths:2: nothing: "
    [ "${#lines[@]}" = 1 ]
    printf 'nothing\n%s\n' "$PWD/src/f" >paths
    P2P_HOME=third background p2p-seed --bind 127.0.0.1 -i paths >line 2>err
    wait_for 10 grep -q '	1$' line
    grep -q 'p2p-seed: paths:1: nothing: ' err
}

@test "p2p-add -i: a link for each PATH; -0 as find prints them" {
    random_file d/a 1000
    random_file "d/b c" 2000
    find d -type f -print0 | sort -z | p2p-add -0 -i - >links
    [ "$(tr '\0' '\n' <links | grep -c '^magnet:')" = 2 ]
    status 0 p2p-ls "b c"
    prints "2000	b c"
    status 2 p2p-add -i - --name x -
    printf 'd/a\nd/b c\n' >list
    status 2 p2p-add --name x -i list
    status 2 p2p-add -o x.torrent -i list
}

@test "several SOURCEs are fetched side by side: a line for each" {
    random_file src/f 600000
    random_file src/g 600000
    shared src/f
    first=$LINK
    shared src/g
    seeding
    status 0 p2p-get "$PEER" -o o "$first" "$LINK"
    [ "$(printf '%s\n' "${lines[@]}" | sort)" = $'o/f\no/g' ]
    cmp src/f o/f
    cmp src/g o/g
}

@test "SOURCEs that mean the same, by link, hash and manifest, are fetched once: status 0" {
    random_file src/f 3000000
    random_file src/g 100000
    shared -o f.torrent src/f
    first=$LINK
    v1=$(p2p-ls --json f.torrent | py -c 'import json, sys; print(json.loads(sys.stdin.readline())["infohash_v1"])')
    shared src/g
    seeding
    printf '%s\n' "$first" "$LINK" "$first" f.torrent "$v1" >list
    # Slowly, so that all of them are there at once.
    status 0 p2p-get -v "$PEER" --limit-down 2M -o o --events-fd 5 -i list 5>events
    [ "$(sort <<<"$output")" = $'o/f\no/g' ]
    says "another SOURCE's item"
    [ "$(grep -c '"event":"same"' events)" = 3 ]
    [ "$(grep -c '"event":"done"' events)" = 2 ]
    cmp src/f o/f
    # Another program at the same is another matter.
    P2P_HOME=slow background p2p-get -q "$PEER" --limit-down 10k -o slow/ "$first"
    wait_for 10 eval '[ -n "$(ls slow/locks/*.lock 2>/dev/null)" ]'
    P2P_HOME=slow status 6 p2p-get "$PEER" -o slow/ "$first"
}

@test "-i: a list that begins with a byte order mark" {
    random_file src/f 1000
    shared src/f
    seeding
    printf '\357\273\277%s\r\n' "$LINK" >list
    status 0 p2p-get "$PEER" -i list
    cmp src/f f
}

@test "standard input that is a terminal, or asked for twice: status 2" {
    command -v script >/dev/null || skip "no script(1)"
    script -qec "p2p-get -" /dev/null >told </dev/null && code=0 || code=$?
    [ "$code" = 2 ]
    grep -q "is a terminal" told
    script -qec "p2p-ls -i -" /dev/null >told </dev/null && code=0 || code=$?
    [ "$code" = 2 ]
    for words in "p2p-rm -i -" "p2p-seed -" "p2p-add --name x -" "p2p-get --files-from - x" \
        "p2p-node put -"; do
        script -qec "$words" /dev/null >told </dev/null && code=0 || code=$?
        [ "$code" = 2 ]
        grep -q "standard input is a terminal" told
    done
    # Nor is a manifest of strangers' bytes for a terminal.
    shared -o f.torrent told
    script -qec "p2p-ls --torrent - f.torrent" /dev/null >told </dev/null && code=0 || code=$?
    [ "$code" = 2 ]
    grep -q "standard output is a terminal" told
    printf x >one
    for words in "-o -" "--print torrent" "--print torrent -o f.torrent"; do
        script -qec "p2p-add $words one" /dev/null >told </dev/null && code=0 || code=$?
        [ "$code" = 2 ]
        grep -q "standard output is a terminal" told
    done
    status 0 p2p-ls
    [[ $output != *one* ]] # nor was anything recorded
    status 2 p2p-get - -
    status 2 p2p-get - --files-from -
    status 2 p2p-get -i - --files-from -
    status 2 p2p-ls - -i -
}

@test "p2p-ls | grep | p2p-get --files-from -: those files; -0 both ways; names of any kind" {
    sample_folder src/d
    printf x >"src/d/tab	in it"
    printf y >$'src/d/line\nfeed'
    printf z >"src/d/12	z"
    shared -o d.torrent src/d
    seeding
    p2p-ls d.torrent | grep 'sub/\|x09in\|x0a' | p2p-get "$PEER" -o o --files-from - d.torrent
    [ "$(find o/d -type f -printf x)" = xxxxx ]
    cmp "src/d/tab	in it" "o/d/tab	in it"
    cmp $'src/d/line\nfeed' $'o/d/line\nfeed'
    cmp src/d/sub/deep/two o/d/sub/deep/two
    p2p-ls -0 d.torrent | grep -zv 'sub/\|big' |
        P2P_HOME=h0 p2p-get -0 "$PEER" -o o0 --files-from - d.torrent >told
    [ "$(find o0/d -type f -printf x)" = xxxxx ]
    cmp "src/d/12	z" "o0/d/12	z"
    [ "$(tr '\0' '\n' <told)" = o0/d ]
    # Longer lines and bare names.
    p2p-ls -l d.torrent | grep big | P2P_HOME=h1 p2p-get "$PEER" -o o1 --files-from - d.torrent
    printf 'd/big\n' | P2P_HOME=h2 p2p-get "$PEER" -o o2 --files-from - d.torrent
    cmp o1/d/big o2/d/big
    [ "$(find o1 o2 -type f | wc -l)" = 2 ]
}

@test "a name or pattern that nothing matches: status 3, and the nearest names" {
    random_file src/d/song.flac 1000
    random_file src/d/cover.jpeg 1000
    random_file src/d/notes.txt 1000
    random_file src/d/other.iso 1000
    shared -o d.torrent src/d
    seeding
    status 3 p2p-get "$PEER" --select 'snog.flac' d.torrent
    says "no file is called 'snog.flac'; it has 'song.flac', "
    status 3 p2p-get "$PEER" --select '*.FALC' --select notes.txt d.torrent
    says "'*.FALC'; it has 'song.flac', "
    echo Cover.jpg >list
    status 3 p2p-get "$PEER" --files-from list d.torrent
    says "'Cover.jpg'; it has 'cover.jpeg', "
    [ ! -e d ]
    status 0 p2p-get "$PEER" --select '*.flac' --select 'notes*' --exclude nothing d.torrent
    [ "$(ls d)" = "$(printf 'notes.txt\nsong.flac')" ]
}

@test "--manifest-only: -o FILE, and -o - to the next program" {
    sample_folder src/d
    shared src/d
    seeding
    status 0 p2p-get "$PEER" --manifest-only -o named.torrent "$LINK"
    prints named.torrent
    [ "$(p2p-get "$PEER" --manifest-only -o - "$LINK" | p2p-ls -)" = "$(p2p-ls named.torrent)" ]
    p2p-get "$PEER" --manifest-only -o - "$LINK" | P2P_HOME=other p2p-get "$PEER" -o o -
    diff -r src/d o/d
    [ "$(ls | tr '\n' ' ')" = "named.torrent o other src " ]
    status 2 p2p-get --manifest-only -o - "$LINK" "$NOBODY"
    status 2 p2p-get --manifest-only --json -o - "$LINK"
    status 3 p2p-get --manifest-only -o - --timeout 1s "$NOBODY"
    prints ""
}
