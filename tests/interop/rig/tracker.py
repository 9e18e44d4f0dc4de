"""opentracker in the row's network, by HTTP and by UDP on one port.

Debian builds it with a whitelist: it knows only the hashes in a file, so a row names them
before it starts. As root it changes to "nobody" and reads the file from its own folder.
"""

import os
import re
import socket
import struct
import urllib.parse
import urllib.request

from rig.process import Program, accepts, free_port, wait_until


class Tracker:
    def __init__(self, folder, addr):
        self.folder, self.addr, self.port = folder, addr, free_port(addr)
        self.program = None

    def url(self, scheme):
        return f"{scheme}://{self.addr}:{self.port}/announce"

    def start(self, hashes):
        os.makedirs(self.folder, mode=0o755, exist_ok=True)
        with open(os.path.join(self.folder, "hashes"), "w", encoding="ascii") as f:
            f.write("".join(h + "\n" for h in hashes))
        os.chmod(os.path.join(self.folder, "hashes"), 0o644)
        port = str(self.port)
        self.program = Program(["opentracker", "-i", self.addr, "-p", port, "-P", port,
                                "-d", ".", "-w", "hashes"],
                               os.path.join(self.folder, "log"), self.folder)
        wait_until(lambda: accepts(self.addr, self.port) and self.answers_udp(), 5, "tracker",
                   self.program, every=0.02)

    def answers_udp(self):
        """It listens by TCP first; a client would wait seconds for an answer that is lost."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.connect((self.addr, self.port))
                s.send(struct.pack(">QII", 0x41727101980, 0, 1))  # BEP 15: connect
                return len(s.recv(16)) == 16
            except OSError:
                return False

    def counts(self, info_hash):
        """(seeds, leechers) of one hash; nobody is announced by asking."""
        query = urllib.parse.quote(bytes.fromhex(info_hash), safe="")
        url = f"http://{self.addr}:{self.port}/scrape?info_hash={query}"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                text = answer.read()
        except (OSError, socket.timeout):
            return 0, 0
        found = re.search(rb"8:completei(\d+)e10:downloadedi\d+e10:incompletei(\d+)e", text)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def wait_seed(self, hashes, seconds, program=None):
        """Until every one of these hashes has a seed, so that no leech asks too early."""
        for h in hashes:
            wait_until(lambda h=h: self.counts(h)[0] > 0, seconds,
                       f"the seed to announce {h}", program)

    def stop(self):
        if self.program:
            self.program.stop()
