#!/usr/bin/env bats
# p2p-add --archive: what is inside an archive, in one pass; and --files-from: only some files.
load helper

# like FOLDER [OPTION…]: the link that the folder has.
like() { P2P_HOME="$BATS_TEST_TMPDIR/other" p2p-add --no-catalogue "${@:2}" "$1"; }

# hostile NAME PYTHON…: a tar made by lines of Python with `t` and the helpers below.
hostile() {
    py - "$1" <<PYTHON
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w")
def put(name, data=b"x", **k):
    i = tarfile.TarInfo(name)
    i.size = len(data)
    for a, v in k.items():
        setattr(i, a, v)
    t.addfile(i, io.BytesIO(data) if data else None)
$2
t.close()
PYTHON
}

# refused STATUS TEXT COMMAND…: with that; nothing is recorded, and nothing stays in the store.
refused() {
    local wanted=$1 text=$2
    shift 2
    status "$wanted" "$@"
    says "$text"
    prints ""
    [ -z "$(p2p-ls)" ]
    [ -z "$(ls -A "$P2P_HOME/store")" ]
}

# traced OPTION… COMMAND…: leaks are not looked for meanwhile, which is not to be had under strace.
traced() { ASAN_OPTIONS=detect_leaks=0 strace -f -qq "$@"; }

folder() {
    sample_folder src/d
    ln -s ../big src/d/sub/link
    ln src/d/big src/d/twin
    printf y >"src/d/sub/$(printf '\303\244 name')"
}

@test "every format and filter gives the link of the folder; so does a pipe" {
    folder
    cd src
    tar cf ../d.tar d
    for filter in gz:z bz2:j xz:J; do tar "c${filter#*:}f" "../d.tar.${filter%:*}" d; done
    py -c '
import os, zipfile
z = zipfile.ZipFile("../d.zip", "w", zipfile.ZIP_DEFLATED)
for top, dirs, files in os.walk("d"):
    for f in files:
        p = os.path.join(top, f)
        i = zipfile.ZipInfo.from_file(p)
        if os.path.islink(p):
            i.external_attr = 0o120777 << 16
            z.writestr(i, os.readlink(p))
        else:
            z.writestr(i, open(p, "rb").read(), zipfile.ZIP_DEFLATED)'
    cd ..
    wanted=$(like src/d)
    for archive in d.tar d.tar.gz d.tar.bz2 d.tar.xz d.zip; do
        rm -rf "$P2P_HOME"
        status 0 p2p-add --archive "$archive"
        prints "$wanted"
        silent
        diff -r --no-dereference src/d "$(p2p-ls --path d)"
        [ "$(p2p-add --archive - <"$archive")" = "$wanted" ]
        [ "$(cat "$archive" | p2p-add --archive -)" = "$wanted" ]
        status 0 p2p-ls --verify d
    done
}

@test "each format of link, with the options of a folder" {
    folder
    tar cf d.tar -C src d
    for options in "--format v1" "--format v2 --piece-size 32Ki" "--exclude sub" \
        "--exclude deep --name other" "--private --source s"; do
        # shellcheck disable=SC2086
        [ "$(p2p-add $options --archive d.tar)" = "$(like src/d $options)" ]
    done
    status 2 p2p-add --follow --archive d.tar
    says "--follow: links in an archive are kept as links"
}

@test "one thing in it is the item; several are a folder called as the archive" {
    folder
    tar cf d.tar -C src/d .
    tar czf e.tgz -C src/d big empty
    tar cf one.tar -C src/d big
    mkdir e
    cp src/d/big src/d/empty e
    [ "$(p2p-add --archive d.tar)" = "$(like src/d)" ]
    [ "$(p2p-add --archive e.tgz)" = "$(like e)" ]
    [ "$(p2p-add --archive one.tar)" = "$(like src/d/big)" ]
    cmp "$(p2p-ls --path big)" src/d/big
    [ "$(p2p-add --archive --name d - <d.tar)" = "$(like src/d)" ]
    status 2 p2p-add --archive - <d.tar
    says "what is in the archive has no name"
    status 5 p2p-add --archive nothing.tar
    status 5 p2p-add --archive src
}

@test "it is served from the store, and p2p-rm --data takes all of it away" {
    folder
    tar czf d.tgz -C src d
    LINK=$(P2P_HOME=$PWD/seeder p2p-add --archive d.tgz)
    rm d.tgz
    seed_here "$PWD/seeder"
    p2p-get -q --peer "127.0.0.1:$PORT" --attributes -o got/ "$LINK"
    diff -r --no-dereference src/d got/d
    P2P_HOME=$PWD/seeder p2p-rm --data d
    [ -z "$(ls -A seeder/store)" ]
}

@test "its bytes are written once, and nothing else of it" {
    command -v strace >/dev/null || skip "no strace"
    random_file src/d/a 3000000
    random_file src/d/b 2000000
    tar cf d.tar -C src d
    traced -e trace=write,pwrite64,pwritev,copy_file_range,sendfile -o calls \
        p2p-add --archive d.tar >/dev/null
    written=$(sed -n 's/.* = \([0-9]*\)$/\1/p' calls | py -c 'import sys; print(sum(map(int, sys.stdin)))')
    [ "$written" -ge 5000000 ]
    [ "$written" -lt 6000000 ] # and the catalogue
}

