#!/usr/bin/env bats
# p2p-get --reuse: what is here already is not fetched again, wherever it has moved to.
load helper

# made OLD NEW EDIT…: an old file and what it has become since. in: 1 KiB is put in at the start;
# regions: ten of them, 1 % in all; scattered: 1 % in places of 16 KiB; put: 12 places where a few
# bytes are put in; other: nothing is left of it.
made() {
    py - "$@" <<'PY'
import random, sys
r = random.Random(7)
old, new, edits = sys.argv[1], sys.argv[2], sys.argv[3:]
size = 24 << 20
a = r.randbytes(size)
b = bytearray(a)
def change(at, n): b[at:at + n] = r.randbytes(n)
for e in edits:
    if e == "in":
        b[0:0] = r.randbytes(1024)
    elif e == "regions":
        for i in range(10): change(r.randrange(size - size // 1000), size // 1000)
    elif e == "scattered":
        for i in range(size // 100 // 16384): change(r.randrange(size - 16384), 16384)
    elif e == "put":
        for i in range(12):
            at = r.randrange(len(b))
            b[at:at] = r.randbytes(r.randrange(1, 3000))
    elif e == "other":
        b = bytearray(r.randbytes(size))
open(old, "wb").write(a)
open(new, "wb").write(b)
PY
}

# shared [OPTION…] PATH: added and served by a seeder of its own; writes x.torrent, sets PORT.
shared() {
    local home="$BATS_TEST_TMPDIR/seeder.$RANDOM"
    P2P_HOME=$home p2p-add -o x.torrent "$@" >/dev/null
    seed_here "$home"
}

# reusing PATH [OPTION…] SOURCE: into out/, with events.
reusing() {
    status 0 p2p-get --json --peer "127.0.0.1:$PORT" -o out/ --reuse "$@"
    printf '%s\n' "$output" >events
}

# of_event NAME KEY: of the last such event.
of_event() {
    py -c '
import json, sys
v = [e for e in map(json.loads, open("events")) if e["event"] == sys.argv[1]]
print(v[-1][sys.argv[2]] if v else "none")' "$@"
}

# came_below PER_MILLE: of the content came so much or less.
came_below() {
    local came size
    came=$(($(of_event done from_peers) + $(of_event done from_web_seeds)))
    size=$(of_event done size)
    [ $((came * 1000)) -lt $((size * $1)) ] || {
        echo "$came of $size came" >&2
        return 1
    }
    [ $((came + $(of_event done reused))) -ge "$size" ]
}

@test "a file that is here under another name is not fetched, and needs nobody" {
    for format in v1 v2 hybrid; do
        mkdir -p "$format/old/deep"
        random_file "$format/film" 3000000
        p2p-add --no-catalogue --format $format -o $format.torrent $format/film >/dev/null
        mv $format/film "$format/old/deep/of last year"
        before=$(stat -c '%i %Y %s' "$format/old/deep/of last year")
        status 0 p2p-get --json --no-dht -o "out-$format/" --reuse $format/old $format.torrent
        printf '%s\n' "$output" >events
        [ "$(of_event reuse path)" = "$format/old/deep/of last year" ]
        [ "$(of_event reuse bytes)" = 3000000 ]
        [ "$(of_event done reused)" = 3000000 ]
        cmp "$format/old/deep/of last year" out-$format/film
        [ "$(stat -c '%i %Y %s' "$format/old/deep/of last year")" = "$before" ]
        [ "$(stat -c %i out-$format/film)" != "${before%% *}" ]
    done
}

@test "ten regions changed: these are fetched, and no more" {
    made old src.img regions
    for format in v1 v2 hybrid; do
        rm -rf "$P2P_HOME"
        cp src.img $format.img
        shared --format $format $format.img
        reusing old x.torrent
        cmp src.img out/$format.img
        came_below $([ $format = v1 ] && echo 60 || echo 30)
        [ "$(of_event reuse path)" = old ]
        [ "$(of_event reuse bytes)" = "$(of_event done reused)" ]
    done
}

@test "a KiB put in at the start: all of the rest is found where it has moved to" {
    made old src.img in
    for format in v1 v2 hybrid; do
        rm -rf "$P2P_HOME"
        cp src.img $format.img
        shared --format $format $format.img
        reusing old x.torrent
        cmp src.img out/$format.img
        came_below 30
    done
}

@test "changes everywhere: with v2 only the blocks that have changed come" {
    made old src.img scattered put in
    for format in v2 hybrid; do
        rm -rf "$P2P_HOME"
        cp src.img $format.img
        shared --format $format $format.img
        reusing old x.torrent
        cmp src.img out/$format.img
        came_below 60
    done
    rm -r "$P2P_HOME"
    cp src.img v1.img
    shared --format v1 v1.img
    reusing old x.torrent
    cmp src.img out/v1.img
    came_below 700
}

@test "by a link, whose manifest and hashes come from peers" {
    made old src.img in scattered
    for format in v1 v2 hybrid; do
        rm -rf "$P2P_HOME"
        cp src.img $format.img
        shared --format $format $format.img
        reusing old "$(p2p-ls --link x.torrent)"
        cmp src.img out/$format.img
        came_below $([ $format = v1 ] && echo 600 || echo 50)
    done
}

@test "what the catalogue has is not fetched, and needs nobody" {
    for format in v1 v2 hybrid; do
        for other in v1 v2 hybrid; do
            [ $format$other = v1v2 ] || [ $format$other = v2v1 ] && continue
            mkdir -p x/one y/two/sub
            random_file "x/one/film" 3000000
            random_file "x/one/rest" 40000
            cp x/one/film y/two/sub/film
            random_file "y/two/more" 400000
            p2p-add --format $format x/one >/dev/null
            shared --format $other y/two
            status 0 p2p-get --json --peer "127.0.0.1:$PORT" -o out/ x.torrent
            printf '%s\n' "$output" >events
            diff -r y/two out/two
            [ "$(of_event done from_peers)" -lt 500000 ] # edges of v1 pieces too
            [ "$(of_event reuse path)" = "$PWD/x/one/film" ]
            rm -r out "$P2P_HOME" x y
        done
    done
    random_file film 3000000
    p2p-add film >/dev/null
    shared film
    status 0 p2p-get --json --no-dht -o out/ x.torrent # the same item, in a second place
    cmp film out/film
    rm -r out
    status 0 p2p-get --json --peer "127.0.0.1:$PORT" -o out/ --reuse none x.torrent
    printf '%s\n' "$output" >events
    [ "$(of_event done from_peers)" = 3000000 ]
}

@test "what the catalogue has wrongly does no harm: changed, gone, another of that name" {
    mkdir one two
    random_file one/film 3000000
    random_file two/film 3000001
    random_file one/b 500000
    cp one/b two/b
    p2p-add --format v1 one >/dev/null
    shared --format v1 two
    printf 'changed' | dd of=one/b bs=1 seek=100 conv=notrunc status=none
    status 0 p2p-get -q --peer "127.0.0.1:$PORT" -o out/ x.torrent
    diff -r two out/two
    rm -r one out
    p2p-rm two >/dev/null
    status 0 p2p-get -q --peer "127.0.0.1:$PORT" -o out/ x.torrent
    diff -r two out/two
}

@test "nothing in it: all is fetched, and nothing twice" {
    made old new.img other
    shared --format v1 new.img
    reusing old x.torrent
    cmp new.img out/new.img
    [ "$(of_event done from_peers)" = "$(of_event done size)" ]
    [ "$(of_event done reused)" = 0 ]
    [ "$(of_event reuse path)" = none ]
}

@test "a folder: files that are the same, one that changed, one that moved, one that is new" {
    for format in v1 v2 hybrid; do
        rm -rf "$P2P_HOME"
        mkdir -p $format/box/sub
        for i in $(seq 30); do random_file $format/box/f$i $((i * 7919)); done
        random_file $format/box/sub/large 2000000
        cp -r $format/box $format/old
        random_file $format/box/new 40000
        printf 'changed' | dd of=$format/box/f20 bs=1 seek=1000 conv=notrunc status=none
        mv $format/old/sub/large $format/old/elsewhere
        mkfifo $format/old/fifo
        ln -s nowhere $format/old/link
        ln -s . $format/old/loop
        shared --format $format $format/box
        reusing $format/old x.torrent
        diff -r $format/box out/box
        rm -r out
        came_below $([ $format = v1 ] && echo 150 || echo 60)
    done
}

@test "only some files, and only some bytes" {
    made old src.img regions
    mkdir box
    cp src.img box/image
    random_file box/other 3000000
    shared box
    reusing old --select image x.torrent
    cmp src.img out/box/image
    [ ! -e out/box/other ]
    came_below 30
    status 0 p2p-get --json --peer "127.0.0.1:$PORT" -o part --reuse old -r image:5000000-5999999 \
        x.torrent
    printf '%s\n' "$output" >events
    tail -c +5000001 src.img | head -c 1000000 | cmp - part
    [ "$(of_event done from_peers)" -lt 300000 ]
}

@test "what is not there or cannot be read is passed over, and said" {
    random_file f 300000
    mkfifo pipe
    shared f
    status 0 p2p-get --peer "127.0.0.1:$PORT" -o out/ --reuse nowhere --reuse pipe x.torrent
    prints out/f
    says "--reuse: passed over: nowhere: No such file or directory; pipe: is neither a file nor"
    status 2 p2p-get --peer "127.0.0.1:$PORT" -o - --reuse f x.torrent
    says "-o -: does not go with --reuse"
    status 2 p2p-get --reuse
}

@test "the file itself is no old one: not by its name, not by another" {
    made old new.img in
    shared new.img
    mkdir out
    cp old out/new.img
    status 5 p2p-get --peer "127.0.0.1:$PORT" -o out/ --reuse out/new.img x.torrent
    says "exists and is something else"
    cmp old out/new.img
    mv out/new.img out/new.img.part # an earlier run's, as far as it can see
    ln out/new.img.part again
    reusing again x.torrent
    cmp new.img out/new.img
    [ "$(of_event reuse path)" = none ]
}

@test "an old file with holes, cut short, or empty" {
    truncate -s 20M sparse
    printf 'something' | dd of=sparse bs=1 seek=10000000 conv=notrunc status=none
    made old new.img in
    head -c 9000001 old >cut
    : >empty
    shared new.img
    reusing sparse --reuse cut --reuse empty x.torrent
    cmp new.img out/new.img
    came_below 700
    rm -r out "$P2P_HOME"
    truncate -s 20M zeros
    shared zeros
    reusing sparse x.torrent
    cmp zeros out/zeros
    came_below 30
}

@test "an old file that changes while it is read is not believed" {
    made old new.img scattered
    shared --format v2 new.img
    background sh -c 'while :; do
        dd if=/dev/urandom of=old bs=64k count=4 seek=$((RANDOM % 300)) conv=notrunc status=none
    done'
    reusing old x.torrent
    cmp new.img out/new.img
}

@test "two that reuse one file and write to one home" {
    made old a.img in
    cp a.img b.img
    printf 'x' >>b.img
    shared a.img
    mv x.torrent a.torrent
    first_port=$PORT
    shared b.img
    p2p-get -q --peer "127.0.0.1:$first_port" -o out/ --reuse old a.torrent >/dev/null &
    first=$!
    reusing old x.torrent
    wait $first
    cmp a.img out/a.img
    cmp b.img out/b.img
    # The same item into the same place: the lock is one's, as without --reuse.
    rm -r out "$P2P_HOME"
    p2p-get -q --peer "127.0.0.1:$PORT" -o out/ --reuse old x.torrent >/dev/null &
    first=$!
    run p2p-get -q --peer "127.0.0.1:$PORT" -o out/ --reuse old x.torrent
    wait $first || [ $? = 6 ]
    cmp b.img out/b.img
    [ "$status" = 6 ] || [ "$status" = 0 ]
}

@test "no space: status 5, and with space again it goes on" {
    made old new.img in
    small_disk "$PWD/small" 10M
    shared new.img
    status 5 p2p-get --peer "127.0.0.1:$PORT" -o small/ --reuse old x.torrent
    says "No space left on device"
    [ ! -e small/new.img ]
    mount -o remount,size=40M "$PWD/small"
    status 0 p2p-get -q --peer "127.0.0.1:$PORT" -o small/ --reuse old x.torrent
    cmp new.img small/new.img
}

@test "killed while it copies: what it claims to have is there" {
    made old new.img in scattered
    shared new.img
    for delay in 0.02 0.06 0.12; do
        timeout -s KILL $delay p2p-get -q --peer "127.0.0.1:$PORT" -o out/ --reuse old x.torrent \
            >/dev/null || true
        [ ! -e out/new.img ] || cmp new.img out/new.img
    done
    [ -e out/new.img ] || reusing old x.torrent
    cmp new.img out/new.img
}

@test "web seeds: with ranges blocks are fetched, without them all is, once" {
    made old new.img in regions
    background py -u -c '
import http.server, re
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        b = open("new.img", "rb").read()
        m = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        a, e = (int(m[1]), int(m[2] or len(b) - 1)) if m else (0, len(b) - 1)
        self.send_response(206 if m else 200)
        if m: self.send_header("Content-Range", f"bytes {a}-{e}/{len(b)}")
        self.send_header("Content-Length", str(e + 1 - a))
        self.end_headers()
        self.wfile.write(b[a:e + 1])
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()' >port 2>/dev/null
    wait_for 10 test -s port
    serve_folder "$PWD"
    for url in "http://127.0.0.1:$(cat port)" "$HTTP"; do
        p2p-add --no-catalogue --format v1 -w "$url/new.img" -o x.torrent new.img >/dev/null
        status 0 p2p-get --json --no-dht -o out/ --reuse old x.torrent
        printf '%s\n' "$output" >events
        cmp new.img out/new.img
        came_below $([ "$url" = "$HTTP" ] && echo 1200 || echo 60)
        rm -r out "$P2P_HOME"
    done
}

# came_in_all: of all items of `events`.
came_in_all() {
    py -c '
import json
v = [e for e in map(json.loads, open("events")) if e["event"] == "done"]
print(sum(e["from_peers"] + e["from_web_seeds"] for e in v))'
}

@test "two SOURCEs at once with one file in both: it comes once" {
    for format in v1 v2 hybrid; do
        mkdir -p one two
        random_file one/large 6000000
        random_file one/mine 300000
        cp one/large two/large
        random_file two/other 500000
        P2P_HOME=$PWD/seeder p2p-add --format hybrid -o a.torrent one >/dev/null
        P2P_HOME=$PWD/seeder p2p-add --format $format -o b.torrent two >/dev/null
        seed_here "$PWD/seeder"
        status 0 p2p-get --json --peer "127.0.0.1:$PORT" -o out a.torrent b.torrent
        printf '%s\n' "$output" >events
        diff -r one out/one
        diff -r two out/two
        [ "$(came_in_all)" -lt 8000000 ]
        kill "${BACKGROUND[-1]}"
        wait "${BACKGROUND[-1]}" || true
        rm -r one two out seeder "$P2P_HOME"
    done
}

@test "who waits for another item is not kept by one to which nothing comes" {
    random_file large 3000000
    cp large again
    printf 'x' >>again
    shared large
    mkdir box
    cp large box/
    p2p-add --no-catalogue -o box.torrent box >/dev/null # nobody has it
    status 3 p2p-get --json --timeout 12s --peer "127.0.0.1:$PORT" -o out/ box.torrent x.torrent
    cmp large out/large
}

tail_is_there() { tail -c 300000 out/new.img.part 2>/dev/null | cmp -s - want; }

@test "from one who has only a part all of that comes, whatever is looked for elsewhere" {
    made old new.img other
    tail -c 300000 new.img >want
    mkdir part
    { head -c 24765824 old; tail -c 400000 new.img; } >part/new.img
    p2p-add --no-catalogue --format v1 -o x.torrent new.img >/dev/null
    P2P_HOME=$PWD/seeder background p2p-seed --bind 127.0.0.1 -d part x.torrent >seed.out
    wait_for 10 grep -q listening seed.out
    PORT=$(sed -n 's/^listening	[^	]*:\([0-9]*\)	.*/\1/p' seed.out)
    background p2p-get -q --timeout 60s --peer "127.0.0.1:$PORT" -o out/ --reuse old x.torrent
    wait_for 60 tail_is_there
}

@test "large pieces of v1: a few blocks tell where something was put in or changed" {
    made old src.img put
    for format in v1 hybrid; do
        rm -rf "$P2P_HOME"
        cp src.img $format.img
        shared --format $format --piece-size 1Mi $format.img
        status 0 p2p-get --json --no-pex --peer "127.0.0.1:$PORT" -o out/ --reuse old x.torrent
        printf '%s\n' "$output" >events
        cmp src.img out/$format.img
        came_below 250 # each of ten pieces or more was changed
    done
    cp old one.img
    for i in 3 9 15 21; do
        printf 'changed' | dd of=one.img bs=1 seek=$((i * 1048576 + 7000 * i)) conv=notrunc status=none
    done
    rm -rf "$P2P_HOME"
    shared --format v1 --piece-size 1Mi one.img
    reusing old x.torrent
    cmp one.img out/one.img
    came_below 160 # of four pieces not all
}

@test "a small file is found whatever lies before it: not wanted, or not what it was" {
    mkdir old new
    for i in {00..29}; do printf 'the same of %s' $i >old/$i; done
    cp old/* new/
    for format in v1 v2 hybrid; do
        p2p-add -q --no-catalogue --format $format -o x.torrent new
        for wanted in 00 17 29; do
            rm -rf out "$P2P_HOME"
            status 0 p2p-get --no-dht --timeout 5s --reuse old --select $wanted -o out/ x.torrent
            cmp old/$wanted out/new/$wanted
        done
    done
    for i in {00..19}; do printf 'now other %s..' $i >new/$i; done
    for format in v2 hybrid; do
        rm -rf out "$P2P_HOME"
        p2p-add -q --no-catalogue --format $format -o x.torrent new
        status 3 p2p-get --no-dht --timeout 3s --reuse old -o out/ x.torrent
        cmp old/25 out/new/25*
    done
}
