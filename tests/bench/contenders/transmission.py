"""Transmission's daemon, and its maker of manifests. It looks at its peers every ten seconds."""

import json

from clients.transmission import TransmissionDaemon
from contenders.contender import Contender


class Transmission(Contender, TransmissionDaemon):
    name, package = "transmission", "transmission-daemon"
    binaries = ("transmission-daemon", "transmission-cli", "transmission-create")
    quick, limit_unit = False, 1000

    def _settings(self, download, rpc=0):
        super()._settings(download, rpc)
        with open(self.path("settings.json"), "r+", encoding="utf-8") as f:
            settings = json.load(f)
            settings.update({"speed-limit-up-enabled": bool(self.up),
                             "speed-limit-up": self.up // 1000,
                             "speed-limit-down-enabled": bool(self.down),
                             "speed-limit-down": self.down // 1000})
            f.seek(0)
            json.dump(settings, f)
            f.truncate()

    @staticmethod
    def maker(path, out, fmt):
        return ["transmission-create", "-o", out, path] if fmt == "v1" else None
