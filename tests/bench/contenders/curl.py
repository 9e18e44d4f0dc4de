"""References for a transfer: what the machine does without peers, and without verifying."""

import os

from clients.client import Client
from contenders.contender import Contender
from rig.process import accepts

NGINX = """
daemon off;
master_process off;
error_log stderr crit;
pid {folder}/pid;
events {{ }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen {addr}:{port}; root {root}; }}
}}
"""


class _Reference(Contender, Client):
    formats, takes_peer, exits = ("v1",), True, True
    file = "content.bin"

    def _done(self):
        return self.exited_well()

    def _listening(self):
        self.until(lambda: accepts(self.addr, self.port), "to listen")


class Curl(_Reference):
    name, package, binaries = "nginx+curl", "curl", ("curl", "nginx")

    def _seed(self, torrent, data):
        with open(self.path("conf"), "w", encoding="utf-8") as f:
            f.write(NGINX.format(folder=self.folder, addr=self.addr, port=self.port, root=data))
        self.start(["/usr/sbin/nginx", "-p", self.folder, "-c", self.path("conf")])
        self._listening()

    def _leech(self, source, dest, peers):
        self.start(["curl", "-s", "-f", "-o", os.path.join(dest, self.file),
                    f"http://{peers[0].addr}:{peers[0].port}/{self.file}"])


class Stream(_Reference):
    name = "tcp-stream"

    def _stream(self, *words):
        here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stream_process.py")
        self.start(["/usr/bin/python3", "-I", "-B", here, *words])

    def _seed(self, torrent, data):
        self._stream("send", self.addr, str(self.port), os.path.join(data, self.file))
        self._listening()

    def _leech(self, source, dest, peers):
        self._stream("receive", os.path.join(dest, self.file),
                     *(f"{p.addr}:{p.port}" for p in peers))

    @classmethod
    def version(cls):
        return "-"
