"""The contenders by name. A new one: a module here, and a line in this table."""

from contenders.aria2 import Aria2
from contenders.curl import Curl, Stream
from contenders.libtorrent import Libtorrent
from contenders.mktorrent import Mktorrent
from contenders.p2p import Ours
from contenders.qbittorrent import Qbittorrent
from contenders.rtorrent import Rtorrent
from contenders.transmission import Transmission

OURS = Ours
CLIENTS = {c.name: c for c in (Ours, Aria2, Libtorrent, Rtorrent, Qbittorrent, Transmission)}
STREAM = Stream
REFERENCES = {c.name: c for c in (Curl, Stream)}
MAKERS = {c.name: c for c in (Ours, Mktorrent, Libtorrent, Transmission)}
SLOW = tuple(c.name for c in CLIENTS.values() if not c.quick)   # these take long to begin
