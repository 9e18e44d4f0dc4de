"""Fetching a file of which an older version is here: how much comes, and how long it takes.

Of 1 % of it other bytes stand in ten regions, or in places of 16 KiB all over it; or a KiB was put
in at its start, which moves all the rest, or both; or a few bytes were put in at twenty places. One
p2p-seed, one p2p-get --reuse, in each format; and without the old version for comparison. Other
clients have nothing of the kind.
"""

import json
import os
import random
import time

from clients import OURS
from clients.p2p import program
from rig.process import Failed, Program, wait_until

SIZES = ("a file of the size; five changes", "a file of the size; one change")
FORMATS = ("v1", "v2", "hybrid")


def _put(data, rng, at, n):
    data[at:at] = rng.randbytes(n)


def _change(data, rng, at, n):
    data[at:at + n] = rng.randbytes(n)


def _regions(data, rng):
    n = len(data) // 1000
    for _ in range(10):
        _change(data, rng, rng.randrange(len(data) - n), n)


def _scattered(data, rng):
    for _ in range(len(data) // 100 // 16384):
        _change(data, rng, rng.randrange(len(data) - 16384), 16384)


def _start(data, rng):
    _put(data, rng, 0, 1024)


def _start_and_regions(data, rng):
    _start(data, rng)
    _regions(data, rng)


def _puts(data, rng):
    for _ in range(20):
        _put(data, rng, rng.randrange(len(data)), rng.randrange(1, 3000))


CHANGES = {"1 % in ten regions": _regions, "1 KiB put in at the start": _start,
           "both": _start_and_regions, "1 % in places of 16 KiB": _scattered,
           "bytes put in at 20 places": _puts}


def newer(bench, what):
    """The folder of the new content.bin; the old one is bench.big's."""
    folder = bench.path("new-" + "".join(c if c.isalnum() else "-" for c in what))
    if not os.path.exists(folder):
        os.makedirs(folder)
        with open(os.path.join(bench.big(bench.size), "content.bin"), "rb") as f:
            data = bytearray(f.read())
        CHANGES[what](data, random.Random(what))
        with open(os.path.join(folder, "content.bin"), "wb") as f:
            f.write(data)
    return folder


def _same(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        while True:
            p, q = x.read(1 << 20), y.read(1 << 20)
            if p != q:
                raise Failed("what came is not the content")
            if not p:
                return


def ours(bench, what, fmt, reuse):
    folder = newer(bench, what)
    torrent = bench.torrent(folder, fmt)
    old = os.path.join(bench.big(bench.size), "content.bin")
    with bench.stage() as stage:
        seed, leech = stage.client(OURS), stage.client(OURS)
        peer = seed.seed(torrent, folder)
        argv = [program("p2p-get"), "--bind", leech.addr, "--json", "-o", stage.path("got"),
                "--peer", f"{peer.addr}:{peer.port}", "--reuse", old if reuse else "none"]
        began = time.monotonic()
        get = Program(argv + [torrent], leech.path("log"), leech.folder, leech.env, leech.answer)
        wait_until(lambda: get.ended() is not None, 600, "p2p-get to end", get, 0.01)
        wall = time.monotonic() - began
        if get.ended() != 0:
            raise Failed(f"p2p-get ended with {get.ended()}")
        _same(os.path.join(folder, "content.bin"), stage.path("got") + "/content.bin"
              if os.path.isdir(stage.path("got")) else stage.path("got"))
        with open(leech.answer, encoding="utf-8") as f:
            done = [e for e in map(json.loads, f) if e["event"] == "done"][0]
        return {"came": 100 * done["from_peers"] / done["size"], "wall": wall}


def play(bench):
    runs = []
    for what in bench.pick(CHANGES, ("both",)):
        for fmt in FORMATS:
            runs.append((f"{what}", f"p2p {fmt}",
                         lambda what=what, fmt=fmt: ours(bench, what, fmt, True)))
    runs.append(("nothing old", "p2p hybrid",
                 lambda: ours(bench, "both", "hybrid", False)))
    bench.rounds(runs)
