"""A stream beside a file: p2p-get -o - | cat >/dev/null, and p2p-get to a file in memory.

One p2p-seed, one p2p-get, a file of the size, in each format. "wall" is from the start of p2p-get to
its end; "peak" is all that it held resident, of which the window is 32 MiB, and for the file the
pages of it that are mapped or buffered. Other clients write no stream.
"""

import os
import subprocess
import time

from clients import OURS
from clients.p2p import program
from measure import Watch
from rig.process import Failed, Program, wait_until

SIZES = ("a file of the size", "a file of the size")
FORMATS = ("v1", "v2", "hybrid")


def fetched(bench, fmt, to_pipe):
    folder = bench.big(bench.size)
    torrent = bench.torrent(folder, fmt)
    with bench.stage() as stage:
        seed, leech = stage.client(OURS), stage.client(OURS)
        peer = seed.seed(torrent, folder)
        argv = [program("p2p-get"), "-q", "--bind", leech.addr, "--peer",
                f"{peer.addr}:{peer.port}", "-o", "-" if to_pipe else stage.path("got"), torrent]
        cat = None
        if to_pipe:
            os.mkfifo(leech.answer)
            cat = subprocess.Popen(["cat", leech.answer], stdout=subprocess.DEVNULL)
        began = time.monotonic()
        get = Program(argv, leech.path("log"), leech.folder, leech.env, leech.answer)
        watch = Watch(get)
        watch.before = 0.0
        wait_until(lambda: get.ended() is not None, 600, "p2p-get to end", get, 0.005)
        wall = time.monotonic() - began
        watch.finish()
        if cat:
            cat.wait()
        if get.ended() != 0:
            raise Failed(f"p2p-get ended with {get.ended()}")
        return {"wall": wall, "cpu": watch.cpu, "peak": watch.peak / 1024,
                "anon": watch.anon / 1024}


def play(bench):
    bench.rounds([(f"stream {fmt}", "p2p" if to_pipe else "(to a file)",
                   lambda fmt=fmt, to_pipe=to_pipe: fetched(bench, fmt, to_pipe))
                  for fmt in FORMATS for to_pipe in (True, False)])
