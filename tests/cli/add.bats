#!/usr/bin/env bats
# p2p-add: content → link.
load helper

# torrent FILE EXPRESSION: of the .torrent as libtorrent's Python sees it: `t` is the torrent_info,
# `d` the decoded dictionary.
torrent() {
    py -c '
import libtorrent as lt, sys
raw = open(sys.argv[1], "rb").read()
d = lt.bdecode(raw)
t = lt.torrent_info(d)
print(eval(sys.argv[2]))' "$1" "$2"
}

# hold_lock NAME: as a p2p-get at work on that hash would.
hold_lock() {
    mkdir -p "$P2P_HOME/locks"
    background py -c '
import fcntl, sys, time
f = open(sys.argv[1], "w")
fcntl.lockf(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)' "$P2P_HOME/locks/$1.lock" >held
    wait_for 10 test -s held
}

@test "a file gives one line, its magnet link with both hashes, and is in the catalogue" {
    random_file film.mkv 100000
    status 0 p2p-add film.mkv
    [[ $output =~ ^magnet:\?xt=urn:btih:[0-9a-f]{40}\&xt=urn:btmh:1220[0-9a-f]{64}\&dn=film.mkv$ ]]
    silent
    link=$output
    status 0 p2p-ls --link film.mkv
    prints "$link"
    status 0 p2p-ls --path film.mkv
    prints "$PWD/film.mkv"
}

@test "the formats" {
    sample_folder d
    status 0 p2p-add --format v1 d
    [[ $output == *urn:btih:* && $output != *btmh* ]]
    status 0 p2p-add --format v2 d
    [[ $output == *urn:btmh:1220* && $output != *btih* ]]
    status 0 p2p-add --format hybrid d
    [[ $output == *urn:btih:*urn:btmh:1220* ]]
    status 2 p2p-add --format v3 d
}

@test "the same content and options give the same link; dates and places do not enter it" {
    sample_folder d
    status 0 p2p-add d
    link=$output
    mkdir elsewhere
    cp -r d elsewhere/d
    touch -d 2001-01-01 elsewhere/d/big
    SOURCE_DATE_EPOCH=1 status 0 p2p-add --no-catalogue elsewhere/d/
    prints "$link"
}

@test "SOURCE_DATE_EPOCH fixes the creation date: the same bytes out" {
    sample_folder d
    SOURCE_DATE_EPOCH=1700000000 p2p-add --no-catalogue -o one.torrent d
    sleep 1.1
    SOURCE_DATE_EPOCH=1700000000 p2p-add --no-catalogue -o two.torrent d
    cmp one.torrent two.torrent
    [ "$(torrent one.torrent 'd[b"creation date"]')" = 1700000000 ]
    SOURCE_DATE_EPOCH=soon status 2 p2p-add --no-catalogue d
    says SOURCE_DATE_EPOCH
}

@test "hashes are those of libtorrent" {
    random_file one 1000000
    random_file small 17
    : >nothing
    for file in one small; do
        for format in v1 v2 hybrid; do
            p2p-add --no-catalogue --format $format --piece-size 32Ki -o $format.torrent $file
            py - "$file" $format <<'PY'
import libtorrent as lt, sys
path, fmt = sys.argv[1:]
flags = {'v1': lt.create_torrent.v1_only, 'v2': lt.create_torrent.v2_only, 'hybrid': 0}[fmt]
fs = lt.file_storage()
lt.add_files(fs, path)
c = lt.create_torrent(fs, 32768, flags)
lt.set_piece_hashes(c, '.')
theirs = lt.torrent_info(lt.bdecode(lt.bencode(c.generate())))
ours = lt.torrent_info(fmt + '.torrent')
assert theirs.info_hashes().v1 == ours.info_hashes().v1, 'v1'
assert theirs.info_hashes().v2 == ours.info_hashes().v2, 'v2'
PY
        done
    done
    status 0 p2p-add --no-catalogue nothing
}

@test "a folder's v2 hash is that of libtorrent, whatever the names" {
    sample_folder d
    random_file "d/ü b" 5
    p2p-add --no-catalogue --format v2 --piece-size 64Ki -o v2.torrent d
    py - <<'PY'
import libtorrent as lt
fs = lt.file_storage()
lt.add_files(fs, 'd')
c = lt.create_torrent(fs, 65536, lt.create_torrent.v2_only)
lt.set_piece_hashes(c, '.')
theirs = lt.torrent_info(lt.bdecode(lt.bencode(c.generate())))
assert theirs.info_hashes().v2 == lt.torrent_info('v2.torrent').info_hashes().v2
PY
}

