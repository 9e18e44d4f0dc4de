"""Ours, as anybody would use it."""

import os
import subprocess
import time

from clients.p2p import BIN, P2p, program, switches
from contenders.contender import Contender
from rig.process import run


class Ours(Contender, P2p):
    exits = True
    binaries = ("p2p", "p2p-add", "p2p-get", "p2p-seed", "p2p-ls", "p2p-rm", "p2p-node")
    known = {}          # program -> its switches, asked for once

    def _run(self, argv):
        self.began = time.monotonic()
        super()._run([*self.wrap, *argv])

    def _how(self, name):
        if name not in self.known:
            self.known[name] = switches(name, self.env)
        return (self.known[name] + (["--limit-up", str(self.up)] if self.up else [])
                + (["--limit-down", str(self.down)] if self.down else []))

    def _seed(self, torrent, data):
        self._how("p2p-get")    # asks for the switches before a clock runs
        super()._seed(torrent, data)

    def _leech(self, source, dest, peers, *more):
        stay = ("--seed-for", f"{self.seconds:.0f}s") if self.stay else ()
        super()._leech(source, dest, peers, *more, *stay)

    @staticmethod
    def maker(path, out, fmt):
        return [program("p2p-add"), "--no-catalogue", "--format", fmt, "-o", out, path]

    def add_many(self, folder, piece):
        """Into its catalogue, as v1: what its user did long before it seeds."""
        names = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
        for i in range(0, len(names), 1000):
            run([program("p2p-add"), "-q", "--format", "v1", "--piece-size", str(piece),
                 *names[i:i + 1000]], self.path("log"), self.folder, seconds=300, env=self.env)

    def seed_many(self, torrents, folder):
        self._run([program("p2p-seed"), "--bind", self.addr, "--port", str(self.port),
                   *self._how("p2p-seed")])

    def serves_many(self, n):
        lines = self._lines()
        return bool(lines) and int(lines[0].split("\t")[2]) == n

    @classmethod
    def version(cls):
        said = subprocess.run([os.path.join(BIN, "p2p"), "--version"], capture_output=True,
                              text=True, check=False).stdout
        return said.split()[-1] if said else "absent"
