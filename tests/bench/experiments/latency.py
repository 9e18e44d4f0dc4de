"""How long small things take, from exec to exit: 1 MiB by link, and the programs that only tell.

A link by which nobody could be found would be waited for without end; after a while it counts as
never. Clients that do not end by themselves are asked whether they are done.
"""

import os
import time

from clients.p2p import program
from contenders import CLIENTS, SLOW
from rig.manifest import Manifest
from rig.process import Failed, clean_env, wait_until

SIZES = ("1 MiB by link, given up after 30 s; small files 30 times",
         "1 MiB by link, given up after 15 s; small files 4 times")


def by_link(bench, kind, tracked, dress=None):
    """dress(stage, seeds, leech): what is still to be set before they start."""
    folder = bench.big(1 << 20)
    torrent = bench.torrent(folder, "v1")
    with bench.stage() as stage:
        tracker, hashes = bench.tracker(stage, torrent, ("v1",)) if tracked else (None, [])
        url = tracker.url("http") if tracker else None
        seeded = bench.with_tracker(torrent, stage.path("t.torrent"), url) if url else torrent
        seed, leech = stage.client(kind), stage.client(kind)
        if dress:
            dress(stage, [seed], leech)
        seed.seconds = 60
        leech.seconds = bench.pick(30, 15)
        peer = seed.seed(seeded, folder)
        if tracker:
            tracker.wait_seed(hashes, seed.seconds, seed.program)
        link = Manifest(torrent).magnet(url, [] if tracker else [peer])
        leech.start_leech(leech.accept_link(link), stage.path("got"))
        try:
            wait_until(leech.done, leech.seconds, kind.name, leech.program, min(leech.poll, 0.01))
        except Failed as e:
            if "not within" in str(e):
                raise Failed(f"never (not within {leech.seconds} s)") from None
            raise
        return {"time": 1000 * (time.monotonic() - leech.began)}


def spawned(argv, env):
    """Milliseconds from exec to exit; by the plainest way to start a program."""
    null = os.open(os.devnull, os.O_RDWR)
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, env, file_actions=[
        (os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
    _, status = os.waitpid(pid, 0)
    took = 1000 * (time.perf_counter() - began)
    os.close(null)
    if status:
        raise Failed(f"{os.path.basename(argv[0])} ended with {os.waitstatus_to_exitcode(status)}")
    return took


def small_programs(bench):
    """{title: [(client, function that gives argv)]}: a file of 64 KiB and its manifest."""
    folder = bench.big(64 << 10)
    file, torrent = os.path.join(folder, "content.bin"), bench.torrent(folder, "v1")
    out = bench.path("small.torrent")
    return {
        "add 64 KiB": [("p2p", [program("p2p-add"), "-q", file]),
                       ("mktorrent", ["mktorrent", "-o", out, file]),
                       ("transmission-create", ["transmission-create", "-o", out, file])],
        "tell of a .torrent": [("p2p", [program("p2p-ls"), torrent]),
                               ("aria2", ["aria2c", "--no-conf=true", "-S", torrent]),
                               ("transmission-show", ["transmission-show", torrent])],
        "list the catalogue": [("p2p", [program("p2p-ls")])],
    }


def plain(argv, env):
    out = argv[argv.index("-o") + 1] if "-o" in argv else None
    if out and os.path.exists(out):
        os.unlink(out)
    return {"time": spawned(argv, env)}


def play(bench):
    runs = []
    for title, tracked, slow in (("1 MiB by link with a tracker", True, ("aria2",)),
                                 ("1 MiB by link with x.pe alone", False, ("aria2", "rtorrent"))):
        for kind in bench.not_now(title, CLIENTS.values(), slow):
            runs.append((title, kind.name, lambda k=kind, t=tracked: by_link(bench, k, t)))
    bench.rounds(runs, max(bench.runs, bench.pick(5, 1)), once=SLOW)
    env = clean_env(bench.base, P2P_HOME=bench.path("latency-home"))
    bench.rounds([(title, name, lambda a=argv: plain(a, env))
                  for title, of in small_programs(bench).items() for name, argv in of],
                 bench.pick(30, 4))
