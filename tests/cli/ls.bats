#!/usr/bin/env bats
# p2p-ls: what is here, what is in it.
load helper

# tracker ARGUMENT…: sets TRACKER to the address of one that answers so (tracker.py).
tracker() {
    local out="$BATS_TEST_TMPDIR/tracker.$RANDOM"
    background "$BATS_TEST_DIRNAME/tracker.py" "$@" >"$out"
    wait_for 10 test -s "$out"
    TRACKER="127.0.0.1:$(head -1 "$out")"
}

NOBODY='magnet:?xt=urn:btih:1111111111111111111111111111111111111111'

@test "without a catalogue there is nothing to list, and nothing is made" {
    status 0 p2p-ls
    prints ""
    silent
    [ ! -e "$P2P_HOME" ]
}

@test "the catalogue: hash, size, have%, name" {
    sample_folder d
    random_file f 1000
    first=$(p2p-add --print hash d)
    second=$(p2p-add --print hash --format v2 f)
    status 0 p2p-ls
    prints "$(printf '%s\t386397\t100%%\td\n%s\t1000\t100%%\tf' "$first" "$second")"
    silent
}

@test "an empty file has a size too: none of it is missing" {
    : >f
    hash=$(p2p-add --print hash f)
    status 0 p2p-ls
    prints "$(printf '%s\t0\t100%%\tf' "$hash")"
}

@test "-l: format, pieces, added, uploaded, ratio, where" {
    random_file f 40000
    p2p-add --piece-size 16Ki f
    status 0 p2p-ls -l
    row='^[0-9a-f]{40}	40000	100%	f	hybrid	3	20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z	0	0.00	'
    [[ $output =~ $row ]]
    [[ $output == *"	$PWD/f" ]]
}

@test "a SOURCE's files: size, path, in the manifest's order; no padding" {
    sample_folder d
    p2p-add -o t d
    files=$(printf '3\ta note.txt\n300000\tbig\n0\tempty\n70000\tsub/deep/two\n16384\tsub/one\n10\tsub/run')
    for source in d t "$(p2p-add --print hash d)" "$(p2p-add d)" "$(p2p-ls --hash d | cut -c 1-6)"; do
        status 0 p2p-ls "$source"
        prints "$files"
    done
    status 0 p2p-ls t d
    prints "$files
$files"
    random_file f 5
    p2p-add -o u f
    status 0 p2p-ls u
    prints "$(printf '5\tf')"
}

@test "every form of a hash finds the item" {
    random_file f 5
    p2p-add f
    v1=$(p2p-ls --json f | py -c 'import json,sys; print(json.load(sys.stdin)["infohash_v1"])')
    v2=$(p2p-ls --json f | py -c 'import json,sys; print(json.load(sys.stdin)["infohash_v2"])')
    base32=$(py -c 'import base64,sys; print(base64.b32encode(bytes.fromhex(sys.argv[1])).decode())' "$v1")
    for source in "$v1" "${v1^^}" "$v2" "$base32" "${v1:0:6}" "${v2:0:10}" \
        "magnet:?xt=urn:btih:$v1" "magnet:?xt=urn:btmh:1220$v2" "magnet:?xt=urn:btih:$base32"; do
        status 0 p2p-ls --path "$source"
        prints "$PWD/f"
    done
    status 3 p2p-ls "${v1:0:5}"
}

@test "a name or prefix that fits several is refused, with the candidates" {
    random_file a/f 5
    random_file b/f 6
    p2p-add a/f b/f
    status 2 p2p-ls f
    says "fits several items"
}

@test "- is a list of sources on standard input" {
    sample_folder d
    random_file f 9
    p2p-add d f
    status 0 p2p-ls --hash d f
    hashes=$output
    run --separate-stderr bash -c 'printf "# both\n\n d \nf\n" | p2p-ls --hash -'
    prints "$hashes"
    status 2 p2p-ls - - </dev/null
}

@test "a .torrent at an address" {
    sample_folder d
    mkdir www
    p2p-add --no-catalogue -o www/d.torrent d
    echo '<html>' >www/page
    serve_folder www
    status 0 p2p-ls "$HTTP/d.torrent"
    [ "${#lines[@]}" = 6 ]
    silent
    status 3 p2p-ls "$HTTP/gone.torrent"
    says 404
    status 4 p2p-ls "$HTTP/page"
    status 3 p2p-ls "http://127.0.0.1:1/x.torrent"
}

