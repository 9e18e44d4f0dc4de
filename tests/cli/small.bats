#!/usr/bin/env bats
# Small machines: 64 MiB of address space, threads and libraries and all, and content that is larger.

load helper

setup_file() {
    export THING="$BATS_FILE_TMPDIR/thing"
    openssl enc -aes-128-ctr -nosalt -pass pass:thing -pbkdf2 -iter 1 -in /dev/zero 2>/dev/null |
        head -c 80000000 >"$THING"
}

within_64_MiB() {
    local link
    if ldd "$BIN/p2p-get" | grep -q "lib[at]san"; then skip "sanitizers map terabytes"; fi
    ulimit -v 65536
    link=$(p2p-add --format "$1" --piece-size "$2" "$THING")
    background p2p-seed --bind 127.0.0.1 --port 0 >seed.out
    wait_for 10 grep -q listening seed.out
    P2P_HOME=$PWD/other p2p-get -q --timeout 60s -o got --peer "$(cut -f 2 seed.out)" "$link"
    cmp "$THING" got
}

@test "v1 within 64 MiB" { within_64_MiB v1 1Mi; }
@test "v2 in large pieces within 64 MiB" { within_64_MiB v2 32Mi; }
@test "hybrid in large pieces within 64 MiB" { within_64_MiB hybrid 32Mi; }
