#!/usr/bin/env bats
# The service manager: its units, what it is told, and the sockets that it hands over.
load helper

ROOT="$BATS_TEST_DIRNAME/../.."
HAND="$BATS_TEST_DIRNAME/handover.py"
UNITS="p2p-seed.service p2p-seed.socket p2p-seed-night.service p2p-seed-night.timer"

# handed SOCKET… -- PROGRAM…: in the background, ready; sets PID, AT (where it listens).
handed() {
    rm -f line line.err
    background py "$HAND" "$@" >line 2>line.err
    PID=$!
    wait_for 20 grep -q listening line
    AT=$(cut -f 2 line)
}
ended() {
    kill $PID
    wait $PID || [ $? = 143 ]
}
fetches() {
    rm -rf "$BATS_TEST_TMPDIR/getter" got
    P2P_HOME="$BATS_TEST_TMPDIR/getter" p2p-get -q "--peer=$1" --timeout 10 -o got/ "$LINK" &&
        cmp f got/f
}
# holds PID tcp|udp ADDR:PORT: it has such a socket.
holds() { ss -Hlnp --"$2" | grep -F " $3 " | grep -q "pid=$1,"; }
shared_file() {
    random_file f 300000
    LINK=$(p2p-add f)
}
install_units() { make -s -C "$ROOT" install-units PREFIX="$1" DESTDIR="${2:-}" B="$BIN"; }

@test "make install puts the units where a user's systemd looks, with the path of the programs" {
    install_units /opt/p2p "$PWD/dest"
    for unit in $UNITS; do
        [ -f "dest/opt/p2p/lib/systemd/user/$unit" ]
        not grep '@' "dest/opt/p2p/lib/systemd/user/$unit"
    done
    grep -qx 'ExecStart=/opt/p2p/bin/p2p-seed' dest/opt/p2p/lib/systemd/user/p2p-seed.service
    make -s -n -C "$ROOT" uninstall PREFIX=/opt/p2p DESTDIR="$PWD/dest" | grep -q p2p-seed-night.timer
}

@test "systemd finds nothing wrong in the units" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    mkdir -p prefix/bin run
    ln -s "$BIN/p2p-seed" prefix/bin/
    install_units "$PWD/prefix"
    cd prefix/lib/systemd/user
    XDG_RUNTIME_DIR="$OLDPWD/run" status 0 systemd-analyze verify --user --man=no \
        ./p2p-seed.service ./p2p-seed.socket ./p2p-seed-night.service ./p2p-seed-night.timer
    prints ""
    silent
}

@test "what the units call is right: the programs take those options" {
    install_units "$PWD/prefix"
    n=0
    while read -r program options; do
        # shellcheck disable=SC2086 # words of a unit
        status 0 p2p config "${program##*/}" $options
        n=$((n + 1))
    done < <(sed -n 's/^ExecStart=//p' prefix/lib/systemd/user/*.service)
    [ $n = 2 ]
    status 0 p2p config seed --for 1h
    grep -qx 'ExecStart=.*/p2p-seed --for 1h' prefix/lib/systemd/user/p2p-seed-night.service
}

@test "notify: STATUS, READY when it is, WATCHDOG, STOPPING before it has stopped" {
    shared_file
    background py -u -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode(), flush=True)' "$BATS_TEST_TMPDIR/notify" >told
    wait_for 10 grep -q bound told
    # A tracker that never answers keeps it at stopping for a while.
    background py "$BATS_TEST_DIRNAME/announced.py" http mute >tracker
    wait_for 10 test -s tracker
    random_file g 1000
    p2p-add -t "$(head -1 tracker)" g
    NOTIFY_SOCKET="$BATS_TEST_TMPDIR/notify" WATCHDOG_USEC=900000 \
        background p2p-seed --bind 127.0.0.1 >line
    PID=$!
    wait_for 10 grep -qx READY=1 told
    [ -s line ]
    wait_for 10 grep -qx 'STATUS=2 items, 0 peers, 0 B/s up' told
    wait_for 10 eval '[ "$(grep -cx WATCHDOG=1 told)" -ge 3 ]'
    wait_for 10 grep -q started tracker
    not grep STOPPING told
    kill $PID
    wait_for 10 grep -qx STOPPING=1 told
    wait $PID || [ $? = 143 ]
    [ "$(grep -cx STOPPING=1 told)" = 1 ]
    # Nobody else's watchdog is fed.
    : >told
    NOTIFY_SOCKET="$BATS_TEST_TMPDIR/notify" WATCHDOG_USEC=300000 WATCHDOG_PID=1 \
        status 0 p2p-seed --bind 127.0.0.1 --for 1s
    not grep WATCHDOG told
    grep -qx READY=1 told
    # The same of p2p-node.
    NOTIFY_SOCKET="$BATS_TEST_TMPDIR/notify" WATCHDOG_USEC=300000 \
        status 0 p2p-node --bind 127.0.0.1 --for 2s
    wait_for 5 grep -qx WATCHDOG=1 told
    grep -qx 'STATUS=0 nodes known over IPv4, 0 over IPv6' told
}

