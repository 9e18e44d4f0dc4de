"""Many torrents in one process: when all are served, what it holds then, and what it takes idle.

Nothing changed on disk: ours has them in its catalogue, libtorrent is told to trust the files;
rtorrent hashes them, for it has no session of them yet.
"""

import random
import time

from clients.p2p import P2p
from contenders import CLIENTS
from measure import Watch, busy
from rig.process import shakes_hands, wait_until

SIZES = ("5,000 of 16 KiB; 10,000 of 64 KiB; idle for 10 s",
         "500 of 16 KiB; 1,000 of 64 KiB; idle for 1 s")


def once(bench, kind, n, size):
    data, torrents, hashes = bench.made_many
    with bench.stage() as stage:
        one = stage.client(kind)
        one.seconds = 300
        if isinstance(one, P2p):
            one.add_many(data, size)
        one.seed_many(torrents, data)
        watch = Watch(one.program)
        wait_until(lambda: one.serves_many(n), one.seconds, "all to be served", one.program,
                   1.0 if kind.name == "rtorrent" else 0.005)
        ready = time.monotonic() - one.began
        time.sleep(bench.pick(5, 0.5))
        idle = busy(one.program.pid, bench.pick(10, 1))
        asked = random.Random(n).sample(hashes, min(200, n))
        answers = sum(shakes_hands(one.addr, one.port, h) for h in asked)
        watch.finish()
        return {"ready": ready, "anon": watch.anon / 1024, "idle cpu": idle,
                "answered": 100 * answers / len(asked)}


def play(bench):
    n, size = bench.pick(5000, 500), 16 << 10
    title = f"{n:,} torrents in one process"
    kinds = bench.not_now(title, [CLIENTS[k] for k in ("p2p", "libtorrent", "rtorrent")],
                          ("rtorrent",))
    for other in ("aria2", "transmission"):
        bench.figures.cannot(title, other, "not tried: no driver for so many here")
    bench.made_many = bench.many(n, size)
    bench.rounds([(title, k.name, lambda k=k: once(bench, k, n, size)) for k in kinds])
    n, size = bench.pick(10000, 1000), 64 << 10
    title = f"{n:,} torrents of 64 KiB in one process"
    bench.made_many = bench.many(n, size)
    bench.rounds([(title, k, lambda k=k: once(bench, CLIENTS[k], n, size))
                  for k in ("p2p", "libtorrent")])
