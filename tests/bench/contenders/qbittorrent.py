"""qBittorrent without a screen."""

from clients.qbittorrent import Qbittorrent as Driver
from contenders.contender import Contender


class Qbittorrent(Contender, Driver):
    name, package, binaries = "qbittorrent", "qbittorrent-nox", ("qbittorrent-nox",)
    quick = False
