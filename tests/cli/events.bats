#!/usr/bin/env bats
# Events of p2p-get: what p2p-events.5 says is what comes. And --wait, whose retries are events.
load helper

NOBODY='magnet:?xt=urn:btih:1111111111111111111111111111111111111111'

# documented WANTED-EVENT… : every line of standard input has the members of the page, of their
# types, all that are not optional and no other; and these events were among them.
documented() {
    py -c '
import json, re, sys
kinds, section, read = {}, None, False
for line in open(sys.argv[1]):
    if line.startswith(".Ss "):
        section = line[4:].strip()
        kinds[section] = {}
    m = re.match(r"\.It Cm (\S+) Pq (\w+)(, optional)?$", line)
    if m and section:
        kinds[section][m[1]] = (m[2], bool(m[3]))
types = {"integer": int, "object": dict, "string": str, "number": (int, float)}
each, seen = kinds.pop("Each event"), set()
for line in sys.stdin:
    e = json.loads(line)
    known = {**each, **kinds[e["event"]]}
    seen.add(e["event"])
    assert e["v"] == 1, e
    for k, v in e.items():
        assert k in known, (k, e)
        assert isinstance(v, types[known[k][0]]) and not isinstance(v, bool), (k, e)
    for k, (_, optional) in known.items():
        assert optional or k in e, (k, e)
assert seen == set(sys.argv[2:]), seen' "$BATS_TEST_DIRNAME/../../man/p2p-events.5" "$@"
}

shared() {
    SEEDER="$BATS_TEST_TMPDIR/seeder"
    LINK=$(P2P_HOME=$SEEDER p2p-add "$@")
}
seeding() {
    seed_here "$SEEDER" "$@"
    PEER="--peer=127.0.0.1:$PORT"
}

@test "every event has the documented members and no other" {
    sample_folder src/d
    shared --format v1 src/d
    seeding
    printf '%s\nmagnet:?xt=urn:btih:zz\na\0b\n' "$LINK" >list
    run p2p-get "$PEER" --limit-down 150k --events-fd 5 -i list 5>events
    [ "$status" = 4 ]
    documented start metadata progress file done error <events
    [ "$(grep -c '"line":[123]' events)" = "$(grep -c . events)" ]
    run p2p-get "$PEER" --json "$LINK"
    documented start metadata done <<<"$output"
}

@test "what bounded it: our limit, the seed's, a slow reader" {
    bound() { py -c '
import json, sys
done = [json.loads(x) for x in open(sys.argv[1])][-1]
took, by = done["waited"], done["bound_by"]
assert by == sys.argv[2] == max(took, key=took.get), done
assert abs(sum(took.values()) - done["seconds"]) < 0.2 * done["seconds"] + 0.1, done' "$@"; }
    random_file src/f 6000000
    shared src/f
    seeding --limit-up 4M
    p2p-get --home a "$PEER" -v --limit-down 2M -o a.out --events-fd 5 "$LINK" 5>events 2>said
    bound events limit
    grep -q '; waited for limit [0-9]* % of the time' said
    p2p-get --home b "$PEER" -o b.out --events-fd 5 "$LINK" 5>events
    bound events network
    p2p-get --home c "$PEER" -o - --window 1M --events-fd 5 "$LINK" 5>events | (
        sleep 5
        cat >c.out
    )
    bound events reader
    cmp src/f c.out
}

@test "--wait: nobody has it yet; when somebody comes it is fetched" {
    random_file src/f 100000
    shared src/f
    seeding --port "$(free_port)"
    kill "${BACKGROUND[0]}"
    wait "${BACKGROUND[0]}" || true
    p2p-get "$PEER" -W --timeout 1s --events-fd 5 "$LINK" >told 5>events 3>&- &
    pid=$!
    BACKGROUND+=("$pid")
    wait_for 20 grep -q '"event":"retry"' events
    [ ! -s told ]
    seeding --port "$PORT"
    wait_for 60 test -s told
    wait $pid
    [ "$(cat told)" = f ]
    cmp src/f f
    grep -v '"event":"\(progress\|file\|metadata\)"' events | documented start retry done
}

@test "--wait: what time does not mend ends at once with its status; the others go on" {
    echo 'not a torrent' >t
    status 4 timeout 20 p2p-get -W 'magnet:?xt=urn:btih:zz'
    status 4 timeout 20 p2p-get -W t
    status 3 timeout 20 p2p-get -W nothing
    random_file src/f 100000
    shared src/f
    seeding
    echo mine >f
    status 5 timeout 20 p2p-get "$PEER" -W "$LINK"
    rm f
    status 4 timeout 20 p2p-get "$PEER" -W t "$LINK"
    prints f
}

@test "--wait: --deadline and signals end it; pauses grow" {
    status 3 timeout 60 p2p-get -W --json --timeout 1s --deadline 20s "$NOBODY"
    says "the deadline passed"
    documented start retry error progress <<<"$output"
    py - "$output" <<'PY'
import json, sys
pauses = [e["pause"] for e in map(json.loads, sys.argv[1].splitlines()) if e["event"] == "retry"]
assert pauses[:2] == [5, 10], pauses
PY
    p2p-get -W --timeout 1s --events-fd 5 "$NOBODY" 5>events 2>/dev/null 3>&- &
    pid=$!
    BACKGROUND+=("$pid")
    wait_for 20 grep -q '"event":"retry"' events
    kill $pid
    code=0
    wait $pid || code=$?
    [ $code = 143 ]
}
