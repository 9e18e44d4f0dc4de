#!/usr/bin/env bats
# p2p config: what is in force, and where from; and the order in which it is asked.
load helper

conf() { printf '%s\n' "$@" >"$XDG_CONFIG_HOME/p2p/config"; FILE="$XDG_CONFIG_HOME/p2p/config"; }
# has PROGRAM OPTION VALUE FROM: that line is in $output.
has() {
    local line
    line=$(IFS=$'\t'; echo "$*")
    grep -qxF -- "$line" <<<"$output" && return
    printf 'no line: %s\n--- stdout\n%s\n' "$line" "$output" >&2
    return 1
}

@test "all options of all programs: program, option, value, where from" {
    conf 'limit-up = 4M' '' '[p2p-seed]' 'limit-up = 2M' 'port=7'
    status 0 p2p config
    silent
    has p2p-get limit-up 4M "$FILE:1"
    has p2p-seed limit-up 2M "$FILE:4"
    has p2p-seed port 7 "$FILE:5"
    has p2p-get port "0, any free one" default
    has p2p-get wait no default
    has p2p-add format hybrid default
    has p2p-get timeout "" default
    # Each option that takes part in --help is there, but for those that ask for an answer.
    for program in add get seed ls rm node config; do
        options=$("p2p-$program" --help | grep -oE '^  (-., |    )--[a-z-]+' | sed 's/.*--//' |
            grep -vx 'help\|version\|file' | sort)
        [ "$options" = "$(grep "^p2p-$program	" <<<"$output" | cut -f 2 | sort -u)" ]
    done
    [ "$(awk -F '\t' 'NF != 4' <<<"$output")" = "" ]
}

@test "order: environment, file, command line; the last one counts" {
    conf
    status 0 env -u P2P_HOME p2p config rm
    has p2p-rm home "$HOME/.local/share/p2p" default
    status 0 env -u P2P_HOME XDG_DATA_HOME=/data p2p config rm
    has p2p-rm home /data/p2p environment:XDG_DATA_HOME
    P2P_HOME=/env status 0 p2p config rm
    has p2p-rm home /env environment:P2P_HOME
    conf 'home = /file'
    P2P_HOME=/env status 0 p2p config rm
    has p2p-rm home /file "$FILE:1"
    P2P_HOME=/env status 0 p2p config p2p-rm --home /line -q nothing
    has p2p-rm home /line "command line"
    has p2p-rm quiet yes "command line"
    # And so it is when they run.
    echo hello >f
    conf "home = $PWD/file"
    P2P_HOME="$PWD/env" p2p-add f
    [ -f file/catalogue.db ]
    [ ! -e env ]
    P2P_HOME="$PWD/env" p2p-add --home line f
    [ -f line/catalogue.db ]
}

@test "lists: a line for each value; the section's and the command line's replace the others" {
    conf 'bootstrap = a.example:1' 'bootstrap = b.example:2' '[p2p-ls]' 'bootstrap = none'
    status 0 p2p config
    [ "$(grep -c '^p2p-get	bootstrap	' <<<"$output")" = 2 ]
    has p2p-get bootstrap b.example:2 "$FILE:2"
    [ "$(grep '^p2p-ls	bootstrap	' <<<"$output")" = "p2p-ls	bootstrap	none	$FILE:4" ]
    status 0 p2p config get --bootstrap=c.example:3 --peer 192.0.2.1:5 --peer 192.0.2.2:5
    [ "$(grep -c '^p2p-get	bootstrap	' <<<"$output")" = 1 ]
    has p2p-get bootstrap c.example:3 "command line"
    [ "$(grep -c '^p2p-get	peer	' <<<"$output")" = 2 ]
}

@test "switches: yes or no, and what undoes them" {
    conf 'no-trackers = yes' 'lsd = no' 'json = on' '[p2p-get]' 'json = no'
    status 0 p2p config --no-json get --trackers
    has p2p-get no-trackers no "command line"
    has p2p-get no-lsd yes "$FILE:2"
    has p2p-get json no "$FILE:5"
}