@test "--piece-size takes powers of two from 16Ki to 128Mi" {
    random_file f 100000
    status 0 p2p-add --piece-size 16Ki -o t --no-catalogue f
    [ "$(torrent t 't.piece_length()')" = 16384 ]
    status 0 p2p-add --piece-size 128Mi -o t --no-catalogue f
    [ "$(torrent t 't.piece_length()')" = 134217728 ]
    for wrong in 8Ki 256Mi 48Ki 1 16k 100000 x '' -1 99999999999999999999; do
        status 2 p2p-add --piece-size "$wrong" --no-catalogue f
    done
}

@test "-o writes the .torrent beside printing the link" {
    sample_folder d
    status 0 p2p-add -o d.torrent d
    [[ $output == magnet:* ]]
    [ "$(torrent d.torrent 't.name()')" = d ]
    status 0 p2p-ls --hash d.torrent
    hash=$output
    status 0 p2p-ls --hash d
    prints "$hash"
}

@test "-o - prints the torrent in place of the link, as --print torrent does" {
    sample_folder d
    export SOURCE_DATE_EPOCH=5
    p2p-add -o one.torrent d
    p2p-add -o - d >two.torrent
    p2p-add --print torrent d >three.torrent
    cmp one.torrent two.torrent
    cmp one.torrent three.torrent
}

@test "one FILE for several PATHs is wrong usage" {
    echo 1 >a
    echo 2 >b
    status 2 p2p-add -o x a b
    status 2 p2p-add -o - a b
    status 2 p2p-add --print torrent a b
    status 2 p2p-add -n name a b
    [ ! -e x ]
    [ ! -e "$P2P_HOME" ]
}

@test "a FILE that cannot be written is status 5, and nothing is recorded" {
    echo 1 >a
    status 5 p2p-add -o no/such/folder/x a
    says no/such/folder
    prints ""
    status 0 p2p-ls
    prints ""
}

@test "--print hash" {
    echo 1 >a
    status 0 p2p-add --print hash a
    [[ $output =~ ^[0-9a-f]{40}$ ]]
    status 0 p2p-add --print hash --format v2 a
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    status 0 p2p-add --print link a
    [[ $output == magnet:* ]]
}

@test "trackers: repeat for further tiers, comma within one tier" {
    echo 1 >a
    status 0 p2p-add -o t -t http://one.example/announce,udp://two.example:80 \
        -t https://three.example/announce a
    [[ $output == *'&tr=http'*one.example*'&tr=udp'*two.example*'&tr=https'*three.example* ]]
    [ "$(torrent t 'd[b"announce-list"]')" = "[[b'http://one.example/announce', b'udp://two.example:80'], [b'https://three.example/announce']]" ]
    [ "$(torrent t 'd[b"announce"]')" = "b'http://one.example/announce'" ]
}

@test "an address that cannot be one is wrong usage, before anything is hashed" {
    echo 1 >a
    for wrong in one.example file:///etc/passwd 'http://' 'http://a b/'; do
        status 2 p2p-add -t "$wrong" a
        status 2 p2p-add -w "$wrong" a
    done
    status 2 p2p-add --node nowhere a
    status 2 p2p-add --peer 1.2.3.4 a
    [ ! -e "$P2P_HOME" ]
}

@test "web seeds, nodes, peers" {
    echo 1 >a
    status 0 p2p-add -o t -w http://web.example/a -w https://two.example/ \
        --node dht.example:6881 --peer 192.0.2.7:6881 --peer '[2001:db8::1]:1' a
    [[ $output == *'&ws=http'*web.example*'&x.pe=192.0.2.7:6881'* ]]
    [[ $output == *'&dht=dht.example:6881'* ]]
    [ "$(torrent t 'd[b"url-list"]')" = "[b'http://web.example/a', b'https://two.example/']" ]
    [ "$(torrent t 'd[b"nodes"]')" = "[[b'dht.example', 6881]]" ]
    not grep -q 192.0.2.7 t
    status 0 p2p-add --no-catalogue --private --node dht.example:6881 a
    [[ $output != *dht* ]]
}

@test "name, comment, source and private, as in the manifest" {
    echo 1 >a
    status 0 p2p-add -o t -n 'Other name.txt' --comment 'why not' --source HERE --private a
    [ "$(torrent t 't.name()')" = 'Other name.txt' ]
    [ "$(torrent t 't.comment()')" = 'why not' ]
    [ "$(torrent t 'd[b"info"][b"source"]')" = "b'HERE'" ]
    [ "$(torrent t 't.priv()')" = True ]
    [[ $output == *dn=Other* ]]
    status 0 p2p-ls 'Other name.txt'
    for wrong in a/b .. . ''; do
        status 2 p2p-add -n "$wrong" a
    done
}

