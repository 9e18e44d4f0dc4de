#!/usr/bin/env bats
# p2p-node: being a node of the DHT, and look-ups in it. A network is a few nodes on loopback.
load helper

# node NAME [OPTION…]: one of that home, started; sets NODE to its address.
node() {
    P2P_HOME="$PWD/$1" background env --default-signal=INT p2p-node --bind 127.0.0.1 "${@:2}" >"$1.out" 2>"$1.err"
    wait_for 10 grep -q listening "$1.out"
    NODE=$(cut -f 2 "$1.out")
}

# network: three nodes that know each other; FIRST is the address of one, NODES their numbers.
network() {
    node one
    FIRST=$NODE
    node two --bootstrap "$FIRST"
    node three --bootstrap "$FIRST"
    NODES=("${BACKGROUND[@]}")
    wait_for 20 knows one 2
    wait_for 20 knows two 2
    wait_for 20 knows three 2
}

# ended NUMBER: waits for it; sets CODE to its status.
ended() { wait "$1" && CODE=0 || CODE=$?; }

knows() { # HOME NODES
    [ "$(P2P_HOME="$PWD/$1" p2p-node status 2>/dev/null | cut -f 4)" -ge "$2" ]
}

look() { # [OPTION…] LOOK-UP…
    p2p-node --bind 127.0.0.1 --bootstrap "$FIRST" "$@"
}

@test "one line when it is ready; stopped by a signal: 143, 130; --for: 0" {
    node one
    [[ $(cat one.out) =~ ^listening$'\t'127\.0\.0\.1:[0-9]+$ ]]
    kill -TERM "${BACKGROUND[0]}"
    ended "${BACKGROUND[0]}"
    [ "$CODE" = 143 ]
    node two
    kill -INT "${BACKGROUND[1]}"
    ended "${BACKGROUND[1]}"
    [ "$CODE" = 130 ]
    status 0 timeout 60 p2p-node --bind 127.0.0.1 --for 1s
    silent
}

@test "one for each home; p2p-seed of the same home is another" {
    node one
    P2P_HOME="$PWD/one" status 6 p2p-node --bind 127.0.0.1
    says "another p2p-node"
    status 3 p2p-node status
    says "neither"
    P2P_HOME="$PWD/one" status 0 p2p-node status
    [[ $output == 'p2p-node	ipv4	alone	0	0	0	0	0	' ]]
    P2P_HOME="$PWD/one" background p2p-seed --bind 127.0.0.1 >seed.out
    wait_for 10 grep -q listening seed.out
    P2P_HOME="$PWD/one" status 0 p2p-node status
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[1]} == 'p2p-seed	ipv4	'* ]]
    P2P_HOME="$PWD/one" status 0 p2p-node --json status
    first=$(json ipv4 id)
    output=${lines[1]}
    [ "$(json program)" = p2p-seed ]
    [ "$(json ipv4 id)" != "$first" ]
}

@test "--daemon: back when it is ready, with its line" {
    P2P_HOME="$PWD/one" p2p-node --bind 127.0.0.1 --daemon >out 3>&-
    BACKGROUND+=("$(cat one/locks/node.lock)")
    grep -q ^listening out
    status 0 p2p-node ping "$(cut -f 2 out)"
    kill "${BACKGROUND[0]}"
    wait_for 5 test ! -e one/locks/node.lock
}

@test "a port that is taken: status 5; usage: status 2" {
    node one
    status 5 p2p-node --bind 127.0.0.1 --port "${NODE##*:}"
    status 2 p2p-node --bind nonsense
    status 2 p2p-node getpeers 0123456789012345678901234567890123456789
    says "did you mean get-peers?"
    status 2 p2p-node get-peers
    says "no HASH or LINK"
    status 2 p2p-node get a b
    status 2 p2p-node get 0123
    status 2 p2p-node ping 127.0.0.1
    status 2 p2p-node sample xyz
    status 2 p2p-node status all
    status 2 p2p-node --scrape
    says "the node has no use for it"
    status 2 p2p-node --timeout 5s
    says "--timeout: the node has no use for it"
    status 2 p2p-node put --scrape x
    status 2 p2p-node get --key k 0123456789012345678901234567890123456789
    status 2 p2p-node put --seq 1 x
    status 2 p2p-node put --salt s x
    status 2 p2p-node put --key k --seq x y
    status 2 p2p-node get --salt "$(printf '%065d' 0)" "$(printf '%064d' 0)"
    says "64 at most"
    status 3 p2p-node get-peers no-such-file
    status 4 p2p-node get-peers 'magnet:?xt=urn:btih:zz'
}

