"""Rows in which p2p-get streams to a reader who waits: what it holds others take from it."""

import json
import os

from clients import OTHERS, OURS
from clients.client import Peer
from clients.p2p import program
from rig.process import Failed, Program, wait_until
from rig.scenes import check, publish

LT = OTHERS["libtorrent"]
FIRST = 65536


class Stream(OURS):
    """p2p-get -o -, read by the row itself."""
    name = "p2p-stream"

    def begin(self, torrent, peers):
        os.mkfifo(self.answer)
        self.reader = open(os.open(self.answer, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
        argv = [program("p2p-get"), "--bind", self.addr, "--port", str(self.port), "-o", "-",
                "--events-fd", "2"]
        argv += [w for p in peers for w in ("--peer", f"{p.addr}:{p.port}")]
        self.program = Program(argv + self._how("p2p-get") + [torrent], self.path("log"),
                               self.folder, self.env, self.answer)
        return Peer(self.addr, self.port, self.program.pid)

    def read(self, most):
        """At least a byte, unless it has ended."""
        got = b""

        def some():
            nonlocal got
            got = self.reader.read(most)
            return got or self.program.ended() is not None

        wait_until(some, self.seconds, "bytes of the stream", every=0.002)
        return got or b""

    def done(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            events = [json.loads(line) for line in f if line.startswith("{")]
        return [e for e in events if e["event"] == "done"][0]


def _finish(stage, stream, path, head):
    """The reader goes on: what came is the content, and it ends well."""
    got = head
    while True:
        more = stream.read(1 << 20)
        if not more:
            break
        got += more
    wait_until(lambda: stream.program.ended() is not None, stream.seconds, "p2p-get to end")
    with open(path, "rb") as f:
        if got != f.read():
            raise Failed("what was streamed is not the content")
    if stream.program.ended() != 0:
        raise Failed(f"p2p-get -o - ended with {stream.program.ended()}")
    stage.say("read")
    return stream.done()


def takes(stage, leecher, fmt):
    """The reader waits; one who knows nobody else gets all of it from the window."""
    path = stage.content("file")
    made = publish(stage, LT, path, fmt, None)
    seed, stream, leech = stage.client(LT), stage.client(Stream), stage.client(leecher)
    here = stream.begin(made.path, [seed.seed(made.path, os.path.dirname(path))])
    head = stream.read(FIRST)
    stage.say("streaming")
    leech.leech(made.path, stage.path("got"), [here])
    check(stage, leech, path, stage.path("got"), made)
    done = _finish(stage, stream, path, head)
    if done["uploaded"] < os.path.getsize(path):
        raise Failed(f"the stream gave {done['uploaded']} bytes")


def beside(stage, leecher, fmt):
    """Who does not know that a piece may go is told of none: it fetches elsewhere, both end."""
    path = stage.content("file")
    made = publish(stage, LT, path, fmt, None)
    seed, stream, leech = stage.client(LT), stage.client(Stream), stage.client(leecher)
    at = seed.seed(made.path, os.path.dirname(path))
    here = stream.begin(made.path, [at])
    head = stream.read(FIRST)
    leech.leech(made.path, stage.path("got"), [here, at])
    check(stage, leech, path, stage.path("got"), made)
    _finish(stage, stream, path, head)
