"""rtorrent 0.9.8 as a daemon, spoken to by XML-RPC over SCGI on a socket in its folder.

It knows v1; a hybrid is a v1 torrent to it. `add_peer` hands it a peer. A .torrent without a
tracker is refused unless the DHT is on; it has nobody to ask there. It hangs up on a peer
that sends a second bitfield, as aria2 does when pieces come in fast.
"""

import os
import re
import socket
import time
import xmlrpc.client

from clients.client import Client
from rig.process import run


class Rtorrent(Client):
    name = "rtorrent"
    pads = False
    takes_peer = True
    makes = ("v1",)
    meets = ("dht",)   # peer exchange it considers every other minute, and answers the time after
    patience = 0.2

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.peers, self.introduced, self.door = (), 0, None

    @staticmethod
    def make_torrent(path, out, fmt, tracker, folder):
        """By mktorrent, which is what rtorrent's users have."""
        run(["mktorrent", "-o", out] + (["-a", tracker] if tracker else []) + [path],
            os.path.join(folder, "create.log"), folder)

    @staticmethod
    def accept_link(link):
        """It calls a link that has a btmh hash beside the btih invalid."""
        return re.sub(r"xt=urn:btmh:[0-9a-f]+&?", "", link)

    def _call(self, method, *args):
        body = xmlrpc.client.dumps(args, method).encode()
        head = b"CONTENT_LENGTH\0%d\0SCGI\x001\0" % len(body)
        answer = b""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            # A path of a socket is short by law, the row's folder is not.
            s.connect(f"/proc/self/fd/{self.door}/socket")
            s.sendall(b"%d:%s,%s" % (len(head), head, body))
            while chunk := s.recv(65536):
                answer += chunk
        return xmlrpc.client.loads(answer.split(b"\r\n\r\n", 1)[1].decode())[0][0]

    def _try(self, method, *args):
        try:
            return self._call(method, *args)
        except (OSError, xmlrpc.client.Fault, IndexError):
            return None

    def _start(self, folder):
        session = self.path("session")
        os.makedirs(session, exist_ok=True)
        self.door = os.open(self.folder, os.O_RDONLY)
        settings = f"""
            system.daemon.set = true
            network.scgi.open_local = ./socket
            session.path.set = {session}
            directory.default.set = "{folder}"
            network.bind_address.set = {self.addr}
            network.port_range.set = {self.port}-{self.port}
            network.port_random.set = no
            dht.mode.set = on
            dht.port.set = {self.port}
            protocol.pex.set = no
            trackers.use_udp.set = yes
            protocol.encryption.set = allow_incoming
            pieces.hash.on_completion.set = no
            log.open_file = "log", {self.path('debug')}
            log.add_output = "info", "log"
            log.add_output = "tracker_debug", "log"
            log.add_output = "peer_debug", "log"
        """
        with open(self.path("rc"), "w", encoding="utf-8") as f:
            f.write("\n".join(line.strip() for line in settings.splitlines()))
        self.start(["rtorrent", "-n", "-o", "import=./rc"])
        self.until(lambda: self._try("system.pid"), "to start")
        for n in self.nodes:
            self._call("dht.add_node", "", f"{n.addr}:{n.port}")
        if self.nodes:   # a download that begins before asks the DHT some twenty minutes later
            self.until(lambda: (self._try("dht.statistics", "") or {}).get("nodes"), "to join")

    def _torrents(self):
        fields = ("d.hash=", "d.complete=", "d.is_meta=", "d.is_hash_checking=", "d.is_open=",
                  "d.message=", "d.is_active=")
        return self._try("d.multicall2", "", "main", *fields) or []

    def _done(self):
        self._introduce()
        found = self._torrents()
        return bool(found) and all(f[1] and not f[2] and not f[3] and f[6] for f in found)

    def _seed(self, torrent, data):
        self._start(data)
        self._call("load.start", "", torrent)
        self.until(self._done, "to seed")

    def _leech(self, source, dest, peers):
        self._start(dest)
        self._call("load.start", "", source)
        self.peers = peers

    def _introduce(self):
        """Again every second, for with a link's manifest comes a new download without peers."""
        if time.monotonic() < self.introduced + 1:
            return
        for found in self._torrents() if self.peers else ():
            self.introduced = time.monotonic()
            for p in self.peers:
                self._try("add_peer", found[0], f"{p.addr}:{p.port}")

    def stop(self):
        super().stop()
        if self.door is not None:
            os.close(self.door)
            self.door = None
