"""One core and 64 MiB of memory in all: what still moves.

A control group holds the program, its files in the page cache, and its sockets (version 2 where
it may be written, else version 1). The leech writes to disk, for what lies in memory counts as
memory of whoever wrote it. Without control groups: a ceiling on its data (prlimit), and the note
says so. The other end has the other core, and as much as it likes.
"""

import os
import shutil
import tempfile

from contenders import CLIENTS, SLOW
from experiments import transfer
from rig.process import Failed

SIZES = ("a file of the size", "a file of the size")
LIMIT = 64 << 20
CGROUP = "/sys/fs/cgroup"


class Cell:
    """The limits, as words before a command."""

    def __init__(self):
        self.folder, self.how = None, "prlimit on its data alone: no control group may be written"
        for parent, name in ((CGROUP, "memory.max"), (f"{CGROUP}/memory", "memory.limit_in_bytes")):
            folder = os.path.join(parent, f"bench-{os.getpid()}")
            try:
                os.mkdir(folder)
            except OSError:
                continue
            # "r+": where no control group is, this must not make a file.
            try:
                with open(os.path.join(folder, name), "r+", encoding="ascii") as f:
                    f.write(str(LIMIT))
                self.folder, self.how = folder, None
                return
            except OSError:
                os.rmdir(folder)

    def words(self):
        core = ["taskset", "-c", "0"]
        if not self.folder:
            return ["prlimit", f"--data={LIMIT}", *core]
        enter = f'echo $$ >{self.folder}/cgroup.procs && exec "$@"'
        return ["sh", "-c", enter, "sh", *core]

    def end(self):
        if self.folder:
            os.rmdir(self.folder)


def once(bench, kind, end):
    disk = tempfile.mkdtemp(prefix="bench-", dir="/var/tmp")
    cell = Cell()

    def dress(stage, seeds, leech):
        os.symlink(disk, stage.path("got"))
        small, big = (leech, seeds[0]) if end == "leech" else (seeds[0], leech)
        small.wrap, big.wrap = cell.words(), ["taskset", "-c", "1"]

    try:
        found = transfer.once(bench, kind, kind, "v1", dress=dress)
        return {k: found[k] for k in ("wall", "rate", "flow", f"{end} cpu", f"{end} anon")}
    finally:
        cell.end()
        shutil.rmtree(disk, ignore_errors=True)


def play(bench):
    if os.cpu_count() < 2:
        raise Failed("the other end needs a core of its own")
    probe = Cell()
    probe.end()
    for end in ("leech", "seed"):
        title = f"one core and 64 MiB: the {end}"
        if probe.how:
            bench.figures.cannot(title, "all", probe.how)
        kinds = bench.not_now(title, [CLIENTS[n] for n in (
            "p2p", "rtorrent", "libtorrent", "aria2", "transmission")], ("aria2",))
        bench.rounds([(title, k.name, lambda k=k, e=end: once(bench, k, e)) for k in kinds],
                     once=SLOW)
