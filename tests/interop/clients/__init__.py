"""The clients by name. A new one: a module here, and a line in this table."""

from clients.aria2 import Aria2
from clients.libtorrent import Libtorrent
from clients.p2p import P2p
from clients.qbittorrent import Qbittorrent
from clients.rtorrent import Rtorrent
from clients.transmission import TransmissionCli, TransmissionDaemon

OURS = P2p
OTHERS = {c.name: c for c in (Aria2, TransmissionDaemon, TransmissionCli, Libtorrent, Rtorrent,
                              Qbittorrent)}
ALL = {**OTHERS, OURS.name: OURS}
