"""Transmission 3.00: the daemon by its RPC, and the command-line client by what it prints.

Both know v1 and refuse a hybrid ("Error parsing .torrent file"). Neither can be handed a peer,
and neither takes a peer at 127.x from a tracker. They look at their peers every ten seconds, be
it to unchoke one or to become interested in one, so their rows take that long; and a request
beyond their queue of 512 is rejected only ten seconds later.
"""

import json
import os
import urllib.error
import urllib.request

from clients.client import Client
from rig.process import free_port, run


class _Transmission(Client):
    formats = ("v1",)
    empty_files = False
    makes = ("v1",)

    @staticmethod
    def make_torrent(path, out, fmt, tracker, folder):
        run(["transmission-create", "-o", out] + (["-t", tracker] if tracker else []) + [path],
            os.path.join(folder, "create.log"), folder)

    def _settings(self, download, rpc=0):
        settings = {
            "bind-address-ipv4": self.addr, "bind-address-ipv6": "::1", "peer-port": self.port,
            "peer-port-random-on-start": False, "port-forwarding-enabled": False,
            "dht-enabled": "dht" in self.ways, "lpd-enabled": "lsd" in self.ways,
            "pex-enabled": "pex" in self.ways,
            "utp-enabled": False, "encryption": 0, "preallocation": 0,
            "download-dir": download, "incomplete-dir-enabled": False,
            "rename-partial-files": False, "rpc-enabled": bool(rpc), "rpc-port": rpc,
            "rpc-bind-address": "127.0.0.1", "rpc-host-whitelist-enabled": False,
            "cache-size-mb": 4, "message-level": 2,
        }
        with open(self.path("settings.json"), "w", encoding="utf-8") as f:
            json.dump(settings, f)
        # In place of dht.transmissionbt.com, which it would ask otherwise.
        with open(self.path("dht.bootstrap"), "w", encoding="utf-8") as f:
            f.writelines(f"{n.addr} {n.port}\n" for n in self.nodes)


class TransmissionDaemon(_Transmission):
    name = "transmission-daemon"
    meets = ("dht", "pex", "lsd")
    company = 10       # with fewer nodes it calls the DHT broken and asks nothing

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.rpc, self.session = free_port("127.0.0.1"), ""

    def _ask(self, method, **arguments):
        """One RPC; the first answer is a 409 that carries the session's token."""
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        for _ in range(2):
            ask = urllib.request.Request(f"http://127.0.0.1:{self.rpc}/transmission/rpc", body,
                                         {"X-Transmission-Session-Id": self.session})
            try:
                with urllib.request.urlopen(ask, timeout=5) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as e:
                self.session = e.headers.get("X-Transmission-Session-Id", "")
            except OSError:
                return {}
        return {}

    def _add(self, source, folder):
        self._settings(folder, self.rpc)
        self.start(["transmission-daemon", "-f", "-g", self.folder, "--log-info"])
        self.until(lambda: self._ask("session-get").get("result") == "success", "to start")
        self._ask("torrent-add", **{"filename": source, "download-dir": folder})

    def _torrent(self):
        fields = ["status", "leftUntilDone", "metadataPercentComplete", "recheckProgress",
                  "errorString"]
        answer = self._ask("torrent-get", fields=fields)
        found = answer.get("arguments", {}).get("torrents", [])
        return found[0] if found else {}

    def _done(self):
        t = self._torrent()
        return (t.get("metadataPercentComplete") == 1 and t.get("leftUntilDone") == 0
                and t.get("status") == 6)

    def _seed(self, torrent, data):
        self._add(torrent, data)
        self.until(self._done, "to seed")

    def _leech(self, source, dest, _peers):
        self._add(source, dest)


class TransmissionCli(_Transmission):
    name = "transmission-cli"

    def _run(self, source, folder):
        self._settings(folder)
        self.start(["stdbuf", "-o0", "transmission-cli", "-g", self.folder, "-w", folder,
                    "-p", str(self.port), "-M", "-et", source])

    def _done(self):
        with open(self.path("log"), "rb") as f:
            f.seek(max(0, os.path.getsize(self.path("log")) - 300))
            return b"Seeding" in f.read()

    def _seed(self, torrent, data):
        self._run(torrent, data)
        self.until(self._done, "to seed")

    def _leech(self, source, dest, _peers):
        self._run(source, dest)
