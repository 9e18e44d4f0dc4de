# What the command-line tests share: `load helper` at the top of a .bats file. Each test has a home,
# a configuration and a working folder of its own, and the programs of the build ($B) first in PATH.
# Traffic stays on loopback (the configuration names no public host); what a test starts is ended
# after it, by its number.

bats_require_minimum_version 1.5.0

setup() {
    BIN=$(cd "$BATS_TEST_DIRNAME/../.." && cd "${P2P_BIN:-${B:-build}}" && pwd)
    export PATH="$BIN:$PATH"
    export HOME="$BATS_TEST_TMPDIR/user" P2P_HOME="$BATS_TEST_TMPDIR/home"
    export XDG_CONFIG_HOME="$BATS_TEST_TMPDIR/config" LC_ALL=C.UTF-8 TZ=UTC
    unset XDG_DATA_HOME SOURCE_DATE_EPOCH http_proxy https_proxy all_proxy
    mkdir -p "$HOME" "$BATS_TEST_TMPDIR/work" "$XDG_CONFIG_HOME/p2p"
    printf 'bootstrap = none\nno-port-mapping = true\nno-lsd = true\n' >"$XDG_CONFIG_HOME/p2p/config"
    cd "$BATS_TEST_TMPDIR/work" || return 1
    BACKGROUND=()
    MOUNTS=()
}

teardown() {
    local dir ended=0
    cd /
    end_all || ended=1
    for dir in "${MOUNTS[@]}"; do umount "$dir" || true; done
    return $ended
}

