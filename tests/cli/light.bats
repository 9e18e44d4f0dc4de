#!/usr/bin/env bats
# What a small job costs: the libraries that are loaded for it, and how often it waits for the disk.
load helper

# loads COMMAND…: the names of the libraries that it opened, into the file `loaded`.
loads() {
    rm -f seen.*
    LD_DEBUG=files LD_DEBUG_OUTPUT=seen "$@" >/dev/null
    sed -n 's/.*calling init: .*\/\(lib[^ /]*\)$/\1/p' seen.* | sort -u >loaded
    grep -q '^libcrypto' loaded # we know how to look
}

@test "who asks nothing of the web loads no libcurl" {
    random_file f 100000
    loads p2p-add -o t -t http://tracker.example/announce f
    run ! grep -q curl loaded
    for command in "p2p-ls t" "p2p-ls --json t" p2p-ls "p2p-rm t"; do
        # shellcheck disable=SC2086 # these are words
        loads $command
        run ! grep -q curl loaded
    done
}

@test "libcurl is loaded for an address, and p2p-ls says so when it cannot be" {
    random_file f 100000
    p2p-add -o t f
    serve_folder .
    loads p2p-ls "$HTTP/t"
    grep -q '^libcurl' loaded
    mkdir lib
    : >lib/libcurl.so.4
    LD_LIBRARY_PATH=lib status 1 p2p-ls "$HTTP/t"
    says "cannot load libcurl"
    LD_LIBRARY_PATH=lib status 1 p2p-get "$HTTP/t"
    says "cannot load libcurl"
}

@test "who fetches from a peer loads no libcurl" {
    random_file f 100000
    link=$(p2p-add f)
    background p2p-seed -q --bind 127.0.0.1 --port 0 >ready
    wait_for 10 test -s ready
    mkdir out
    loads p2p-get --home other -o out "$link&x.pe=$(cut -f 2 ready)"
    cmp f out/f
    run ! grep -q curl loaded
}

# waits COMMAND…: how often it waited for the disk, into $WAITS.
waits() {
    if [ ! -e waits.so ]; then
        cc -shared -fPIC -o waits.so -xc - <<'EOF'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int wait_for(long call, int fd)
{
    int log = open(getenv("WAITS_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (log < 0 || write(log, "w", 1) != 1)
        abort();
    close(log);
    return (int)syscall(call, fd);
}
int fsync(int fd) { return wait_for(SYS_fsync, fd); }
int fdatasync(int fd) { return wait_for(SYS_fdatasync, fd); }
int syncfs(int fd) { return wait_for(SYS_syncfs, fd); }
EOF
    fi
    : >log
    WAITS_LOG=$PWD/log LD_PRELOAD=$PWD/waits.so \
        ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" "$@" >/dev/null
    WAITS=$(wc -c <log)
}

@test "a small file is added with six waits for the disk, and fetched with eight" {
    random_file f 1048576
    random_file other 1000
    p2p-add other
    waits p2p-add f
    # The data, as it is new. The catalogue's journal: its beginning, its name, what it says; and
    # that in its place, twice.
    [ "$WAITS" -eq 6 ]
    link=$(p2p-add f)
    background p2p-seed -q --bind 127.0.0.1 --port 0 >ready
    wait_for 10 test -s ready
    export P2P_HOME="$BATS_TEST_TMPDIR/second"
    mkdir out
    waits p2p-get --no-dht -o out "$link&x.pe=$(cut -f 2 ready)"
    cmp f out/f
    # The home is new: itself, its catalogue, the name of that.
    [ "$WAITS" -eq 11 ]
    p2p-rm --data f
    waits p2p-get --no-dht -o out "$link&x.pe=$(cut -f 2 ready)"
    cmp f out/f
    # As for p2p-add, and the name of the data, and that it is complete.
    [ "$WAITS" -eq 8 ]
}

@test "a digest needs no more of OpenSSL than its code: no providers, no configuration" {
    random_file f 100000
    mkfifo nobody-writes
    export OPENSSL_CONF=$PWD/nobody-writes # who reads it waits for ever
    status 0 timeout 60 p2p-add -o t f
    status 0 timeout 60 p2p-ls t
}
