"""The table: which rows there are, by name.

Every client meets ours in both roles with every content, format and kind of source that it
knows. The ways to find one another (HTTP tracker, UDP tracker, handed a peer) take turns over
those rows instead of multiplying them; each client sees each way in each role.
"""

from clients import OTHERS, OURS
from clients.p2p import SuperSeed
from rig import meeting, reusing, scenes, streaming

LT = OTHERS["libtorrent"]
ARIA2, TRANSMISSION = OTHERS["aria2"], OTHERS["transmission-daemon"]
RTORRENT, QBITTORRENT = OTHERS["rtorrent"], OTHERS["qbittorrent-nox"]


def _routes(seeder, leecher):
    routes = ["http"]
    if seeder.udp and leecher.udp:
        routes.append("udp")
    if leecher.takes_peer:
        routes.append("peer")
    return routes


def _pair(seeder, leecher, kinds=("file", "folder"), formats=("v1", "v2", "hybrid")):
    routes = _routes(seeder, leecher)
    rows, turn = [], 0
    for fmt in formats:
        if fmt not in seeder.formats or fmt not in leecher.formats:
            continue
        for kind in kinds:
            for source in ("torrent", "magnet"):
                rows.append((seeder, leecher, kind, fmt, source, routes[turn % len(routes)]))
                turn += 1
            turn += len(routes) == 2   # or the two sources would never change ways
    return rows


def _transfers(pairs):
    table = {}
    for seeder, leecher, *how in pairs:
        name = f"{seeder.name}-to-{leecher.name}/" + "/".join(how)
        table[name] = (scenes.transfer, seeder, leecher, *how)
    return table


def _meetings(ours, others):
    """No tracker, nobody handed a peer: the DHT by a node of ours and of libtorrent's, LSD, PEX."""
    table = {}
    for other in others:
        fmts = [f for f in ("v1", "v2", "hybrid") if f in other.formats and f in ours.formats]
        for seeder, leecher in ((other, ours), (ours, other)) if other is not ours else ((ours,) * 2,):
            pair = f"{seeder.name}-to-{leecher.name}"
            for turn, fmt in enumerate(fmts if "dht" in other.meets else ()):
                for node in list(meeting.NODES)[turn % 2:][:1] if turn else meeting.NODES:
                    table[f"dht/{node}/{pair}/{fmt}"] = (
                        meeting.dht, seeder, leecher, "file", fmt, node)
            for fmt in fmts if "lsd" in other.meets else ():
                table[f"lsd/{pair}/{fmt}"] = (meeting.lsd, seeder, leecher, fmt)
        for middle, far in {(other, ours), (ours, other)} if "pex" in other.meets else ():
            table[f"pex/{middle.name}-tells-{far.name}"] = (meeting.pex, middle, far)
    return table


def ours():
    """name -> (scene, arguments...): what `make interop` plays."""
    pairs = []
    for other in OTHERS.values():
        pairs += _pair(other, OURS) + _pair(OURS, other)
    for seeder, leecher in ((LT, OURS), (OURS, LT), (OURS, QBITTORRENT), (QBITTORRENT, OURS)):
        pairs += [(seeder, leecher, "folder", "hybrid", only, "http") for only in ("btih", "btmh")]
    pairs += _pair(OURS, OURS)
    table = _transfers(pairs)
    for fmt in ("v1", "v2", "hybrid"):
        for kind in ("file", "folder"):
            table[f"agreement/{kind}/{fmt}"] = (scenes.agreement, kind, fmt)
    table["swarm/p2p-seeds"] = (scenes.swarm, OURS, (RTORRENT, LT, OURS, QBITTORRENT))
    table["swarm/libtorrent-seeds"] = (scenes.swarm, LT, (OURS, RTORRENT, QBITTORRENT, OURS))
    table["swarm/v1-client-seeds"] = (scenes.swarm, RTORRENT, (OURS, LT, QBITTORRENT))
    table["swarm/v1"] = (scenes.swarm, OURS, (ARIA2, TRANSMISSION, RTORRENT, LT, OURS), "v1")
    table["swarm/p2p-super-seeds"] = (
        scenes.swarm, SuperSeed, (ARIA2, TRANSMISSION, RTORRENT, LT, QBITTORRENT, OURS), "v1")
    table["bridge/rtorrent-p2p-libtorrent"] = (scenes.bridge, RTORRENT, LT)
    table |= _meetings(OURS, [OURS, *OTHERS.values()])
    for only in ("v1", "v2"):
        for seeder, leecher in ((LT, OURS), (OURS, LT)):
            table[f"dht/p2p-node/{seeder.name}-to-{leecher.name}/hybrid/{only}"] = (
                meeting.dht, seeder, leecher, "file", "hybrid", "p2p-node", only)
    for leecher in (OURS, LT):
        for fmt in ("v1", "v2", "hybrid"):
            table[f"stream/p2p-to-{leecher.name}/{fmt}"] = (streaming.takes, leecher, fmt)
    for seeder in (LT, OURS):
        for fmt, most in (("v1", 15), ("v2", 3), ("hybrid", 3)):
            table[f"reuse/{seeder.name}-to-p2p/{fmt}"] = (reusing.older, seeder, fmt, most)
    for seeder in (ARIA2, TRANSMISSION, RTORRENT):
        table[f"reuse/{seeder.name}-to-p2p/v1"] = (reusing.older, seeder, "v1", 15)
    table["stream/p2p-beside-rtorrent/v1"] = (streaming.beside, RTORRENT, "v1")
    table["bridge/rtorrent-p2p-qbittorrent"] = (scenes.bridge, RTORRENT, QBITTORRENT)
    return table


def others():
    """The same among the others alone: what proves the drivers and the rig, not our programs.

    Without rtorrent to aria2, which do not get on (see clients/rtorrent.py).
    """
    pairs = []
    for one in OTHERS.values():
        if one is not LT:
            pairs += _pair(one, LT) + _pair(LT, one)
    for one in OTHERS.values():
        for two in OTHERS.values():
            if len({one, two, LT}) == 3 and (one, two) != (RTORRENT, ARIA2):
                pairs += _pair(one, two, ("file",), ("v1",))
    table = _transfers(pairs)
    table["swarm/libtorrent-seeds"] = (scenes.swarm, LT, (QBITTORRENT, RTORRENT, LT))
    met = _meetings(LT, [LT, ARIA2, TRANSMISSION, RTORRENT, QBITTORRENT])
    table |= {name: row for name, row in met.items() if "p2p" not in name}
    return table
