#!/usr/bin/env bats
# Ports mapped on a router: a real miniupnpd, asked by PCP, NAT-PMP and UPnP, with hosts inside and
# outside of it.

load helper

# Seconds for what a slow machine may need two or three tries for: PORTMAP_RETRY, then its double.
LONG=100

PCP=1 NATPMP=2 UPNP=4

# Only NAT-PMP: a router that has never heard of version 2.
no_pcp() {
    at router nft 'add rule inet filter input udp dport 5351 @th,64,8 2 drop'
}

# through WAY: someone outside gets a file from a seed inside, by the port that the seed has asked
# the router for; the port is shut when the seed is ended.
through() {
    local port link
    local seed
    random_file served 300000
    at_background in seed.log p2p-seed -v served
    seed=$!
    wait_for "$LONG" grep -q "hands on its port [0-9]* to us ($1); its own address is 11.0.0.1" seed.log
    port=$(sed -n 's/.*hands on its port \([0-9]*\) .*/\1/p' seed.log)
    mapped "$port" "192.168.77.2:$port"
    link=$(p2p-ls --link served)
    P2P_HOME=$PWD/outside at out p2p-get -q --timeout 120s -o got --peer "11.0.0.1:$port" "$link"
    cmp served got
    ends "$seed" 143
    unmapped "$port"
}

@test "a seed on loopback asks no router" {
    echo x >it
    P2P_HOME=$PWD/h p2p-seed -v --bind 127.0.0.1 --for 1s it >out 2>err
    grep -q listening out
    run ! grep -q router err
}

@test "PCP: someone outside gets through, and the port is shut at the end" {
    network
    igd
    through PCP
}

@test "NAT-PMP: someone outside gets through, and the port is shut at the end" {
    network
    no_pcp
    igd
    through NAT-PMP
}

@test "UPnP: someone outside gets through, and the port is shut at the end" {
    network
    igd enable_natpmp=no
    through UPnP
}

@test "UPnP of an IGD of version 1" {
    network
    igd enable_natpmp=no force_igd_desc_v1=yes
    through UPnP
}

@test "p2p-get asks only when it stays, and not with --no-port-mapping" {
    local link
    network
    igd
    random_file served 100000
    link=$(p2p-add served)
    at_background in seed.log p2p-seed -q --no-port-mapping --port 7000 served
    wait_for 10 grep -q listening seed.log
    export P2P_HOME=$PWD/other
    at other p2p-get -v -o one --peer 192.168.77.2:7000 "$link" 2>one.err
    run ! grep -q router one.err
    at_background other two.log p2p-get -v -o two --peer 192.168.77.2:7000 --seed-for 600s "$link"
    wait_for "$LONG" grep -q 'hands on its port' two.log
    ends $! 143
    [ "$(at router nft list chain inet filter prerouting_miniupnpd | grep -c dnat)" = 0 ]
}

@test "a lease is renewed while we live, and ends when we are killed" {
    local w pids=()
    network
    igd
    for w in $PCP $NATPMP $UPNP; do
        mapper in "map$w.log" "$w" "700$w" 8
        pids+=("$!")
    done
    for w in $PCP $NATPMP $UPNP; do wait_for "$LONG" mapped "700$w" "192.168.77.2:700$w"; done
    for _ in {1..14}; do
        sleep 1
        # This daemon renews by removing and adding.
        for w in $PCP $NATPMP $UPNP; do wait_for 4 mapped "700$w"; done
    done
    for w in $PCP $NATPMP $UPNP; do [ "$(grep -c '^mapped' "map$w.log")" = 1 ]; done
    kill -9 "${pids[@]}"
    for w in $PCP $NATPMP $UPNP; do wait_for "$LONG" unmapped "700$w"; done
}

@test "a router that has forgotten is asked again" {
    local w
    network
    igd
    mapper in map1.log $PCP 7001 3600
    mapper in map2.log $NATPMP 7002 3600
    mapper in map4.log $UPNP 7004 8
    for w in $PCP $NATPMP $UPNP; do wait_for "$LONG" mapped "700$w"; done
    sleep 3 # an epoch that is worth the name
    igd_lost
    for w in $PCP $NATPMP $UPNP; do unmapped "700$w"; done
    igd
    for w in $PCP $NATPMP $UPNP; do wait_for "$LONG" mapped "700$w"; done
}

