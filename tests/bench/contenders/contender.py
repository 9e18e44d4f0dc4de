"""What the bench wants of a client besides what its driver in tests/interop gives.

A contender is that driver with this class before it: it makes manifests, seeds, leeches and says
when it is done; its program is watched from outside (measure.py). Set before it starts: `wrap`,
words to put before its command; `up` and `down`, ceilings in bytes a second; `stay`, whether a
leech goes on to share once it has all.
"""

import subprocess
import time


class Contender:
    package = None      # Debian's, for the version
    binaries = ()       # for the footprint
    quick = True        # fast enough for QUICK=1
    exits = False       # a leech ends by itself when done
    poll = 0.05         # seconds from question to question whether it is done
    limit_unit = 1      # bytes a second
    wrap, up, down, stay, began = (), 0, 0, False, 0.0

    def start(self, argv, **env):
        self.began = time.monotonic()
        super().start([*self.wrap, *argv], **env)

    def done(self):
        return self._done()

    @staticmethod
    def maker(path, out, fmt):
        """The command that writes a manifest of this format, or None: it has none."""
        return None

    @staticmethod
    def verifier(torrent, folder):
        """The command that hashes again what lies there, or None."""
        return None

    def seed_many(self, torrents, folder):
        """Begins to serve all .torrent files below `torrents`, whose content lies in `folder`."""
        raise NotImplementedError

    def serves_many(self, n):
        """Whether n are being served."""
        raise NotImplementedError

    @classmethod
    def version(cls):
        said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", cls.package],
                              capture_output=True, text=True, check=False).stdout
        return said.partition("-")[0].partition("+")[0] or "absent"