@test "a name that comes again means the later one, as to tar" {
    mkdir d
    echo old >d/a
    tar cf d.tar d
    echo newer >d/a
    tar rf d.tar d/a
    [ "$(p2p-add --archive d.tar)" = "$(like d)" ]
    [ "$(cat "$(p2p-ls --path d)/a")" = newer ]
}

@test "hard links: to a file before it; the same bytes on the disk" {
    folder
    tar cf d.tar -C src d
    p2p-add --archive d.tar
    path=$(p2p-ls --path d)
    [ "$path/big" -ef "$path/twin" ]
    cmp src/d/big "$path/twin"
    P2P_HOME=$PWD/h
    mkdir -p h/store
    hostile bad.tar 'put("d/a"); put("d/b", b"", type=tarfile.LNKTYPE, linkname="../../etc/passwd")'
    refused 4 "'../../etc/passwd' leads out of it" p2p-add --archive bad.tar
    hostile bad.tar 'put("d/b", b"", type=tarfile.LNKTYPE, linkname="d/a"); put("d/a")'
    refused 4 "'d/b' is a hard link to 'd/a', which is no file before it" p2p-add --archive bad.tar
}

@test "names that lead out, and devices: status 4, and nothing stays" {
    mkdir -p "$P2P_HOME/store"
    hostile a.tar 'put("d/a"); put("d/../../b")'
    refused 4 "a.tar: 'd/../../b' leads out of it" p2p-add --archive a.tar
    hostile a.tar 'put("d/a"); put("/etc/b")'
    refused 4 "'/etc/b' is an absolute path" p2p-add --archive a.tar
    hostile a.tar 'put("d/a"); put("d/null", b"", type=tarfile.CHRTYPE)'
    refused 4 "'d/null' is a device" p2p-add --archive a.tar
    hostile a.tar 'put("d/a"); put("d/pipe", b"", type=tarfile.FIFOTYPE)'
    refused 4 "'d/pipe' is a device, FIFO" p2p-add --archive a.tar
    hostile a.tar 'put("d/" + "a/" * 101 + "b")'
    refused 4 "folders deep" p2p-add --archive a.tar
    hostile a.tar 'put("d/a"); put("d/a/b")'
    refused 4 "a.tar: " p2p-add --archive a.tar
    hostile a.tar 'put("d"); put("d/b")'
    refused 4 "a.tar: 'd' is a file in it and a folder" p2p-add --archive a.tar
    hostile a.tar 'put("d/a"); put("d/l", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")'
    status 0 p2p-add --archive a.tar
    says "a.tar/l: left out: a link to '/etc/passwd', which is not shared with it"
    [ ! -e "$(p2p-ls --path d)/l" ]
}

@test "cut off, damaged, no archive, nothing in it: status 4" {
    mkdir -p "$P2P_HOME/store"
    folder
    tar cf d.tar -C src d
    tar czf d.tgz -C src d
    head -c 200000 d.tar >cut.tar
    refused 4 "cut.tar: the archive is damaged or cut off" p2p-add --archive cut.tar
    head -c 2560 d.tar >cut.tar # behind an entry
    refused 4 "cut.tar: " p2p-add --archive cut.tar
    head -c 200000 d.tgz >cut.tgz
    refused 4 "cut.tgz: the archive is damaged or cut off" p2p-add --archive cut.tgz
    tar cJf d.txz -C src d
    { head -c 100000 d.txz; printf 'xxxxxxxx'; tail -c +100009 d.txz; } >bad.txz
    refused 4 "bad.txz: the archive is damaged or cut off" p2p-add --archive bad.txz
    refused 4 "src/d/big: no archive that can be read" p2p-add --archive src/d/big
    : >empty
    refused 4 "empty: no archive that can be read" p2p-add --archive empty
    head -c 10240 /dev/zero >zeros.tar
    refused 4 "zeros.tar: there is no file in it to share" p2p-add --archive zeros.tar
    mkdir only
    tar cf only.tar only
    refused 4 "only.tar: there is no file in it to share" p2p-add --archive only.tar
}

@test "a bomb is stopped long before its end" {
    mkdir -p "$P2P_HOME/store"
    # Sparse: the bytes that would come out take no room here.
    truncate -s 3T bomb
    tar cSf bomb.tar bomb
    refused 4 "bomb.tar: a bomb" p2p-add --archive bomb.tar
}

@test "no room left: status 5, nothing recorded, nothing left behind" {
    small_disk "$PWD/disk" 3M
    export P2P_HOME=$PWD/disk/home
    mkdir -p "$P2P_HOME/store"
    random_file src/d/a 1000000
    random_file src/d/b 6000000
    tar cf d.tar -C src d
    refused 5 "No space left" p2p-add --archive d.tar
}

staged() { [ -n "$(find "$P2P_HOME/store" -size +100k)" ]; }

