"""Where one row plays: its folder, its network, its clients; everything ended afterwards."""

import concurrent.futures
import os
import shutil
import time

from rig import content
from rig.space import Space
from rig.tracker import Tracker

SECONDS = float(os.environ.get("P2P_INTEROP_SECONDS", "60"))


class Stage:
    def __init__(self, folder, shared, mtu=None):
        self.folder, self.shared = folder, shared
        self.space = Space(mtu)
        self.running = []
        self.began = time.monotonic()

    def path(self, name):
        return os.path.join(self.folder, name)

    def say(self, what):
        """A line in the row's own diary, to see afterwards where the time went."""
        with open(self.path("diary"), "a", encoding="utf-8") as f:
            f.write(f"{time.monotonic() - self.began:7.2f}  {what}\n")

    def content(self, kind, below="data"):
        """A copy of the shared content that a client may do with what it likes."""
        folder = self.path(below)
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(os.path.join(self.shared, kind)):
            path = os.path.join(self.shared, kind, name)
            out = os.path.join(folder, name)
            if os.path.isdir(path):
                shutil.copytree(path, out)
            else:
                shutil.copy(path, out)
            return out
        raise FileNotFoundError(kind)

    def client(self, kind, patience=1):
        """A client of this class with a folder and an address of its own."""
        client = kind(self.path(f"{kind.name}-{len(self.running)}"), self.space.address(),
                      seconds=patience * SECONDS)
        self.running.append(client)
        return client

    def tracker(self):
        tracker = Tracker(self.path("tracker"), self.space.address())
        self.running.append(tracker)
        return tracker

    def end(self):
        """Stops all clients at once and then the trackers, whom they tell; and only then says what
        went wrong with one."""
        trackers = [one for one in self.running if isinstance(one, Tracker)]
        clients = [one for one in self.running if not isinstance(one, Tracker)]
        with concurrent.futures.ThreadPoolExecutor(max(len(clients), 1)) as pool:
            wrong = [w for w in pool.map(self._stop, reversed(clients)) if w]
        wrong += [w for w in map(self._stop, trackers) if w]
        self.say("ended")
        if wrong:
            raise wrong[0]

    @staticmethod
    def _stop(one):
        """What went wrong, or None."""
        try:
            one.stop()
        except Exception as e:  # pylint: disable=broad-except
            return e
        return None


def prepare(folder):
    """The shared content, made once for all rows."""
    for kind in ("file", "folder"):
        content.make(kind, os.path.join(folder, kind))
