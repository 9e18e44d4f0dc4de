"""What a process costs: seconds on the processors, and its peak of memory while it is watched.

Two figures for memory, for they answer different questions. "peak" is all that was resident
(VmHWM): with files mapped into memory it holds pages of the file that the kernel could take
back at any time. "anon" is what the program really holds (RssAnon), a peak of samples.
"""

import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def forget_peak(pid):
    """What was resident before does not count, such as while a seed checked its content."""
    try:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")
    except OSError:
        pass


class Watch(threading.Thread):
    """Samples one program until finish(); then cpu, peak and anon (seconds, KiB, KiB). Each sample
    takes time from what is measured: not `every` so few seconds where there is little to see."""

    def __init__(self, program, every=0.01):
        super().__init__(daemon=True)
        self.program, self.every, self.ended = program, every, threading.Event()
        self.peak = self.anon = 0
        self.cpu = 0.0
        self.before = cpu_seconds(program.pid)
        forget_peak(program.pid)
        self.start()

    def _sample(self):
        try:
            with open(f"/proc/{self.program.pid}/status", encoding="ascii",
                      errors="replace") as f:
                found = dict(line.split(":", 1) for line in f if line[:3] in ("VmH", "Rss"))
            self.peak = max(self.peak, int(found["VmHWM"].split()[0]))
            self.anon = max(self.anon, int(found["RssAnon"].split()[0]))
        except (OSError, KeyError, ValueError):
            pass    # it has just ended

    def run(self):
        while not self.ended.wait(self.every):
            self._sample()

    def finish(self):
        self.ended.set()
        self.join()
        if self.program.ended() is not None:
            usage = self.program.usage
            # Not ru_maxrss: that still counts what this program was before it became another.
            self.cpu = usage.ru_utime + usage.ru_stime - self.before
        else:
            self._sample()
            self.cpu = cpu_seconds(self.program.pid) - self.before
        return self


class FirstByte(threading.Thread):
    """When the first data of a download reached its folder, asked every few milliseconds."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.at, self.ended = folder, None, threading.Event()
        self.start()

    def _written(self, folder):
        try:
            with os.scandir(folder) as entries:
                return sum(self._written(e.path) if e.is_dir(follow_symlinks=False)
                           else e.stat().st_blocks * 512 for e in entries)
        except OSError:
            return 0

    def run(self):
        while not self.ended.wait(0.005):
            # More than a program's notes on a download come to.
            if self._written(self.folder) >= 64 << 10:
                self.at = time.monotonic()
                return

    def finish(self):
        self.ended.set()
        self.join()
        return self.at


def to_end(program, base):
    """Runs it to its end: wall and processor seconds, MiB that it held."""
    watch = Watch(program)
    watch.before = 0.0
    while program.ended() is None:
        program.rest(1)
    wall = time.monotonic() - base
    watch.finish()
    return {"wall": wall, "cpu": watch.cpu, "anon": watch.anon / 1024}


def busy(pid, seconds):
    """Share of one core, in percent, that it takes: by the scheduler's own clock, for ticks of
    10 ms are too coarse for somebody idle."""
    def spent():
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9

    before, began = spent(), time.monotonic()
    time.sleep(seconds)
    return 100 * (spent() - before) / (time.monotonic() - began)
