#!/usr/bin/env bats
# p2p-get -o - where web seeds are the source, alone or beside peers, and where readers are odd.
load helper

# on_the_web FILE…: of web/, as torrents v1.torrent, v2.torrent and hybrid.torrent with that seed.
on_the_web() {
    serve_ranges web
    for format in v1 v2 hybrid; do
        p2p-add --no-catalogue --format $format --piece-size 64Ki -o $format.torrent \
            -w "$HTTP/$1" "web/${1%/}" >/dev/null
    done
}

# serve_ranges DIR [LIE]: over HTTP, as a server that knows ranges; after so many bytes of a file
# come others. Sets HTTP.
serve_ranges() {
    background py -u -c '
import http.server, re, sys, urllib.parse
lie = int(sys.argv[2])
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        b = open(sys.argv[1] + urllib.parse.unquote(self.path), "rb").read()
        b = b[:lie] + bytes(len(b[lie:]))
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
s.serve_forever()' "$1" "${2:-1000000000}" >ranges.port 2>/dev/null
    wait_for 10 test -s ranges.port
    HTTP="http://127.0.0.1:$(cat ranges.port)"
}

@test "a web seed alone: a file, a folder, ranges, a window of two pieces" {
    random_file web/f 5000001
    on_the_web f
    for format in v1 v2 hybrid; do
        p2p-get --window 128Ki -o - $format.torrent | cmp - web/f
        p2p-get -o - -r 1000000-1999999 -r -5 $format.torrent >out
        { tail -c +1000001 web/f | head -c 1000000; tail -c 5 web/f; } | cmp - out
    done
    sample_folder web/d
    on_the_web ""
    for format in v1 v2 hybrid; do
        p2p-add --no-catalogue --format $format -o $format.torrent -w "$HTTP/" web/d >/dev/null
        rm -rf got
        mkdir got
        p2p-get -o - $format.torrent | tar -C got -x
        diff -r web/d got/d
    done
}

@test "a web seed beside a peer: both give, and the bytes are right" {
    random_file web/f 40000000
    on_the_web f
    P2P_HOME=seeder p2p-add --piece-size 64Ki -o p.torrent web/f >/dev/null
    seed_here "$PWD/seeder" --limit-up 4M
    p2p-get --peer "127.0.0.1:$PORT" --events-fd 3 -o - hybrid.torrent 3>events | cmp - web/f
    output=$(grep '"event":"done"' events)
    [ "$(json from_web_seeds)" -gt 0 ]
    [ $(($(json from_web_seeds) + $(json from_peers))) -ge 40000000 ]
}

@test "a web seed that lies: what it proves comes, then the status is not 0" {
    random_file web/f 3000000
    serve_ranges web 1000000
    for format in v1 v2 hybrid; do
        p2p-add --no-catalogue --format $format --piece-size 64Ki -o f.torrent -w "$HTTP/f" \
            web/f >/dev/null
        got=0
        p2p-get --timeout 2s -o - f.torrent >out 2>err || got=$?
        [ "$got" -eq 3 ] || [ "$got" -eq 4 ]
        size=$(stat -c %s out)
        [ "$size" -lt 1048576 ]
        head -c "$size" web/f | cmp - out
    done
}

@test "a reader who goes away, of a web seed: 141, and quiet" {
    random_file web/f 9000000
    on_the_web f
    run bash -c 'p2p-get -o - v2.torrent 2>err | head -c 1000 | cmp -n 1000 - web/f
        echo "${PIPESTATUS[0]}"'
    prints 141
    [ ! -s err ]
}

@test "a reader who stops reading holds up the seed, not more than the window comes" {
    random_file web/f 60000000
    on_the_web f
    mkfifo pipe
    p2p-get --window 1Mi --events-fd 3 -o - v2.torrent >pipe 3>events &
    local pid=$!
    exec 4<pipe
    head -c 100000 <&4 | cmp -n 100000 - web/f
    sleep 2
    # The window, what a pipe holds (1 MiB) and what was read.
    at_rest=$(tail -1 events | py -c 'import json, sys; print(json.loads(sys.stdin.read())["done"])')
    [ "$at_rest" -lt 4000000 ]
    tail -c +100001 web/f | cmp - <(cat <&4)
    exec 4<&-
    wait $pid
}