@test "--for and --daemon are the node's: typed with anything else, status 2" {
    for what in "ping 127.0.0.1:1" "get-peers $(printf '%040d' 0)" "key k" status; do
        status 2 p2p-node --for 1s $what
        says "--for: ${what%% *} has no use for it"
        status 2 p2p-node --daemon $what
        says "--daemon: ${what%% *} has no use for it"
    done
    [ ! -e k ]
    status 2 p2p-node --timeout 1s status
    status 0 p2p-node --no-daemon key k
    printf 'timeout = 5s\n[p2p-node]\nfor = 5h\ndaemon = yes\nscrape = yes\nkey = k\n' >>"$XDG_CONFIG_HOME/p2p/config"
    status 3 p2p-node --timeout 1s ping 127.0.0.1:1
    status 0 p2p-node --no-daemon key other
}

@test "with nobody to ask: status 3, at once; with nobody who answers: in time" {
    status 3 p2p-node get-peers 0123456789012345678901234567890123456789
    says "--bootstrap"
    status 3 timeout 60 p2p-node --bootstrap 127.0.0.1:1 --timeout 2s get 0123456789012345678901234567890123456789
    says "get: "
    status 3 p2p-node --timeout 1s ping 127.0.0.1:1
    says "ping: no answer"
    status 3 p2p-node ping no-such-host.invalid:6881
}

@test "ping: a question that is lost is asked again" {
    background py -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
s.recvfrom(2000)
question, who = s.recvfrom(2000)
t = question[question.index(b"1:t") + 3:]
n = int(t[:t.index(b":")])
s.sendto(b"d1:rd2:id20:" + b"x" * 20 + b"e1:t" + t[:t.index(b":") + 1 + n] + b"1:y1:re", who)' >port
    wait_for 10 test -s port
    status 0 p2p-node ping "127.0.0.1:$(cat port)"
    [[ $output =~ ^(78){20} ]]
}

@test "ping: id, milliseconds, version" {
    node one
    status 0 p2p-node ping "$NODE"
    [[ $output =~ ^[0-9a-f]{40}$'\t'[0-9.]+$'\t'PP ]]
    id=${output%%	*}
    status 0 p2p-node --json ping "localhost:${NODE##*:}"
    [ "$(json id)" = "$id" ]
    [ "$(json node)" = "$NODE" ]
    P2P_HOME="$PWD/one" status 0 p2p-node --json status
    [ "$(json ipv4 id)" = "$id" ]
    [ "$(json listening)" = "$NODE" ]
}

@test "values: put on one node, got from another, as they are" {
    network
    status 0 look put 'hello, world'
    [ "$output" = "$(printf '12:hello, world' | sha1sum | cut -d ' ' -f 1)" ]
    target=$output
    kill "${NODES[2]}"
    status 0 look get "$target"
    prints 'hello, world'
    status 0 look --json get "$target"
    [ "$(json value)" = 'hello, world' ]
    [ "$(json target)" = "$target" ]
    head -c 996 /dev/urandom >bytes
    target=$(look put - <bytes)
    look get "$target" | cmp - bytes
    head -c 997 /dev/urandom >more
    status 4 look put - <more
    head -c 5000000 /dev/zero >most
    status 4 look put - <most
    status 0 look put ''
    status 0 look get "$output"
    prints ''
    status 3 look get 0123456789012345678901234567890123456789
    says "nobody has it"
    P2P_HOME="$PWD/one" status 0 p2p-node status
    [ "$(cut -f 8 <<<"$output")" = 3 ]
}

@test "values under a key: replaced, told apart by salts, kept from going back" {
    network
    status 0 p2p-node key k
    key=$output
    [[ $key =~ ^[0-9a-f]{64}$ ]]
    [ "$(stat -c %a k)" = 600 ]
    status 5 p2p-node key k
    status 0 look put --key k one
    prints "$key"
    status 0 look get "$key"
    prints one
    status 0 look put --key k two
    status 0 look --json get "$key"
    [ "$(json value)" = two ]
    [ "$(json seq)" = 2 ]
    [ "$(json key)" = "$key" ]
    status 0 look --json put --key k --salt other --seq 7 three
    [ "$(json seq)" = 7 ]
    [ "$(json stored)" -ge 1 ]
    status 0 look get --salt other "$key"
    prints three
    status 0 look get "$key"
    prints two
    status 1 look put --key k --seq 1 old
    says "newer"
    status 1 look put --key k --seq 9 --cas 1 unaware
    says "changed"
    status 0 look put --key k --seq 9 --cas 2 aware
    status 0 look get "$key"
    prints aware
    status 3 look get --salt nothing "$key"
    printf 'nonsense\n' >broken
    status 4 look put --key broken x
    status 5 look put --key absent x
}

