#!/usr/bin/env bats
# p2p-get -r: only these bytes, and what they cost; from peers, web seeds and libtorrent.
load helper

BIG=50331648 # three pieces of 16 MiB

# shared [OPTION…]: three pieces as f, from a seeder; sets LINK, PEER and SEEDER.
shared() {
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    random_file f $BIG
    LINK=$(P2P_HOME=$SEEDER p2p-add --piece-size 16Mi -o f.torrent "$@" f)
    seed_here "$SEEDER"
    PEER="--peer=127.0.0.1:$PORT"
}

# bytes FROM COUNT: of f.
bytes() { tail -c +$(($1 + 1)) f | head -c "$2"; }

# ranged STATUS [OPTION…]: $output is the last event.
ranged() {
    rm -rf out home
    P2P_HOME=home status "$1" p2p-get --json -o out "${@:2}"
    output=$(tail -1 <<<"$output")
}
sent() { P2P_HOME=$SEEDER p2p-seed --status | cut -f 4; }
sent_is() { [ "$(sent)" = "$1" ]; }

@test "v2 and hybrid: 64 KiB cost the blocks that hold them, here and at the seed" {
    for format in v2 hybrid; do
        shared --format $format
        for source in "$LINK" f.torrent; do
            before=$(sent)
            ranged 0 "$PEER" -r 20000000-20065535 "$source"
            bytes 20000000 65536 | cmp - out
            [ "$(json size)" = 81920 ]
            [ "$(json from_peers)" = 81920 ]
            [ "$(json wasted)" = 0 ]
            wait_for 5 sent_is $((before + 81920))
        done
        # At the edge of two pieces, within one block, the last bytes; some of it twice.
        ranged 0 "$PEER" -r 16777210-16777220 -r 100-199 -r 150-250 -r -1 f.torrent
        { bytes 16777210 11; bytes 100 100; bytes 150 101; bytes $((BIG - 1)) 1; } | cmp - out
        [ "$(json from_peers)" = $((4 * 16384)) ]
        p2p-get "$PEER" -o - -r 100-199 -r 16777210-16777220 f.torrent >stream
        { bytes 100 100; bytes 16777210 11; } | cmp - stream
        kill "${BACKGROUND[-1]}"
        wait "${BACKGROUND[-1]}" || true
        rm -r "$SEEDER"
    done
}

@test "many ranges: no more hashes are asked of a peer at once than it answers, and all are waited for" {
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    random_file f $((40 << 20))
    P2P_HOME=$SEEDER p2p-add --format v2 --piece-size 1Mi -o f.torrent f
    seed_here "$SEEDER"
    ranges=()
    for ((i = 0; i < 40; i++)); do
        ranges+=(-r "$(((i << 20) + 100000))-$(((i << 20) + 100009))")
        bytes $(((i << 20) + 100000)) 10
    done >wanted
    ranged 0 "--peer=127.0.0.1:$PORT" "${ranges[@]}" f.torrent
    cmp wanted out
    [ "$(json from_peers)" = $((40 * 16384)) ]
}

@test "v1: whole pieces, for nothing less can be verified" {
    shared --format v1
    ranged 0 "$PEER" -r 20000000-20065535 f.torrent
    bytes 20000000 65536 | cmp - out
    [ "$(json from_peers)" = 16777216 ]
}

@test "a file smaller than a piece, and files of a folder" {
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    sample_folder d
    LINK=$(P2P_HOME=$SEEDER p2p-add --format v2 --piece-size 1Mi -o d.torrent d)
    seed_here "$SEEDER"
    PEER="--peer=127.0.0.1:$PORT"
    ranged 0 "$PEER" -r big:40000-40009 -r sub/one:0-3 -r sub/deep/two:-10 d.torrent
    { tail -c +40001 d/big | head -c 10; head -c 4 d/sub/one; tail -c 10 d/sub/deep/two; } | cmp - out
    # A block of the first, all of the second, the short last one of the third.
    [ "$(json from_peers)" = $((16384 + 16384 + 70000 % 16384)) ]
    ranged 3 "$PEER" -r nothing:0-1 d.torrent
    ranged 3 "$PEER" -r empty:0-1 d.torrent
}

