"""aria2c. It knows v1.

Version 1.36 takes another info-hash for a hybrid than everybody else (it loses the empty keys
of the file tree before it hashes), so it stands in v1 rows alone. It has no way to be handed a
peer, and speaks to UDP trackers only with its DHT switched on.
"""

import json
import urllib.error
import urllib.request

from clients.client import Client, is_magnet
from rig.process import free_port


class Aria2(Client):
    name = "aria2"
    formats = ("v1",)
    meets = ("dht", "pex", "lsd")

    def _argv(self, folder):
        # Without another, it is its own way in: the DHT is on for UDP trackers' sake.
        entry = self.nodes[0] if self.nodes else self
        return ["aria2c", "--no-conf=true", f"--dir={folder}", f"--interface={self.addr}",
                f"--listen-port={self.port}", f"--dht-listen-port={self.port}",
                "--enable-dht=true", f"--dht-file-path={self.path('dht.dat')}",
                f"--dht-entry-point={entry.addr}:{entry.port}",
                "--enable-dht6=false", f"--bt-enable-lpd={'lsd' in self.ways}".lower(),
                f"--bt-lpd-interface={self.addr}",
                f"--enable-peer-exchange={'pex' in self.ways}".lower(),
                "--disable-ipv6=true", "--file-allocation=none", "--auto-save-interval=0",
                "--bt-min-crypto-level=plain", "--bt-require-crypto=false",
                "--bt-hash-check-seed=true", "--allow-overwrite=true", "--summary-interval=0",
                "--console-log-level=notice", f"--log={self.path('debug')}", "--log-level=info"]

    def _seed(self, torrent, data):
        rpc = free_port("127.0.0.1")
        self.start(self._argv(data) + ["--check-integrity=true", "--seed-ratio=0.0",
                                       "--enable-rpc=true", f"--rpc-listen-port={rpc}", torrent])
        self.until(lambda: self._seeding(rpc), "to seed")

    @staticmethod
    def _seeding(rpc):
        ask = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "aria2.tellActive"}).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{rpc}/jsonrpc", ask, timeout=2) as r:
                active = json.load(r)["result"]
        except (urllib.error.URLError, OSError):
            return False
        return any(a.get("seeder") == "true" for a in active)

    def _leech(self, source, dest, _peers):
        extra = ["--bt-save-metadata=false"] if is_magnet(source) else []
        self.start(self._argv(dest) + extra + ["--seed-time=0", source])

    def _done(self):
        return self.exited_well()
