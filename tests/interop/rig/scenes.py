"""What happens in a row: a transfer between two, a swarm of several, an agreement on hashes."""

import os
import re

from clients import OTHERS, OURS
from rig import content
from rig.manifest import Manifest
from rig.process import Failed, wait_until

HASHES = re.compile(r"xt=urn:(?:btih:|btmh:1220)([0-9a-f]+)")
LT = OTHERS["libtorrent"]


def publish(stage, seeder, path, fmt, url):
    """A .torrent made by the seeder's own tool, or by libtorrent for those that have none."""
    torrent = stage.path("share.torrent")
    maker = seeder if fmt in seeder.makes else LT
    maker.make_torrent(path, torrent, fmt, url, stage.folder)
    made = Manifest(torrent)
    if made.format() != fmt:
        raise Failed(f"{maker.name} made a {made.format()} torrent")
    if maker in (OURS, LT):     # transmission-create leaves out empty and hidden files
        _all_there(path, made)
    return made


def _all_there(path, made):
    """Nothing of the content was forgotten."""
    names = set(content.tree(path)) if os.path.isdir(path) else None
    if made.names() != names:
        raise Failed(f"the .torrent has other files: {(made.names() or set()) ^ (names or set())}")


def _publish_ours(stage, seed, path, fmt, url):
    """p2p-add into the catalogue of the p2p-seed that is to serve it: link and manifest."""
    torrent = stage.path("share.torrent")
    link = seed.add(path, fmt, torrent, url)
    made = Manifest(torrent)
    want = {h for h in (made.v1, made.v2) if h}
    if set(HASHES.findall(link)) != want:
        raise Failed(f"p2p-add printed {link} for a .torrent with {want}")
    _all_there(path, made)
    return made, link


def check(stage, client, path, dest, made):
    """The folder holds the content, and in our case nothing else."""
    wrong = content.difference(path, os.path.join(dest, made.name), made.names(),
                               client.empty_files)
    if wrong:
        raise Failed(f"{client.name} completed, but {wrong}")
    if isinstance(client, OURS) and os.listdir(dest) != [made.name]:
        raise Failed(f"p2p-get left {sorted(os.listdir(dest))}")
    stage.say(f"{client.name} has it")


def transfer(stage, seeder, leecher, kind, fmt, source, route):
    """One seeds, one leeches.

    source: "torrent", "magnet", or for a hybrid "btih" or "btmh": a link with that hash alone.
    route: "http" or "udp" (tracker), or "peer" (none).
    """
    path = stage.content(kind)
    seed, leech = stage.client(seeder), stage.client(leecher)
    tracker = stage.tracker() if route != "peer" else None
    url = tracker.url(route) if tracker else None
    from_catalogue = seeder is OURS and source == "magnet"
    if from_catalogue:
        made, link = _publish_ours(stage, seed, path, fmt, url)
    else:
        made, link = publish(stage, seeder, path, fmt, url), None
    if not seeder.pads:
        content.add_pads(path, made)
    if tracker:
        tracker.start(made.announced())
    stage.say("published")
    peer = seed.seed(None if from_catalogue else made.path, os.path.dirname(path))
    stage.say("seeding")
    if tracker:
        both = [f for f in seeder.formats if f in leecher.formats]
        tracker.wait_seed(made.announced(both), seed.seconds, seed.program)
        stage.say("announced")
    peers = [] if tracker else [peer]
    if link:
        link += "".join(f"&x.pe={p.addr}:{p.port}" for p in peers)
    elif source != "torrent":
        link = made.magnet(url, peers, {"btih": "v1", "btmh": "v2"}.get(source))
    leech.leech(leecher.accept_link(link) if link else made.path, stage.path("got"), peers)
    stage.say("complete")
    check(stage, leech, path, stage.path("got"), made)


