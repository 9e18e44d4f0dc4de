#!/usr/bin/env bats
# One seed and one peer with a long road between them, 50 ms each way, or a tracker. How fast it was
# is told, not judged:   make net T=road MBIT=1000 SIZE=1000M   on a machine that can.

load helper

# road [MS]: `here` and `there` with the road between them, MS each way, and buffers as long as it
# (what the kernel allows by itself fills a third of 1 Gbit/s at this distance).
road() {
    host here
    host there
    at_background here road.log "$BIN/tests/net/road" "$space_here" "$space_there" \
        "${MBIT:-200}" "${1:-50}"
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

# tracked SCHEME FORMAT: by a link with a tracker at the far end, which is to know of it afterwards.
tracked() {
    local link hashes h escaped said folder
    road 150
    random_file thing 1048576
    link=$(p2p-add --format "$2" thing)
    hashes=$(p2p-ls --json thing | py -c '
import json, sys
item = json.loads(sys.stdin.readline())
print("\n".join(item[k][:40] for k in ("infohash_v1", "infohash_v2") if k in item))')
    # It becomes somebody else, who must reach its folder, and tells of the listed hashes only.
    folder=$(mktemp -d)
    chmod 755 "$folder"
    printf '%s\n' "$hashes" >"$folder/hashes"
    at_background here tracker.log env -C "$folder" opentracker -i 192.168.78.1 -p 6969 -P 6969 \
        -d . -w hashes
    at_background here seed.log p2p-seed --port 6990
    wait_for 10 grep -q listening seed.log
    P2P_HOME=$PWD/outside at there p2p-get -q --timeout 60s -o got --peer 192.168.78.1:6990 \
        "$link&tr=$1://192.168.78.1:6969/announce"
    cmp thing got
    for h in $hashes; do
        escaped=$(sed 's/../%&/g' <<<"$h")
        said=$(at here curl -s "http://192.168.78.1:6969/scrape?info_hash=$escaped" | tr -d '\0')
        [[ $said == *8:completei0e10:downloadedi1e10:incompletei0e* ]]
    done
    rm -r "$folder"
}

@test "a tracker far away learns by HTTP that all has come, and then that we have gone" {
    command -v opentracker >/dev/null || skip "no opentracker"
    tracked http hybrid
}
@test "a tracker far away learns the same by UDP" {
    command -v opentracker >/dev/null || skip "no opentracker"
    tracked udp hybrid
}
