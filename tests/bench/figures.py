"""The figures as they come in, and the table they make: medians with the least, the greatest and
the ratio to ours, one line for each experiment, client and metric."""

import datetime
import os
import platform
import statistics
from dataclasses import dataclass

HEAD = ("experiment", "client", "metric", "unit", "n", "median", "min", "max", "ratio", "note")
UNITS = {
    "wall": "s", "rate": "MB/s", "flow": "MB/s", "cpu": "s", "seed cpu": "s", "leech cpu": "s",
    "anon": "MiB", "peak": "MiB", "seed anon": "MiB", "leech anon": "MiB", "ready": "s",
    "idle cpu": "%", "last / bound": "", "copies": "", "answered": "%", "size": "KiB",
    "libraries": "", "time": "ms", "came": "%",
    "steady": "MB/s", "filled": "%", "steady filled": "%", "round trips": "",
    "mean / limit": "", "worst 10 s": "%", "worst 100 ms / share": "",
}
OURS = "p2p"
BARE = ("size", "libraries")    # one of ours is not beside one of theirs


@dataclass
class Row:
    experiment: str
    client: str
    metric: str
    unit: str
    n: int
    median: float
    least: float
    most: float
    ratio: float    # None: nothing of ours beside it
    note: str

    def words(self):
        figures = [f"{v:.6g}" for v in (self.median, self.least, self.most)] if self.n else ["-"] * 3
        ratio = f"{self.ratio:.3g}" if self.ratio is not None else "-"
        return [self.experiment, self.client, self.metric, self.unit, str(self.n), *figures, ratio,
                self.note]


class Figures:
    """Of one experiment file; say() is told of what failed as it happens."""

    def __init__(self, say):
        self.values, self.notes, self.say = {}, {}, say

    def add(self, experiment, client, found):
        for metric, value in found.items():
            self.values.setdefault((experiment, client, metric), []).append(value)

    def cannot(self, experiment, client, why):
        """What was not to be had, which the table says."""
        self.notes.setdefault((experiment, client), " ".join(str(why).split()))
        self.say(f"{experiment}: {client}: {why}")

    def failed(self, experiment, client):
        return (experiment, client) in self.notes

    def rows(self):
        out = []
        for (experiment, client, metric), v in self.values.items():
            median = statistics.median(v)
            ours = self.values.get((experiment, OURS, metric))
            base = statistics.median(ours) if ours and metric not in BARE else 0
            out.append(Row(experiment, client, metric, UNITS[metric], len(v), median, min(v),
                           max(v), median / base if base else None,
                           self.notes.get((experiment, client), "")))
        told = {(r.experiment, r.client) for r in out}
        out += [Row(e, c, "-", "", 0, 0, 0, 0, None, why) for (e, c), why in self.notes.items()
                if (e, c) not in told]
        return out


def machine():
    """What the reader must know of it: no names."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        text = f.read()
    flags = text.partition("flags")[2].partition("\n")[0].split()
    has = [name for flag, name in (("sha_ni", "SHA instructions"), ("avx512f", "AVX-512"),
                                   ("avx2", "AVX2")) if flag in flags]
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(f.readline().split()[1]) / (1 << 20)
    return (f"{len(os.sched_getaffinity(0))} cores {platform.machine()}"
            f" with {', '.join(has) or 'no SHA instructions'}; {memory:.0f} GiB; "
            f"Linux {'.'.join(platform.release().split('.')[:2])}")


def save(path, rows, sizes):
    """A table; its first line says when, where and how big."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"# {now}; {machine()}; load {os.getloadavg()[0]:.1f}; {sizes}\n")
        for words in [HEAD] + [r.words() for r in rows]:
            f.write("\t".join(words) + "\n")


def load(path):
    """(the first line's words, rows)"""
    with open(path, encoding="utf-8") as f:
        about = f.readline()[2:].strip()
        f.readline()
        rows = []
        for line in f:
            w = line.rstrip("\n").split("\t")
            figures = [float(x) if x != "-" else 0.0 for x in w[5:8]]
            rows.append(Row(*w[:4], int(w[4]), *figures, float(w[8]) if w[8] != "-" else None,
                            w[9]))
    return about, rows
