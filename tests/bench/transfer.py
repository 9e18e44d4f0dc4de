"""One file from a client to another of its kind, over the loopback device, from and to memory.

Every client has the same content and, in its format, the same .torrent; it meets its peer by
address where it can be told one, else by opentracker. "wall" is what a user waits, from the
start of the program to its word that all is there, so it holds a client's own slowness to
start; "flow" begins with the first data that arrived.
"""

import os
import shutil
import time
from dataclasses import dataclass

from clients import OTHERS, OURS
from measure import FirstByte, Watch
from report import ratio, spread, table, tsv
from rig.manifest import Manifest
from rig.process import Failed
from rig.stage import Stage

CONTENDERS = {
    "p2p": (OURS, "v1"),
    "p2p v2": (OURS, "v2"),
    "p2p hybrid": (OURS, "hybrid"),
    "aria2": (OTHERS["aria2"], "v1"),
    "transmission": (OTHERS["transmission-daemon"], "v1"),
    "libtorrent": (OTHERS["libtorrent"], "v1"),
    "libtorrent v2": (OTHERS["libtorrent"], "v2"),
    "rtorrent": (OTHERS["rtorrent"], "v1"),
}
FIELDS = ("wall", "flow", "seed_cpu", "get_cpu", "seed_peak", "get_peak", "seed_anon", "get_anon")


@dataclass
class Setting:
    base: str        # a folder in memory
    content: str     # the file
    seconds: float   # until a run is given up


def manifests(setting):
    """One .torrent a format, made by libtorrent: the same for all."""
    for fmt in ("v1", "v2", "hybrid"):
        OTHERS["libtorrent"].make_torrent(setting.content, f"{setting.base}/{fmt}.torrent", fmt,
                                          None, setting.base)


def _with_tracker(setting, stage, fmt):
    """The .torrent with the tracker of this run, for those that must have one."""
    tracker = stage.tracker()
    path = stage.path("t.torrent")
    url = tracker.url("http").encode()
    with open(f"{setting.base}/{fmt}.torrent", "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(b"d8:announce%d:%s" % (len(url), url) + data[1:])
    tracker.start(Manifest(path).announced())
    return path, tracker


def once(setting, kind, fmt, number):
    """One run; the figures by name."""
    folder = os.path.join(setting.base, f"run-{number}")
    os.makedirs(folder, mode=0o755)
    stage = Stage(folder, None)
    try:
        torrent, tracker = f"{setting.base}/{fmt}.torrent", None
        if not kind.takes_peer:
            torrent, tracker = _with_tracker(setting, stage, fmt)
        seed, leech = stage.client(kind), stage.client(kind)
        seed.seconds = leech.seconds = setting.seconds
        peer = seed.seed(torrent, os.path.dirname(setting.content))
        if tracker:
            tracker.wait_seed(Manifest(torrent).announced(kind.formats), seed.seconds)
        return _watched(stage, setting, seed, leech, torrent, [] if tracker else [peer])
    finally:
        stage.end()
        shutil.rmtree(folder, ignore_errors=True)


def _watched(stage, setting, seed, leech, torrent, peers):
    dest = stage.path("got")
    os.makedirs(dest)
    first, of_seed = FirstByte(dest), Watch(seed.program)
    began = time.monotonic()
    leech.start_leech(torrent, dest, peers)
    of_leech = Watch(leech.program)
    of_leech.before = 0.0
    leech.wait()
    ended = time.monotonic()
    of_leech.finish()
    of_seed.finish()
    size = os.path.getsize(setting.content)
    got = os.path.join(dest, os.path.basename(setting.content))
    if os.path.getsize(got) != size:
        raise Failed("the file is not whole")
    return {"wall": ended - began, "flow": ended - (first.finish() or began),
            "seed_cpu": of_seed.cpu, "get_cpu": of_leech.cpu,
            "seed_peak": of_seed.peak / 1024, "get_peak": of_leech.peak / 1024,
            "seed_anon": of_seed.anon / 1024, "get_anon": of_leech.anon / 1024}


def play(setting, runs, chosen, say):
    """Round robin, so that a busy minute of the machine falls on all alike."""
    figures = {name: [] for name in chosen}
    number = 0
    for run in range(runs):
        for name in chosen:
            number += 1
            try:
                found = once(setting, *CONTENDERS[name], number)
            except (Failed, OSError) as e:
                say(f"{name}: {e}")
                continue
            figures[name].append(found)
            say(f"run {run + 1}: {name}: {found['wall']:.2f} s")
    return figures


def report(figures, size, out):
    def column(name, field):
        return [f[field] for f in figures[name]]

    rows = []
    for name in figures:
        flow = [size / 1e6 / s for s in column(name, "flow") if s > 0]
        rows.append([name, spread(column(name, "wall"), 2),
                     ratio(column(name, "wall"), column("p2p", "wall") if "p2p" in figures else []),
                     spread(column(name, "flow"), 2), spread(flow, 0)]
                    + [spread(column(name, f), 2) for f in ("seed_cpu", "get_cpu")]
                    + [spread(column(name, f), 0) for f in FIELDS[4:]])
    table(f"Transfer of {size / 2 ** 20:.0f} MiB: median (least..greatest)",
          ["", "wall s", "to p2p", "flow s", "MB/s", "seed cpu s", "get cpu s", "seed peak MiB",
           "get peak MiB", "seed anon MiB", "get anon MiB"], rows)
    tsv(out, ["client", "run", *FIELDS],
        [[name, i + 1] + [f"{f[k]:.3f}" for k in FIELDS]
         for name, found in figures.items() for i, f in enumerate(found)])
