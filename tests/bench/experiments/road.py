"""A long road: 1 Gbit/s, 50 ms each way, a queue of 100 ms (tests/net/road.c), one TCP connection.

The seed, and a tracker for whom knows no peer's address, are at one end, the leech at the other.
Congestion control is cubic and buffers may grow to 64 MiB, but for the rows that say otherwise.
"rate" is what a user has of it, from the start of the program to its end; "steady" the rate after
the first quarter, in which the connection finds its way up; "filled" and "steady filled" are their
shares of what the line can carry of content, 1448 bytes in every frame of 1538: 117.7 MB/s. Slow
start costs everybody more than a second of it.

Then 1 MiB by link over the same road, in round trips. One for the connection and seven for the
content are TCP's: it begins with ten segments and doubles that in each. Two are ours: for the
handshake, and for the manifest.
"""

from contenders import CLIENTS, OURS, REFERENCES
from experiments import latency, transfer
from farside import Arrival, FarSide

SIZES = ("1,000 MB; 1 MiB by link, given up after 30 s",
         "100 MB, with cubic alone; 1 MiB by link, given up after 15 s")
MBIT, DELAY = 1000, 50
ROOMY = {"net.ipv4.tcp_rmem": "4096 131072 67108864", "net.ipv4.tcp_wmem": "4096 16384 67108864"}
PLAIN = {"net.ipv4.tcp_rmem": "4096 131072 6291456", "net.ipv4.tcp_wmem": "4096 16384 4194304"}
TITLE = "1 Gbit/s, 100 ms there and back"


def big(bench, kind, settings, congestion):
    size = bench.pick(1000, 100) * 10 ** 6
    far = FarSide(bench.base, MBIT, DELAY, congestion, settings)
    arrival = Arrival(far)
    try:
        found = transfer.once(bench, kind, kind, "v1", dress=far.take, size=size)
    finally:
        arrival.finish()
        far.end()
    steady = arrival.steady(size)
    return {"wall": found["wall"], "rate": found["rate"], "steady": steady / 1e6,
            "filled": 100e6 * found["rate"] / far.capacity,
            "steady filled": 100 * steady / far.capacity,
            "cpu": found["cpu"]}


def small(bench, kind, tracked):
    far = FarSide(bench.base, MBIT, DELAY, "cubic", ROOMY)
    try:
        took = latency.by_link(bench, kind, tracked, far.take)["time"]
    finally:
        far.end()
    return {"time": took, "round trips": took / 1000 / far.round_trip}


def play(bench):
    kinds = [CLIENTS[n] for n in ("p2p", "rtorrent", "libtorrent", "aria2")]
    stream = REFERENCES["tcp-stream"]
    slow = ("rtorrent", "aria2")
    rows = [(TITLE, ROOMY, "cubic", (*bench.not_now(TITLE, kinds, slow), stream))]
    if not bench.quick:
        rows += [(f"{TITLE}, BBR", ROOMY, "bbr", (OURS, stream)),
                 (f"{TITLE}, the kernel's own buffers", PLAIN, "cubic", (OURS, stream))]
    runs = [(title, k.name if k is not stream else f"({k.name})",
             lambda k=k, s=settings, c=congestion: big(bench, k, s, c))
            for title, settings, congestion, clients in rows for k in clients]
    tracked, alone = (f"1 MiB by link {how}, 100 ms" for how in ("with a tracker", "with x.pe alone"))
    bench.figures.cannot(tracked, "libtorrent", "not tried: its seed listens on the road's device, "
                         "from where it reaches no tracker at its own end")
    runs += [(title, k.name, lambda k=k, t=title: small(bench, k, t == tracked))
             for title in (tracked, alone) for k in bench.not_now(title, kinds, slow)]
    bench.rounds(runs)
