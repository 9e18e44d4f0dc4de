"""libtorrent 2 through python3-libtorrent: v1, v2 and hybrids, as qBittorrent and Deluge use it.

The library lives in a process of its own, rig/libtorrent_process.py, so that it has a pid, a
log and a memory that can be measured.
"""

import json
import os

from clients.client import Client
from rig.process import run

PROCESS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rig",
                       "libtorrent_process.py")


class Libtorrent(Client):
    name = "libtorrent"
    formats = ("v1", "v2", "hybrid")
    takes_peer = True
    makes = ("v1", "v2", "hybrid")
    meets = ("dht", "pex", "lsd")
    sparing = None   # the address of one to whom it uploads but a trickle

    @staticmethod
    def _argv(what, **job):
        return ["/usr/bin/python3", "-I", "-B", PROCESS, what, json.dumps(job)]

    @staticmethod
    def maker_argv(path, out, fmt, tracker):
        return Libtorrent._argv("make", path=path, out=out, format=fmt, tracker=tracker)

    @staticmethod
    def make_torrent(path, out, fmt, tracker, folder):
        run(Libtorrent.maker_argv(path, out, fmt, tracker),
            os.path.join(folder, "create.log"), folder)

    @staticmethod
    def read_torrent(path, folder):
        """What libtorrent sees in a .torrent: {v1, v2, name, files}."""
        return json.loads(run(Libtorrent._argv("read", path=path),
                              os.path.join(folder, "read.log"), folder))

    def _start(self, source, folder, peers):
        self.start(self._argv("serve", source=source, folder=folder,
                              addr=self.addr, port=self.port,
                              peers=[[p.addr, p.port] for p in peers],
                              ways=self.ways, sparing=self.sparing,
                              nodes=[[n.addr, n.port] for n in self.nodes]))

    def _said(self, word):
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            return f"{word}\n" in f.read()

    def _done(self):
        return self._said("complete")

    def wait_served(self):
        """Until somebody has taken the first bytes from one that is sparing."""
        self.until(lambda: self._said("served"), "to serve")

    def _seed(self, torrent, data):
        self._start(torrent, data, ())
        self.until(self._done, "to seed")

    def _leech(self, source, dest, peers):
        self._start(source, dest, peers)