@test "a router that starts after us is found" {
    network
    mapper in map.log $UPNP 7004 3600
    wait_for "$LONG" grep -q 'maps no port' map.log
    igd enable_natpmp=no
    wait_for "$LONG" mapped 7004 192.168.77.2:7004
}

@test "a port that another has is left to him" {
    local w port
    network
    igd
    for w in $PCP $NATPMP $UPNP; do
        mapper other "first$w.log" "$w" "700$w" 3600
        wait_for "$LONG" grep -q "^mapped .* 11.0.0.1 700$w 700$w" "first$w.log"
        mapper in "second$w.log" "$w" "700$w" 3600
        wait_for "$LONG" grep -q '^mapped' "second$w.log"
        mapped "700$w" "192.168.77.3:700$w"
        port=$(awk '/^mapped/ { print $4 }' "second$w.log")
        [ "$port" != "700$w" ]
        at router nft list chain inet filter prerouting_miniupnpd |
            grep -q "dport $port dnat ip to 192.168.77.2:700$w"
        kill $!
        wait_for 10 grep -q '^closed' "second$w.log"
        wait_for 5 unmapped "$port"
        mapped "700$w" "192.168.77.3:700$w"
    done
}

@test "another router, another port mapping" {
    network
    igd
    at other sysctl -qw net.ipv4.ip_forward=1
    mapper in map.log $((PCP + NATPMP)) 7001 3600 1
    wait_for "$LONG" mapped 7001
    at in ip route replace default via 192.168.77.3
    wait_for "$LONG" grep -q '^mapped .* - 0 0' map.log
    wait_for "$LONG" grep -q 'router 192.168.77.3 maps no port' map.log
    at in ip route replace default via 192.168.77.1
    wait_for "$LONG" again_mapped
}
again_mapped() { [ "$(grep -c '^mapped .* 11.0.0.1 7001 7001' map.log)" = 2 ]; }

@test "a router that maps nothing: it is said, and nothing waits for it" {
    network 10.9.9.1 # behind another NAT: this daemon refuses then
    igd
    echo x >it
    at_background in seed.log p2p-seed -v it
    wait_for 10 grep -q '^listening' seed.log
    wait_for "$LONG" grep -q 'router 192.168.77.1 maps no port' seed.log
    ends $! 143
}

@test "no router at all: it is said, and nothing waits for it" {
    host in
    echo x >it
    at_background in seed.log p2p-seed -v it
    wait_for 10 grep -q '^listening' seed.log
    wait_for 10 grep -q 'there is no router' seed.log
    ends $! 143
}

@test "what a neighbour says of a router is not fetched from elsewhere" {
    network
    igd enable_natpmp=no
    at_background out trap.log python3 -u "$BATS_TEST_DIRNAME/liar.py" trap 11.0.0.2 8000
    at_background in inner.log python3 -u "$BATS_TEST_DIRNAME/liar.py" trap 127.0.0.1 8000
    at_background other liar.log python3 -u "$BATS_TEST_DIRNAME/liar.py" answer \
        http://11.0.0.2:8000/d.xml http://127.0.0.1:8000/d.xml http://user@192.168.77.1:8000/ \
        http://localhost:8000/d.xml
    wait_for 10 grep -q ready trap.log
    wait_for 10 grep -q ready inner.log
    wait_for 10 grep -q ready liar.log
    mapper in map.log $UPNP 7004 3600
    wait_for "$LONG" mapped 7004 192.168.77.2:7004
    grep -q answered liar.log
    run ! grep -q asked trap.log
    run ! grep -q asked inner.log
}

@test "p2p-node: someone outside reaches the node by the port of the router" {
    local port node
    network
    igd
    at_background in node.log p2p-node -v
    node=$!
    wait_for "$LONG" grep -q 'hands on its port' node.log
    port=$(sed -n 's/.*hands on its port \([0-9]*\) .*/\1/p' node.log)
    at router nft list chain inet filter prerouting_miniupnpd |
        grep -q "0x11 th dport $port dnat ip to 192.168.77.2"
    P2P_HOME=$PWD/outside at out p2p-node --timeout 10s ping "11.0.0.1:$port"
    ends "$node" 143
    unmapped "$port"
}
