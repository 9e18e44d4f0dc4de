"""One file from a seed to a leech: each client to itself, all with one another, from four seeds.

Every client has the same content and, in its format, the same .torrent; it meets its peer by
address where it can be told one, else by opentracker. "wall" is what a user waits, from the start
of the program to its word that all is there, so it holds a client's own slowness to begin; "flow"
is the rate from the first data that arrived. CPU is user and system; memory is what is held of
anonymous memory, a peak of samples, while the transfer runs. Where the processor has SHA
instructions, those who have something to hash with are also played without them (without.py).
"""

import os
import time

from contenders import CLIENTS, OURS, REFERENCES, SLOW, STREAM
from measure import FirstByte, Watch
from rig.process import Failed, wait_until
from without import NO_SHA, has_sha

SEED_SAMPLES = 0.05     # seconds: its memory hardly moves, and four of them add up
SIZES = ("a file of the size; all pairs", "a file of the size; pairs with ours; nothing without SHA instructions")


def watched(stage, seeds, leech, source, peers, size):
    dest = stage.path("got")
    os.makedirs(dest, exist_ok=True)
    first, of_seeds = FirstByte(dest), [Watch(s.program, SEED_SAMPLES) for s in seeds]
    leech.start_leech(source, dest, peers)
    of_leech = Watch(leech.program)
    of_leech.before = 0.0
    wait_until(leech.done, leech.seconds, f"{leech.name} to complete", leech.program, leech.poll)
    ended = time.monotonic()
    of_leech.finish()
    for w in of_seeds:
        w.finish()
    got = os.path.join(dest, "content.bin")
    if os.path.getsize(got) != size:
        raise Failed("the file is not whole")
    wall = ended - leech.began
    flow = ended - (first.finish() or leech.began)
    seed_cpu = sum(w.cpu for w in of_seeds)
    return {"wall": wall, "rate": size / 1e6 / wall, "flow": size / 1e6 / max(flow, 0.001),
            "cpu": seed_cpu + of_leech.cpu, "seed cpu": seed_cpu, "leech cpu": of_leech.cpu,
            "seed anon": max(w.anon for w in of_seeds) / 1024, "leech anon": of_leech.anon / 1024}


def once(bench, seed_kind, leech_kind, fmt, seeds=1, dress=None, size=None):
    """dress(stage, seeds, leech): what is still to be set before they start."""
    size = size or bench.size
    folder = bench.big(size)
    torrent = bench.torrent(folder, fmt)
    with bench.stage() as stage:
        tracker = None
        if not leech_kind.takes_peer:
            tracker, hashes = bench.tracker(stage, torrent, seed_kind.formats)
            torrent = bench.with_tracker(torrent, stage.path("t.torrent"), tracker.url("http"))
        running = [stage.client(seed_kind) for _ in range(seeds)]
        leech = stage.client(leech_kind)
        for one in running + [leech]:
            one.seconds = 60 + size / 2e7
        if dress:
            dress(stage, running, leech)
        peers = [s.seed(torrent, folder) for s in running]
        if tracker:
            for h in hashes:
                wait_until(lambda h=h: tracker.counts(h)[0] >= seeds, leech.seconds,
                           "the seeds to announce", running[0].program)
        return watched(stage, running, leech, torrent, [] if tracker else peers, size)


def alone(bench):
    """Each to itself, and what the machine does without peers."""
    runs = []
    for fmt in ("v1", "v2", "hybrid"):
        kinds = [k for k in CLIENTS.values() if fmt in k.formats]
        if fmt == "hybrid":
            kinds = [OURS]
        for kind in bench.not_now(f"transfer {fmt}", kinds):
            runs.append((f"transfer {fmt}", kind.name,
                         lambda k=kind, f=fmt: once(bench, k, k, f)))
    for kind in REFERENCES.values():
        runs.append(("transfer v1", f"({kind.name})", lambda k=kind: once(bench, k, k, "v1")))
    return runs


def pairs(bench):
    """Each seed to each leech: those that are slow to begin with ours and themselves alone."""
    runs = []
    for seed in CLIENTS.values():
        for leech in CLIENTS.values():
            slow = {k for k in (seed, leech) if not k.quick}
            if seed is leech or (slow or bench.quick) and OURS not in (seed, leech):
                continue
            if bench.quick and slow:
                continue
            runs.append((seed, leech))
    return [("pairs", f"{s.name} → {l.name}", lambda s=s, l=l: once(bench, s, l, "v1"))
            for s, l in runs]


def four(bench):
    kinds = bench.not_now("transfer v1, four seeds", CLIENTS.values(), ("aria2",))
    runs = [(k.name, k) for k in kinds] + [(f"({STREAM.name})", STREAM)]
    return [("transfer v1, four seeds", name, lambda k=k: once(bench, k, k, "v1", 4))
            for name, k in runs]


def wrap_all(words):
    def dress(_stage, seeds, leech):
        for one in seeds + [leech]:
            one.wrap = words
    return dress


def without_sha(bench):
    """Each to itself on a machine without SHA instructions."""
    kinds, dress = [CLIENTS[n] for n in ("p2p", "rtorrent", "libtorrent", "aria2")], wrap_all(NO_SHA)
    return [(f"transfer {fmt}{of}, without SHA instructions", k.name,
             lambda k=k, f=fmt, n=n: once(bench, k, k, f, n, dress))
            for fmt, of, n in (("v1", "", 1), ("v2", "", 1), ("v1", ", four seeds", 4))
            for k in kinds if fmt in k.formats and has_sha()]


def tell_pairs(bench, figures):
    """The pairs once more by seed and by leech, where ours and the others stand side by side."""
    values, notes = figures.values, figures.notes
    found = [(key, values.pop(key)) for key in list(values) if key[0] == "pairs"]
    found += [(("transfer v1", k.name, m), values["transfer v1", k.name, m])
              for k in CLIENTS.values() for m in ("wall", "rate", "flow", "cpu")
              if ("transfer v1", k.name, m) in values]
    for (_, name, metric), v in sorted(found, key=lambda f: f[0][1] != "p2p"):
        seed, _, leech = name.partition(" → ")
        leech = leech or seed
        if metric in ("wall", "rate", "flow", "cpu"):
            values[f"transfer v1, from {seed}'s seed", leech, metric] = v
            values[f"transfer v1, to {leech}'s leech", seed, metric] = v
    for (_, name), why in [(k, notes.pop(k)) for k in list(notes) if k[0] == "pairs"]:
        seed, _, leech = name.partition(" → ")
        notes[f"transfer v1, from {seed}'s seed", leech] = why
        notes[f"transfer v1, to {leech}'s leech", seed] = why
    figures.values = dict(sorted(values.items(), key=lambda kv: _place(kv[0])))


def _place(key):
    title = key[0]
    return ("from" in title, "'s leech" in title, title if "'s" in title else "",
            key[1] != "p2p")


def play(bench):
    last = [] if bench.quick else without_sha(bench)
    bench.rounds(alone(bench) + pairs(bench) + four(bench) + last, once=SLOW)
    tell_pairs(bench, bench.figures)