@test "a word is a .torrent if there is one, else what the catalogue calls it" {
    sample_folder d
    random_file f 9
    p2p-add d f
    p2p-add --no-catalogue -o d.torrent f
    status 0 p2p-ls d.torrent
    prints "$(printf '9\tf')"
    # Content of that name is no manifest, and does not hide the item.
    status 0 p2p-ls --path f
    prints "$PWD/f"
    status 3 p2p-ls nothing
    says "p2p-ls: nothing: neither a file nor anything in the catalogue"
    status 5 p2p-ls ./nothing.torrent
    says "No such file"
}

@test "bad manifests and links are status 4, in one line" {
    sample_folder d
    p2p-add --no-catalogue -o good d
    head -c 300 good >truncated
    tr 6 5 <good >flipped
    printf 'd4:info' >endless
    yes l | head -c 100000 | tr -d '\n' >deep
    : >empty
    head -c 70000000 /dev/zero >huge
    for bad in truncated endless deep empty huge; do
        status 4 p2p-ls $bad
        [ "${#stderr_lines[@]}" = 1 ]
        prints ""
    done
    hash=1111111111111111111111111111111111111111
    for bad in 'magnet:?' 'magnet:?dn=x' "magnet:?xt=urn:btih:${hash}1" "magnet:?xt=urn:btih:" \
        "magnet:?xt=urn:btih:$hash&xt=urn:btih:${hash/1/2}" 'magnet:?xt=urn:btmh:1220ab' \
        "magnet:?xt=urn:btih:zz$hash"; do
        status 4 p2p-ls "$bad"
        [ "${#stderr_lines[@]}" = 1 ]
    done
    status 4 p2p-ls ''
}