@test "Ctrl-C ends it; what kill -9 left is taken away by the next" {
    mkdir -p "$P2P_HOME/store"
    random_file src/d/a 1000000
    tar cf d.tar -C src d
    mkfifo pipe
    for signal in INT KILL; do
        (
            trap - INT
            exec setsid p2p-add --archive - <pipe >out 2>err
        ) &
        pid=$!
        exec 5>pipe
        head -c 500000 d.tar >&5
        wait_for 10 staged
        kill -$signal $pid
        got=0
        wait $pid || got=$?
        exec 5>&-
        [ ! -s out ]
        [ $signal = KILL ] || [ "$got" = 130 ]
        [ $signal = KILL ] || [ -z "$(ls -A "$P2P_HOME/store")" ]
    done
    [ -n "$(ls -A "$P2P_HOME/store")" ]
    p2p-add --archive d.tar
    [ "$(ls -A "$P2P_HOME/store" | wc -l)" = 1 ]
}

@test "--files-from: of a folder, of an archive; names as p2p-ls prints them" {
    folder
    tar cf d.tar -C src d
    mkdir -p some/d/sub
    cp src/d/empty some/d
    cp src/d/sub/one some/d/sub
    cp "src/d/sub/$(printf '\303\244 name')" some/d/sub
    wanted=$(like some/d)
    printf '%s\n' empty d/sub/one "$(printf 'sub/\303\244 name')" >list
    [ "$(p2p-add --files-from list src/d)" = "$wanted" ]
    [ "$(p2p-ls --link d)" = "$wanted" ]
    status 0 p2p-ls --verify d
    [ "$(p2p-add --files-from list --archive d.tar)" = "$wanted" ]
    tr '\n' '\0' <list | p2p-add -0 --files-from - --json src/d | grep -q '"name":"d"'
    p2p-add -o all.torrent src/d >/dev/null
    p2p-ls all.torrent | grep 'one\|empty\|name' | p2p-add --files-from - src/d >told
    [ "$(cat told)" = "$wanted" ]
    # What is named and excluded is no mistake, as for p2p-get.
    printf 'big\n' >>list
    [ "$(p2p-add --files-from list --exclude big src/d)" = "$wanted" ]
    # A link stays only with what it leads to.
    printf 'sub/link\nbig\n' >links
    status 0 p2p-add --files-from links --json src/d
    [ "$(json files | py -c 'import json, sys; print(len(json.load(sys.stdin)))')" = 2 ]
    printf 'sub/link\nempty\n' >links
    status 0 p2p-add --files-from links src/d
    says "link: left out"
}

@test "--files-from: a name that is not there is status 3 with the nearest; nothing is recorded" {
    folder
    printf 'empty\nbigg\n' >list
    status 3 p2p-add --files-from list src/d
    says "src/d: no file is called 'bigg'; it has 'big', "
    prints ""
    [ -z "$(p2p-ls)" ]
    : >none
    status 2 p2p-add --files-from none src/d
    says "--files-from: names no file"
    status 5 p2p-add --files-from missing src/d
    status 2 p2p-add --files-from - -i -
    status 2 p2p-add --files-from - --name x -
    says "standard input can be read once only"
    # Of a single file, its own name.
    printf 'big\n' >list
    [ "$(p2p-add --files-from list src/d/big)" = "$(like src/d/big)" ]
    status 3 p2p-add --files-from list src/d/empty
}

@test "standard input that is a terminal: status 2" {
    command -v script >/dev/null || skip "no script(1)"
    for options in "--name x" "--archive"; do
        script -qec "p2p-add $options -" /dev/null >told </dev/null && code=0 || code=$?
        [ "$code" = 2 ]
        grep -q "is a terminal" told
    done
}

@test "standard input: hashed as it flows, written once, hardly anything of it read again" {
    command -v strace >/dev/null || skip "no strace"
    random_file f 40000000
    for format in v1 v2 hybrid; do
        P2P_HOME=h.$format traced -e trace=read,pread64,write -o calls \
            bash -c 'cat f | p2p-add --format $0 --name f -' $format >link
        [ "$(cat link)" = "$(like f --format $format)" ]
        py - <<'PYTHON'
import re
sums = {}
for line in open("calls"):
    m = re.match(r"(\d+) +(\w+)\(.*\) = (\d+)$", line)
    if m:
        sums[m[1], m[2]] = sums.get((m[1], m[2]), 0) + int(m[3])
again = sum(n for (pid, call), n in sums.items() if call == "pread64")
assert again <= 40000000 / 16 + 1000000, again # the catalogue is read so, too
# cat reads and writes all of it; so does p2p-add, once.
assert sum(n for (pid, call), n in sums.items() if call == "write") < 81000000, sums
assert sum(n for (pid, call), n in sums.items() if call == "read") < 81000000, sums
PYTHON
        # Of a file it is known how long it is: nothing at all.
        P2P_HOME=i.$format traced -e trace=pread64 -o calls p2p-add --format $format --name f - \
            <f >link
        [ "$(cat link)" = "$(like f --format $format)" ]
        [ "$(sed -n 's/.* = \([0-9]*\)$/\1/p' calls | awk '{ n += $1 } END { print n + 0 }')" -lt 1000000 ]
    done
}
