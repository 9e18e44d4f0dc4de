"""rtorrent as a daemon."""

import os

from clients.rtorrent import Rtorrent as Driver
from contenders.contender import Contender


class Rtorrent(Contender, Driver):
    package, binaries, limit_unit = "rtorrent", ("rtorrent",), 1024

    def _start(self, folder):
        super()._start(folder)
        if self.up:
            self._call("throttle.global_up.max_rate.set_kb", "", self.up // 1024)
        if self.down:
            self._call("throttle.global_down.max_rate.set_kb", "", self.down // 1024)

    def seed_many(self, torrents, folder):
        self._start(folder)
        began = self.began
        self._call("load.start", "", os.path.join(torrents, "*.torrent"))
        self.began = began

    def serves_many(self, n):
        found = self._try("d.multicall2", "", "main", "d.complete=", "d.is_active=") or []
        return len(found) == n and all(f[0] and f[1] for f in found)
