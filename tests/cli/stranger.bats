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
