"""What a client has to offer to stand in the table.

A driver fills in the capabilities and four methods: _seed, _leech, _done and, where the
client has a tool for it, make_torrent. A client object is one running instance in one role:
it has a folder of its own for state, an address of its own, and ends by its pid in stop().
"""

import os
from dataclasses import dataclass

from rig.process import Failed, Program, clean_env, free_port, wait_until


@dataclass
class Peer:
    """Where a running client listens."""
    addr: str
    port: int
    pid: int


class Client:
    name = ""
    formats = ("v1", "hybrid")   # that it can load; a hybrid may be a v1 torrent to it
    empty_files = True           # creates the empty files of a folder
    pads = True                  # knows BEP 47 pad files; False: holds them as files
    takes_peer = False           # a leech can be handed an address; False: needs a tracker
    makes = ()                   # formats that make_torrent writes
    udp = True                   # speaks to UDP trackers
    meets = ()                   # ways of finding peers without a tracker: "dht", "pex", "lsd"
    company = 1                  # nodes that must be in the DHT before it uses it
    patience = 1.0               # seconds to end after SIGTERM

    def __init__(self, folder, addr, port=None, seconds=60):
        self.folder, self.addr, self.seconds = folder, addr, seconds
        self.port = port or free_port(addr)
        self.program = None
        self.ways, self.nodes = (), ()
        os.makedirs(folder, exist_ok=True)

    @staticmethod
    def make_torrent(path, out, fmt, tracker, folder):
        """Writes a .torrent of path to out with the client's own tool; state may go to folder."""
        raise NotImplementedError

    def meet(self, *ways, nodes=()):
        """Before it starts: the ways that are switched on, and the nodes (Peer) by which it joins
        the DHT."""
        self.ways, self.nodes = ways, nodes
        return self

    def seed(self, torrent, data):
        """Serves the .torrent whose content lies below data; returns when it serves."""
        self._seed(torrent, data)
        return Peer(self.addr, self.port, self.program.pid)

    def start_leech(self, source, dest, peers=()):
        """Begins to fetch source (a .torrent path or a magnet link) into the folder dest."""
        os.makedirs(dest, exist_ok=True)
        self._leech(source, dest, peers)
        return Peer(self.addr, self.port, self.program.pid)

    def wait(self, seconds=None):
        """Until it says that the content is complete; polls, or takes its exit status."""
        wait_until(self._done, seconds or self.seconds, f"{self.name} to complete", self.program)

    def leech(self, source, dest, peers=()):
        self.start_leech(source, dest, peers)
        self.wait()

    def stop(self):
        """Ends it; what it says about its own end is nobody's business, save ours."""
        if self.program:
            self.program.stop(self.patience)

    @staticmethod
    def accept_link(link):
        """What its user would have to make of a link so that it takes it."""
        return link

    # For the drivers.

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, argv, **env):
        self.program = Program(argv, self.path("log"), self.folder,
                               clean_env(self.folder, **env))

    def until(self, check, what, every=0.05):
        return wait_until(check, self.seconds, f"{self.name} {what}", self.program, every)

    def exited_well(self):
        status = self.program.ended()
        if status not in (None, 0):
            raise Failed(f"{self.name} ended with {status}: {self.program.tail()}")
        return status == 0


def is_magnet(source):
    return source.startswith("magnet:")
