"""aria2c, without its log, and with its RPC where it is to share when it is done."""

from clients.aria2 import Aria2 as Driver
from clients.client import is_magnet
from contenders.contender import Contender
from rig.process import free_port


class Aria2(Contender, Driver):
    package, binaries = "aria2", ("aria2c", "libaria2.so")
    exits = True
    rpc = 0

    def _argv(self, folder):
        words = [w for w in super()._argv(folder) if not w.startswith("--log")]
        return words + [f"--max-overall-upload-limit={self.up}",
                        f"--max-overall-download-limit={self.down}"]

    def _leech(self, source, dest, peers):
        if not self.stay:
            super()._leech(source, dest, peers)
            return
        self.rpc = free_port("127.0.0.1")
        extra = ["--bt-save-metadata=false"] if is_magnet(source) else []
        self.start(self._argv(dest) + extra + ["--seed-ratio=0.0", "--enable-rpc=true",
                                               f"--rpc-listen-port={self.rpc}", source])

    def _done(self):
        return self._seeding(self.rpc) if self.stay else super()._done()

    @staticmethod
    def verifier(torrent, folder):
        return ["aria2c", "--no-conf=true", "--enable-dht=false", "--enable-dht6=false",
                "--bt-enable-lpd=false", f"--dir={folder}", "--check-integrity=true",
                "--hash-check-only=true", "--console-log-level=warn", "--summary-interval=0",
                torrent]
