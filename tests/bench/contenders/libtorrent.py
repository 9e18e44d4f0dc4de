"""libtorrent 2 in a process of its own; its interpreter's memory (some 6 MiB) counts with it."""

import json
import os

from clients.libtorrent import Libtorrent as Driver
from contenders.contender import Contender

PROCESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtorrent_process.py")


class Libtorrent(Contender, Driver):
    package, poll = "python3-libtorrent", 0.005
    binaries = ("libtorrent-rasterbar.so",)

    def start(self, argv, **env):
        job = json.loads(argv[-1])
        super().start(argv[:-3] + [PROCESS, argv[-2], json.dumps({**job, "up": self.up,
                                                                    "down": self.down})], **env)

    @staticmethod
    def maker(path, out, fmt):
        return Driver.maker_argv(path, out, fmt, None)

    def seed_many(self, torrents, folder):
        self.start(self._argv("many", torrents=torrents, folder=folder, addr=self.addr,
                              port=self.port, ways=[], nodes=[]))

    def serves_many(self, n):
        return self._done()
