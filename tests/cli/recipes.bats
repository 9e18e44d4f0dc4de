#!/usr/bin/env bats
# The recipes of man/p2p-recipes.7, each taken from the page and run as it stands there, in a small
# world on loopback: a seeder's home, whose address is in the configuration of who fetches.
load helper

PAGE="$BATS_TEST_DIRNAME/../../man/p2p-recipes.7"

# recipe NAME: its text, as the page shows it.
recipe() {
    awk -v name="$1" '
        $0 == ".\\\" recipe " name { found = 1; next }
        found && /^\.Bd / { on = 1; next }
        on && /^\.Ed/ { exit }
        on { gsub(/\\e/, "\\"); print }' "$PAGE"
}
# script NAME: written to NAME.sh, to be run by sh.
script() {
    recipe "$1" >"$1.sh"
    [ -s "$1.sh" ]
}
# cron NAME: what stands behind the five fields, as cron would hand it to sh.
cron() {
    recipe "$1" | grep -qE '^[0-9*]+ [0-9*]+ [0-9*]+ [0-9*]+ [0-9*]+  [^%]*$'
    recipe "$1" | sed -E 's/^([0-9*]+ +){5}//' >"$1.sh"
}
# stand_in NAME: a program of that name, first in PATH; its text is on standard input.
stand_in() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    { echo '#!/bin/sh'; cat; } >"$BATS_TEST_TMPDIR/bin/$1"
    chmod +x "$BATS_TEST_TMPDIR/bin/$1"
    PATH="$BATS_TEST_TMPDIR/bin:$PATH"
}
# world PATH…: shared by a seeder of another home; LINK is the last one's, and the file `links` has
# all. Who fetches finds that peer in the configuration.
world() {
    export LINK
    for path in "$@"; do
        LINK=$(P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add "$path")
        echo "$LINK" >>links
    done
    seed_here "$BATS_TEST_TMPDIR/seeder"
    printf '[p2p-get]\npeer = 127.0.0.1:%s\n' "$PORT" >>"$XDG_CONFIG_HOME/p2p/config"
}
# own_seed: the next p2p-seed of this home is at PORT, and others find it.
own_seed() {
    PORT=$(free_port)
    printf '[p2p-get]\npeer = 127.0.0.1:%s\n[p2p-seed]\nbind = 127.0.0.1\nport = %s\n' \
        "$PORT" "$PORT" >>"$XDG_CONFIG_HOME/p2p/config"
}
elsewhere() { P2P_HOME="$BATS_TEST_TMPDIR/elsewhere.$1" "${@:2}"; }
NOBODY='magnet:?xt=urn:btih:1111111111111111111111111111111111111111'

@test "each recipe of the page is run here, and is POSIX sh" {
    sed -n 's/^\.\\" recipe //p' "$PAGE" | sort >there
    grep -oE '^ *(script|cron) [a-z-]+' "$BATS_TEST_FILENAME" | sed 's/.* //' | sort -u >here
    diff there here
    # Nothing that looks like one stands outside of them.
    [ "$(grep -c '^\.Bd -literal' "$PAGE")" = "$(wc -l <there)" ]
    while read -r name; do
        recipe "$name" | sed -E 's/^([0-9*]+ +){5}//' >"$name"
        sh -n "$name"
        if command -v shellcheck >/dev/null; then shellcheck -s sh -S warning -e SC2154 "$name"; fi
    done <there
}

@test "and" {
    random_file src/f 100000
    world src/f
    script and
    sh -eu and.sh
    cmp src/f incoming/f
    [ "$(cat received)" = "$(cksum incoming/f)" ]
    rm received
    LINK=magnet:?xt=nonsense run sh and.sh
    [ "$status" = 4 ]
    [ ! -e received ]
}

@test "lines" {
    random_file src/f 100000
    random_file src/g 100000
    world src/f src/g
    stand_in mail <<'EOF'
{ echo "$*"; cat; } >>mailed
EOF
    script lines
    USER=ann sh -eu lines.sh
    [ "$(grep -v '^-s' mailed | sort)" = $'incoming/f\nincoming/g' ]
    [ "$(grep -c '^-s It is here ann$' mailed)" = 2 ]
}

