"""Limits on rates: how near do they come, in spans of 10 s, and how even is it in spans of 100 ms?

Each client with its own option, down from a seed of libtorrent or up to a leech of libtorrent,
neither of which has a limit; ours also with eight of them, and from nginx as a web seed. Those
of low rates play at the same time, of the highest first one direction and then the other. What is counted is TCP's content, whatever
it is, as the packets with it arrive at the other address: by the kernel's clock, in hundredths of
a second, from one second after the first kilobyte on. "mean / limit" is that of the first 10 s,
"worst 10 s" how far the span of 10 s is off that is farthest off, "worst 100 ms / share" the most
in a tenth of a second beside a tenth of the limit. rtorrent takes KiB, Transmission kB: the limit
is what it was told. libtorrent means its limit with the headers of TCP and IP.
"""

import concurrent.futures
import time

from contenders import CLIENTS, OURS, REFERENCES
from rig.manifest import Manifest
from rig.process import Failed
from wire import Wire

SIZES = ("20 kB/s to 20 MB/s, 10 s each", "1 MB/s, 10 s")
LOW, HIGH = (20_000, 100_000), (20_000_000,)
SECOND, TENTH = 100, 10     # hundredths
SPAN = 10 * SECOND
LASTS = 12.2                # seconds of a transfer that are looked at
PATIENCE = 40               # seconds until it must have lasted so long
OTHER = CLIENTS["libtorrent"]


def own(torrent, out, word, web=None):
    """The same content under a hash of its own: those who play beside it are not to meet."""
    with open(torrent, "rb") as f:
        data = f.read()
    assert data.endswith(b"ee")
    word = b"6:source%d:%se" % (len(word), word.encode())
    web = b"8:url-list%d:%s" % (len(web), web.encode()) if web else b""
    with open(out, "wb") as f:
        f.write(data[:-2] + word + web + b"e")
    return out


def sums(row, span):
    """Of each span of so many hundredths, after the first second."""
    row = row[SECOND:]
    total = sum(row[:span])
    out = [total]
    for i in range(span, len(row)):
        total += row[i] - row[i - span]
        out.append(total)
    return out


def judge(row, limit):
    if len(row) < SECOND + SPAN + TENTH:
        raise Failed(f"lasted {len(row) / SECOND:.1f} s only")
    row = row[:int(LASTS * SECOND)]
    long, short = sums(row, SPAN), sums(row, TENTH)
    off = max(abs(n / 10 / limit - 1) * 100 for n in long)
    return {"mean / limit": long[0] / 10 / limit, "worst 10 s": off,
            "worst 100 ms / share": max(short) / (limit / 10)}


class Row:
    """One transfer among those that play together."""

    def __init__(self, client, direction, rate, n=1, web=False):
        self.client, self.direction, self.rate, self.n, self.web = client, direction, rate, n, web
        self.title = title(direction, rate)
        self.name = client.name + (f", {n} {'seeds' if direction == 'down' else 'leeches'}"
                                   if n > 1 else "") + (", web seed" if web else "")
        self.ends, self.why = ([], []), None

    def prepare(self, bench, stage, plain, tracker):
        """Its clients and its .torrent; before any of them starts."""
        down = self.direction == "down"
        kinds = [REFERENCES["nginx+curl"]] if self.web else [OTHER] * self.n
        self.held = stage.client(self.client)
        self.others = [stage.client(k) for k in kinds]
        self.ends = ([o.addr for o in self.others], [self.held.addr])
        if not down:
            self.ends = self.ends[::-1]
        web = f"http://{self.others[0].addr}:{self.others[0].port}/content.bin" if self.web else None
        self.dest = stage.path(f"got-{self.held.addr}")
        self.torrent = own(plain, self.dest + ".torrent", self.held.addr, web)
        self.tracked = down and not self.client.takes_peer
        if self.tracked:
            bench.with_tracker(self.torrent, self.torrent, tracker.url("http"))

    def begin(self, folder, tracker):
        try:
            if self.direction == "down":
                self.held.down = self.rate
                peers = [o.seed(self.torrent, folder) for o in self.others]
                if self.tracked:
                    tracker.wait_seed(Manifest(self.torrent).announced(("v1",)), 30)
                self.held.start_leech(self.torrent, self.dest,
                                      [] if self.tracked or self.web else peers)
            else:
                self.held.up = self.rate
                peer = self.held.seed(self.torrent, folder)
                for i, o in enumerate(self.others):
                    o.start_leech(self.torrent, f"{self.dest}-{i}", [peer])
        except (Failed, OSError) as e:
            self.why = e

    def lasted(self, wire):
        """Whether all has been seen of it; some leeches must be asked, or they do not go on."""
        try:
            ended = self.direction == "down" and self.held.done()
            return self.why or ended or len(wire.between(*self.ends)) >= LASTS * SECOND
        except (Failed, OSError) as e:
            self.why = e
            return True

    def found(self, wire):
        if self.why or wire.lost:
            raise self.why or Failed(f"{wire.lost} packets were not seen")
        unit = self.client.limit_unit
        return judge(wire.between(*self.ends), self.rate // unit * unit)


def together(bench, rows):
    size = int(max(r.rate for r in rows) * (LASTS + 4)) + (4 << 20) & ~0xffff
    folder = bench.big(size)
    plain = bench.torrent(folder, "v1")
    with bench.stage() as stage:
        tracker = stage.tracker()
        for row in rows:
            row.prepare(bench, stage, plain, tracker)
        tracker.start([h for r in rows for h in Manifest(r.torrent).announced()])
        wire = Wire()
        try:
            with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
                list(pool.map(lambda r: r.begin(folder, tracker), rows))
            limit = time.monotonic() + PATIENCE
            while time.monotonic() < limit and not all([r.lasted(wire) for r in rows]):
                time.sleep(0.25)
        finally:
            wire.finish()
        played = [(r.title, r.name, lambda r=r: r.found(wire)) for r in rows]
        bench.rounds(played, times=1)


def title(direction, rate):
    text = f"{rate // 1000} kB/s" if rate < 1_000_000 else f"{rate // 1_000_000} MB/s"
    return f"limit {direction}, {text}"


def all_of(bench, direction, rate):
    kinds = [CLIENTS[n] for n in ("p2p", "aria2", "libtorrent", "rtorrent", "transmission")]
    rows = [Row(k, direction, rate) for k in bench.not_now(title(direction, rate), kinds)]
    rows.append(Row(OURS, direction, rate, 8))
    if direction == "down":
        rows.append(Row(OURS, direction, rate, web=True))
    return rows


def play(bench):
    both = ("down", "up")
    parties = [(LOW, both), ((1_000_000,), both), *((HIGH, (d,)) for d in both)]
    for rates, directions in bench.pick(parties, parties[1:2]):
        together(bench, [row for rate in rates for d in directions
                         for row in all_of(bench, d, rate)])