@test "sockets: TCP and UDP that were handed over; others are told that port" {
    shared_file
    background py "$BATS_TEST_DIRNAME/announced.py" http >tracker
    wait_for 10 test -s tracker
    random_file g 1000
    p2p-add -t "$(head -1 tracker)" g
    handed tcp4 udp4 -- p2p-seed
    [[ $AT = 127.0.0.1:* ]]
    holds $PID tcp "$AT"
    holds $PID udp "$AT"
    [ "$(ss -Hlnpt | grep -c "pid=$PID,")" = 1 ]
    [ "$(ss -Hlnpu | grep -c "pid=$PID,")" = 1 ]
    fetches "$AT"
    wait_for 10 grep -qF "started	${AT##*:}	" tracker
    # The UDP one answers: it is a node of the DHT.
    P2P_HOME=asks status 0 p2p-node ping "$AT"
}

@test "sockets: what was not handed over is opened beside it, for the same families" {
    shared_file
    handed tcp4 -- p2p-seed
    holds $PID udp "$AT"
    fetches "$AT"
    ended
    handed udp4 -- p2p-seed
    holds $PID tcp "$AT"
    fetches "$AT"
    ended
    [ -e /proc/net/if_inet6 ] || skip "no IPv6"
    handed tcp6 -- p2p-seed
    [[ $AT = "[::1]:"* ]]
    holds $PID udp "$AT"
    [ "$(ss -Hlnpu | grep -c "pid=$PID,")" = 1 ]
    fetches "$AT"
}

@test "sockets: one of both families, as ListenStream=PORT makes it, serves both" {
    [ -e /proc/net/if_inet6 ] || skip "no IPv6"
    shared_file
    handed tcp46 udp46 -- p2p-seed
    for at in "127.0.0.1:${AT##*:}" "[::1]:${AT##*:}"; do
        fetches "$at"
        P2P_HOME=asks status 0 p2p-node ping "$at"
    done
    ended
    handed tcp46 -- p2p-seed
    fetches "127.0.0.1:${AT##*:}"
    P2P_HOME=asks status 0 p2p-node ping "127.0.0.1:${AT##*:}"
    P2P_HOME=asks status 0 p2p-node ping "[::1]:${AT##*:}"
    ended
    handed udp46 -- p2p-seed
    fetches "127.0.0.1:${AT##*:}"
    fetches "[::1]:${AT##*:}"
}

@test "sockets: --port and --bind of the configuration do not count against them; --daemon takes them along" {
    shared_file
    printf '[p2p-seed]\nport = 1\n' >>"$XDG_CONFIG_HOME/p2p/config"
    py "$HAND" tcp4 udp4 -- p2p-seed --daemon >line 3>&-
    BACKGROUND+=("$(cat "$P2P_HOME/locks/seed.lock")")
    fetches "$(cut -f 2 line)"
}

@test "sockets that are no use: status 2, and which one" {
    status 2 py "$HAND" tcp4 file -- p2p-seed --for 1s
    says "descriptor 4 is neither a listening TCP socket nor a UDP socket"
    status 2 py "$HAND" stream -- p2p-seed --for 1s
    says "descriptor 3 is neither"
    status 2 py "$HAND" tcp4 udp4 tcp4+1 -- p2p-seed --for 1s
    says "descriptors 3 and 5 are for the same"
    status 2 py "$HAND" tcp4 udp4+1 -- p2p-seed --for 1s
    says "others are told of one"
    status 2 py "$HAND" tcp4 udp4 -- p2p-node --for 1s
    says "no use for a TCP socket"
    [ ! -e "$P2P_HOME/locks/seed.lock" ]
    LISTEN_PID=x LISTEN_FDS=-1 status 0 p2p-seed --for 0s
}

@test "sockets for another process are left alone" {
    status 0 py "$HAND" tcp4 WRONG_PID -- p2p-seed --bind 127.0.0.1 --port OTHER --for 0s
    [[ $output == "listening	127.0.0.1:"* ]]
}

@test "sockets: p2p-node at the UDP one; p2p too hands them on" {
    handed udp4 -- p2p node
    [[ $AT = 127.0.0.1:* ]]
    P2P_HOME=asks status 0 p2p-node ping "$AT"
    not grep "pid=$PID," < <(ss -Hlnpt)
}

@test "systemd-socket-activate: starts it when the first peer comes, and that one is served" {
    command -v systemd-socket-activate >/dev/null || skip "no systemd-socket-activate"
    shared_file
    port=$(free_port)
    background systemd-socket-activate -E P2P_HOME -E XDG_CONFIG_HOME -l "127.0.0.1:$port" \
        "$BIN/p2p-seed" --bootstrap none --no-lsd --no-port-mapping >line 2>err
    PID=$!
    wait_for 10 grep -q Listening err
    [ ! -s line ]
    fetches "127.0.0.1:$port"
    [ "$(cut -f 2 line)" = "127.0.0.1:$port" ]
    kill $PID
    wait $PID || [ $? = 143 ]
}