def swarm(stage, seeder, leechers, fmt="hybrid", kind="folder"):
    """One seeds, several, each in its own tongue, leech it at the same time."""
    path = stage.content(kind)
    seed = stage.client(seeder)
    tracker = stage.tracker()
    url = tracker.url("http")
    made = publish(stage, seeder, path, fmt, url)
    if not seeder.pads:
        content.add_pads(path, made)
    tracker.start(made.announced())
    seed.seed(made.path, os.path.dirname(path))
    tracker.wait_seed(made.announced(seeder.formats), seed.seconds, seed.program)
    started = []
    for number, leecher in enumerate(leechers):
        one, dest = stage.client(leecher), stage.path(f"got-{number}")
        one.start_leech(made.path, dest)
        started.append((one, dest))
    for one, dest in started:
        one.wait()
        check(stage, one, path, dest, made)


def bridge(stage, seeder, far, kind="file"):
    """The seed and the far leech have no hash in common: p2p-get in the middle carries it.

    The seed knows the hybrid by its v1 hash alone, the far leech has a link with the v2 hash
    alone, so only a peer that stands in both swarms can serve it.
    """
    path = stage.content(kind)
    seed, ours, last = stage.client(seeder), stage.client(OURS), stage.client(far)
    tracker = stage.tracker()
    url = tracker.url("http")
    made = publish(stage, LT, path, "hybrid", url)
    if not seeder.pads:
        content.add_pads(path, made)
    tracker.start(made.announced())
    seed.seed(made.path, os.path.dirname(path))
    tracker.wait_seed([made.v1], seed.seconds, seed.program)
    ours.leech_and_share(made.path, stage.path("got-ours"), 60)
    ours.wait()
    check(stage, ours, path, stage.path("got-ours"), made)
    wait_until(lambda: sum(tracker.counts(made.v2[:40])) > 0, ours.seconds,
               "p2p-get to be known in the v2 swarm", ours.program)
    last.leech(made.magnet(url, only="v2"), stage.path("got-last"))
    check(stage, last, path, stage.path("got-last"), made)


def agreement(stage, kind, fmt):
    """libtorrent reads our .torrent, we read libtorrent's, and both say the same."""
    path = stage.content(kind)
    for maker in (OURS, LT):
        torrent = stage.path(f"{maker.name}.torrent")
        maker.make_torrent(path, torrent, fmt, None, stage.folder)
        made = Manifest(torrent)
        theirs = LT.read_torrent(torrent, stage.folder)
        ours, hashes = OURS.describe(torrent, stage.folder)
        for key, mine in (("v1", "infohash_v1"), ("v2", "infohash_v2")):
            said = {getattr(made, key), theirs[key], ours.get(mine)}
            if len(said) != 1:
                raise Failed(f"{key} of {maker.name}'s .torrent: {said}")
        if made.format() != fmt or ours.get("format") != fmt:
            raise Failed(f"{maker.name} made {made.format()}, p2p-ls says {ours.get('format')}")
        if not hashes or not set(hashes) <= {made.v1, made.v2}:
            raise Failed(f"p2p-ls --hash printed {hashes}")
        if ours.get("size") != sum(f[1] for f in theirs["files"]):
            raise Failed(f"size: {ours.get('size')}, {theirs['size']}")
        _same_files(made, ours, theirs)
    _same_roots(stage, fmt)


def _same_files(made, ours, theirs):
    """Names and sizes file by file; libtorrent puts the torrent's name before each path."""
    name = made.name + "/"
    mine = sorted((f["path"].removeprefix(name), f["size"]) for f in ours["files"])
    others = sorted((p.removeprefix(name), size) for p, size in theirs["files"])
    if mine != others:
        raise Failed(f"files: {set(mine) ^ set(others)}")


def _same_roots(stage, fmt):
    """The Merkle roots of BEP 52 depend on the content alone, whoever wrote the .torrent."""
    a, b = (Manifest(stage.path(f"{m.name}.torrent")).roots() for m in (OURS, LT))
    if a != b:
        raise Failed(f"pieces roots of a {fmt} differ: {[p for p in a if a[p] != b.get(p)]}")
