"""A second network at the far end of a long road (tests/net/road.c), for one leech; the seed and the
tracker stay here."""

import os
import subprocess
import threading
import time

from clients.p2p import BIN
from rig.process import Failed, Program, wait_until

# To the far side all is one link, for libtorrent calls nobody beyond it where there is no gateway.
LINK, THERE = "10.77.0.0/16", "10.77.1.1"
PAYLOAD = 1448 / 1538       # of the line's rate: a full segment in its frame of Ethernet


def _run(*words):
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")


class FarSide:
    """mbit: of the line; ms: of delay each way; settings: {sysctl: value} for both ends."""

    def __init__(self, folder, mbit, ms, congestion, settings):
        self.capacity = mbit * 125000 * PAYLOAD
        self.round_trip = 2 * ms / 1000
        self.log = os.path.join(folder, "road.log")
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.running = []
        try:
            self._begin(folder, mbit, ms, congestion, settings)
        except Failed:
            self.end()
            raise

    def _begin(self, folder, mbit, ms, congestion, settings):
        held = Program(["unshare", "--net", "sleep", "infinity"], self.log, folder)
        self.running.append(held)
        self.pid = held.pid
        wait_until(lambda: self._net(self.pid) != self._net("self"), 5, "a network", held, 0.001)
        self.words = ["nsenter", f"--net=/proc/{self.pid}/ns/net"]
        road = Program([os.path.join(BIN, "tests", "net", "road"), f"/proc/{os.getpid()}/ns/net",
                        f"/proc/{self.pid}/ns/net", str(mbit), str(ms)], self.log, folder)
        self.running.append(road)
        self.line = road
        wait_until(lambda: "ready" in road.tail(), 5, "the road", road, 0.01)
        _run(*self.words, "ip", "address", "add", f"{THERE}/16", "dev", "road")
        for words in ([], self.words):
            for device in ("lo", "road"):
                _run(*words, "ip", "link", "set", device, "up")
            for name, value in settings.items():
                _run(*words, "sysctl", "-qw", f"{name}={value}")
        # By the routes, for not everywhere may a network of its own choose another by itself.
        for words, to in (([], THERE), (self.words, LINK)):
            _run(*words, "ip", "route", "add", to, "dev", "road", "metric", "1", "congctl",
                 congestion)

    @staticmethod
    def _net(pid):
        return os.readlink(f"/proc/{pid}/ns/net")

    def take(self, _stage, seeds, leech):
        """Before they start: the leech plays there, the seeds at this end of the road. Their
        addresses leave the loopback device, for libtorrent listens on an address's own device."""
        for one in seeds:
            _run("ip", "address", "del", f"{one.addr}/32", "dev", "lo")
            _run("ip", "address", "add", f"{one.addr}/32", "dev", "road")
        leech.addr, leech.wrap = THERE, self.words

    def received(self):
        """Bytes that came there by the road, headers and all."""
        with open(f"/proc/{self.pid}/net/dev", encoding="ascii") as f:
            for line in f:
                name, _, figures = line.partition(":")
                if name.strip() == "road":
                    return int(figures.split()[0])
        return 0

    def end(self):
        for one in reversed(self.running):
            one.stop()


class Arrival(threading.Thread):
    """What has come by the road, sampled every few milliseconds."""

    def __init__(self, far):
        super().__init__(daemon=True)
        self.far, self.ended = far, threading.Event()
        self.samples = [(time.monotonic(), far.received())]
        self.start()

    def run(self):
        while not self.ended.wait(0.005):
            self.samples.append((time.monotonic(), self.far.received()))

    def finish(self):
        self.ended.set()
        self.join()

    def steady(self, size):
        """Bytes of content a second after its first quarter."""
        first = self.samples[0][1]
        came = self.samples[-1][1] - first
        at = [next(t for t, n in self.samples if n - first >= came * share)
              for share in (0.25, 0.999)]
        return 0.749 * size / max(at[1] - at[0], 0.001)
