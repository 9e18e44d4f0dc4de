#!/usr/bin/env bats
# p2p-get -x: the archive that comes, unpacked, and nothing outside of its folder.
load helper

# shared PATH…: served from a home of its own; sets LINK (of the last) and PEER.
shared() {
    LINK=$(P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add "$@" | tail -1)
    seed_here "$BATS_TEST_TMPDIR/seeder"
    PEER="--peer=127.0.0.1:$PORT"
}

# also PATH: to the one that serves already; sets LINK.
also() { LINK=$(P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add "$@"); }

# evil NAME CODE: a tar and a zip, made by these lines of Python, are refused: status 4.
# tar(name, kind, **attributes) and zip(name, mode, content) add an entry; each has a good one first.
evil() {
    py - "$1" <<PY
import io, stat, sys, tarfile, zipfile
t = tarfile.open(sys.argv[1] + ".tar", "w", format=tarfile.GNU_FORMAT)
z = zipfile.ZipFile(sys.argv[1] + ".zip", "w")
def tar(name, kind=tarfile.REGTYPE, **more):
    i = tarfile.TarInfo(name)
    i.type = kind
    body = more.pop("body", b"evil" if kind == tarfile.REGTYPE else b"")
    i.size = len(body)
    for k, v in more.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(body))
def zip(name, mode=stat.S_IFREG | 0o644, body=b"evil"):
    i = zipfile.ZipInfo(name)
    i.create_system = 3
    i.external_attr = mode << 16
    z.writestr(i, body)
tar("good/file")
zip("good/file")
$2
t.close()
z.close()
PY
}

# refused FILE WORDS: with these words, and nothing is left of it.
refused() {
    also "$1"
    status 4 p2p-get -q "$PEER" -x -o out/ "$LINK"
    prints ""
    says "$2"
    [ -z "$(ls -A out)" ]
    [ ! -e evil ] && [ ! -e /tmp/p2p-evil ]
}

