"""Eight leeches and a seed that may send 20 MB/s: when has the last one all, beside the bound?

In a fluid model nobody can have all before the seed has sent one copy, and all of them not before
all that can be sent, by whomever, makes as many copies: max(F / seed, n F / (seed + n leech)).
Leeches here are not limited, so that the bound is F / seed. "copies" is what left the seed's
address, without headers, in sizes of the content: 1 is least. They meet by a tracker, start at
the same moment, and stay when they are done.
"""

import concurrent.futures
import json
import os
import subprocess
import time

from contenders import CLIENTS, SLOW
from rig.process import Failed

SIZES = ("256 MiB, 8 leeches, 20 MB/s", "40 MiB, 8 leeches, 20 MB/s")
LEECHES = 8
SEED_RATE = 20_000_000
HEADERS = 52        # IPv4 and TCP with timestamps, of each segment that was counted


def bound(size, leech_rate=None):
    """Seconds."""
    alone = size / SEED_RATE
    if leech_rate is None:
        return alone
    return max(alone, LEECHES * size / (SEED_RATE + LEECHES * leech_rate))


class Counter:
    """What leaves an address of this network, by the packet filter."""

    def __init__(self, addr):
        self._nft("-f", "-", text=f"""
            table ip bench
            delete table ip bench
            add table ip bench
            add chain ip bench out {{ type filter hook output priority 0; }}
            add rule ip bench out ip saddr {addr} tcp flags & syn == 0 counter
            """)

    @staticmethod
    def _nft(*words, text=None):
        done = subprocess.run(["nft", *words], input=text, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"nft: {done.stderr.strip()}")
        return done.stdout

    def payload(self):
        for entry in json.loads(self._nft("-j", "list", "table", "ip", "bench"))["nftables"]:
            for part in entry.get("rule", {}).get("expr", []):
                if "counter" in part:
                    return part["counter"]["bytes"] - HEADERS * part["counter"]["packets"]
        raise Failed("nft lists no counter")


def last_of(leeches, seconds, sizes):
    """When the last one was done; all are asked ten times a second."""
    limit = time.monotonic() + seconds
    waiting = list(leeches)
    while waiting:
        for one in list(waiting):
            if one.program.ended() not in (None, 0):
                raise Failed(f"{one.name} ended: {one.program.tail()}")
            if one.done():
                waiting.remove(one)
        if time.monotonic() > limit:
            raise Failed(f"{len(waiting)} of {len(leeches)} not done within {seconds:.0f} s: "
                         + ", ".join(w.name for w in waiting))
        time.sleep(0.1 if len(waiting) == len(leeches) else 0.02)
    return time.monotonic()


def once(bench, seed_kind, leech_kinds, size):
    folder = bench.big(size)
    torrent = bench.torrent(folder, "v1")
    with bench.stage() as stage:
        tracker, hashes = bench.tracker(stage, torrent, ("v1",))
        torrent = bench.with_tracker(torrent, stage.path("t.torrent"), tracker.url("http"))
        seed = stage.client(seed_kind)
        leeches = [stage.client(k) for k in leech_kinds]
        for one in leeches:
            one.stay = True
        seed.up, seed.seconds = SEED_RATE, 120
        peer = seed.seed(torrent, folder)
        tracker.wait_seed(hashes, 60, seed.program)
        sent = Counter(peer.addr)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(LEECHES) as pool:
            list(pool.map(lambda w: w[1].start_leech(torrent, stage.path(f"got-{w[0]}")),
                          enumerate(leeches)))
        took = last_of(leeches, 120 + 8 * bound(size), size) - began
        for i in range(len(leeches)):
            if os.path.getsize(stage.path(f"got-{i}/content.bin")) != size:
                raise Failed("a file is not whole")
        return {"wall": took, "last / bound": took / bound(size),
                "copies": sent.payload() / size}


def play(bench):
    size = bench.pick(256 << 20, 40 << 20)
    title = "8 leeches, seed of 20 MB/s"
    ours = CLIENTS["p2p"]
    others = [CLIENTS[n] for n in ("aria2", "libtorrent", "transmission")]
    runs = [(title, "p2p", lambda: once(bench, ours, [ours] * LEECHES, size))]
    for k in bench.not_now(title, others, ("aria2",)):
        runs.append((title, k.name, lambda k=k: once(bench, k, [k] * LEECHES, size)))
    for k in (k for k in others if k.quick or not bench.quick):
        half = [ours, k] * (LEECHES // 2)
        runs.append((title, f"p2p + {k.name}, half each", lambda h=half: once(bench, ours, h, size)))
    bench.rounds(runs, once=SLOW)
