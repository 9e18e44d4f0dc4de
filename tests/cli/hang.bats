#!/usr/bin/env bats
# The tests themselves: what fails or hangs does not keep the others waiting.
load helper

ROOT="$BATS_TEST_DIRNAME/../.."

# played TEST: bats by itself plays a file that has this one test; it ends, and nothing stays.
played() {
    printf 'load %s/helper\n%s\n' "$BATS_TEST_DIRNAME" "$1" >t.bats
    env -i PATH="$BIN:/usr/bin:/bin:/usr/sbin:/sbin" P2P_BIN="$BIN" FROM="$PWD" \
        "$ROOT/tests/within" 120 bats t.bats >said 2>&1 3>&- || true
    cat said
    not grep 'not over after' said
    not grep -lzsFx "FROM=$PWD" /proc/[0-9]*/environ
}

@test "what a failed test leaves is ended: a job, one that is stopped, one behind a shell, a daemon" {
    node="p2p-node --bind 127.0.0.1"
    for left in "$node >o &" "$node >o & sleep 0.5; kill -STOP \$!;" "(sleep 0.1; $node >o; true) & sleep 0.5;" \
        "(while :; do sleep 0.1; done) &" "$node --daemon >o;"; do
        played "@test \"x\" { $left false; }"
        grep -q '^not ok 1 x' said
        not grep 'not ended' said
    done
}

@test "a program that SIGTERM does not end fails its test, and is ended" {
    played '@test "x" { bash -c "trap : TERM; touch ready; while :; do sleep 1; done" & wait_for 5 test -e ready; }'
    grep -q '^not ok 1 x' said
    grep -q 'not ended by SIGTERM' said
}

@test "Ctrl-C ends it, what it plays, and who plays it" {
    nap=77.$$
    setsid env --default-signal bash -c '"$0" 60 sleep "$1"; touch went-on' "$ROOT/tests/within" $nap 3>&- &
    pid=$!
    wait_for 10 eval 'sleeper=$(pgrep -fx "sleep $nap")'
    kill -s INT -- -$pid
    got=0
    wait $pid || got=$?
    [ "$got" -eq 130 ]
    [ ! -e went-on ]
    not alive "$sleeper"
}

@test "what hangs is ended, and where it stood is told" {
    got=0
    "$ROOT/tests/within" 2 bash -c 'echo begun; p2p-node --bind 127.0.0.1; echo after' >said 2>&1 || got=$?
    cat said
    [ "$got" -eq 124 ]
    [ "$(head -1 said)" = begun ]
    grep -q '^\*\*\* not over after 2 s: bash -c' said
    pid=$(sed -n 's/^ *\([0-9]*\) .* p2p-node --bind 127.0.0.1$/\1/p' said)
    [ -n "$pid" ]
    not alive "$pid"
    got=0
    "$ROOT/tests/within" 60 bash -c 'exit 7' || got=$?
    [ "$got" -eq 7 ]
}
