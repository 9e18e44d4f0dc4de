#!/usr/bin/env bats
# Finding peers by the DHT alone, and what a home remembers of it. Everything is on loopback.
load helper

# node HOME [OPTION…]: a node of the DHT; sets NODE to its address and PID to its number.
node() {
    P2P_HOME="$PWD/$1" background p2p-node --bind 127.0.0.1 "${@:2}" >"$1.out"
    PID=$!
    wait_for 10 grep -q listening "$1.out"
    NODE=$(cut -f 2 "$1.out")
}

# network: three nodes that others may join by FIRST; NODES has their numbers.
network() {
    node one
    FIRST=$NODE NODES=("$PID")
    for name in two three; do
        node $name --bootstrap "$FIRST"
        NODES+=("$PID")
    done
    for name in one two three; do wait_for 20 good "$name" 2; done
}

good() { # HOME NUMBER: a program of it knows so many good nodes
    [ "$(P2P_HOME="$PWD/$1" p2p-node status 2>/dev/null | awk '$4 > n { n = $4 } END { print n + 0 }')" -ge "$2" ]
}

announced() { # HASH
    P2P_HOME="$PWD/asker" p2p-node --bind 127.0.0.1 --bootstrap "$FIRST" get-peers "$1" >/dev/null 2>&1
}