@test "tar with each filter, cpio and zip: unpacked, and the path is told" {
    sample_folder src
    ln -s big src/link
    ln src/big src/hard
    touch -d 2001-02-03T04:05:06Z src/big
    umask 022
    mkdir made
    tar cf made/plain.tar src
    tar czf made/a.tar.gz src
    tar cJf made/b.tXz src
    bzip2 -k <made/plain.tar >made/c.tbz2
    zstd -q made/plain.tar -o made/d.tar.zst
    lz4 -q made/plain.tar made/e.tar.lz4
    xz --format=lzma -k <made/plain.tar >made/f.tar.lzma
    bsdtar -cf made/g.cpio --format newc src
    zip -qry made/h.zip src
    shared made/*
    for a in made/*; do
        name=$(basename "$a")
        stem=${name%%.*}
        also "$a"
        status 0 p2p-get "$PEER" -x -o out/ "$LINK"
        prints "out/$stem"
        silent
        diff -r --no-dereference src "out/$stem/src"
        [ -x "out/$stem/src/sub/run" ]
        [ ! -x "out/$stem/src/big" ]
        [ "$(stat -c %Y "out/$stem/src/big")" = 981173106 ]
    done
    [ "$(stat -c %h out/plain/src/big)" = 2 ]
    [ "$(ls -A out)" = "$(printf '%s\n' a b c d e f g h plain)" ]
    status 0 p2p-ls
    prints "" # nothing is recorded
}

@test "7z and ISO 9660, by bsdtar" {
    sample_folder src
    bsdtar -cf a.7z --format 7zip src
    bsdtar -cf b.iso --format iso9660 src
    shared a.7z
    for name in a.7z b.iso; do
        also $name
        status 0 p2p-get "$PEER" -x -o out/ "$LINK"
        diff -r src "out/${name%.*}/src"
        [ -x "out/${name%.*}/src/sub/run" ]
    done
}

@test "what it is called: in a folder, by another name, and not twice" {
    sample_folder src/tool-1.0
    tar -C src -czf src/tool-1.0.tar.gz tool-1.0
    shared src/tool-1.0.tar.gz
    status 0 p2p-get "$PEER" -x "$LINK"
    prints tool-1.0
    diff -r src/tool-1.0 tool-1.0
    mkdir in
    status 0 p2p-get "$PEER" -x -o in "$LINK"
    prints in/tool-1.0
    diff -r src/tool-1.0 in/tool-1.0
    status 0 p2p-get "$PEER" -x -o other "$LINK"
    prints other
    diff -r src/tool-1.0 other
    status 0 p2p-get "$PEER" -x -o "$PWD/abs/new" "$LINK"
    prints "$PWD/abs/new"
    status 0 p2p-get "$PEER" -x --json -o j "$LINK"
    [ "$(printf '%s\n' "$output" | grep -c '"event":"done".*"path":"j"')" = 1 ]
    # What is there is never touched, and nothing is fetched.
    echo mine >in/tool-1.0/mine
    status 5 p2p-get "$PEER" -x -o in "$LINK"
    says "is there already"
    [ "$(cat in/tool-1.0/mine)" = mine ]
    [ -z "$(find . -name '*.part')" ]
}

@test "names that lead out, devices, links that lead out" {
    touch keep
    mkdir out
    shared keep
    evil dots 'tar("good/../../evil"); zip("good/../../evil")'
    refused dots.tar "leads out of it"
    refused dots.zip "leads out of it"
    evil absolute 'tar("/tmp/p2p-evil"); zip("/tmp/p2p-evil")'
    refused absolute.tar "absolute"
    refused absolute.zip "absolute"
    for kind in CHRTYPE BLKTYPE FIFOTYPE; do
        evil $kind "tar('dev', tarfile.$kind, devmajor=1, devminor=3)"
        refused $kind.tar "a device, FIFO or socket"
    done
    for target in /etc ../../.. good/../../..; do
        name=link$((++i))
        evil $name "tar('l', tarfile.SYMTYPE, linkname='$target'); zip('l', stat.S_IFLNK | 0o777, b'$target')"
        refused $name.tar "leads out of the folder"
        refused $name.zip "leads out of the folder"
    done
    evil through "tar('l', tarfile.SYMTYPE, linkname='$PWD'); tar('l/evil')
zip('l', stat.S_IFLNK | 0o777, b'$PWD'); zip('l/evil')"
    refused through.tar "leads out of the folder"
    refused through.zip "leads out of the folder"
    for target in "$PWD/keep" ../../keep l none; do
        name=hard$((++i))
        evil $name "tar('l', tarfile.SYMTYPE, linkname='$PWD/keep'); tar('h', tarfile.LNKTYPE, linkname='$target')
tar('h', body=b'evil')"
        also $name.tar
        status 4 p2p-get -q "$PEER" -x -o out/ "$LINK"
        [ ! -s keep ]
        [ -z "$(ls -A out)" ]
    done
}

@test "no set-user-ID, no sticky bit, no stranger's owner" {
    touch keep
    shared keep
    umask 022
    evil modes 'tar("suid", mode=0o6755, uid=12345, gid=12345, uname="bin", gname="bin")
tar("dir", tarfile.DIRTYPE, mode=0o3777)
tar("open", mode=0o666)
tar("closed", mode=0)
zip("suid", stat.S_IFREG | 0o6755)'
    for kind in tar zip; do
        also modes.$kind
        status 0 p2p-get "$PEER" -x -o $kind "$LINK"
        [ "$(stat -c %a:%u $kind/suid)" = "755:$(id -u)" ]
    done
    [ "$(stat -c %a tar/dir tar/open tar/closed)" = "$(printf '755\n644\n644')" ]
}

@test "bombs: too big for the size of the archive, too deep" {
    touch keep
    mkdir out
    shared keep
    py -c '
import tarfile
i = tarfile.TarInfo("big")
i.size = 20 << 40
open("huge.tar", "wb").write(i.tobuf(tarfile.GNU_FORMAT) + bytes(100000))'
    refused huge.tar "a bomb"
    # 1.2 GB of zeros in a zip of 1.2 MB are as they may be; 3 GB in 5 KB are not.
    head -c 3000000000 /dev/zero | zstd -q -c >zeros
    py -c '
import tarfile
i = tarfile.TarInfo("big")
i.size = 3000000000
open("head", "wb").write(i.tobuf(tarfile.GNU_FORMAT))'
    { zstd -q -c head; cat zeros; } >bomb.tar.zst
    refused bomb.tar.zst "a bomb"
    evil deep 'tar("d/" * 101 + "f"); zip("d/" * 101 + "f")'
    refused deep.tar "folders deep"
    refused deep.zip "folders deep"
    evil long 'tar("n" * 300); zip("n" * 300)'
    refused long.tar "too long"
    refused long.zip "too long"
}

@test "damaged, cut off, encrypted, or no archive" {
    sample_folder src
    mkdir out
    tar cJf whole.tar.xz src
    zip -qr whole.zip src
    for a in whole.tar.xz whole.zip; do
        head -c $(($(stat -c %s $a) / 2)) $a >cut.$a
        py -c '
import sys
b = bytearray(open(sys.argv[1], "rb").read())
for i in range(len(b) // 3, len(b) // 3 + 2000): b[i] ^= 0x55
open("bad." + sys.argv[1], "wb").write(b)' $a
    done
    random_file noise 300000
    : >none
    zip -qr -P secret locked.zip src
    shared noise
    for a in cut.* bad.* noise locked.zip; do
        also "$a"
        status 4 p2p-get -q "$PEER" -x -o out/ "$LINK"
        [ -z "$(ls -A out)" ]
    done
    also noise
    status 4 p2p-get -q "$PEER" -x -o out/ "$LINK"
    says "no archive that can be read"
    also none
    status 2 p2p-get -q "$PEER" -x -o out/ "$LINK"
}

@test "a folder of several files: one is chosen" {
    sample_folder src/one
    mkdir item
    tar -C src -cf item/one.tar one
    echo readme >item/readme
    shared item
    status 2 p2p-get -q "$PEER" -x "$LINK"
    says "choose one with --select"
    status 0 p2p-get -q "$PEER" -x --select '*.tar' "$LINK"
    prints one
    diff -r src/one one
    rm -r one item/readme
    also --name alone item
    status 0 p2p-get -q "$PEER" -x "$LINK"
    prints one
}

@test "several at once, each by itself; one that fails does not stop the others" {
    sample_folder src
    for i in 1 2 3; do tar czf $i.tgz src; echo $i >>src/big; done
    random_file noise 100000
    shared 1.tgz 2.tgz 3.tgz noise
    P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-ls --link >list
    status 4 p2p-get -q "$PEER" -x -o out/ -i list
    [ "$(printf '%s\n' "$output" | sort)" = "$(printf 'out/%s\n' 1 2 3)" ]
    [ "$(ls -A out)" = "$(printf '%s\n' 1 2 3)" ]
}

@test "two of one name: one of them is unpacked" {
    sample_folder src
    tar czf a.tgz src
    zip -qr a.zip src
    shared a.tgz a.zip
    P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-ls --link >list
    got=0
    p2p-get -q "$PEER" -x -o out/ -i list >told || got=$?
    [ $got -eq 5 ] || [ $got -eq 6 ] # before it, or meanwhile
    [ "$(cat told)" = out/a ]
    diff -r src out/a/src
    [ "$(ls -A out)" = a ]
}

@test "no space: status 5, nothing stays; with space again it is unpacked" {
    random_file src/a 1500000
    random_file src/b 1500000
    tar czf a.tar.gz src
    zip -qr a.zip src
    shared a.tar.gz
    small_disk "$PWD/small" 2m
    for a in a.tar.gz a.zip; do
        also $a
        status 5 p2p-get -q "$PEER" -x -o small/ "$LINK"
        says "No space left"
        [ -z "$(ls -A small)" ]
    done
    # There is never more of it on the disk than what it unpacks to.
    mount -o remount,size=4m "$PWD/small"
    status 0 p2p-get -q "$PEER" -x -o small/ "$LINK"
    diff -r src small/a/src
    mount -o remount,size=20m "$PWD/small"
    # Not even the names fit.
    py -c '
import tarfile
t = tarfile.open("many.tar.gz", "w:gz")
for i in range(500): t.addfile(tarfile.TarInfo("d/%d" % i))
t.close()'
    also many.tar.gz
    mount -o remount,nr_inodes=100 "$PWD/small"
    status 5 p2p-get -q "$PEER" -x -o small/ "$LINK"
    [ "$(ls -A small)" = a ]
}

@test "a folder that may not be written: status 5" {
    sample_folder src
    tar cf a.tar src
    shared a.tar
    mkdir closed
    chmod 555 closed
    chmod -R a+rwX "$BATS_TEST_TMPDIR"
    chmod 555 closed
    as_nobody p2p-get -q --home "$BATS_TEST_TMPDIR/work/h" "$PEER" -x -o closed/ "$LINK" 2>err && false || got=$?
    [ "$got" -eq 5 ]
    [ -z "$(ls -A closed)" ]
}

@test "Ctrl-C and SIGTERM: what was unpacked goes; run again, it is whole" {
    random_file src/a 9000000
    tar cf a.tar src
    bsdtar -cf a.7z --format 7zip src
    shared a.tar
    for a in a.tar a.7z; do
        for sig in INT TERM; do
            also $a
            # The terminal sends it to all of them.
            setsid env --default-signal=INT p2p-get -q "$PEER" -x --limit-down 1M -o out/ "$LINK" &
            pid=$!
            wait_for 10 eval 'test -n "$(find out -path "*.part*" -size +0 2>/dev/null)" || ls -A out | grep -q part'
            kill -$sig -- -$pid
            got=0
            wait $pid || got=$?
            [ $got -eq $((128 + $(kill -l $sig))) ]
            [ -z "$(ls -A out)" ]
        done
        status 0 p2p-get -q "$PEER" -x -o out/ "$LINK"
        diff -r src out/a/src
        rm -r out/a
    done
}

@test "kill -9: nothing has its name; run again, it is whole and nothing is left over" {
    random_file src/a 9000000
    tar cf a.tar src
    shared a.tar
    p2p-get -q "$PEER" -x --limit-down 1M -o out/ "$LINK" &
    pid=$!
    wait_for 10 eval 'test -n "$(find out -path "*.part*" -size +0 -type f 2>/dev/null)"'
    status 6 p2p-get -q "$PEER" -x -o out/ "$LINK" # another is at it
    says "something is being put there"
    kill -9 $pid
    wait $pid || true
    [ ! -e out/a ]
    wait_for 10 eval '! pgrep -f "^p2p-unpack.*$BATS_TEST_TMPDIR"'
    [ -z "$(find out -type f)" ]
    mkdir -p "$(echo out/.a.part/*)/src"
    echo left >"$(echo out/.a.part/*)/src/a" # as a power cut would
    status 0 p2p-get -q "$PEER" -x -o out/ "$LINK"
    diff -r src out/a/src
    [ "$(ls -A out)" = a ]
}

@test "the process that unpacks is killed: status 1, and run again it is whole" {
    random_file src/a 9000000
    tar cf a.tar src
    shared a.tar
    p2p-get -q "$PEER" -x --limit-down 1M -o out/ "$LINK" 2>err &
    pid=$!
    wait_for 10 eval 'test -n "$(find out -path "*.part*" -size +0 -type f 2>/dev/null)"'
    kill -9 "$(pgrep -P $pid)"
    got=0
    wait $pid || got=$?
    [ $got -eq 1 ]
    grep -q "broke down" err
    [ ! -e out/a ]
    status 0 p2p-get -q "$PEER" -x -o out/ "$LINK"
    diff -r src out/a/src
    [ "$(ls -A out)" = a ]
}

@test "a peer that goes away: status 3 and nothing stays" {
    random_file src/a 9000000
    tar cf a.tar src
    shared a.tar
    p2p-get -q "$PEER" -x --limit-down 1M --timeout 2s -o out/ "$LINK" 2>err &
    pid=$!
    wait_for 10 eval 'test -n "$(find out -path "*.part*" -size +0 -type f 2>/dev/null)"'
    kill "${BACKGROUND[0]}"
    got=0
    wait $pid || got=$?
    [ $got -eq 3 ]
    [ -z "$(ls -A out)" ]
}

@test "unpacked as it comes: the first file is there long before the last" {
    random_file src/a 200000
    random_file src/b 3000000
    tar cf a.tar src/a src/b
    zip -q a.zip src/a src/b
    shared --piece-size 16Ki a.tar
    for a in a.tar a.zip; do
        also --piece-size 16Ki $a
        p2p-get -q "$PEER" -x --window 64Ki --limit-down 500k -o out/ "$LINK" &
        pid=$!
        wait_for 10 eval 'cmp -s src/a out/.a.part/*/src/a'
        [ ! -s "$(echo out/.a.part/*)/src/b" ] || [ "$(stat -c %s out/.a.part/*/src/b)" -lt 3000000 ]
        kill $pid
        wait $pid || true
        [ -z "$(ls -A out)" ]
    done
}

