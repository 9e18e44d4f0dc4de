"""Rows in which nobody is told of a peer and there is no tracker: the DHT, LSD and PEX.

Links are bare hashes with a name, so a row passes only if the way it is named for brought the
two together: all other ways are off in all clients.
"""

import os

from clients import OTHERS, OURS
from clients.p2p import P2pNode
from rig import content
from rig.scenes import check, publish

LT = OTHERS["libtorrent"]
PATIENCE = 3   # times what other rows wait: clients look for peers every other minute


class LibtorrentNode(LT):
    """A member of the DHT without torrents."""
    name = "libtorrent-node"

    def run(self):
        self.start(self._argv("node", addr=self.addr, port=self.port,
                              nodes=[[n.addr, n.port] for n in self.nodes]))
        self.until(self._done, "to run")


NODES = {"p2p-node": P2pNode, "libtorrent-node": LibtorrentNode}


def _network(stage, kind, count):
    """Nodes of one kind that know the first of them."""
    nodes = []
    for _ in range(count):
        node = stage.client(kind).meet("dht", nodes=nodes[:1])
        node.run()
        nodes.append(node)
    return nodes


def dht(stage, seeder, leecher, kind, fmt, node, only=None):
    """A node of the DHT knows the two; they find each other's item by its hash alone."""
    path = stage.content(kind)
    nodes = _network(stage, NODES[node], max(seeder.company, leecher.company))
    seed = stage.client(seeder, PATIENCE).meet("dht", nodes=nodes)
    leech = stage.client(leecher, PATIENCE).meet("dht", nodes=nodes)
    made = publish(stage, seeder, path, fmt, None)
    if not seeder.pads:
        content.add_pads(path, made)
    seed.seed(made.path, os.path.dirname(path))
    stage.say("seeding")
    link = made.magnet(only=only)
    leech.leech(leecher.accept_link(link), stage.path("got"))
    check(stage, leech, path, stage.path("got"), made)


def lsd(stage, seeder, leecher, fmt):
    """Neighbours on one link."""
    stage.space.lan()
    path = stage.content("file")
    seed, leech = stage.client(seeder, PATIENCE).meet("lsd"), stage.client(leecher, PATIENCE).meet("lsd")
    made = publish(stage, seeder, path, fmt, None)
    seed.seed(made.path, os.path.dirname(path))
    stage.say("seeding")
    leech.leech(leecher.accept_link(made.magnet()), stage.path("got"))
    check(stage, leech, path, stage.path("got"), made)


def pex(stage, middle, far, fmt="v1"):
    """The seed calls the one in the middle, and gives it a trickle, so that it has no more to give;
    `far` finishes in time only if it hears of the seed from the middle.

    A limit of the middle's own would not do: aria2 reads nothing at all while it is above one, and
    so may never get to what a second peer says. And who is handed the middle comes when that
    knows the seed already: aria2 tells of the last minute's peers once a minute, and of those who
    came just after it told the last time never.
    """
    path = stage.content("file")
    made = publish(stage, LT, path, fmt, None)
    hub = stage.client(middle, PATIENCE).meet("pex")
    last = stage.client(far, PATIENCE).meet("pex")
    seed = stage.client(LT)   # without PEX itself, or it would hear of `far` and call it
    seed.sparing = hub.addr
    last_at = None if last.takes_peer else last.start_leech(made.path, stage.path("got"))
    hub_at = hub.start_leech(made.path, stage.path("got-hub"), [last_at] if last_at else ())
    seed.start_leech(made.path, os.path.dirname(path), [hub_at])
    if last.takes_peer:
        seed.wait_served()
        stage.say("the middle knows the seed")
        last.start_leech(made.path, stage.path("got"), [hub_at])
    last.wait()
    check(stage, last, path, stage.path("got"), made)