@test "executable bits are kept, and nothing else of the modes" {
    sample_folder d
    p2p-add --no-catalogue -o t d
    chmod 600 d/big
    p2p-add --no-catalogue -o u d
    status 0 p2p-ls -l t
    grep -q "^10	sub/run	x" <<<"$output"
    grep -q "^300000	big	-" <<<"$output"
    [ "$(p2p-ls --hash t)" = "$(p2p-ls --hash u)" ]
}

@test "--exclude leaves out what matches, folders too; repeat" {
    sample_folder d
    p2p-add --no-catalogue --exclude '*.txt' --exclude deep -o t d
    status 0 p2p-ls t
    prints "$(printf '300000\tbig\n0\tempty\n16384\tsub/one\n10\tsub/run')"
    status 4 p2p-add --no-catalogue --exclude '*' d
    says "no file in it"
}

@test "links inside a folder are kept as links; those that lead out are left out and told" {
    sample_folder d
    ln -s big d/to-big
    ln -s ../empty d/sub/up
    ln -s sub/deep d/folder
    ln -s folder/two d/through
    ln -s to-big d/chain
    ln -s /etc/passwd d/absolute
    ln -s ../../secret d/sub/out
    ln -s gone d/dangling
    ln -s dangling d/chained-dangling
    ln -s me d/me
    status 0 p2p-add -o t d
    for out in absolute sub/out dangling chained-dangling me; do
        says "d/$out: left out"
    done
    [ "$(grep -c 'left out' <<<"$stderr")" = 5 ]
    status 0 p2p-ls -l t
    grep -q "^0	to-big	l	big$" <<<"$output"
    grep -q "^0	sub/up	l	empty$" <<<"$output"
    grep -q "^0	folder	l	sub/deep$" <<<"$output"
    grep -q "^0	through	l	sub/deep/two$" <<<"$output"
    grep -q "^0	chain	l	to-big$" <<<"$output"
    not grep -q "passwd\|dangling\|out$" <<<"$output"
    status 0 p2p-add -q --no-catalogue d
    silent
    status 0 p2p-ls --verify d
}

@test "--follow takes what links lead to" {
    sample_folder d
    mkdir outside
    random_file outside/x 5000
    ln -s "$PWD/outside" d/linked
    ln -s big d/copy
    status 0 p2p-add --follow -o t d
    silent
    status 0 p2p-ls t
    grep -q "^300000	copy$" <<<"$output"
    grep -q "^5000	linked/x$" <<<"$output"
    status 0 p2p-ls --verify d
    ln -s . d/loop
    status 5 p2p-add --follow --no-catalogue d
    says loop
}

@test "what --follow took can be served" {
    mkdir d outside
    random_file outside/x 100000
    ln -s ../outside d/linked
    link=$(P2P_HOME="$PWD/theirs" p2p-add --follow d)
    seed_here "$PWD/theirs"
    status 0 p2p-get --peer "127.0.0.1:$PORT" -o got "$link"
    cmp outside/x got/d/linked/x
}

@test "a PATH that is a link is followed, and keeps its own name" {
    random_file real 1000
    ln -s real name.bin
    status 0 p2p-add name.bin
    [[ $output == *dn=name.bin ]]
    status 0 p2p-ls --path name.bin
    prints "$PWD/real"
    status 0 p2p-ls --verify name.bin
}

@test "the name of . and .. is that of the folder" {
    sample_folder some/where
    cd some/where
    status 0 p2p-add .
    [[ $output == *dn=where ]]
    cd sub
    status 0 p2p-add ..
    [[ $output == *dn=where ]]
    status 0 p2p-ls --path where
    [ "$output" = "$(cd .. && pwd)" ]
}

@test "--no-catalogue only computes: nothing is made" {
    sample_folder d
    status 0 p2p-add --no-catalogue d
    [[ $output == magnet:* ]]
    [ ! -e "$P2P_HOME" ]
    echo x | p2p-add --no-catalogue --name x - >link
    [ ! -e "$P2P_HOME" ]
}