@test "several share one window; each has room for two pieces" {
    local links=()
    for a in a b c; do
        random_file src/$a 1000000
        tar cf $a.tar src/$a
        if [ $a = a ]; then shared --piece-size 64Ki a.tar; else also --piece-size 64Ki $a.tar; fi
        links+=("$LINK")
    done
    status 2 p2p-get "$PEER" -q -x --window 100Ki -o out/ "${links[@]}"
    says "it takes 128 KiB"
    status 0 p2p-get "$PEER" -q -x --window 200Ki -o out/ "${links[@]}"
    for a in a b c; do
        cmp src/$a out/$a/src/$a
    done
}

@test "a deadline is for the unpacking too" {
    random_file src/a 700000
    tar cf a.tar src
    shared a.tar
    p2p-get -q "$PEER" -x --limit-down 500k --deadline 4s -o out/ "$LINK" 2>err &
    pid=$!
    wait_for 10 eval 'child=$(pgrep -P $pid)'
    kill -STOP "$child"
    sleep 5
    kill -CONT "$child"
    got=0
    wait $pid || got=$?
    [ $got -eq 3 ]
    grep -q "the deadline passed" err
    [ -z "$(ls -A out)" ]
}

@test "no program is run, and none can be: a filter of another program is no archive" {
    mkdir -p out bin src
    echo x >src/f
    tar cf a.tar src
    for p in lrzip grzip lzop xz zstd gzip; do
        printf '#!/bin/sh\ntouch %s/ran\n' "$PWD" >bin/$p
        chmod +x bin/$p
    done
    { printf 'LRZI\0\6'; cat a.tar; } >a.tar.lrz
    { printf 'GRZipII\0\2\4:)'; cat a.tar; } >a.tar.grz
    { printf '\x89LZO\0\r\n\x1a\n'; cat a.tar; } >a.tar.lzo
    shared a.tar.lrz
    for a in a.tar.*; do
        also $a
        PATH="$PWD/bin:$PATH" status 4 p2p-get -q "$PEER" -x -o out/ "$LINK"
        says "no archive that can be read"
    done
    [ ! -e ran ]
    # The process has a filter of system calls.
    random_file src/big 3000000
    tar cf b.tar src
    also b.tar
    p2p-get -q "$PEER" -x --limit-down 500k -o out/ "$LINK" &
    pid=$!
    wait_for 10 eval 'child=$(pgrep -P $pid) && grep -q "Seccomp:.2" /proc/$child/status'
    grep -q 'NoNewPrivs:.1' /proc/"$(pgrep -P $pid)"/status
    kill $pid
    wait $pid || true
}

@test "what does not go with it is wrong usage" {
    touch keep
    shared keep
    for o in "-o -" --manifest-only "--format tar" "--range 0-1" --preallocate "--reuse keep" "--seed-for 1m" "--seed-ratio 1"; do
        # shellcheck disable=SC2086 # two words
        status 2 p2p-get -x $o "$LINK"
        says "-x: does not go with ${o%% *}"
    done
}