# Programs of this test: the jobs of its shell, and those that they started, behind whatever shell or
# in the background: all have its folder in their environment.
still_here() {
    local file
    jobs -rp
    jobs -sp
    while IFS= read -r file; do
        file=${file#/proc/}
        echo "${file%/environ}"
    done < <(env -u BATS_TEST_TMPDIR grep -lzsFx "BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ)
}

# end_all: ends them, also when the test has failed and they would go on for ever: bats waits for who
# holds its output. One that does not hear is a failure.
end_all() {
    local pid pids until=$((SECONDS + 20))
    local -A told=()
    while mapfile -t pids < <(still_here) && [ ${#pids[@]} -gt 0 ]; do
        if [ $SECONDS -gt $until ]; then
            echo "not ended by SIGTERM:" >&2
            ps -o pid,stat,wchan:20,args "${pids[@]}" >&2 || true
            kill -s KILL "${pids[@]}" 2>/dev/null || true
            return 1
        fi
        for pid in "${pids[@]}"; do
            [ -z "${told[$pid]:-}" ] || continue
            told[$pid]=yes
            kill -s TERM "$pid" 2>/dev/null || true
            # One that was stopped would not hear. To others it may do harm: the sanitizers look for
            # leaks with the process stopped by their own hands, and would wait for that for ever.
            ! grep -qs '^State:.T (' "/proc/$pid/status" || kill -s CONT "$pid" 2>/dev/null || true
        done
        sleep 0.05
    done
}

# background COMMAND…: starts it and remembers its number, which is in $! too. `py` is a function,
# whose number would be that of a shell around it.
background() {
    if [ "$1" = py ]; then set -- /usr/bin/python3 "${@:2}"; fi
    "$@" 3>&- &
    BACKGROUND+=("$!")
}

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
    local tries=$(($1 * 20))
    shift
    until "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
}

# opened NUMBER FILE: that process has it open.
opened() { find "/proc/$1/fd" -lname "$(realpath "$2")" 2>/dev/null | grep -q .; }

# holds BYTES FILE: so much of it has been written.
holds() { [ -f "$2" ] && [ "$(($(stat -c '%b * %B' "$2")))" -ge "$1" ]; }

# random_file NAME BYTES: the same content for the same name and size.
random_file() {
    mkdir -p "$(dirname "$1")"
    openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -pbkdf2 -iter 1 -in /dev/zero 2>/dev/null |
        head -c "$2" >"$1"
}

# sample_folder NAME: a few files of several sizes, an empty one, an executable, a folder in it.
sample_folder() {
    mkdir -p "$1/sub/deep"
    random_file "$1/big" 300000
    random_file "$1/sub/one" 16384
    random_file "$1/sub/deep/two" 70000
    printf 'hi\n' >"$1/a note.txt"
    : >"$1/empty"
    printf '#!/bin/sh\n' >"$1/sub/run"
    chmod +x "$1/sub/run"
}

# status WANTED COMMAND…: runs it; $output, $stderr and $status as `run` leaves them.
status() {
    local wanted=$1
    shift
    run --separate-stderr "$@"
    if [ "$status" -ne "$wanted" ]; then
        printf 'status %s, not %s: %s\n--- stdout\n%s\n--- stderr\n%s\n' \
            "$status" "$wanted" "$*" "$output" "$stderr" >&2
        return 1
    fi
}

# not COMMAND…: fails where it does not. In the shell `! COMMAND` inside a test never ends the test.
not() { ! "$@"; }
alive() { kill -0 "$1" 2>/dev/null; }

# says TEXT: $stderr has it. prints TEXT: $output is it.
says() {
    [[ $stderr == *"$1"* ]] && return
    printf 'stderr does not say: %s\n--- stderr\n%s\n' "$1" "$stderr" >&2
    return 1
}
prints() {
    [ "$output" = "$1" ] && return
    printf 'stdout is not: %s\n--- stdout\n%s\n' "$1" "$output" >&2
    return 1
}
silent() {
    [ -z "$stderr" ] && return
    printf 'stderr is not empty:\n%s\n' "$stderr" >&2
    return 1
}

# python3 of the system, which has libtorrent.
py() { /usr/bin/python3 "$@"; }

# free_port: for a program that must be told one.
free_port() { py "$BATS_TEST_DIRNAME/ports.py"; }

# json KEY… : of the object in $output, as Python sees it.
json() {
    printf '%s\n' "$output" | py -c '
import json, sys
v = json.loads(sys.stdin.readline())
for k in sys.argv[1:]:
    v = v[int(k)] if isinstance(v, list) else v[k]
print(v if not isinstance(v, (dict, list)) else json.dumps(v))' "$@"
}

# serve_folder DIR: over HTTP on loopback; sets $HTTP to its address.
serve_folder() {
    local log="$BATS_TEST_TMPDIR/http.log"
    background py -u -c '
import functools, http.server, sys
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), h)
print(s.server_port, flush=True)
s.serve_forever()' "$1" >"$log" 2>/dev/null
    wait_for 10 test -s "$log"
    HTTP="http://127.0.0.1:$(head -1 "$log")"
}

# seed_here HOME [OPTION…]: serves all of that home on loopback; sets PORT.
seed_here() {
    local out="$BATS_TEST_TMPDIR/seed.$RANDOM"
    P2P_HOME=$1 background p2p-seed --bind 127.0.0.1 "${@:2}" >"$out"
    wait_for 10 grep -q listening "$out"
    PORT=$(sed -n 's/^listening	[^	]*:\([0-9]*\)	.*/\1/p' "$out")
}

# small_disk DIR SIZE: a tmpfs there. Needs root; skips the test otherwise.
small_disk() {
    [ "$(id -u)" = 0 ] || skip "needs root"
    mkdir -p "$1"
    mount -t tmpfs -o "size=$2" tmpfs "$1" 2>/dev/null || skip "no mounts here"
    MOUNTS+=("$1")
}

# as_nobody COMMAND…: without root's rights, in the working folder. Skips where that cannot be.
as_nobody() {
    local dir
    if [ "$(id -u)" != 0 ]; then
        "$@"
        return
    fi
    for dir in "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$PWD"; do chmod a+rx "$dir"; done
    chmod -R a+rX "$XDG_CONFIG_HOME"
    setpriv --reuid=65534 --regid=65534 --clear-groups test -r . || skip "temporary files are closed"
    HOME=/ setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
