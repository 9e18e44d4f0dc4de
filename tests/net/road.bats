#!/usr/bin/env bats
# One seed and one peer with a long road between them, 50 ms each way. How fast it was is told, not
# judged:   make net T=road MBIT=1000 SIZE=1000M   on a machine that can.

load helper

# road: `here` and `there` with the road between them, and buffers as long as it (what the kernel
# allows by itself fills a third of 1 Gbit/s at this distance).
road() {
    host here
    host there
    at_background here road.log "$BIN/tests/net/road" "$space_here" "$space_there" "${MBIT:-200}" 50
    wait_for 5 grep -q ready road.log
    at here ip addr add 192.168.78.1/24 dev road
    at there ip addr add 192.168.78.2/24 dev road
    for h in here there; do
        at "$h" ip link set road up
        at "$h" sysctl -qw net.ipv4.tcp_rmem='4096 131072 67108864' \
            net.ipv4.tcp_wmem='4096 65536 67108864'
    done
}

fetch_over_it() {
    local link
    road
    random_file thing "$(numfmt --from=si "${SIZE:-16M}")"
    link=$(p2p-add --format "$1" thing)
    at_background here seed.log p2p-seed --port 6990
    wait_for 10 grep -q listening seed.log
    P2P_HOME=$PWD/outside at there p2p-get -q --json --timeout 60s -o got \
        --peer 192.168.78.1:6990 "$link" >events
    cmp thing got
    sed -n 's/.*"event":"done".*"mean_rate":\([0-9]*\).*/# \1 bytes a second/p' events >&3
    grep -q '"event":"done".*"wasted":0,' events
}

@test "v1 over a long road" { fetch_over_it v1; }
@test "v2 over a long road" { fetch_over_it v2; }

# Near peers alone are sent to without BBR (lib/host/pace.h): here, what the system chose is used.
@test "far peers are sent to as the system chose" {
    local link chosen
    road
    chosen=$(at here sysctl -n net.ipv4.tcp_congestion_control)
    random_file thing 4000000
    link=$(p2p-add thing)
    at_background here seed.log p2p-seed --port 6990 --limit-up 500k
    wait_for 10 grep -q listening seed.log
    P2P_HOME=$PWD/outside at_background there get.log p2p-get -o got --peer 192.168.78.1:6990 "$link"
    for h in here there; do
        wait_for 10 eval "at $h ss -tinH | grep -q bytes_acked"
        at "$h" ss -tinH | tee -a sockets | grep -qw "$chosen"
    done
}