@test "- reads content from standard input into the store" {
    random_file content 500000
    status 0 p2p-add --name content.bin - <content
    link=$output
    [[ $link == *dn=content.bin ]]
    cat content | p2p-add --name content.bin - >again
    [ "$(cat again)" = "$link" ]
    cp content content.bin
    [ "$(p2p-add --no-catalogue content.bin)" = "$link" ]
    status 0 p2p-ls --path content.bin
    [[ $output == "$P2P_HOME"/store/*/content.bin ]]
    cmp content "$output"
    status 0 p2p-ls --verify content.bin
    [ "$(find "$P2P_HOME/store" -type f | wc -l)" = 1 ]
    status 0 p2p-add --name nothing - </dev/null
    status 2 p2p-add - <content
    says --name
    status 2 p2p-add --name x - - <content
}

@test "a file that cannot be read is status 5 and is named" {
    sample_folder d
    chmod 000 d/sub/one
    status 5 as_nobody "$BIN/p2p-add" --no-catalogue d
    says "d/sub/one: Permission denied"
    prints ""
}

@test "what is not there, or is neither file nor folder, is status 5" {
    status 5 p2p-add nowhere
    says "p2p-add: nowhere: No such file or directory"
    mkfifo pipe
    status 5 p2p-add pipe
    says FIFO
    status 5 p2p-add ''
    mkdir empty
    status 4 p2p-add empty
    says "no file in it"
    status 2 p2p-add
    status 0 p2p-ls
    prints ""
}

@test "FIFOs and sockets in a folder are left out and told" {
    sample_folder d
    mkfifo d/pipe
    status 0 p2p-add d
    says "d/pipe: left out"
    status 0 p2p-ls d
    not grep -q pipe <<<"$output"
}

@test "a home that may not be written is status 5" {
    random_file f 100
    mkdir closed
    chmod 555 closed
    P2P_HOME="$PWD/closed/home" status 5 as_nobody "$BIN/p2p-add" f
    says closed/home
    prints ""
    echo >file
    P2P_HOME="$PWD/file/home" status 5 p2p-add f
}

@test "several PATHs: a line each in order, and the worst status" {
    echo 1 >a
    echo 2 >b
    status 5 p2p-add a nowhere b
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[0]} == *dn=a && ${lines[1]} == *dn=b ]]
    says nowhere
}

@test "names of any bytes" {
    mkdir "$(printf 'new\nline\ttab')" d
    echo 1 >"$(printf 'new\nline\ttab')/x"
    echo 2 >"d/$(printf 'latin-\xe9')"
    echo 3 >./--option
    echo 4 >'d/ blank '
    echo 5 >"d/foo... bar"
    echo 6 >'d/..dots'
    echo 7 >"d/$(printf '%0250d' 0)"
    status 0 p2p-add -o t d
    status 0 p2p-ls --verify d
    status 0 p2p-add --print hash -- --option
    hash=$output
    status 0 p2p-ls --path "$hash"
    prints "$PWD/--option"
    status 0 p2p-add "$(printf 'new\nline\ttab')"
    [[ $output == *dn=new%0Aline%09tab ]]
    status 0 p2p-ls
    grep -q 'new\\x0aline\\x09tab' <<<"$output"
    [ "${#lines[@]}" = 3 ]
}

@test "an unchanged PATH is not hashed again, a changed one is" {
    sample_folder d
    touch -d '1 hour ago' d/* d/sub/* d/sub/deep/*
    status 0 p2p-add -v d
    link=$output
    [[ $stderr != *unchanged* ]]
    status 0 p2p-add -v d
    says "unchanged since it was added"
    prints "$link"
    status 0 p2p-add -v -n other d
    says unchanged
    status 0 p2p-add -v --no-catalogue -n other d
    [[ $output == *dn=other ]]
    status 0 p2p-add -v --format v1 d
    [[ $stderr != *unchanged* ]]
    printf x | dd of=d/big bs=1 seek=5000 conv=notrunc 2>/dev/null
    status 0 p2p-add -v d
    [[ $stderr != *unchanged* ]]
    [ "$output" != "$link" ]
}

@test "what was changed right after it was added is hashed again though its size is the same" {
    for i in 1 2 3 4 5; do
        printf 'one%s' $i >f
        p2p-add f >/dev/null
        printf 'two%s' $i >f
        p2p-add --print hash f >got
        cp f g
        p2p-add --no-catalogue --print hash -n f g >want
        cmp got want
    done
}

@test "adding again without trackers keeps those that the catalogue knows; the link is as asked for" {
    echo 1 >a
    p2p-add -t http://t.example/announce a
    status 0 p2p-add a
    [[ $output != *tr=* ]]
    status 0 p2p-ls --link a
    [[ $output == *tr=*t.example* ]]
}

@test "a file that changes while it is read is status 5, and nothing is recorded" {
    truncate -s 6G big
    p2p-add --piece-size 1Mi big >out 2>err &
    pid=$!
    wait_for 10 opened $pid big
    kill -STOP $pid
    printf x >>big
    kill -CONT $pid
    got=0
    wait $pid || got=$?
    [ $got = 5 ]
    grep -q "big: it changed while it was being read" err
    [ ! -s out ]
    status 0 p2p-ls
    prints ""
}

@test "Ctrl-C ends it with 130 and SIGTERM with 143; nothing is recorded" {
    truncate -s 50G big
    for signal in INT:130 TERM:143; do
        (
            trap - INT
            exec setsid p2p-add --piece-size 8Mi big
        ) >out 2>err &
        pid=$!
        wait_for 10 opened $pid big
        kill -"${signal%:*}" $pid
        got=0
        wait $pid || got=$?
        echo "status $got" >&2
        [ $got = "${signal#*:}" ]
        [ ! -s out ]
    done
    status 0 p2p-ls
    prints ""
}

@test "stopped while standard input is silent" {
    mkfifo pipe
    sleep 30 >pipe &
    BACKGROUND+=($!)
    p2p-add --name x - <pipe &
    pid=$!
    sleep 0.3
    kill -TERM $pid
    got=0
    wait $pid || got=$?
    [ $got = 143 ]
    [ -z "$(find "$P2P_HOME/store" -type f)" ]
}

@test "killed while reading standard input, nothing stays in the store" {
    mkfifo pipe
    (head -c 1000000 /dev/zero; sleep 30) >pipe &
    BACKGROUND+=($!)
    p2p-add --name x - <pipe &
    pid=$!
    sleep 0.5
    kill -KILL $pid
    wait $pid || true
    [ -z "$(find "$P2P_HOME/store" -type f)" ]
}

@test "no space left: status 5, nothing recorded, nothing left behind" {
    small_disk "$PWD/disk" 2M
    export P2P_HOME="$PWD/disk/home"
    random_file f 100
    p2p-add f
    run --separate-stderr bash -c 'head -c 8000000 /dev/zero | p2p-add --name x -'
    [ "$status" -eq 5 ]
    says "No space left"
    prints ""
    [ -z "$(find disk/home/store -type f)" ]
    status 0 p2p-ls
    [ "${#lines[@]}" = 1 ]
    dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null || true
    random_file g 100
    run --separate-stderr p2p-add g
    [ "$status" -eq 5 ]
    rm disk/fill
    status 0 p2p-add g
    status 0 p2p-ls
    [ "${#lines[@]}" = 2 ]
}

@test "an item that is being fetched is locked: status 6" {
    echo 1 >a
    hash=$(p2p-add --no-catalogue --print hash a)
    hold_lock "$hash"
    status 6 p2p-add a
    says "being fetched"
    status 0 p2p-add --no-catalogue a
}

@test "several programs add to one home at once" {
    for i in $(seq 12); do
        echo "$i" >"f$i"
        p2p-add "f$i" >"out$i" &
    done
    wait
    status 0 p2p-ls
    [ "${#lines[@]}" = 12 ]
    [ "$(cat out* | wc -l)" = 12 ]
}

@test "a folder of many files" {
    mkdir many
    (cd many && seq 3000 | split -l 1 -a 4 -d - f)
    status 0 p2p-add -o t many
    status 0 p2p-ls t
    [ "${#lines[@]}" = 3000 ]
    status 0 p2p-ls --verify many
}

@test "--json: one object a line" {
    sample_folder d
    SOURCE_DATE_EPOCH=1700000000 status 0 p2p-add --json --private --comment why -t http://t.example/announce d
    [ "${#lines[@]}" = 1 ]
    [ "$(json name)" = d ]
    [ "$(json format)" = hybrid ]
    [ "$(json private)" = True ]
    [ "$(json creation_date)" = 2023-11-14T22:13:20Z ]
    [ "$(json trackers 0 0)" = http://t.example/announce ]
    [ "$(json path)" = "$PWD/d" ]
    [[ "$(json link)" == magnet:* ]]
    status 2 p2p-add --json -o - d
}

@test "-0 ends a record with NUL" {
    echo 1 >a
    echo 2 >b
    p2p-add -0 a b >out
    [ "$(tr -dc '\0' <out | wc -c)" = 2 ]
    [ "$(tr -dc '\n' <out | wc -c)" = 0 ]
}

@test "progress goes to stderr when asked for, never otherwise, and -q silences it" {
    truncate -s 4G big
    status 0 p2p-add --no-catalogue --progress=always --piece-size 4Mi big
    says hashing
    [ "${#lines[@]}" = 1 ]
    status 0 p2p-add --no-catalogue -q --progress=always --piece-size 4Mi big
    silent
    status 0 p2p-add --no-catalogue --piece-size 4Mi big
    silent
}