@test "--json, for it too as the configuration says; -0" {
    conf 'limit-up = 4M'
    P2P_HOME=/env status 0 p2p config --json seed --for 1h
    objects=$output
    output=$(grep '"limit-up"' <<<"$objects")
    [ "$(json program) $(json option) $(json value) $(json from)" = "p2p-seed limit-up 4M file" ]
    [ "$(json file):$(json line)" = "$FILE:1" ]
    output=$(grep '"for"' <<<"$objects")
    [ "$(json value) $(json from)" = "1h command line" ]
    output=$(grep '"home"' <<<"$objects")
    [ "$(json from) $(json variable)" = "environment P2P_HOME" ]
    output=$(grep '"until-idle"' <<<"$objects")
    [ "$(json from)" = default ]
    not json value 2>/dev/null
    conf '[p2p-config]' 'json = yes'
    status 0 p2p config rm
    [ "$(json program)" = p2p-rm ]
    conf
    [ "$(p2p config -0 rm | tr '\0' '\n')" = "$(p2p config rm)" ]
}

@test "bad lines: each is named once, with file and line; status 2, and nothing is printed" {
    conf 'port = x' 'nonsense = 1' '[foo]' 'x = y' '[p2p-get]' 'super = yes' 'timeout = z' \
        'no sign' '[cut' 'more = of it' '[p2p-ls]' 'help = yes' 'timeout = 5s' '[p2p]' 'help = yes' \
        '[p2p-config]' 'file = yes' '[ ]'
    status 2 p2p config
    prints ""
    says "p2p-config: $FILE:1: --port: 'x' is not a port"
    says "p2p-config: $FILE:2: nonsense: no program has such an option"
    says "p2p-config: $FILE:3: foo: "
    says "p2p-config: $FILE:6: super: that program has no such option"
    says "p2p-config: $FILE:7: --timeout: 'z' is not a duration"
    says "p2p-config: $FILE:8: no sign: "
    says "p2p-config: $FILE:9: [cut: "
    says "p2p-config: $FILE:12: --help: "
    says "p2p-config: $FILE:15: --help: "
    says "p2p-config: $FILE:17: --file: "
    says "p2p-config: $FILE:18: []: no program has that name"
    [ "$(wc -l <<<"$stderr")" = 11 ]
    # Only what concerns that program.
    status 2 p2p config rm
    [ "$(grep -c "$FILE:[17]:" <<<"$stderr")" = 0 ]
    says "$FILE:2: "
    status 2 p2p-rm x
    says "p2p-rm: $FILE:2: "
    printf 'a\0b' >"$FILE"
    status 2 p2p config
    says "$FILE: is not a text file"
    rm "$FILE"
    mkdir "$FILE"
    status 5 p2p config
    says "$FILE: is no regular file"
}

@test "a FIFO for a configuration: said at once, not waited for" {
    conf 'quiet = yes'
    rm "$FILE"
    mkfifo "$FILE"
    for cmd in "p2p config" "p2p-ls" "p2p-add f"; do
        status 5 timeout 60 $cmd
        says "$FILE: is no regular file"
    done
    sleep 60 3<>"$FILE" >"$FILE" & # nor is one with a writer
    BACKGROUND+=($!)
    status 5 timeout 60 p2p-ls
    status 0 p2p-ls --help
    rm "$FILE"
    printf 'json = yes\n' >elsewhere
    ln -s "$PWD/elsewhere" "$FILE" # a link to a file is one
    status 0 p2p-ls
    ln -sf /dev/null "$FILE" # and this one says nothing
    status 0 p2p-ls
}

@test "--file; wrong usage; a configuration that is not there" {
    rm -r "$XDG_CONFIG_HOME"
    status 0 p2p config --file
    prints "$XDG_CONFIG_HOME/p2p/config"
    status 0 env -u XDG_CONFIG_HOME p2p config --file
    prints "$HOME/.config/p2p/config"
    # Without HOME, as of the state.
    status 0 env -u XDG_CONFIG_HOME -u HOME p2p config --file
    prints "$(getent passwd "$(id -u)" | cut -d : -f 6)/.config/p2p/config"
    status 0 p2p config
    [ -z "$(grep -v '	default$\|	environment:P2P_HOME$' <<<"$output")" ]
    status 2 p2p config gte
    says "did you mean p2p-get"
    status 2 p2p config get --nothing
    says "p2p-get: --nothing: there is no such option"
    status 2 p2p config get --timeout soon
    status 2 p2p config --file get
    status 2 p2p config --home x
}

@test "what it shows is what they do" {
    conf 'bootstrap = none' 'no-port-mapping = true' 'no-lsd = true' 'bind = 127.0.0.1' '[p2p-seed]' 'for = 0s'
    status 0 p2p config seed
    has p2p-seed bind 127.0.0.1 "$FILE:4"
    has p2p-seed for 0s "$FILE:6"
    status 0 p2p-seed
    [[ $output == "listening	127.0.0.1:"* ]]
}
