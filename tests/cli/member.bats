#!/usr/bin/env bats
# What is inside an archive: p2p-ls --archive, and p2p-get --member.
load helper

# seeded NAME [OPTION…] PATH: adds PATH to a home of its own, serves it; sets TORRENT, LINK, PEER.
seeded() {
    local home="$BATS_TEST_TMPDIR/$1"
    TORRENT=$1.torrent
    shift
    LINK=$(P2P_HOME="$home" p2p-add -o "$TORRENT" "$@")
    seed_here "$home"
    PEER="--peer=127.0.0.1:$PORT"
    LINK="$LINK&x.pe=127.0.0.1:$PORT"
}

archive() { py "$BATS_TEST_DIRNAME/archive.py" "$@"; }

# many FOLDER FILES BYTES: files of that size with content that does not pack.
many() {
    for ((i = 0; i < $2; i++)); do random_file "$1/$(printf 'm%03d.bin' $i)" "$3"; done
}

# took [OPTION…] MEMBER: fetches one to standard output, into `out`; sets BYTES to what came for it.
took() {
    local member=${*: -1}
    p2p-get "$PEER" --events-fd 3 -o - "${@:1:$#-1}" --member "$member" "$TORRENT" 3>events >out
    BYTES=$(py -c 'import json, sys
for line in open("events"):
    e = json.loads(line)
    if e["event"] == "done": print(e["from_peers"] + e["from_web_seeds"])')
}

@test "a member of 100 kB out of 64 MiB costs less than a mebibyte" {
    many src 100 670000
    random_file src/m042.bin 100000
    archive zip:compression=store big.zip src
    for format in v1 v2 hybrid; do
        cp big.zip $format.zip
        seeded $format --format $format --piece-size 64Ki $format.zip
        took m042.bin
        cmp src/m042.bin out
        [ "$BYTES" -le 600000 ]
        [ "$BYTES" -ge 100000 ]
    done
}

@test "listing fetches the directory and no more" {
    many src 60 300000
    for kind in zip iso9660 7zip:compression=store; do
        archive $kind a.$kind src
        seeded l-$kind --piece-size 32Ki a.$kind
        p2p-ls --archive --fetch "$LINK" >far
        P2P_HOME="$BATS_TEST_TMPDIR/l-$kind" p2p-ls --archive a.$kind >near
        cmp far near
        [ "$(grep -ic 'm[0-9]*.bin' near)" -eq 60 ]
        kill "${BACKGROUND[-1]}" # it records what it gave
        wait "${BACKGROUND[-1]}" || true
        sent=$(P2P_HOME="$BATS_TEST_TMPDIR/l-$kind" p2p-ls --json a.$kind |
            py -c 'import json, sys; print(json.load(sys.stdin)["uploaded"])')
        [ "$sent" -ge 10000 ]
        [ "$sent" -le 700000 ] # of eighteen million
    done
}

@test "tar: header after header; cpio, ar, pax names" {
    many src 20 500000
    mkdir -p "src/$(printf 'long%.0s' {1..40})"
    printf 'deep\n' >"src/$(printf 'long%.0s' {1..40})/$(printf 'name%.0s' {1..40})"
    for kind in pax gnutar newc; do
        archive $kind a.$kind src
        seeded $kind --piece-size 16Ki a.$kind
        p2p-ls --archive --fetch "$LINK" | sort >listed
        [ "$(wc -l <listed)" -eq 21 ]
        grep -q "^5	$(printf 'long%.0s' {1..40})/$(printf 'name%.0s' {1..40})\$" listed
        took m003.bin
        cmp src/m003.bin out
        [ "$BYTES" -le 1000000 ] # of ten million
    done
}

@test "compressed members and archives, iso, 7z: the bytes are those that were put in" {
    mkdir src
    seq 1 200000 >src/numbers
    random_file src/noise 300000
    : >src/empty
    for kind in zip 7zip:compression=lzma1 iso9660 pax+gzip pax+xz pax+zstd newc+bzip2; do
        archive $kind a.$kind src
        seeded c-$kind --piece-size 16Ki a.$kind
        for f in numbers noise empty; do
            name=$f
            took $name || { p2p-ls --archive --fetch "$LINK"; false; }
            cmp src/$f out
        done
    done
}

@test "a compressed tar has no directory: it is not listed from afar, and a member is come to" {
    many src 20 100000
    archive pax+gzip a.tar.gz src
    seeded t --piece-size 16Ki a.tar.gz
    status 3 p2p-ls --archive --fetch "$LINK"
    says "has no directory: all of it would have to be fetched"
    [ "$(P2P_HOME="$BATS_TEST_TMPDIR/t" p2p-ls --archive a.tar.gz | wc -l)" -eq 20 ]
    took m001.bin
    cmp src/m001.bin out
    [ "$BYTES" -le 1500000 ] # what stands before it, and what was on its way
}

@test "to files: under the last part of its name, in the folder of -o, or as that says" {
    mkdir -p src/d
    random_file src/d/a 70000
    random_file src/b 50000
    archive zip a.zip src
    seeded f a.zip
    status 0 p2p-get -q "$PEER" --member d/a "$TORRENT"
    prints a
    cmp src/d/a a
    status 0 p2p-get -q "$PEER" -o to/ --member d/a --member ./b "$LINK"
    prints "$(printf 'to/b\nto/a')"
    cmp src/d/a to/a
    cmp src/b to/b
    status 0 p2p-get -q "$PEER" -o named --member b "$TORRENT"
    prints named
    cmp src/b named
    status 5 p2p-get -q "$PEER" -o named --member b "$TORRENT"
    says "named: exists already"
    [ -z "$(p2p-ls)" ]
    [ "$(ls to | tr '\n' ' ')" = "a b " ]
    [ "$(ls | tr '\n' ' ')" = "a a.zip f.torrent named src to " ]
}

@test "what is not inside: status 3, with near names; what is no file" {
    mkdir -p src/photos
    printf x >src/photos/beach.jpg
    ln -s beach.jpg src/photos/link.jpg
    ln src/photos/beach.jpg src/photos/same.jpg
    tar -cf a.tar -C src .
    seeded n a.tar
    status 3 p2p-get "$PEER" --member photos/baech.jpg "$TORRENT"
    says "nothing in it is called 'photos/baech.jpg'; it has './photos/"
    [ ! -e baech.jpg ]
    status 3 p2p-get "$PEER" --member photos "$TORRENT"
    says "'photos' is a folder: name one of its files"
    status 3 p2p-get "$PEER" --member photos/link.jpg "$TORRENT"
    says "'photos/link.jpg' is a link to beach.jpg"
    status 0 p2p-get -q "$PEER" -o out/ --member photos/same.jpg --member photos/beach.jpg "$TORRENT"
    [ "$(cat out/same.jpg out/beach.jpg)" = xx ]
}

@test "a name is taken as it is listed, whatever is in it" {
    mkdir src
    printf tab >"src/$(printf 'a\tb')"
    printf x >'src/ü*?'
    archive pax a.tar src
    seeded w a.tar
    p2p-ls --archive --fetch "$LINK" | cut -f 2 >names
    [ "$(wc -l <names)" -eq 2 ]
    while read -r name; do
        took "$name"
        cat out >>all
    done <names
    [ "$(cat all)" = tabx ]
    took "$(printf 'a\tb')"
    [ "$(cat out)" = tab ]
}

@test "what is here is read where it lies, and nothing touches the network" {
    many src 5 100000
    archive zip a.zip src
    p2p-add a.zip >link
    status 0 p2p-ls --archive a.zip
    [ "${#lines[@]}" -eq 5 ]
    status 0 p2p-get -q --no-dht --member m002.bin "$(cat link)"
    cmp src/m002.bin m002.bin
    printf X | dd of=a.zip bs=1 seek=150000 conv=notrunc status=none
    status 4 p2p-get -q --no-dht -o again --member m001.bin "$(cat link)"
    says "a.zip: is not what it was"
    [ ! -e again ]
    rm a.zip
    status 3 p2p-ls --archive "$(p2p-ls --hash)"
    says "its content is not here: --fetch gets what it takes"
    P2P_HOME=$BATS_TEST_TMPDIR/none status 3 p2p-ls --archive "$(cat link)"
    says "its manifest is not here"
}

@test "a folder with archives: ARCHIVE/NAME in both" {
    mkdir -p src/one src/two item/deep
    random_file src/one/a 40000
    random_file src/two/a 50000
    random_file item/readme 1000
    archive zip item/one.zip src/one
    archive pax item/deep/two.tar src/two
    seeded d item
    status 0 p2p-ls --archive --fetch "$LINK"
    prints "$(printf '50000\tdeep/two.tar/a\n40000\tone.zip/a')"
    P2P_HOME="$BATS_TEST_TMPDIR/d" p2p-ls --archive item >here
    [ "$(cat here)" = "$output" ]
    took deep/two.tar/a
    cmp src/two/a out
    status 3 p2p-get "$PEER" --member a "$TORRENT"
    says "which archive is 'a' in? name it ARCHIVE/NAME; it has "
    status 0 p2p-get -q "$PEER" --select one.zip --member a "$TORRENT"
    cmp src/one/a a
    rm -r item/one.zip item/deep
    cp item/readme item/other
    seeded e item
    status 3 p2p-ls --archive --fetch "$LINK"
    says "none of its files is called like an archive"
}

@test "columns and JSON" {
    mkdir src
    printf '#!/bin/sh\n' >src/run
    chmod +x src/run
    archive pax a.tar src
    p2p-add a.tar >/dev/null
    status 0 p2p-ls --archive -l a.tar
    prints "$(printf '10\trun\tx\t2001-09-09T01:46:40Z\t')"
    status 0 p2p-ls --archive --json a.tar
    prints '{"path":"run","size":10,"attr":"x","modified":"2001-09-09T01:46:40Z"}'
    p2p-ls --archive -0 a.tar | tr '\0' '!' >out
    [ "$(cat out)" = "$(printf '10\trun!')" ]
}

@test "what is no archive, or a broken one, or encrypted" {
    random_file noise 100000
    seeded x noise
    status 4 p2p-ls --archive --fetch "$LINK"
    says "it is no archive that is known here"
    many src 3 50000
    archive zip a.zip src
    head -c 120000 a.zip >cut.zip
    seeded y cut.zip
    status 4 p2p-get "$PEER" --member m001.bin "$TORRENT"
    says "the end of the archive is missing"
    [ ! -e m001.bin ]
    zip -q -P secret -j enc.zip src/m001.bin
    seeded z enc.zip
    status 1 p2p-get "$PEER" --member m001.bin "$TORRENT"
    says "'m001.bin' is encrypted"
}

@test "an image whose folders lead to themselves, or are bigger than it" {
    for kind in loop huge; do
        py "$BATS_TEST_DIRNAME/badiso.py" $kind $kind.iso
        seeded $kind $kind.iso
        status 4 p2p-ls --archive --fetch "$LINK"
        says "the archive is broken"
        status 4 p2p-get "$PEER" --member F "$TORRENT"
    done
}

@test "bytes that were changed in their archive before it was added: status 4, and no file" {
    many src 3 50000
    archive zip:compression=store a.zip src
    printf XX | dd of=a.zip bs=1 seek=60000 conv=notrunc status=none
    seeded b a.zip
    status 4 p2p-get "$PEER" --member m001.bin "$TORRENT"
    says "the archive is broken"
    [ "$(ls | tr '\n' ' ')" = "a.zip b.torrent src " ]
}

@test "a name that leads elsewhere stays in the folder" {
    printf evil >evil
    py -c 'import zipfile
z = zipfile.ZipFile("a.zip", "w")
z.writestr("../../up", "1"); z.writestr("/etc/abs", "2"); z.writestr("a/..", "3")'
    seeded u a.zip
    mkdir to
    status 0 p2p-get -q "$PEER" -o to/ --member ../../up --member /etc/abs "$TORRENT"
    [ "$(ls to | tr '\n' ' ')" = "abs up " ]
    status 2 p2p-get -q "$PEER" -o to/ --member a/.. "$TORRENT"
    says "is no name for a file"
}

@test "a reader that dies, a stop, nobody there" {
    many src 2 9000000
    archive zip:compression=store a.zip src
    seeded r --piece-size 64Ki a.zip
    run bash -c 'p2p-get "$0" -o - --member m001.bin "$1" 2>err | head -c 1000 >head; echo "${PIPESTATUS[0]}"' \
        "$PEER" "$TORRENT"
    prints 141
    [ ! -s err ]
    mkfifo pipe
    exec 7<>pipe
    background p2p-get "$PEER" -o - --member m001.bin "$TORRENT" >pipe 2>err
    head -c 1000 <&7 >head
    kill -TERM $!
    got=0
    wait $! || got=$?
    exec 7>&-
    [ "$got" -eq 143 ]
    status 3 p2p-get --no-dht --timeout 1s --member m001.bin "$TORRENT"
    status 3 p2p-ls --archive --fetch --timeout 1s "$TORRENT"
}

@test "several SOURCEs: each by itself, and one that is there twice" {
    many src 2 200000
    archive zip a.zip src
    archive pax b.tar src
    mkdir item
    cp a.zip b.tar item
    seeded s item
    P2P_HOME="$BATS_TEST_TMPDIR/s" p2p-add -o a.torrent a.zip >/dev/null
    P2P_HOME="$BATS_TEST_TMPDIR/s" p2p-add -o b.torrent b.tar >/dev/null
    wait_for 10 p2p-get -q "$PEER" --timeout 1s -o first --member m000.bin b.torrent
    status 5 p2p-get -q "$PEER" -o both --member m001.bin a.torrent b.torrent
    cmp src/m001.bin both/m001.bin # one of the two, whole
    [ "$(ls both)" = m001.bin ]
    status 1 p2p-get -q "$PEER" -o twice --member m001.bin a.torrent a.torrent
    says "being shared already"
    cmp src/m001.bin twice/m001.bin
}

@test "wrong usage" {
    random_file f 1000
    p2p-add -o f.torrent f >/dev/null
    status 2 p2p-get --member a --range 0-1 f.torrent
    says "--member: does not go with --range"
    status 2 p2p-get --member a -x f.torrent
    status 2 p2p-get --member a --seed-for 1h f.torrent
    status 2 p2p-get --member a --member b -o - f.torrent
    status 2 p2p-get --member '' f.torrent
    status 2 p2p-ls --archive
    says "--archive: takes a SOURCE"
    status 2 p2p-ls --archive --verify f
}
