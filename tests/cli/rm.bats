#!/usr/bin/env bats
# p2p-rm: forgets an item, and deletes its files if asked to.
load helper

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

@test "forgets an item and leaves its files" {
    sample_folder d
    random_file f 10
    p2p-add d f
    status 0 p2p-rm d
    prints ""
    silent
    [ -f d/sub/deep/two ]
    status 0 p2p-ls
    [[ $output == *'	f' ]]
    [ "${#lines[@]}" = 1 ]
    status 0 p2p-add d
}

@test "by name, hash, prefix, link and .torrent, several at once, and from a list" {
    for i in 1 2 3 4 5 6; do random_file f$i $i; done
    p2p-add f1 f2 f3 f4 f5 >/dev/null
    p2p-add -o t6 f6 >/dev/null
    hash=$(p2p-ls --hash f2)
    status 0 p2p-rm f1 "$hash" "$(p2p-ls --hash f3 | cut -c 1-8)" "$(p2p-ls --link f4)" t6
    status 0 p2p-ls
    [[ $output == *f5 ]]
    [ "${#lines[@]}" = 1 ]
    echo f5 | p2p-rm -
    status 0 p2p-ls
    prints ""
}

@test "-i: lists in files and on standard input; -0; a bad line is named, the others go on" {
    for i in 1 2 3 4 5 6; do random_file "f $i" $i; done
    p2p-add f* >/dev/null
    printf '# two\n\n f 1\r\nnothing\nf 2\n' >list
    status 3 p2p-rm -i list
    says "p2p-rm: list:4: nothing: "
    p2p-ls -0 | grep -z 'f [34]$' | cut -z -f 1 | p2p-rm -0 -i -
    status 0 p2p-ls
    [ "$(printf '%s\n' "${lines[@]}" | cut -f 4 | sort)" = $'f 5\nf 6' ]
    p2p-add --no-catalogue -o t "f 1"
    printf 't\nf 5\n' >list
    status 3 p2p-rm -i list
    says "p2p-rm: list:1: t: not in the catalogue"
    printf 'f 6\na\0b\n' >list
    status 4 p2p-rm -i list
    says "p2p-rm: list:2: there is a NUL in the line"
    status 0 p2p-ls
    prints ""
    : >list
    status 0 p2p-rm -i list
    status 2 p2p-rm -i - -
    status 5 p2p-rm -i missing
}

@test "what is not in the catalogue is status 3" {
    status 3 p2p-rm nothing
    says "p2p-rm: nothing: neither a file nor anything in the catalogue"
    [ ! -e "$P2P_HOME" ]
    random_file f 5
    p2p-add --no-catalogue -o t f
    status 3 p2p-rm t
    says "not in the catalogue"
    status 3 p2p-rm 1111111111111111111111111111111111111111
    random_file g 6
    p2p-add g
    status 3 p2p-rm nothing g
    status 0 p2p-ls
    prints ""
    status 2 p2p-rm
    status 4 p2p-rm 'magnet:?xt=nonsense'
}

@test "--data deletes exactly the listed files, and the folders that this leaves empty" {
    sample_folder d
    ln -s big d/link
    p2p-add d
    echo mine >d/sub/deep/mine
    ln -s /etc/passwd d/later
    mkdir d/other
    status 0 p2p-rm --data d
    [ "$(find d | sort | tr '\n' ' ')" = "d d/later d/other d/sub d/sub/deep d/sub/deep/mine " ]
    [ -e /etc/passwd ]
    status 0 p2p-ls
    prints ""
}

@test "--data of a whole folder leaves nothing" {
    sample_folder x/d
    p2p-add x/d
    status 0 p2p-rm --data d
    [ -z "$(ls x)" ]
    random_file f 10
    p2p-add f
    status 0 p2p-rm --data f
    [ ! -e f ]
}

@test "--data does not follow links that came in the way" {
    sample_folder d
    mkdir precious
    sample_folder precious/sub
    p2p-add d
    mv d/sub moved
    ln -s "$PWD/moved" d/sub
    p2p-rm --data d
    [ -f moved/one ]
    [ -f moved/deep/two ]
    [ ! -e d/big ]
}

@test "--data of what is gone already is fine; of a drive that is not there, status 5" {
    sample_folder d
    sample_folder mnt/e
    p2p-add d mnt/e
    rm -r d
    status 0 p2p-rm --data d
    mv mnt elsewhere
    status 5 p2p-rm --data e
    says "is its drive mounted"
    status 0 p2p-ls
    [ "${#lines[@]}" = 1 ]
    status 0 p2p-rm e
}

@test "--data of what may not be deleted: status 5, and the item stays known" {
    mkdir open
    sample_folder open/d
    chmod -R a+rX open
    mkdir -m 777 home
    as_nobody env P2P_HOME="$PWD/home" "$BIN/p2p-add" open/d
    [ "$(id -u)" = 0 ] || chmod -R a-w open
    status 5 as_nobody env P2P_HOME="$PWD/home" "$BIN/p2p-rm" --data d
    says "Permission denied"
    [ -f open/d/big ]
    status 0 as_nobody env P2P_HOME="$PWD/home" "$BIN/p2p-ls" --path d
    [ "$(id -u)" = 0 ] || chmod -R u+w open
}

@test "content in the store goes with its folder" {
    echo content | p2p-add --name note -
    path=$(p2p-ls --path note)
    status 0 p2p-rm --data note
    [ ! -e "$(dirname "$path")" ]
    [ -d "$P2P_HOME/store" ]
}

@test "while a p2p-get is at work on it: status 6, and nothing is done" {
    random_file f 10
    for half in infohash_v1 infohash_v2; do
        p2p-add f
        output=$(p2p-ls --json f)
        hash=$(json $half)
        hold_lock "$hash"
        status 6 p2p-rm --data f
        says "being fetched"
        [ -f f ]
        status 0 p2p-ls
        [ "${#lines[@]}" = 1 ]
        end_all
    done
    status 0 p2p-rm f
}

@test "a real p2p-get at work holds the lock; after it, --data takes away what it left" {
    random_file d/a 3000000
    random_file d/b 100000
    link=$(P2P_HOME="$PWD/theirs" p2p-add --format v1 --piece-size 64Ki d)
    seed_here "$PWD/theirs" --limit-up 500k
    mkdir mine
    background p2p-get -q --select a --peer "127.0.0.1:$PORT" -o mine "$link"
    pid=$!
    wait_for 20 test -e mine/d/a.part
    status 6 p2p-rm --data d
    says "being fetched"
    status 6 p2p-add --format v1 --piece-size 64Ki d
    kill $pid
    wait $pid || true
    status 0 p2p-rm --data d
    [ -z "$(ls mine)" ]
    [ -z "$(ls "$P2P_HOME/side" 2>/dev/null)" ]
    status 0 p2p-ls
    prints ""
}
