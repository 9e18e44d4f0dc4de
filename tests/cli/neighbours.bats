#!/usr/bin/env bats
# Neighbours find each other by multicast alone: two hosts (network namespaces) on one link, a magnet
# link that names no tracker and no peer. Needs root and `ip`.

load helper

setup_file() {
    [ "$(id -u)" = 0 ] || skip "needs root, for network namespaces"
    unshare -n true 2>/dev/null || skip "THE KERNEL GIVES NO NETWORK NAMESPACES: NEIGHBOURS ARE NOT TESTED"
}

# host NAME: a network of its own, which lives as long as a sleeping process; NAME gets its number.
host() {
    background unshare -n sleep 600
    printf -v "$1" %s "$!"
    wait_for 5 other_network "$!"
    at "$!" ip link set lo up
}
other_network() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
at() { nsenter -t "$1" -n "${@:2}"; }

# link_up ADDRESS_A ADDRESS_B [WORD]: a wire between the two, with these addresses.
link_up() {
    ip link add eth0 netns "$A" type veth peer name eth0 netns "$B"
    at "$A" ip addr add "$1" dev eth0 ${3:+"$3"}
    at "$B" ip addr add "$2" dev eth0 ${3:+"$3"}
    at "$A" ip link set eth0 up
    at "$B" ip link set eth0 up
    wait_for 5 carrier "$A"
    wait_for 5 carrier "$B"
}
carrier() { at "$1" ip -br link show eth0 | grep -q LOWER_UP; }

# seed_at HOST [OPTION…]: serves the catalogue of home `a` there.
seed_at() {
    local out="$BATS_TEST_TMPDIR/seed.$RANDOM"
    P2P_HOME=$PWD/a background nsenter -t "$1" -n p2p-seed "${@:2}" >"$out"
    wait_for 10 grep -q listening "$out"
}

share() {
    random_file content 1000000
    LINK=$(P2P_HOME=$PWD/a p2p-add "$@" content)
    [[ $LINK != *tr=* && $LINK != *x.pe=* ]]
}
get_at() { P2P_HOME=$PWD/b run at "$1" p2p-get --no-dht -o got/ --timeout 30s "${@:2}" "$LINK"; }
same() { cmp got/content content; }

two_hosts() {
    host A
    host B
}

@test "found on the link, by IPv4" {
    two_hosts
    link_up 10.77.0.1/24 10.77.0.2/24
    share
    seed_at "$A" --no-dht --lsd
    get_at "$B" --lsd
    [ "$status" -eq 0 ]
    same
}

@test "found on the link, by IPv6" {
    two_hosts
    link_up fd77::1/64 fd77::2/64 nodad
    share
    seed_at "$A" --no-dht --lsd
    get_at "$B" --lsd
    [ "$status" -eq 0 ]
    same
}

@test "found by the hash of v2 alone" {
    two_hosts
    link_up 10.77.0.1/24 10.77.0.2/24
    share --format v2
    seed_at "$A" --no-dht --lsd
    get_at "$B" --lsd
    [ "$status" -eq 0 ]
    same
}

@test "what is added later is told too" {
    two_hosts
    link_up 10.77.0.1/24 10.77.0.2/24
    seed_at "$A" --no-dht --lsd
    share
    get_at "$B" --lsd
    [ "$status" -eq 0 ]
    same
}

@test "who comes first is found by who comes later" {
    two_hosts
    link_up 10.77.0.1/24 10.77.0.2/24
    share
    P2P_HOME=$PWD/b background nsenter -t "$B" -n p2p-get --no-dht --lsd -o got/ --port 7777 "$LINK"
    local getter=$!
    sleep 2
    seed_at "$A" --no-dht --lsd
    wait_for 20 test -f got/content
    wait "$getter"
    same
}

@test "with --bind only on the link of that address" {
    two_hosts
    link_up 10.77.0.1/24 10.77.0.2/24
    share
    seed_at "$A" --no-dht --lsd --bind 127.0.0.1
    get_at "$B" --lsd --timeout 3s
    [ "$status" -eq 3 ]
    get_at "$A" --lsd --bind 127.0.0.1 # on loopback they hear each other
    [ "$status" -eq 0 ]
    same
    rm -rf got b
    kill "${BACKGROUND[-1]}"
    wait "${BACKGROUND[-1]}" || true
    seed_at "$A" --no-dht --lsd --bind 10.77.0.1
    get_at "$B" --lsd --bind 10.77.0.2
    [ "$status" -eq 0 ]
    same
}

@test "not on a link with public addresses, nor with --no-lsd, nor what is private" {
    two_hosts
    link_up 20.77.0.1/24 20.77.0.2/24
    share
    seed_at "$A" --no-dht --lsd
    get_at "$B" --lsd --timeout 3s
    [ "$status" -eq 3 ]
    at "$A" ip addr add 10.77.0.1/24 dev eth0
    at "$B" ip addr add 10.77.0.2/24 dev eth0
    kill "${BACKGROUND[-1]}"
    wait "${BACKGROUND[-1]}" || true
    seed_at "$A" --no-dht --no-lsd
    get_at "$B" --lsd --timeout 3s
    [ "$status" -eq 3 ]
    kill "${BACKGROUND[-1]}"
    wait "${BACKGROUND[-1]}" || true
    seed_at "$A" --no-dht --lsd
    get_at "$B" --no-lsd --timeout 3s
    [ "$status" -eq 3 ]
    share --private -o private.torrent
    sleep 3 # it is taken up
    for LINK in "$LINK" private.torrent; do
        get_at "$B" --lsd --timeout 3s
        [ "$status" -eq 3 ]
    done
}

@test "a neighbour is a way into the DHT, for all items" {
    two_hosts
    link_up 10.77.0.1/24 10.77.0.2/24
    share
    seed_at "$A" --lsd
    random_file other 1000
    P2P_HOME=$PWD/b p2p-add other
    P2P_HOME=$PWD/b background nsenter -t "$B" -n p2p-seed --lsd >other.out
    wait_for 30 joined "$PWD/a"
    wait_for 30 joined "$PWD/b"
}
joined() { P2P_HOME=$1 p2p-node status | grep -q joined; }
