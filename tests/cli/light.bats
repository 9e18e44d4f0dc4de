#!/usr/bin/env bats
# What a small job costs: the libraries that are loaded for it.
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
