#!/usr/bin/env bats
# p2p runs the others, and what holds for all of them.
load helper

@test "p2p alone lists the commands with one line each" {
    status 0 p2p
    for command in add get seed ls rm node config; do
        grep -q "^$command	." <<<"$output"
    done
    silent
}

@test "p2p CMD runs p2p-CMD with its arguments and status" {
    echo hello >f
    status 0 p2p add --print hash f
    hash=$output
    status 0 p2p-add --print hash f
    prints "$hash"
    status 2 p2p add
    says "p2p-add: PATH"
}

@test "a command that is not there is wrong usage, with a guess" {
    status 2 p2p lss
    says "did you mean 'p2p ls'"
    status 2 p2p ''
}

@test "a command of somebody's own is found in PATH" {
    mkdir own
    printf '#!/bin/sh\necho "own $1"\nexit 7\n' >own/p2p-own
    chmod +x own/p2p-own
    PATH="$PWD/own:$PATH" status 7 p2p own x
    prints "own x"
}

@test "help and version" {
    for program in p2p p2p-add p2p-get p2p-seed p2p-ls p2p-rm p2p-config; do
        status 0 $program --help
        [[ $output == *Usage:* || $output == *usage:* ]]
        status 0 $program --version
        [[ $output =~ ^$program\ [0-9]+\.[0-9]+ ]]
        status 0 $program -h
        status 0 $program -V
    done
}

@test "an unknown option is wrong usage and says where to read on" {
    for program in p2p-add p2p-get p2p-seed p2p-ls p2p-rm p2p-config; do
        status 2 $program --frobnicate x
        says "$program: "
        says "--help"
        prints ""
    done
}

@test "the configuration gives defaults, the section wins, the command line wins over both" {
    mkdir -p "$XDG_CONFIG_HOME/p2p"
    echo hello >f
    printf 'format = v1\n' >"$XDG_CONFIG_HOME/p2p/config"
    status 0 p2p-add f
    [[ $output != *btmh* ]]
    printf 'format = v1\n[p2p-add]\nformat = v2\n' >"$XDG_CONFIG_HOME/p2p/config"
    status 0 p2p-add f
    [[ $output == *btmh* && $output != *btih* ]]
    status 0 p2p-add --format hybrid f
    [[ $output == *btmh* && $output == *btih* ]]
    printf 'formatt = v1\n' >"$XDG_CONFIG_HOME/p2p/config"
    status 2 p2p-add f
    says "formatt"
}

@test "state lives in --home, else P2P_HOME, else XDG_DATA_HOME/p2p, else ~/.local/share/p2p" {
    echo hello >f
    status 0 p2p-add --home "$PWD/one" f
    [ -f one/catalogue.db ]
    [ ! -e "$P2P_HOME" ]
    status 0 p2p-add f
    [ -f "$P2P_HOME/catalogue.db" ]
    status 0 env -u P2P_HOME XDG_DATA_HOME="$PWD/data" p2p-add f
    [ -f data/p2p/catalogue.db ]
    status 0 env -u P2P_HOME p2p-add f
    [ -f "$HOME/.local/share/p2p/catalogue.db" ]
}

@test "a reader that went away ends it quietly with 141" {
    sample_folder d
    p2p-add -q d
    for i in $(seq 40); do echo "$i" >"f$i"; done
    run -141 bash -c 'set -o pipefail; p2p-add f* 2>err | head -1 >/dev/null; exit ${PIPESTATUS[0]}'
    [ ! -s err ]
}

@test "results that cannot be written are status 5" {
    [ -w /dev/full ] || skip "no /dev/full"
    echo hello >f
    run bash -c 'p2p-add f >/dev/full 2>err'
    [ "$status" -eq 5 ]
    grep -q "standard output" err
}

@test "with standard output closed nothing is written into other files" {
    echo hello >f
    run bash -c 'p2p-add f >&- 2>err'
    [ "$status" -eq 5 ]
    p2p-ls --verify f
    [ "$(head -c 15 "$P2P_HOME/catalogue.db")" = "SQLite format 3" ]
}
