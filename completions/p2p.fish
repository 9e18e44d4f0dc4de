# Completion of the p2p suite for fish. Install it once for each program under
# share/fish/vendor_completions.d/ (p2p.fish, p2p-add.fish, and so on).

# Names of the catalogue's items, with their sizes.
function __p2p_items
    command -q p2p-ls; or return
    p2p-ls 2>/dev/null | while read -l -d \t hash size have name
        printf '%s\t%s bytes\n' $name $size
    end
end

# `p2p get ...` completes as `p2p-get ...` does.
function __p2p_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; or return
    complete -C "p2p-$words[2] "(string join ' ' -- $words[3..-1] (commandline -ct))
end

complete -c p2p -e
complete -c p2p -f
complete -c p2p -n __fish_use_subcommand -a add -d 'make a link from a file, a folder or standard input'
complete -c p2p -n __fish_use_subcommand -a get -d 'fetch what a link means, verify every byte, exit'
complete -c p2p -n __fish_use_subcommand -a seed -d 'serve what is here: some items, or the whole catalogue'
complete -c p2p -n __fish_use_subcommand -a ls -d 'tell what is here, and what is in it'
complete -c p2p -n __fish_use_subcommand -a rm -d 'forget an item of the catalogue'
complete -c p2p -n __fish_use_subcommand -a help -d 'show the manual of a command'
complete -c p2p -n __fish_use_subcommand -s h -l help -d 'show this and exit'
complete -c p2p -n __fish_use_subcommand -s V -l version -d 'show the version and exit'
complete -c p2p -n 'not __fish_use_subcommand; and not __fish_seen_subcommand_from help' -a '(__p2p_command)'
complete -c p2p -n '__fish_seen_subcommand_from help' -a 'add get seed ls rm'

complete -c p2p-add -e
complete -c p2p-add -s n -l name -x -d 'name of the item'
complete -c p2p-add -l exclude -x -d 'leave out what matches; repeat'
complete -c p2p-add -l follow -d 'follow symlinks in a folder'
complete -c p2p-add -l no-catalogue -d 'only compute; record nothing'
complete -c p2p-add -l format -xa "v1 v2 hybrid" -d 'BitTorrent format: v1, v2 or hybrid'
complete -c p2p-add -l piece-size -x -d 'a power of two from 16Ki to 128Mi'
complete -c p2p-add -s t -l tracker -x -d 'tracker; repeat for further tiers, comma within one tier'
complete -c p2p-add -s w -l web-seed -x -d 'HTTP(S) address that also serves the content; repeat'
complete -c p2p-add -l node -x -d 'DHT node for the manifest; repeat'
complete -c p2p-add -l peer -x -d 'peer for the link; repeat'
complete -c p2p-add -l comment -x -d 'comment in the manifest'
complete -c p2p-add -l source -x -d 'source tag in the manifest; changes the hash'
complete -c p2p-add -l private -d 'private torrent: peers from its trackers only'
complete -c p2p-add -s o -l output -rF -d 'also write the .torrent (-: to standard output, in place of the link)'
complete -c p2p-add -l print -xa "link hash torrent" -d 'print the link, the hash or the torrent'
complete -c p2p-add -l home -xa "(__fish_complete_directories)" -d 'where state lives'
complete -c p2p-add -s q -l quiet -d 'no progress and no notices; errors always print'
complete -c p2p-add -s v -l verbose -d 'say more about what happens'
complete -c p2p-add -l progress -xa "auto always never" -d 'show progress: auto (on a terminal), always, never'
complete -c p2p-add -l json -d 'results as JSON, one object a line'
complete -c p2p-add -s 0 -l null -d 'end records with NUL instead of newline'
complete -c p2p-add -s h -l help -d 'show this and exit'
complete -c p2p-add -s V -l version -d 'show the version and exit'