remembered() { # HOME: nodes in its record
    py -c '
import re, sys
m = re.search(rb"6:nodes4(\d+):", open(sys.argv[1], "rb").read())
print(int(m.group(1)) // 26)' "$1/dht/nodes"
}

get() { # HOME [OPTION…] SOURCE
    P2P_HOME="$PWD/$1" p2p-get -q --bind 127.0.0.1 "${@:2}"
}

# seed HOME [OPTION…]: serves all of it; sets PID and PORT.
seed() {
    seed_here "$PWD/$1" "${@:2}"
    PID=${BACKGROUND[-1]}
}

# finish NUMBER: ends a program and waits for it.
finish() {
    kill "$1"
    wait "$1" || true
}

@test "by info-hash alone, with no tracker and no peer: v1, v2, hybrid" {
    network
    for format in v1 v2 hybrid; do
        random_file "$format" 200000
        P2P_HOME="$PWD/s" p2p-add --format $format "$format" >/dev/null
    done
    seed s --bootstrap "$FIRST"
    for format in v1 v2 hybrid; do
        link=$(P2P_HOME="$PWD/s" p2p-ls --link "$format")
        for hash in $(grep -oE 'urn:bt[im]h:[0-9a-f]+' <<<"$link" | sed 's/.*://; s/^1220//'); do
            wait_for 30 announced "$hash"
            rm -rf "g" got
            status 0 get g --bootstrap "$FIRST" --timeout 20s -o got/ "$hash"
            cmp "$format" "got/$format"
        done
    done
}

@test "--no-dht: status 3; nothing is remembered" {
    network
    random_file f 1000
    hash=$(P2P_HOME="$PWD/s" p2p-add --print hash --format v1 f)
    seed s --bootstrap "$FIRST"
    wait_for 30 announced "$hash"
    status 3 get g --no-dht --bootstrap "$FIRST" --timeout 2s "$hash"
    [ ! -e g/dht/nodes ]
    status 0 get g --bootstrap "$FIRST" --timeout 20s "$hash"
    finish "$PID"
    seed s --no-dht --bootstrap "$FIRST"
    P2P_HOME="$PWD/s" status 0 p2p-node status
    prints ""
}

@test "a private item is not announced, nor looked for" {
    network
    random_file open 1000
    random_file closed 1000
    P2P_HOME="$PWD/s" p2p-add --format v1 --private closed >/dev/null
    closed=$(P2P_HOME="$PWD/s" p2p-ls --hash closed)
    open=$(P2P_HOME="$PWD/s" p2p-add --format v1 --print hash open)
    seed s --bootstrap "$FIRST"
    wait_for 30 announced "$open"
    not announced "$closed"
    P2P_HOME="$PWD/s" p2p-ls --torrent closed.torrent closed
    status 3 get g --bootstrap "$FIRST" --timeout 3s -o got/ closed.torrent
    status 3 get g --bootstrap "$FIRST" --timeout 3s -o got/ "$closed"
    P2P_HOME="$PWD/g" status 3 p2p-ls --peers --bootstrap "$FIRST" --timeout 3s closed.torrent
}

@test "with every bootstrap host dead: both sides by what they remember" {
    network
    random_file f 300000
    hash=$(P2P_HOME="$PWD/s" p2p-add --print hash --format v1 f)
    first=$(free_port)
    seed s --port "$first" --bootstrap "$FIRST"
    wait_for 30 good s 2
    wait_for 30 announced "$hash"
    status 0 get g --bootstrap "$FIRST" --timeout 20s -o a/ "$hash"
    [ "$(remembered g)" -ge 3 ]
    finish "$PID"
    [ "$(remembered s)" -ge 2 ]
    finish "${NODES[0]}" # the one that all were told of
    seed s --port "$first"
    wait_for 30 good s 2
    rm -r g/catalogue*
    found() { P2P_HOME="$PWD/g" p2p-node --bind 127.0.0.1 get-peers "$hash" >/dev/null 2>&1; }
    wait_for 30 found
    status 0 get g --timeout 20s -o b/ "$hash"
    cmp f b/f
}

@test "with every other node dead: the two who have met before" {
    network
    random_file f 300000
    hash=$(P2P_HOME="$PWD/s" p2p-add --print hash --format v1 f)
    first=$(free_port)
    seed s --port "$first" --bootstrap "$FIRST"
    wait_for 30 good s 2
    wait_for 30 announced "$hash"
    status 0 get g --bootstrap "$FIRST" --timeout 20s -o a/ "$hash"
    finish "$PID"
    for pid in "${NODES[@]}"; do finish "$pid"; done
    seed s --port "$first"
    rm -r g/catalogue*
    status 0 get g --timeout 30s -o b/ "$hash"
    cmp f b/f
}

@test "what is remembered grows by what each program met, and is nobody's loss" {
    network
    node four --bootstrap "$FIRST"
    P2P_HOME="$PWD/h" p2p-node --bind 127.0.0.1 --bootstrap "$FIRST" get-peers \
        0123456789012345678901234567890123456789 || true
    before=$(remembered h)
    [ "$before" -ge 3 ]
    for pid in "${NODES[@]}"; do finish "$pid"; done
    node five --bootstrap "$NODE"
    P2P_HOME="$PWD/h" p2p-node --bind 127.0.0.1 get-peers 0123456789012345678901234567890123456789 || true
    [ "$(remembered h)" = $((before + 1)) ]
    [ "$(stat -c %a h/dht/nodes)" = 600 ]
}

@test "it is saved while a program runs: kill -9 does not take it" {
    network
    seed h --bootstrap "$FIRST"
    wait_for 20 test -e h/dht/nodes
    wait_for 5 test -e h/dht/seed.ids
    first=$(P2P_HOME="$PWD/h" p2p-node --json status | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
    kill -9 "$PID"
    [ "$(remembered h)" = 3 ]
    seed h
    P2P_HOME="$PWD/h" p2p-node --json status | grep -q "$first"
    wait_for 20 good h 3
}

@test "programs of one home at the same time add to one record" {
    network
    for i in 1 2 3 4 5 6; do
        P2P_HOME="$PWD/h" background p2p-node --bind 127.0.0.1 --bootstrap "$FIRST" get-peers \
            0123456789012345678901234567890123456789 2>/dev/null
    done
    for pid in "${BACKGROUND[@]:3}"; do wait "$pid" || true; done
    [ "$(remembered h)" = 3 ]
    [ -z "$(ls h/dht | grep -v '^nodes$')" ]
}

@test "a record that is damaged, cut or none is written anew" {
    network
    ask() {
        P2P_HOME="$PWD/h" status 3 p2p-node --bind 127.0.0.1 --bootstrap "$FIRST" get-peers \
            0123456789012345678901234567890123456789
        [ "$(remembered h)" = 3 ]
    }
    ask
    cp h/dht/nodes whole
    for bytes in 0 1 20 "$(($(stat -c %s whole) - 1))"; do
        head -c "$bytes" whole >h/dht/nodes
        ask
    done
    head -c 100000 /dev/urandom >h/dht/nodes
    ask
    rm h/dht/nodes
    mkdir h/dht/nodes
    P2P_HOME="$PWD/h" status 3 p2p-node -v --bind 127.0.0.1 --bootstrap "$FIRST" get-peers \
        0123456789012345678901234567890123456789
    says "cannot be remembered"
    rmdir h/dht/nodes
    ask
    rm h/dht/nodes
    mkfifo h/dht/nodes # nobody waits for a reader or a writer
    ask
}

@test "a bootstrap host by its name; IPv6; both families at once" {
    network
    P2P_HOME="$PWD/h" status 3 p2p-node --bootstrap "localhost:${FIRST##*:}" get-peers \
        0123456789012345678901234567890123456789
    says "nobody was found"
    P2P_HOME="$PWD/six" background p2p-node --bind ::1 >six.out
    wait_for 10 grep -q listening six.out
    six=$(cut -f 2 six.out)
    [[ $six == '[::1]:'* ]]
    P2P_HOME="$PWD/seven" background p2p-node --bind ::1 --bootstrap "$six" >/dev/null
    wait_for 20 good six 1
    random_file f 100000
    hash=$(P2P_HOME="$PWD/s" p2p-add --print hash --format v1 f)
    P2P_HOME="$PWD/s" background p2p-seed --bootstrap "$six" --bootstrap "$FIRST" >s.out
    wait_for 30 good s 3
    P2P_HOME="$PWD/s" status 0 p2p-node status
    [[ ${lines[0]} == 'p2p-seed	ipv4	joined	'* ]]
    [[ ${lines[1]} == 'p2p-seed	ipv6	joined	'* ]]
    wait_for 30 announced "$hash"
    found() { P2P_HOME="$PWD/h6" p2p-node --bind ::1 --bootstrap "$six" get-peers "$hash" >peers 2>/dev/null; }
    wait_for 30 found
    grep -q '^\[::1\]:' peers
    P2P_HOME="$PWD/g" status 0 p2p-get -q --bind ::1 --bootstrap "$six" --timeout 20s -o got/ "$hash"
    cmp f got/f
}

@test "the id of p2p-seed is the same next time, and no other program has it" {
    id() { P2P_HOME="$PWD/h" p2p-node --json status | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/'; }
    network
    seed h --bootstrap "$FIRST"
    wait_for 20 good h 2
    first=$(id)
    finish "$PID"
    seed h --bootstrap "$FIRST"
    [ "$(id)" = "$first" ]
    finish "$PID"
    node h --bootstrap "$FIRST"
    [ "$(id)" != "$first" ]
    finish "$PID"
    printf garbage >h/dht/seed.ids
    seed h --bootstrap "$FIRST"
    wait_for 20 good h 2
}

@test "p2p-ls: --fetch and --peers without a tracker" {
    network
    sample_folder d
    P2P_HOME="$PWD/s" p2p-add d >/dev/null
    hash=$(P2P_HOME="$PWD/s" p2p-ls --hash d | head -1)
    seed s --bootstrap "$FIRST"
    wait_for 30 announced "$hash"
    export P2P_HOME="$PWD/g"
    status 0 p2p-ls --fetch --bootstrap "$FIRST" --timeout 20s "$hash"
    [[ $output == *'	sub/one'* ]]
    status 0 p2p-ls --peers --json --bootstrap "$FIRST" --timeout 20s "$hash"
    [ "$(json seeds)" -ge 1 ]
    status 0 p2p-ls --peers --bootstrap "$FIRST" --timeout 20s 0123456789012345678901234567890123456789
    [[ $output == *'	0	0' ]] # nodes answered: nobody has it
    status 3 p2p-ls --peers --no-dht "$hash"
    says "no tracker"
}

@test "nodes that a .torrent names" {
    network
    random_file f 100000
    P2P_HOME="$PWD/s" p2p-add --node "$FIRST" -o t f >/dev/null
    hash=$(P2P_HOME="$PWD/s" p2p-ls --hash f | head -1)
    seed s
    wait_for 30 announced "$hash"
    status 0 get g --timeout 20s -o got/ t
    cmp f got/f
    status 0 get h --timeout 20s -o again/ "$(P2P_HOME="$PWD/s" p2p-ls --link f)"
    cmp f again/f
}
