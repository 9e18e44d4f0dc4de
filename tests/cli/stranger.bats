#!/usr/bin/env bats
# What hostile or clumsy strangers do to the programs.
load helper

@test "a web seed that lies is dropped in every format, and the download ends" {
    random_file f 100000
    mkdir served
    random_file served/f 100000
    serve_folder served
    for format in v1 v2 hybrid; do
        p2p-add -q --no-catalogue --format "$format" -w "$HTTP/" -o "$format.torrent" f
        status 3 timeout 20 p2p-get -v --bind 127.0.0.1 --timeout 2 -o got/ "$format.torrent"
        says "sent data that does not match its hash: dropped"
        [ ! -e got/f ]
    done
}

# refusing TIMES STATUS FILE: a web server that answers STATUS with a long page so often, then the
# file; to /announce it says STATUS always. Sets HTTP.
refusing() {
    background py -u -c '
import http.server, sys
times, status, data = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "rb").read()
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global times
        refuse = times > 0 or self.path.startswith("/announce")
        times -= 1
        body = b"<html>" + 500 * b"busy " if refuse else data
        self.send_response(status if refuse else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()' "$@" >port 2>/dev/null
    wait_for 10 test -s port
    HTTP="http://127.0.0.1:$(cat port)"
}

@test "the page that comes with a web seed's refusal is no content: it is asked again later" {
    random_file f 300
    for format in v1 v2 hybrid; do
        refusing 1 503 f
        p2p-add -q --no-catalogue --format "$format" -w "$HTTP/f" -o "$format.torrent" f
        status 0 p2p-get -v --bind 127.0.0.1 --no-dht -o "$format/" "$format.torrent"
        says "web seed 127.0.0.1: answered 503"
        cmp f "$format/f"
    done
}

@test "why nothing came: what a web seed or tracker said" {
    random_file f 100000
    refusing 1000 404 f
    p2p-add -q --no-catalogue -w "$HTTP/f" -o web.torrent f
    status 3 p2p-get -v --bind 127.0.0.1 --no-dht --timeout 2 -o got/ web.torrent
    says "nothing arrived in time (web seed 127.0.0.1: answered 404)"
    [ "$(grep -c 'answered 404: dropped' <<<"$stderr")" = 1 ]
    status 3 p2p-get --bind 127.0.0.1 --no-dht -o got/ web.torrent
    says "nobody is left to ask: web seed 127.0.0.1: answered 404; name a peer"
    p2p-add -q --no-catalogue -t "$HTTP/announce" -o tracker.torrent f
    status 3 p2p-get --bind 127.0.0.1 --no-dht --timeout 2 -o got/ tracker.torrent
    says "nothing arrived in time (tracker: answered 404)"
}

@test "p2p-ls | p2p-get --files-from -: names with blanks around them, and with # first" {
    mkdir d
    for name in ' first' 'last ' '#x' ' '; do printf '%s' "$name" >"d/$name"; done
    p2p-add -q -o d.torrent d
    p2p-ls d.torrent | grep -v first >wanted
    status 0 p2p-get --no-dht --timeout 5s --reuse d --files-from wanted -o out/ d.torrent
    rm 'd/ first'
    diff -r d out/d
}

@test "content in place of a SOURCE: what it is not is said, and it hides no item" {
    random_file f 70000
    sample_folder d
    status 4 p2p-ls f
    says "p2p-ls: f: is no .torrent"
    says "p2p-add makes a link of it"
    status 4 p2p-get --no-dht f
    says "p2p-get: f: is no .torrent"
    for program in p2p-ls p2p-get p2p-rm; do
        status 3 "$program" d
        says "$program: d: is a folder, and no item is called so; p2p-add makes a link of it"
    done
    p2p-add -q f d >/dev/null
    status 0 p2p-ls --path f
    prints "$PWD/f"
    status 0 p2p-get --no-dht -o out/ f
    cmp f out/f
    p2p-add -q --format v1 f >/dev/null
    for program in p2p-ls p2p-get; do
        status 2 "$program" f
        says "fits several items"
    done
}

@test "a home on a read-only file system can be looked at: p2p-ls; who would write is status 5" {
    small_disk "$PWD/disk" 4M
    export P2P_HOME="$PWD/disk/home %41?"
    random_file disk/f 70000
    p2p-add -q disk/f >/dev/null
    p2p-add -q --no-catalogue -o x.torrent disk/f >/dev/null
    p2p-ls >before
    mount -o remount,ro disk
    status 0 p2p-ls
    prints "$(cat before)"
    status 0 p2p-ls f
    status 0 p2p-ls x.torrent
    status 0 p2p-ls --verify f
    status 5 p2p-rm f
    says "Read-only file system"
    status 5 p2p-add x.torrent
    says "Read-only file system"
    status 5 p2p-seed --bind 127.0.0.1 --for 1s
    mount -o remount,rw disk
    status 0 p2p-rm f
}

@test "a home that cannot be read, or is no folder, is not an empty one: status 5" {
    sample_folder d
    p2p-add -q --no-catalogue -o x.torrent d >/dev/null
    mkdir shut
    chmod 700 shut
    status 5 as_nobody p2p-ls --home "$PWD/shut"
    says "Permission denied"
    status 5 p2p-ls --home x.torrent
    says "Not a directory"
    status 0 p2p-ls --home d/nothing
    status 0 p2p-ls --home x.torrent ./x.torrent
}

@test "p2p-add -o: a FILE that is of the content is not written over: status 2" {
    random_file f 70000
    sample_folder d
    cp f before
    cp -r d d.before
    ln f hard
    for file in f ./f hard; do
        status 2 p2p-add -o $file f
        says "--output: $file is of what is shared, and would be written over"
    done
    cmp f before
    status 2 p2p-add -o "d/a note.txt" d
    diff -r d d.before
    tar cf a.tar d
    status 2 p2p-add --archive -o a.tar a.tar
    tar tf a.tar >/dev/null
    [ -z "$(p2p-ls)" ]
    # A torrent beside the content is what many want; the next time it would be of the content.
    status 0 p2p-add -o d/d.torrent d
    status 2 p2p-add -o d/d.torrent d
    status 0 p2p-add -o d/d.torrent --exclude d.torrent d
    status 0 p2p-ls --verify d
}
