"""How fast content becomes a manifest: p2p-add beside the makers that Debian has.

`openssl speed` gives what one core can do at best, in the same table.
"""

import os
import re
import subprocess
import time

from clients.libtorrent import Libtorrent
from clients.p2p import program
from measure import Watch
from report import ratio, spread, table, tsv
from rig.process import Failed, Program

FIELDS = ("wall", "cpu", "peak", "anon")


def makers():
    """name -> a function (content, out) that gives the command."""
    def ours(fmt):
        return lambda path, out: [program("p2p-add"), "--no-catalogue", "--format", fmt,
                                  "-o", out, path]

    def libtorrent(fmt):
        return lambda path, out: Libtorrent.maker_argv(path, out, fmt, None)

    return {
        "p2p-add v1": ours("v1"), "p2p-add v2": ours("v2"), "p2p-add hybrid": ours("hybrid"),
        "mktorrent": lambda path, out: ["mktorrent", "-o", out, path],
        "mktorrent -t 1": lambda path, out: ["mktorrent", "-t", "1", "-o", out, path],
        "transmission-create": lambda path, out: ["transmission-create", "-o", out, path],
        "libtorrent v1": libtorrent("v1"), "libtorrent v2": libtorrent("v2"),
        "libtorrent hybrid": libtorrent("hybrid"),
    }


def once(base, content, command):
    out = os.path.join(base, "made.torrent")
    if os.path.exists(out):
        os.unlink(out)
    began = time.monotonic()
    made = Program(command(content, out), os.path.join(base, "make.log"), base)
    watch = Watch(made)
    watch.before = 0.0
    while made.ended() is None:
        time.sleep(0.002)
    wall = time.monotonic() - began
    watch.finish()
    if made.ended() != 0 or not os.path.exists(out):
        raise Failed(f"ended with {made.ended()}: {made.tail()}")
    return {"wall": wall, "cpu": watch.cpu, "peak": watch.peak / 1024, "anon": watch.anon / 1024}


def openssl():
    """MB/s of one core for blocks of 16 KiB: {"sha1": …, "sha256": …}."""
    out = {}
    for digest in ("sha1", "sha256"):
        done = subprocess.run(["openssl", "speed", "-seconds", "1", "-bytes", "16384",
                               "-evp", digest],
                              capture_output=True, text=True, check=False)
        found = re.search(r"([\d.]+)k\s*$", done.stdout.strip())
        if found:
            out[digest] = float(found[1]) / 1000
    return out


def play(base, content, runs, chosen, say):
    figures = {name: [] for name in chosen}
    commands = makers()
    for _ in range(runs):
        for name in chosen:
            try:
                figures[name].append(once(base, content, commands[name]))
            except (Failed, OSError) as e:
                say(f"{name}: {e}")
    return figures


def report(figures, size, out):
    rows = []
    speeds = openssl()
    base = [f["wall"] for f in figures.get("p2p-add v1", [])]
    for name, found in figures.items():
        wall = [f["wall"] for f in found]
        rows.append([name, spread(wall, 2), ratio(wall, base),
                     spread([size / 1e6 / w for w in wall], 0)]
                    + [spread([f[k] for f in found], d) for k, d in
                       (("cpu", 2), ("peak", 0), ("anon", 0))])
    for digest, speed in speeds.items():
        rows.append([f"openssl speed {digest}", "-", "-", f"{speed:.0f}", "-", "-", "-"])
    table(f"Hashing of {size / 2 ** 20:.0f} MiB: median (least..greatest)",
          ["", "wall s", "to p2p-add v1", "MB/s", "cpu s", "peak MiB", "anon MiB"], rows)
    tsv(out, ["maker", "run", *FIELDS],
        [[name, i + 1] + [f"{f[k]:.3f}" for k in FIELDS]
         for name, found in figures.items() for i, f in enumerate(found)]
        + [[f"openssl speed {d}", "MB/s", f"{s:.1f}", "", "", ""] for d, s in speeds.items()])