complete -c p2p-get -e
complete -c p2p-get -a '(__p2p_items)'
complete -c p2p-get -s o -l output -rF -d 'folder to put it in; a single file may be named'
complete -c p2p-get -l select -x -d 'only files whose name matches; repeat'
complete -c p2p-get -l exclude -x -d 'not files whose name matches; repeat'
complete -c p2p-get -l files-from -rF -d 'only the files named in FILE, one a line (-: standard input); repeat'
complete -c p2p-get -s r -l range -x -d 'only these bytes, END included; OFF- is to the end, -N the last N; repeat'
complete -c p2p-get -l manifest-only -d 'get the .torrent and nothing else'
complete -c p2p-get -l attributes -d 'make symlinks and set executable bits as the manifest says, where that is safe'
complete -c p2p-get -l preallocate -d 'reserve the space of files first'
complete -c p2p-get -l peer -x -d 'a peer to try at once; repeat'
complete -c p2p-get -l sequential -d 'in order, as a player reads'
complete -c p2p-get -l timeout -x -d 'give up when nothing has arrived for so long'
complete -c p2p-get -l metadata-timeout -x -d 'give up when the manifest of a link has not arrived by then'
complete -c p2p-get -l deadline -x -d 'give up when not complete by then'
complete -c p2p-get -l seed-for -x -d 'go on sharing for so long'
complete -c p2p-get -l seed-ratio -x -d 'go on sharing until uploaded / size is R'
complete -c p2p-get -l events-fd -x -d 'events as JSON, one object a line, to this descriptor'
complete -c p2p-get -l limit-down -x -d 'download no faster than this'
complete -c p2p-get -l limit-up -x -d 'upload no faster than this'
complete -c p2p-get -l port -x -d 'listen on this port'
complete -c p2p-get -l bind -x -d 'listen on this address'
complete -c p2p-get -l no-trackers -d 'do not ask trackers'
complete -c p2p-get -l no-web-seeds -d 'do not use web seeds'
complete -c p2p-get -l no-port-mapping -d 'do not ask the router for a way in'
complete -c p2p-get -l prefer-local -x -d 'how much to prefer peers that are near: 0 not at all, to 100'
complete -c p2p-get -l bootstrap -xa none -d 'DHT node to join by, in place of the public ones (none: no such); repeat'
complete -c p2p-get -l no-dht -d 'do not look for peers in the DHT'
complete -c p2p-get -l home -xa "(__fish_complete_directories)" -d 'where state lives'
complete -c p2p-get -s q -l quiet -d 'no progress and no notices; errors always print'
complete -c p2p-get -s v -l verbose -d 'say more about what happens'
complete -c p2p-get -l progress -xa "auto always never" -d 'show progress: auto (on a terminal), always, never'
complete -c p2p-get -l json -d 'results as JSON, one object a line'
complete -c p2p-get -s 0 -l null -d 'end records with NUL instead of newline'
complete -c p2p-get -s h -l help -d 'show this and exit'
complete -c p2p-get -s V -l version -d 'show the version and exit'