@test "get-peers and sample: who announced, once each, from any node" {
    network
    random_file f 1000
    P2P_HOME="$PWD/s1" p2p-add f >/dev/null
    P2P_HOME="$PWD/s2" p2p-add f >/dev/null
    link=$(P2P_HOME="$PWD/s1" p2p-ls --link f)
    v1=$(P2P_HOME="$PWD/s1" p2p-ls --hash f | grep -oE '^[0-9a-f]{40}$')
    seed_here "$PWD/s1" --bootstrap "$FIRST"
    first=$PORT
    seed_here "$PWD/s2" --bootstrap "$FIRST"
    both() { [ "$(look get-peers "$v1" 2>/dev/null | wc -l)" = 2 ]; }
    wait_for 30 both
    status 0 look get-peers "$link"
    [ "$(cut -f 1 <<<"$output" | sort)" = "$(printf '127.0.0.1:%s\n' "$first" "$PORT" | sort)" ]
    status 0 look --json get-peers "$v1"
    output=${lines[0]}
    [ "$(json infohash)" = "$v1" ]
    [[ $(json peer) == 127.0.0.1:* ]]
    status 0 look --scrape get-peers "$v1"
    [[ $output == "$v1	"[12]'	0' ]]
    sampled() { look sample 2>/dev/null | cut -f 1 | grep -qx "$v1"; }
    wait_for 10 sampled
    status 0 look --json sample "$v1"
    [[ $output == *"$v1"* ]]
    status 3 look get-peers 0123456789012345678901234567890123456789
    says "nobody was found"
}

@test "get-peers of a .torrent or link: its nodes are asked, and none of a private one" {
    network
    random_file f 1000
    p2p-add --node "$FIRST" -o t f >/dev/null
    status 3 p2p-node --bind 127.0.0.1 get-peers t
    says "nobody was found"
    link=$(p2p-ls --link f)
    status 3 p2p-node --home other --bind 127.0.0.1 --bootstrap none get-peers "$link"
    says "nobody was found"
    p2p-add --no-catalogue --private -o p f >/dev/null
    status 3 look get-peers p
    says "private"
}

@test "SIGTERM during a look-up: 143" {
    background p2p-node --bootstrap 127.0.0.1:1 get 0123456789012345678901234567890123456789 2>err
    sleep 0.5
    kill -TERM "${BACKGROUND[0]}"
    ended "${BACKGROUND[0]}"
    [ "$CODE" = 143 ]
    [ ! -s err ]
}

@test "without --bootstrap: the hosts that the manual names, and no other" {
    [ "$(id -u)" = 0 ] && unshare -n -m true 2>/dev/null || skip "no namespaces here"
    printf 'no-port-mapping = true\nno-lsd = true\n' >"$XDG_CONFIG_HOME/p2p/config"
    hosts="router.bittorrent.com:6881 dht.transmissionbt.com:6881
        router.utorrent.com:6881 dht.libtorrent.org:25401"
    # Each in a network of its own, where only its name is known and only its port answers.
    for host in $hosts; do
        grep -qF "$host" "$BATS_TEST_DIRNAME/../../man/p2p.7"
        printf '127.0.0.1 %s\n' "${host%:*}" >hosts
        rm -rf h ready
        timeout 20 unshare -n -m bash -c '
            ip link set lo up && mount --bind hosts /etc/hosts || exit 90
            P2P_HOME=$PWD/n p2p-node --port "$1" --bind 127.0.0.1 --bootstrap none >ready &
            until [ -s ready ]; do sleep 0.05; done
            P2P_HOME=$PWD/h p2p-node --timeout 8s get-peers 0123456789012345678901234567890123456789
            code=$?
            kill %1
            wait
            exit $code' - "${host##*:}" 2>err && code=0 || code=$?
        [ "$code" = 3 ]
        grep -q 'nobody was found' err
    done
}