@test "events" {
    sample_folder src/d
    world src/d
    script events
    sh -eu events.sh
    [ "$(sort queue)" = "$(cd src && find d -type f -size +0 | sed 's/^/incoming\//' | sort)" ]
}

@test "figures" {
    sample_folder src/d
    world src/d
    script figures
    sh -eu figures.sh
    diff -r src/d d
    output=$(cat figures)
    [ "$(wc -l <events)" -ge 3 ]
    [ "$(json event) $(json path)" = "done -" ]
    [ "$(json from_peers)" -gt 386000 ]
}

@test "fetcher" {
    random_file src/f 100000
    world src/f
    script fetcher
    status 0 sh fetcher.sh "$LINK" got
    prints ""
    cmp src/f got
    # Not to be had; and somebody is at it.
    cp "$XDG_CONFIG_HOME/p2p/config" config
    echo 'select = nothing*' >>"$XDG_CONFIG_HOME/p2p/config"
    P2P_HOME=new status 75 sh fetcher.sh "$LINK" other
    cp config "$XDG_CONFIG_HOME/p2p/config"
    P2P_HOME=slow background p2p-get -q --limit-down 10k "$LINK"
    wait_for 10 eval '[ -n "$(ls slow/locks/*.lock 2>/dev/null)" ]'
    P2P_HOME=slow status 75 sh fetcher.sh "$LINK" other
    status 65 sh fetcher.sh 'magnet:?xt=urn:btih:123' other
    : >file
    status 74 sh fetcher.sh "$LINK" file/other
    status 1 env PATH="$BATS_TEST_TMPDIR" /bin/sh fetcher.sh "$LINK" other
    [ ! -e other ]
}

@test "mirror" {
    random_file src/f 100000
    random_file src/g 100000
    random_file src/late 100000
    world src/f src/g
    mkdir "$HOME/mirror"
    cp links "$HOME/mirror/"
    cron mirror
    sh mirror.sh
    cmp src/f "$HOME/mirror/f"
    cmp src/g "$HOME/mirror/g"
    [ "$(sort "$HOME/mirror/mirrored")" = $'f\ng' ]
    # The next night: one more, that somebody has only after a while. The others are not touched.
    late=$(P2P_HOME="$BATS_TEST_TMPDIR/later" p2p-add src/late)
    printf '# one more\n%s\n' "$late" >>"$HOME/mirror/links"
    touch -d '2001-01-01' "$HOME/mirror/f"
    cp -p "$HOME/mirror/f" was
    background sh mirror.sh
    MIRROR=$!
    wait_for 20 grep -qx g "$HOME/mirror/mirrored"
    P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add src/late >/dev/null
    wait $MIRROR
    cmp src/late "$HOME/mirror/late"
    [ ! "$HOME/mirror/f" -nt was ]
}

@test "publish" {
    random_file dist/app 300000
    own_seed
    script publish
    background sh publish.sh 1.0
    JOB=$!
    wait_for 20 test -s app-1.0.link
    for who in one two; do
        elsewhere $who p2p-get -q --timeout 20s -o $who/ "$(cat app-1.0.link)"
        cmp app-1.0.tar $who/app-1.0.tar
    done
    wait $JOB
    [ "$(p2p-ls --hash app-1.0.torrent)" = "$(p2p-ls --hash app-1.0.tar)" ]
    # Where one serves this home always.
    background p2p-seed >line
    wait_for 10 grep -q listening line
    status 0 sh publish.sh 1.1
    [ -z "$(elsewhere three p2p-get -q --timeout 20s -o three/ "$(cat app-1.1.link)" | grep -v app-1.1.tar)" ]
    cmp app-1.1.tar three/app-1.1.tar
}

@test "film" {
    random_file src/film.mkv 3000000
    world src/film.mkv
    stand_in mpv <<'EOF'
[ "$1" = - ] && exec cat >played
EOF
    script film
    sh -eu film.sh
    cmp src/film.mkv played
    [ ! -e film.mkv ]
    # A player that is closed.
    stand_in mpv <<'EOF'
exec head -c 10 >played
EOF
    status 0 sh film.sh
    [ "$(cat played)" = "$(head -c 10 src/film.mkv)" ]
    silent
}

