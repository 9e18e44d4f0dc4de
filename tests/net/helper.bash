# What the tests of this folder share, beyond tests/cli/helper.bash: hosts that are network
# namespaces, a router between them, and a real miniupnpd on it.
#
#     in 192.168.77.2 ──┐
#                       ├─ 192.168.77.1 router 11.0.0.1 ── 11.0.0.2 out
#     other .77.3 ──────┘
#
# 11/8 looks public to a daemon that refuses to map ports on documentation addresses. Nothing of
# it leaves the machine.

load ../cli/helper
eval "host_$(declare -f setup)"
eval "host_$(declare -f teardown)"

setup() {
    host_setup
    printf 'bootstrap = none\n' >"$XDG_CONFIG_HOME/p2p/config"
    SPACES=()
}

teardown() {
    local s
    if [ -n "${BATS_ERROR_STATUS:-}" ] && [ "$BATS_ERROR_STATUS" != 0 ]; then tail -n 40 -- *.log >&2 || true; fi
    host_teardown
    for s in "${SPACES[@]}"; do ip netns del "$s" || true; done
}

# host NAME: a namespace with loopback; the words after `at NAME` run in it.
host() {
    local space="p2p-$BASHPID-$1"
    ip netns add "$space" 2>/dev/null || skip "NOT TESTED: no network namespaces here (needs root)"
    SPACES+=("$space")
    printf -v "space_$1" '%s' "$space"
    ip -n "$space" link set lo up
}
at() {
    local space="space_$1"
    ip netns exec "${!space}" "${@:2}"
}
# In the background, by the number of the program itself. OUT gets both streams.
at_background() {
    local space="space_$1"
    background ip netns exec "${!space}" "${@:3}" >"$2" 2>&1
}

# network: the picture above.
network() {
    host router
    host in
    host other
    host out
    at router ip link add lan type bridge
    for h in in other; do
        at router ip link add "lan-$h" type veth peer name eth0 netns "$(space_of "$h")"
        at router ip link set "lan-$h" master lan up
        at "$h" ip link set eth0 up
    done
    at router ip link add wan type veth peer name eth0 netns "$(space_of out)"
    at router ip link set lan up
    at router ip link set wan up
    at out ip link set eth0 up
    at router ip addr add 192.168.77.1/24 dev lan
    at router ip addr add "${1:-11.0.0.1}/24" dev wan
    at in ip addr add 192.168.77.2/24 dev eth0
    at other ip addr add 192.168.77.3/24 dev eth0
    at out ip addr add 11.0.0.2/24 dev eth0
    at in ip route add default via 192.168.77.1
    at other ip route add default via 192.168.77.1
    at router sysctl -qw net.ipv4.ip_forward=1
    at router nft -f - <<'RULES'
table inet filter {
    chain input { type filter hook input priority 0; policy accept; }
    chain forward { type filter hook forward priority 0; policy drop;
        iifname "lan" accept
        ct state established,related accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
    chain postrouting { type nat hook postrouting priority 100;
        jump postrouting_miniupnpd
        oifname "wan" masquerade
    }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
RULES
}
space_of() {
    local space="space_$1"
    printf '%s' "${!space}"
}

# ends PID STATUS: by SIGTERM, and with that status.
ends() {
    local status=0
    kill "$1"
    wait "$1" || status=$?
    [ "$status" = "$2" ]
}

# igd [LINE…]: miniupnpd on the router, with these lines in its configuration; its number is $IGD.
igd() {
    local has=" $* "
    {
        # A yes cannot be taken back by a later no.
        [[ $has == *" enable_natpmp="* ]] || echo enable_natpmp=yes
        printf '%s\n' "$@" ext_ifname=wan listening_ip=lan http_port=0 secure_mode=yes \
            system_uptime=no notify_interval=900 uuid=00000000-0000-0000-0000-000000000001 \
            ipv6_disable=yes min_lifetime=8 enable_upnp=yes \
            'allow 1024-65535 192.168.77.0/24 1024-65535' 'deny 0-65535 0.0.0.0/0 0-65535'
    } >igd.conf
    at_background router igd.log miniupnpd -d -f "$PWD/igd.conf" -P "$PWD/igd.pid"
    IGD=$!
    wait_for 10 grep -q 'HTTP listening\|Listening for NAT-PMP' igd.log
}
# Ends it, and with it all that it had set up: as a router that was switched off.
igd_lost() {
    kill "$IGD"
    wait "$IGD" || true
    at router nft 'flush chain inet filter miniupnpd; flush chain inet filter prerouting_miniupnpd'
}

# mapped PORT [HOST:PORT]: does the router hand on that port, of TCP and of UDP?
mapped() {
    [ "$(at router nft list chain inet filter prerouting_miniupnpd |
        grep -c "dport $1 dnat ip to ${2:-}")" = 2 ]
}
unmapped() {
    ! at router nft list chain inet filter prerouting_miniupnpd | grep -q "dport $1 "
}

# mapper HOST LOG WAYS PORT LEASE [LOOK]
mapper() {
    at_background "$1" "$2" "$BIN/tests/net/mapper" "$3" "$4" "$4" "${@:5}"
}
