"""What an experiment is given: a folder in memory, content, manifests, a stage, and its figures.

An experiment is a module with SIZES (in words, for the table's first line: (full, quick)) and
play(bench). It names its runs and bench.rounds() plays them round robin, so that a busy minute of
the machine falls on all alike.
"""

import contextlib
import hashlib
import os
import random
import shutil

from clients import OTHERS
from rig.manifest import Manifest
from rig.process import Failed
from rig.stage import Stage

MIB = 1 << 20
TOO_SLOW = "not with QUICK=1: too slow"


class Bench:
    def __init__(self, base, quick, runs, figures, size):
        self.base, self.quick, self.runs, self.figures = base, quick, runs, figures
        self.size = size        # of one big file
        self.number = 0

    def pick(self, full, quick):
        return quick if self.quick else full

    def path(self, *names):
        return os.path.join(self.base, *names)

    # ---- content ----

    def big(self, size):
        """The folder of content.bin, of so many random bytes; the same every time."""
        folder = self.path(f"file-{size}")
        if not os.path.exists(folder):
            os.makedirs(folder)
            rng = random.Random(size)
            with open(os.path.join(folder, "content.bin"), "wb") as f:
                for _ in range(size >> 20):
                    f.write(rng.randbytes(MIB))
                f.write(rng.randbytes(size % MIB))
        return folder

    def small(self, n, size):
        """A folder of n random files in folders of 200, `size` bytes each, more or less."""
        folder = self.path(f"files-{n}-{size}")
        rng = random.Random(n)
        for i in range(0 if os.path.exists(folder) else n):
            below = os.path.join(folder, f"{i // 200:03}")
            os.makedirs(below, exist_ok=True)
            with open(os.path.join(below, f"{i:06}.dat"), "wb") as f:
                f.write(rng.randbytes(rng.randrange(size // 2, size * 3 // 2)))
        return folder

    def torrent(self, folder, fmt):
        """The .torrent of content.bin in a folder, made by libtorrent: the same for all."""
        path = f"{folder}.{fmt}.torrent"
        if not os.path.exists(path):
            OTHERS["libtorrent"].make_torrent(os.path.join(folder, "content.bin"), path, fmt, None,
                                              self.base)
        return path

    def many(self, n, size):
        """(folder of n files, folder of their .torrent files of v1, their hashes)"""
        data, torrents = self.path(f"many-{n}"), self.path(f"many-{n}-torrents")
        os.makedirs(data)
        os.makedirs(torrents)
        rng, hashes = random.Random(n), []
        for i in range(n):
            name, content = f"{i:06}.dat", rng.randbytes(size)
            with open(os.path.join(data, name), "wb") as f:
                f.write(content)
            info = b"d6:lengthi%de4:name%d:%s12:piece lengthi%de6:pieces20:%se" % (
                size, len(name), name.encode(), max(size, 16384), hashlib.sha1(content).digest())
            with open(os.path.join(torrents, f"{i:06}.torrent"), "wb") as f:
                f.write(b"d4:info" + info + b"e")
            hashes.append(hashlib.sha1(info).hexdigest())
        return data, torrents, hashes

    @staticmethod
    def with_tracker(torrent, out, url):
        with open(torrent, "rb") as f:
            data = f.read()
        with open(out, "wb") as f:
            f.write(b"d8:announce%d:%s" % (len(url), url.encode()) + data[1:])
        return out

    # ---- runs ----

    @contextlib.contextmanager
    def stage(self):
        """A folder, addresses and clients for one run; all is ended and deleted after it."""
        self.number += 1
        folder = self.path(f"run-{self.number}")
        os.makedirs(folder, mode=0o755)
        stage = Stage(folder, None)
        try:
            yield stage
        finally:
            try:
                stage.end()
            except Failed as e:
                self.figures.say(f"at the end: {e}")
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def tracker(stage, torrent, seed_formats):
        """A tracker for it, running, and the hashes by which it will be asked."""
        tracker = stage.tracker()
        hashes = Manifest(torrent).announced(seed_formats)
        tracker.start(Manifest(torrent).announced())
        return tracker, hashes

    def rounds(self, runs, times=None, once=()):
        """runs: [(experiment, client, function that gives {metric: value})]. What failed once is
        not tried again; clients with one of the words `once` in their name are played once."""
        for turn in range(times or self.runs):
            for experiment, client, play in runs:
                if self.figures.failed(experiment, client):
                    continue
                if turn and any(word in client for word in once):
                    continue
                try:
                    found = play()
                except (Failed, OSError) as e:
                    self.figures.cannot(experiment, client, e)
                    continue
                self.figures.add(experiment, client, found)
                said = ", ".join(f"{k} {v:.4g}" for k, v in found.items())
                self.figures.say(f"{turn + 1}: {experiment}: {client}: {said}")

    def not_now(self, experiment, contenders, slow=()):
        """Those that are fast enough for this run; of others, which are those that are always slow
        to begin and whoever is called slow here, the table says so."""
        late = [c for c in contenders if self.quick and (not c.quick or c.name in slow)]
        for c in late:
            self.figures.cannot(experiment, c.name, TOO_SLOW)
        return [c for c in contenders if c not in late]