@test "OFF-, -N, beyond the end; what is wrong is said before anything is fetched" {
    shared --format v2
    ranged 0 "$PEER" -r $((BIG - 100000))- f.torrent
    tail -c 100000 f | cmp - out
    ranged 0 "$PEER" -r "f:$((BIG - 5))-99999999999" f.torrent
    tail -c 5 f | cmp - out
    ranged 0 "$PEER" -r "-99999999999" -r 0-0 f.torrent
    { cat f; head -c 1 f; } | cmp - out
    ranged 3 "$PEER" -r $BIG- f.torrent
    says "the range lies behind its end"
    [ ! -e out ]
    for wrong in 5-4 x-y 1 - -0 9999999999999999999999- 1-2-3; do
        status 2 p2p-get "$PEER" -o out -r "$wrong" f.torrent
        [ ! -e out ]
    done
    # In a stream in their order only.
    status 2 p2p-get "$PEER" -o - -r 100-199 -r 0-99 f.torrent
    says "what goes to standard output must be in order"
    prints ""
}

# serve_ranges DIR: over HTTP, as a server that knows ranges; sets HTTP.
serve_ranges() {
    background py -u -c '
import http.server, re, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        b = open(sys.argv[1] + self.path, "rb").read()
        m = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        a, e = (int(m[1]), int(m[2] or len(b) - 1)) if m else (0, len(b) - 1)
        self.send_response(206 if m else 200)
        if m: self.send_header("Content-Range", f"bytes {a}-{e}/{len(b)}")
        self.send_header("Content-Length", str(e + 1 - a))
        self.end_headers()
        self.wfile.write(b[a:e + 1])
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()' "$1" >ranges.port 2>/dev/null
    wait_for 10 test -s ranges.port
    HTTP="http://127.0.0.1:$(cat ranges.port)"
}

@test "nobody tells hashes: whole pieces, from a web seed alone" {
    random_file web/f $BIG
    cp web/f f
    for server in serve_ranges serve_folder; do
        $server web
        p2p-add --no-catalogue --format v2 --piece-size 16Mi -o f.torrent -w "$HTTP/f" f >/dev/null
        ranged 0 --timeout 20s -r 20000000-20065535 f.torrent
        bytes 20000000 65536 | cmp - out
        [ "$(json from_web_seeds)" -ge 16777216 ]
        [ $server = serve_folder ] || [ "$(json from_web_seeds)" -le $((16777216 + 81920)) ]
    done
    # With a peer beside them only he is asked for what he can prove.
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    P2P_HOME=$SEEDER p2p-add --format v2 --piece-size 16Mi f
    seed_here "$SEEDER"
    ranged 0 --timeout 20s "--peer=127.0.0.1:$PORT" -r 20000000-20065535 f.torrent
    bytes 20000000 65536 | cmp - out
}

@test "libtorrent as the seed: what it proves comes alone, else the piece" {
    py -c 'import libtorrent' 2>/dev/null || skip "no libtorrent"
    random_file f $BIG
    p2p-add --no-catalogue --format v2 --piece-size 16Mi -o f.torrent f >/dev/null
    background py -u -c '
import sys, time
import libtorrent as lt
s = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
                "enable_upnp": False, "enable_natpmp": False, "allow_multiple_connections_per_ip": True})
t = s.add_torrent({"ti": lt.torrent_info("f.torrent"), "save_path": "."})
while not t.status().is_seeding:
    time.sleep(0.05)
print(s.listen_port(), flush=True)
time.sleep(600)' >port
    wait_for 20 test -s port
    ranged 0 "--peer=127.0.0.1:$(cat port)" --timeout 20s -r 20000000-20065535 f.torrent
    bytes 20000000 65536 | cmp - out
    [ "$(json from_peers)" -le $((16777216 + 81920)) ]
}