@test "a link whose manifest is not here: status 3, and nothing touches the network" {
    tracker 1 2
    status 3 p2p-ls "$NOBODY&dn=film&tr=http://$TRACKER/announce&x.pe=$TRACKER"
    says "its manifest is not here"
    says "--fetch"
    status 0 p2p-ls --json "$NOBODY&dn=film&tr=http://t.example/announce&ws=http://w.example/"
    [ "$(json name)" = film ]
    [ "$(json infohash_v1)" = 1111111111111111111111111111111111111111 ]
    [ "$(json trackers 0 0)" = http://t.example/announce ]
    [ "$(json web_seeds 0)" = http://w.example/ ]
    [[ $output != *size* && $output != *files* && $output != *infohash_v2* ]]
    status 0 p2p-ls --hash "$NOBODY"
    prints 1111111111111111111111111111111111111111
}

@test "--fetch gets the manifest from peers, in every format" {
    sample_folder d
    for format in v1 v2 hybrid; do
        link=$(P2P_HOME="$PWD/theirs" p2p-add --format $format d)
        printf '%s\n' "$link" >>links
    done
    seed_here "$PWD/theirs"
    while read -r link; do
        status 0 p2p-ls --fetch --timeout 20s "$link&x.pe=127.0.0.1:$PORT"
        [ "${#lines[@]}" = 6 ]
        silent
        status 0 p2p-ls --fetch --timeout 20s --torrent got "$link&x.pe=127.0.0.1:$PORT"
        [ "$(p2p-ls --hash got)" = "$(p2p-ls --hash "$link")" ]
        [ "$(p2p-ls -l got)" = "$(p2p-ls -l "$(p2p-ls --link got)" 2>/dev/null || p2p-ls -l got)" ]
    done <links
    [ -z "$(find . -name '*.torrent')" ]
}

@test "--fetch from nobody: status 3 when --timeout has passed" {
    status 3 p2p-ls --fetch --timeout 1s "$NOBODY"
    says "in time"
    prints ""
}

@test "--peers: seeds and peers as trackers tell" {
    random_file f 1000
    tracker 5 7
    p2p-add -t "http://$TRACKER/announce" f
    status 0 p2p-ls --peers f
    [[ $output == *'	1000	100%	f	5	7' ]]
    status 0 p2p-ls --peers --json f
    [ "$(json seeds)" = 5 ]
    [ "$(json peers)" = 7 ]
    status 0 p2p-ls --peers --json "$NOBODY&tr=http://$TRACKER/announce"
    [ "$(json seeds)" = 5 ]
}

@test "--peers when nobody answers: status 3" {
    random_file f 1000
    p2p-add f
    status 3 p2p-ls --peers f
    says "no tracker"
    tracker html
    status 3 p2p-ls --peers "$NOBODY&tr=http://$TRACKER/announce"
    status 3 p2p-ls --peers "$NOBODY&tr=http://127.0.0.1:1/announce"
    tracker silent
    status 3 p2p-ls --peers --timeout 1s "$NOBODY&tr=http://$TRACKER/announce"
    says "in time"
}

@test "--link, --hash, --path, --torrent: one at a time" {
    random_file f 1000
    link=$(p2p-add -t http://t.example/announce f)
    status 0 p2p-ls --link
    prints "$link"
    status 0 p2p-ls --hash f
    [[ $link == *"$output"* ]]
    status 0 p2p-ls --path
    prints "$PWD/f"
    status 0 p2p-ls --torrent out f
    prints ""
    [ "$(p2p-ls --link out)" = "$link" ]
    p2p-ls --torrent - f | cmp - out
    status 2 p2p-ls --link --hash f
    status 2 p2p-ls --torrent out
    status 2 p2p-ls --json --link f
    status 3 p2p-ls --path "$NOBODY"
    status 5 p2p-ls --torrent no/such/out f
}

@test "--json: the documented keys; what is absent is left out" {
    sample_folder d
    SOURCE_DATE_EPOCH=1700000000 p2p-add --format hybrid --comment why -t http://a.example/announce \
        -w http://w.example/d --node n.example:1 d
    status 0 p2p-ls --json
    [ "${#lines[@]}" = 1 ]
    [ "$(json name)" = d ]
    [[ "$(json infohash_v1)" =~ ^[0-9a-f]{40}$ ]]
    [[ "$(json infohash_v2)" =~ ^[0-9a-f]{64}$ ]]
    [ "$(json format)" = hybrid ]
    [ "$(json size)" = 386397 ]
    [ "$(json have)" = 386397 ]
    [ "$(json private)" = False ]
    [ "$(json files 1 path)" = big ]
    [ "$(json files 1 size)" = 300000 ]
    [[ "$(json files 1 root)" =~ ^[0-9a-f]{64}$ ]]
    [ "$(json files 5 attr)" = x ]
    [ "$(json trackers)" = '[["http://a.example/announce"]]' ]
    [ "$(json web_seeds)" = '["http://w.example/d"]' ]
    [ "$(json nodes)" = '["n.example:1"]' ]
    [ "$(json comment)" = why ]
    [ "$(json creation_date)" = 2023-11-14T22:13:20Z ]
    [[ "$(json created_by)" == p2p* ]]
    [[ "$(json added)" =~ ^20..-..-..T..:..:..Z$ ]]
    [ "$(json path)" = "$PWD/d" ]
    [ "$(json uploaded)" = 0 ]
    [ "$(json downloaded)" = 0 ]
    random_file f 3
    p2p-add --no-catalogue --format v1 -o t f
    status 0 p2p-ls --json t
    for absent in infohash_v2 root trackers web_seeds nodes comment have added uploaded attr; do
        [[ $output != *"\"$absent\""* ]]
    done
}

@test "-0 ends records with NUL, and names come as they are" {
    random_file "$(printf 'd/a\nb\tc')" 5
    p2p-add -o t d
    p2p-ls -0 t >out
    printf '5\ta\nb\tc\0' | cmp - out
    status 0 p2p-ls t
    prints "$(printf '5\ta\\x0ab\\x09c')"
}

@test "--verify: all is well" {
    sample_folder d
    for format in v1 v2 hybrid; do p2p-add -n "d-$format" --format $format --piece-size 16Ki d; done
    status 0 p2p-ls --verify
    [ "$(grep -c '	100%	d-' <<<"$output")" = 3 ]
    silent
}

@test "--verify names file and byte range, and exits 4" {
    sample_folder d
    p2p-add --piece-size 16Ki d
    printf X | dd of=d/big bs=1 seek=40000 conv=notrunc 2>/dev/null
    status 4 p2p-ls --verify d
    says "p2p-ls: $PWD/d/big: bytes 32768-49151 do not match"
    [[ $output == *'	95%	d' ]]
    truncate -s 65536 d/big
    status 4 p2p-ls --verify d
    says "d/big: bytes 65536-299999 are missing"
    rm d/sub/one d/empty
    status 4 p2p-ls --verify --json d
    says "d/sub/one: bytes 0-16383 are missing"
    says "d/empty: is missing"
    [ "$(json bad 0 path)" = big ]
    [ "$(json bad 0 first)" = 32768 ]
    [ "$(json bad 0 fault)" = differs ]
    echo more >>d/sub/run
    status 4 p2p-ls --verify d
    says "d/sub/run: bytes 10-14 are behind its end"
}

@test "what --verify found out is kept: mended data is whole again" {
    sample_folder d
    p2p-add --piece-size 16Ki d
    cp d/big keep
    printf X | dd of=d/big bs=1 seek=40000 conv=notrunc 2>/dev/null
    status 4 p2p-ls --verify d
    status 0 p2p-ls
    [[ $output == *'	95%	d' ]]
    cp keep d/big
    status 0 p2p-ls --verify d
    status 0 p2p-ls
    [[ $output == *'	100%	d' ]]
}

@test "--verify: v1 pieces that span files" {
    sample_folder d
    p2p-add --format v1 --piece-size 64Ki d
    rm d/sub/one
    status 4 p2p-ls --verify d
    says "d/sub/one: bytes 0-16383 are missing"
    [ "$(grep -c 'bytes' <<<"$stderr")" = 1 ]
}

@test "an unfinished download: what it has, and nothing bad about what it has not" {
    random_file big 3000000
    link=$(P2P_HOME="$PWD/theirs" p2p-add --piece-size 16Ki big)
    seed_here "$PWD/theirs" --limit-up 200k
    mkdir mine
    background p2p-get -q --peer "127.0.0.1:$PORT" -o mine "$link"
    pid=$!
    some() { p2p-ls 2>/dev/null | grep -q '	[1-9][0-9]*%	big'; }
    wait_for 20 some || { kill $pid; sleep 1; some; }
    kill $pid
    wait $pid || true
    status 0 p2p-ls
    have=$(sed 's/.*	\([0-9]*\)%	big$/\1/' <<<"$output")
    [ "$have" -gt 0 ]
    [ "$have" -lt 100 ]
    status 0 p2p-ls --verify big
    silent
    status 0 p2p-rm --data big
    [ -z "$(ls mine)" ]
}

@test "--verify when the drive is not there: status 5, and nothing is recorded" {
    sample_folder mnt/d
    p2p-add mnt/d
    mv mnt gone
    status 5 p2p-ls --verify d
    says "is its drive mounted"
    status 0 p2p-ls
    [[ $output == *'	100%	d' ]]
    [ ! -e mnt ]
}

@test "--verify of what is not here: status 3" {
    sample_folder d
    p2p-add --no-catalogue -o t d
    status 3 p2p-ls --verify t
    says "its data is not here"
    status 3 p2p-ls --verify "$NOBODY"
}

@test "--verify of what cannot be read: status 5" {
    sample_folder d
    chmod -R a+rX .
    as_nobody env P2P_HOME="$PWD/../home" true
    mkdir -m 777 open
    as_nobody env P2P_HOME="$PWD/open/home" "$BIN/p2p-add" d
    chmod 000 d/big
    status 5 as_nobody env P2P_HOME="$PWD/open/home" "$BIN/p2p-ls" --verify d
    says "Permission denied"
}

@test "--verify stops at Ctrl-C with 130" {
    truncate -s 20G big
    p2p-add -q --exclude x --piece-size 8Mi big >link &
    wait $!
    (
        trap - INT
        exec setsid p2p-ls --verify big
    ) >out 2>err &
    pid=$!
    wait_for 10 opened $pid big
    kill -INT $pid
    got=0
    wait $pid || got=$?
    [ $got = 130 ]
    status 0 p2p-ls
    [[ $output == *'	100%	big' ]]
}

@test "a list of many items" {
    seq 300 | split -l 1 -a 3 -d - f
    p2p-add f* >/dev/null
    status 0 p2p-ls
    [ "${#lines[@]}" = 300 ]
    [[ ${lines[0]} == *f000 && ${lines[299]} == *f299 ]]
}