complete -c p2p-seed -e
complete -c p2p-seed -a '(__p2p_items)'
complete -c p2p-seed -s d -l data -xa "(__fish_complete_directories)" -d 'where the content of a SOURCE lies that is not known here'
complete -c p2p-seed -l super -d 'super-seeding: for the first copy of something new'
complete -c p2p-seed -l daemon -d 'go to the background once ready'
complete -c p2p-seed -l status -d 'ask the running one; a line for each item'
complete -c p2p-seed -l for -x -d 'stop after so long'
complete -c p2p-seed -l until-ratio -x -d 'stop when uploaded / size of each item is R'
complete -c p2p-seed -l until-idle -x -d 'stop when nobody took anything for so long'
complete -c p2p-seed -l limit-down -x -d 'download no faster than this'
complete -c p2p-seed -l limit-up -x -d 'upload no faster than this'
complete -c p2p-seed -l port -x -d 'listen on this port'
complete -c p2p-seed -l bind -x -d 'listen on this address'
complete -c p2p-seed -l no-trackers -d 'do not ask trackers'
complete -c p2p-seed -l no-web-seeds -d 'do not use web seeds'
complete -c p2p-seed -l no-port-mapping -d 'do not ask the router for a way in'
complete -c p2p-seed -l prefer-local -x -d 'how much to prefer peers that are near: 0 not at all, to 100'
complete -c p2p-seed -l bootstrap -xa none -d 'DHT node to join by, in place of the public ones (none: no such); repeat'
complete -c p2p-seed -l no-dht -d 'do not look for peers in the DHT'
complete -c p2p-seed -l home -xa "(__fish_complete_directories)" -d 'where state lives'
complete -c p2p-seed -s q -l quiet -d 'no progress and no notices; errors always print'
complete -c p2p-seed -s v -l verbose -d 'say more about what happens'
complete -c p2p-seed -l progress -xa "auto always never" -d 'show progress: auto (on a terminal), always, never'
complete -c p2p-seed -l json -d 'results as JSON, one object a line'
complete -c p2p-seed -s 0 -l null -d 'end records with NUL instead of newline'
complete -c p2p-seed -s h -l help -d 'show this and exit'
complete -c p2p-seed -s V -l version -d 'show the version and exit'

complete -c p2p-ls -e
complete -c p2p-ls -a '(__p2p_items)'
complete -c p2p-ls -s l -l long -d 'more columns: format, pieces, added, uploaded, ratio, where'
complete -c p2p-ls -l link -d 'print the magnet link instead'
complete -c p2p-ls -l hash -d 'print the info-hash instead'
complete -c p2p-ls -l path -d 'print where it lies instead'
complete -c p2p-ls -l torrent -rF -d 'write the .torrent instead (-: to standard output)'
complete -c p2p-ls -l verify -d 'hash the data again; exit 4 if anything differs'
complete -c p2p-ls -l fetch -d 'get the manifest of a link from peers first'
complete -c p2p-ls -l peers -d 'ask trackers who has it: seeds and peers'
complete -c p2p-ls -l timeout -x -d 'give up on the network after so long'
complete -c p2p-ls -l bootstrap -xa none -d 'DHT node to join by, in place of the public ones (none: no such); repeat'
complete -c p2p-ls -l no-dht -d 'do not look for peers in the DHT'
complete -c p2p-ls -l home -xa "(__fish_complete_directories)" -d 'where state lives'
complete -c p2p-ls -s q -l quiet -d 'no progress and no notices; errors always print'
complete -c p2p-ls -s v -l verbose -d 'say more about what happens'
complete -c p2p-ls -l progress -xa "auto always never" -d 'show progress: auto (on a terminal), always, never'
complete -c p2p-ls -l json -d 'results as JSON, one object a line'
complete -c p2p-ls -s 0 -l null -d 'end records with NUL instead of newline'
complete -c p2p-ls -s h -l help -d 'show this and exit'
complete -c p2p-ls -s V -l version -d 'show the version and exit'

complete -c p2p-rm -e
complete -c p2p-rm -f
complete -c p2p-rm -a '(__p2p_items)'
complete -c p2p-rm -l data -d 'delete its files too'
complete -c p2p-rm -l home -xa "(__fish_complete_directories)" -d 'where state lives'
complete -c p2p-rm -s q -l quiet -d 'no progress and no notices; errors always print'
complete -c p2p-rm -s v -l verbose -d 'say more about what happens'
complete -c p2p-rm -l progress -xa "auto always never" -d 'show progress: auto (on a terminal), always, never'
complete -c p2p-rm -l json -d 'results as JSON, one object a line'
complete -c p2p-rm -s 0 -l null -d 'end records with NUL instead of newline'
complete -c p2p-rm -s h -l help -d 'show this and exit'
complete -c p2p-rm -s V -l version -d 'show the version and exit'
