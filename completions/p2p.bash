# Completion of the p2p suite for bash. Source it, or install it once for each program under
# share/bash-completion/completions/ (p2p, p2p-add, p2p-get and so on).

# The options of a program; tests/lint/manuals holds these lists against --help.
_p2p_options()
{
    case $1 in
    p2p)
        echo "-h --help -V --version"
        ;;
    p2p-config)
        echo "--file --json -0 --null -h --help -V --version"
        ;;
    p2p-add)
        echo "-i --input-file -n --name --archive --files-from --exclude --follow
            --no-catalogue --format
            --piece-size -t --tracker -w --web-seed --node --peer --comment --source
            --private -o --output --print"
        ;;
    p2p-get)
        echo "-i --input-file -o --output --format --window --select --exclude
            --files-from -r --range --member --reuse --manifest-only -x --extract --attributes --preallocate --peer
            --sequential --timeout
            --metadata-timeout --deadline -W --wait --seed-for --seed-ratio
            --events-fd --limit-down --limit-up --port --bind --no-trackers
            --no-web-seeds --no-pex --no-lsd --no-port-mapping --prefer-local
            --bootstrap --no-dht"
        ;;
    p2p-seed)
        echo "-i --input-file -d --data --super --daemon --status --for
            --until-ratio --until-idle --limit-down --limit-up --port --bind
            --no-trackers --no-web-seeds --no-pex --no-lsd --no-port-mapping
            --prefer-local --bootstrap --no-dht"
        ;;
    p2p-ls)
        echo "-i --input-file -l --long --archive --link --hash --path --torrent --verify
            --fetch --peers --timeout --bootstrap --no-dht"
        ;;
    p2p-rm)
        echo "-i --input-file --data"
        ;;
    p2p-node)
        echo "--for --daemon --timeout --scrape --key --salt --seq --cas --port --bind
            --no-port-mapping --bootstrap"
        ;;
    esac
    if [ "$1" != p2p ] && [ "$1" != p2p-config ]; then
        echo "--home -q --quiet -v --verbose --progress --json -0 --null -h
            --help -V --version"
    fi
}

_p2p_commands='add get seed ls rm node config help'
_p2p_lookups='get-peers put get ping sample key status'

# Puts into COMPREPLY the words of $1 that begin with the word being completed.
_p2p_among()
{
    local IFS=$' \t\n' reply
    COMPREPLY=()
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(compgen -W "$1" -- "$cur")
}

# Files (or folders with -d) that begin with the word being completed.
_p2p_files()
{
    local reply
    compopt -o filenames 2>/dev/null
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(compgen "${1:--f}" -- "$cur")
}

# Names of the catalogue's items.
_p2p_items()
{
    local hash name
    while IFS=$'\t' read -r hash _ _ name; do
        case $name in
        "$cur"*) COMPREPLY+=("$(printf %q "$name")") ;;
        esac
        case $hash in
        "$cur"*) [ ${#cur} -ge 6 ] && COMPREPLY+=("$hash") ;;
        esac
    done < <(p2p-ls 2>/dev/null)
}

# The value of option $2 of program $1: true if that is what is being completed.
_p2p_value()
{
    case $1$2 in
    p2p-get-o | p2p-get--output) _p2p_files -d ;;
    *-o | *--output | *--torrent | *--files-from | *-i | *--input-file) _p2p_files ;;
    *-d | *--data) [ "$1" = p2p-seed ] || return 1; _p2p_files -d ;;
    *--key) _p2p_files ;;
    *--salt | *--seq | *--cas) ;;
    *--home) _p2p_files -d ;;
    *--progress) _p2p_among "auto always never" ;;
    *--format) _p2p_among "v1 v2 hybrid" ;;
    *--print) _p2p_among "link hash torrent" ;;
    *--name | *--piece-size | *--tracker | *--web-seed | *--node | *--peer | *--comment | *--source) ;;
    *--bootstrap) _p2p_among none ;;
    *--select | *--exclude | *--range | *--events-fd | *--port | *--bind | *--limit-*) ;;
    *--prefer-local) ;;
    *timeout | *--deadline | *--seed-for | *--seed-ratio | *--for | *--until-*) ;;
    p2p-add-[ntw] | p2p-get-r) ;;
    *) return 1 ;;
    esac
}

_p2p_program()
{
    local program=$1 before=$2
    COMPREPLY=()
    [[ $before == -* ]] && _p2p_value "$program" "$before" && return
    case $cur in
    --*=*)
        local option=${cur%%=*}
        cur=${cur#*=}
        _p2p_value "$program" "$option"
        return
        ;;
    -*)
        _p2p_among "$(_p2p_options "$program")"
        return
        ;;
    esac
    case $program in
    p2p-add) ;;
    p2p-config) _p2p_among "$_p2p_commands" ;;
    p2p-node) case $before in key) _p2p_files ;; *) _p2p_among "$_p2p_lookups" ;; esac ;;
    *) _p2p_items ;;
    esac
    case $program in
    p2p-add | p2p-get | p2p-seed | p2p-ls) _p2p_files ;;
    esac
}

_p2p()
{
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]##*/}
    # Bash cuts words at '=': "--progress" "=" "al".
    if [ "$cur" = = ]; then
        cur=
    elif [ "$before" = = ] && [ "$COMP_CWORD" -ge 2 ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$program" != p2p ]; then
        _p2p_program "$program" "$before"
    elif [ "$COMP_CWORD" -eq 1 ]; then
        case $cur in
        -*) _p2p_among "$(_p2p_options p2p)" ;;
        *) _p2p_among "$_p2p_commands" ;;
        esac
    elif [ "${COMP_WORDS[1]}" = help ]; then
        _p2p_among "$_p2p_commands"
    else
        _p2p_program "p2p-${COMP_WORDS[1]}" "$before"
    fi
}

complete -F _p2p p2p p2p-add p2p-get p2p-seed p2p-ls p2p-rm p2p-node p2p-config
