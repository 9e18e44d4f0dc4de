"""qBittorrent without a screen, by its web API: libtorrent with the settings people run, but one.

libtorrent 2.0.8 halts a hybrid with "inconsistent hashes" when a piece that is right by its v1
hash is told to be right by its v2 hash before it is written. qBittorrent 4.5.2 runs into that
with a link: once it has the manifest it begins anew, asks for a piece as soon as it may and for
the hashes just after, and both come at once from a quick seed (on a busy machine one row in
seven failed so). With DiskIOType Posix a piece is written before it is hashed.
"""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid

from clients.client import Client, is_magnet
from rig.process import Failed, free_port, shakes_hands

CONFIG = """[LegalNotice]
Accepted=true

[Network]
PortForwardingEnabled=false

[Preferences]
WebUI\\Enabled=true
WebUI\\Address=127.0.0.1
WebUI\\Port={web}
WebUI\\LocalHostAuth=false
WebUI\\UseUPnP=false
Connection\\UPnP=false

[BitTorrent]
Session\\Port={port}
Session\\InterfaceAddress={addr}
Session\\DiskIOType=Posix
Session\\DHTEnabled=false
Session\\LSDEnabled={lsd}
Session\\PeXEnabled={pex}
Session\\BTProtocol=TCP
Session\\Encryption=0
Session\\MultiConnectionsPerIp=true
Session\\QueueingSystemEnabled=false
Session\\SSRFMitigation=false
Session\\ResolvePeerCountries=false
Session\\DefaultSavePath={folder}
Session\\TempPathEnabled=false
"""


class Qbittorrent(Client):
    name = "qbittorrent-nox"
    formats = ("v1", "v2", "hybrid")
    takes_peer = True
    meets = ("pex", "lsd")  # its bootstrap hosts cannot be set before version 4.6
    patience = 0.2     # it takes its time to save a session that nobody will open again

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.web = free_port("127.0.0.1")

    def _ask(self, what, body=None, kind="application/x-www-form-urlencoded"):
        ask = urllib.request.Request(f"http://127.0.0.1:{self.web}/api/v2/{what}", body,
                                     {"Content-Type": kind} if body else {})
        try:
            with urllib.request.urlopen(ask, timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None

    def _add(self, source, folder):
        config = self.path("qBittorrent/config")
        os.makedirs(config, exist_ok=True)
        with open(f"{config}/qBittorrent.conf", "w", encoding="utf-8") as f:
            f.write(CONFIG.format(web=self.web, port=self.port, addr=self.addr, folder=folder,
                                  lsd=str("lsd" in self.ways).lower(),
                                  pex=str("pex" in self.ways).lower()))
        self.start(["qbittorrent-nox", f"--profile={self.folder}"])
        self.until(lambda: self._ask("app/version"), "to start")
        line = uuid.uuid4().hex
        parts = [("savepath", "", folder.encode()), ("autoTMM", "", b"false"),
                 ("contentLayout", "", b"Original")]
        if is_magnet(source):
            parts.append(("urls", "", source.encode()))
        else:
            with open(source, "rb") as f:
                parts.append(("torrents", '; filename="a.torrent"', f.read()))
        body = b"".join(b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
                        % (line.encode(), name.encode(), more.encode(), value)
                        for name, more, value in parts) + f"--{line}--\r\n".encode()
        self._ask("torrents/add", body, f"multipart/form-data; boundary={line}")

    def _torrent(self):
        found = json.loads(self._ask("torrents/info") or "[]")
        return found[0] if found else {}

    def _done(self):
        t = self._torrent()
        if t.get("state") == "error":
            raise Failed("qBittorrent halted it with an error")
        return t.get("progress") == 1 and t.get("state") in ("uploading", "stalledUP", "forcedUP")

    def _seed(self, torrent, data):
        self._add(torrent, data)
        self.until(self._done, "to seed")
        # It says so some tenths of a second before it lets a peer in.
        found = self._torrent()
        known = found["infohash_v1"] or found["infohash_v2"][:40]
        self.until(lambda: shakes_hands(self.addr, self.port, known), "to let peers in")

    def _leech(self, source, dest, peers):
        self._add(source, dest)
        if peers:
            found = self.until(self._torrent, "to load it")
            query = {"hashes": found["hash"],
                     "peers": "|".join(f"{p.addr}:{p.port}" for p in peers)}
            self._ask("torrents/addPeers", urllib.parse.urlencode(query).encode())