@test "film-of-folder" {
    random_file "src/d/Season 1/01.mkv" 300000
    random_file "src/d/Season 1/02.mkv" 400000
    world src/d
    stand_in mpv <<'EOF'
[ "$1" = - ] && exec cat >played
EOF
    script film-of-folder
    sh -eu film-of-folder.sh
    cmp "src/d/Season 1/02.mkv" played
}

# sqlite3, or something that stands in for it: .dump prints the file, and what comes is written.
database() {
    command -v sqlite3 >/dev/null && return
    stand_in sqlite3 <<'EOF'
if [ "$2" = .dump ]; then cat "$1"; elif [ $# = 1 ]; then cat >"$1"; fi
EOF
}

@test "give, take" {
    database
    for i in $(seq 2000); do echo "insert into t values ($i, hex(randomblob(50)));"; done |
        { echo 'begin; create table t (n, v);'; cat; echo 'commit;'; } | sqlite3 app.db
    own_seed
    script give
    script take
    background sh give.sh app.db >link
    GIVE=$!
    wait_for 20 test -s link
    LINK=$(cat link) elsewhere one sh -eu take.sh
    [ "$(sqlite3 new.db .dump)" = "$(sqlite3 app.db .dump)" ]
    wait $GIVE
    # Nothing of it stays.
    [ -z "$(p2p-ls)" ]
    [ -z "$(find "$P2P_HOME/store" -type f)" ]
    [ "$(ls | sort | tr '\n' ' ')" = "app.db give.sh link new.db take.sh " ]
}

@test "fan-out" {
    random_file image 4000000
    printf '[p2p-seed]\nbind = 127.0.0.1\n' >>"$XDG_CONFIG_HOME/p2p/config"
    stand_in hostname <<'EOF'
echo 127.0.0.1
EOF
    stand_in podman <<'EOF'
case $1 in
save) [ "$2" = registry/app:1 ] && exec cat image ;;
load) exec cat >"$HOME/loaded" ;;
esac
EOF
    # Each host is a home of its own.
    stand_in ssh <<EOF
HOME="$BATS_TEST_TMPDIR/\$1" P2P_HOME="\$HOME/p2p"
export HOME P2P_HOME
mkdir -p "\$HOME" && exec sh -c "\$2"
EOF
    script fan-out
    PORT=$(free_port) status 0 sh fan-out.sh registry/app:1 one two three
    prints ""
    for host in one two three; do cmp image "$BATS_TEST_TMPDIR/$host/loaded"; done
    [ -z "$(p2p-ls)" ]
    # A host that does not do it.
    stand_in ssh <<'EOF'
exit 255
EOF
    PORT=$(free_port) status 1 sh fan-out.sh registry/app:1 one
}

# As long as a link without an answer takes: 20 seconds.
@test "dead" {
    PORT=$(free_port)
    random_file src/f 100000
    sample_folder src/d
    for path in src/f src/d; do
        P2P_HOME="$BATS_TEST_TMPDIR/seeder" p2p-add --peer "127.0.0.1:$PORT" "$path" >>all
    done
    cp all good
    seed_here "$BATS_TEST_TMPDIR/seeder" --port "$PORT"
    random_file gone 100000
    gone=$(p2p-add --no-catalogue gone)
    printf '%s\n' "$NOBODY" "$gone" >>all
    script dead
    status 0 sh dead.sh all
    [ "$(sort <<<"$output")" = "$(printf '%s\n' "$NOBODY" "$gone" | sort)" ]
    [ -z "$(p2p-ls)" ]
    status 0 sh dead.sh good
    prints ""
}

@test "night" {
    sample_folder "$HOME/share"
    own_seed
    cron night
    background sh night.sh
    NIGHT=$!
    link() { LINK=$(p2p-ls --link share 2>/dev/null) && [ -n "$LINK" ]; }
    wait_for 20 link
    elsewhere one p2p-get -q --timeout 20s -o got/ "$LINK"
    diff -r "$HOME/share" got/share
    # The second night's, while the first one runs.
    status 0 sh night.sh
    says "another p2p-seed serves it"
    kill "$(cat "$P2P_HOME/locks/seed.lock")"
    wait $NIGHT || true
    # The hour is understood as one.
    [ "$(p2p config seed --for 1h | grep -c 'for	1h	command line')" = 1 ]
    grep -q -- '--for 1h' night.sh
}
