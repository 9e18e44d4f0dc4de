"""Rows in which p2p-get has an older version: how little it asks of other clients' seeds."""

import json
import os
import random

from clients import OURS
from clients.p2p import program
from rig.process import Failed, Program, wait_until
from rig.scenes import check, publish


class Reuser(OURS):
    """p2p-get --reuse, with its events on standard output."""
    name = "p2p-reuse"

    def fetch(self, torrent, dest, peer, old):
        os.makedirs(dest, exist_ok=True)
        argv = [program("p2p-get"), "--bind", self.addr, "--port", str(self.port), "--json",
                "--timeout", f"{int(self.seconds)}s", "-o", dest, "--reuse", old,
                "--peer", f"{peer.addr}:{peer.port}"]
        self.program = Program(argv + self._how("p2p-get") + [torrent], self.path("log"),
                               self.folder, self.env, self.answer)
        wait_until(lambda: self.program.ended() is not None, self.seconds, "p2p-get to end")
        if self.program.ended() != 0:
            raise Failed(f"p2p-get --reuse ended with {self.program.ended()}")
        with open(self.answer, encoding="utf-8") as f:
            return [e for e in map(json.loads, f) if e["event"] == "done"][0]


def _older(path, old):
    """What was there before: without the first KiB, and other bytes in a few places."""
    with open(path, "rb") as f:
        data = bytearray(f.read()[1024:])
    rng = random.Random(1)
    for _ in range(4):
        at = rng.randrange(len(data) - 5000)
        data[at:at + 5000] = rng.randbytes(5000)
    with open(old, "wb") as f:
        f.write(data)


def older(stage, seeder, fmt, most):
    """Most of it is here, a KiB further on; of the content so many percent may come."""
    path = stage.content("file")
    made = publish(stage, seeder, path, fmt, None)
    seed, leech = stage.client(seeder), stage.client(Reuser)
    _older(path, stage.path("old"))
    at = seed.seed(made.path, os.path.dirname(path))
    done = leech.fetch(made.path, stage.path("got"), at, stage.path("old"))
    check(stage, leech, path, stage.path("got"), made)
    came = 100 * done["from_peers"] / done["size"]
    stage.say(f"{came:.2f} % came")
    if came > most:
        raise Failed(f"{came:.2f} % came, not {most} % at most")
