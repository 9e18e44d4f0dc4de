"""Our own programs, used as CLI.md's reader would use them.

What the contract promises is checked here once for every row: one ready line from p2p-seed,
one path from p2p-get, exit status 0 when done and 143 when told to end.
"""

import json
import os
import subprocess

from clients.client import Client, is_magnet
from rig.process import Failed, Program, clean_env, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.environ.get("P2P_BIN", os.path.join(ROOT, "build"))
QUIET = ("--no-dht", "--no-lsd", "--no-pex", "--no-utp", "--no-port-mapping")


def program(name):
    path = os.path.join(BIN, name)
    if not os.access(path, os.X_OK):
        raise Failed(f"{name} is not built: {path}")
    return path


def switches(name, env, ways=()):
    """The switches that keep it off the network, of those that this build has."""
    text = subprocess.run([program(name), "--help"], capture_output=True, env=env, check=False)
    words = text.stdout.decode("utf-8", "replace").replace(",", " ").replace("=", " ").split()
    return [q for q in QUIET if q in words and q.removeprefix("--no-") not in ways]


class P2p(Client):
    name = "p2p"
    formats = ("v1", "v2", "hybrid")
    takes_peer = True
    makes = ("v1", "v2", "hybrid")
    meets = ("dht", "pex", "lsd")
    patience = 10.0

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.env = clean_env(self.folder, P2P_HOME=self.path("home"))
        self.configure("bootstrap = none", "no-port-mapping = true")
        self.answer = self.path("answer")
        self.ended_itself = False

    def configure(self, *lines):
        """Its configuration file: no public host is asked for anything, whatever the switches."""
        folder = os.path.join(self.env["XDG_CONFIG_HOME"], "p2p")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config"), "w", encoding="utf-8") as f:
            f.writelines(f"{line}\n" for line in lines)

    @staticmethod
    def make_torrent(path, out, fmt, tracker, folder):
        run([program("p2p-add"), "--no-catalogue", "--format", fmt, "-o", out]
            + (["-t", tracker] if tracker else []) + [path],
            os.path.join(folder, "create.log"), folder)

    @staticmethod
    def describe(source, folder):
        """What p2p-ls --json says of a SOURCE, and what --hash prints."""
        log = os.path.join(folder, "ls.log")
        said = run([program("p2p-ls"), "--json", source], log, folder).decode().splitlines()
        if len(said) != 1:
            raise Failed(f"p2p-ls --json printed {len(said)} lines for one source")
        hashes = run([program("p2p-ls"), "--hash", source], log, folder).decode().split()
        return json.loads(said[0]), hashes

    def add(self, path, fmt, torrent, tracker):
        """p2p-add into this home's catalogue; returns the link that it prints."""
        out = run([program("p2p-add"), "--format", fmt, "-o", torrent]
                  + (["-t", tracker] if tracker else []) + [path],
                  self.path("log"), self.folder, env=self.env).decode().splitlines()
        if len(out) != 1 or not is_magnet(out[0]):
            raise Failed(f"p2p-add printed {out}, not one link")
        return out[0]

    def _how(self, name):
        """What all of ours are told about the network."""
        words = switches(name, self.env, self.ways)
        return words + [w for n in self.nodes for w in ("--bootstrap", f"{n.addr}:{n.port}")]

    def _run(self, argv):
        with open(self.answer, "wb"):
            pass
        self.program = Program(argv, self.path("log"), self.folder, self.env, self.answer)

    def _lines(self):
        with open(self.answer, encoding="utf-8") as f:
            return [line for line in f.read().split("\n")[:-1] if line]

    def _ready(self):
        lines = self._lines()
        if not lines:
            return False
        words = lines[0].split("\t")
        if len(words) != 3 or words[0] != "listening" or words[2] != "1":
            raise Failed(f"p2p-seed printed {lines[0]!r}")
        self.port = int(words[1].rpartition(":")[2])
        return True

    def _serve(self, operands):
        argv = [program("p2p-seed"), "--bind", self.addr, "--port", "0"]
        self._run(argv + self._how("p2p-seed") + operands)
        self.until(self._ready, "to be ready")

    def _seed(self, torrent, data):
        """torrent None: what the catalogue of this home holds."""
        self._serve(["-d", data, torrent] if torrent else [])

    def _leech(self, source, dest, peers, *more):
        argv = [program("p2p-get"), "--bind", self.addr, "--port", str(self.port),
                "--timeout", f"{int(self.seconds)}s", "-o", dest]
        self.ended_itself = not more
        self.dest = dest
        if not is_magnet(source):
            argv += [w for p in peers for w in ("--peer", f"{p.addr}:{p.port}")]
        self._run(argv + self._how("p2p-get") + list(more) + [source])

    def leech_and_share(self, source, dest, seconds, peers=()):
        """p2p-get that goes on to share; its line comes when the content is complete."""
        os.makedirs(dest, exist_ok=True)
        self._leech(source, dest, peers, "--seed-for", f"{seconds}s")

    def _done(self):
        if self.ended_itself and not self.exited_well():
            return False
        lines = self._lines()
        if not lines and not self.ended_itself:
            return False
        if len(lines) != 1 or os.path.dirname(lines[0]) != self.dest.rstrip("/"):
            raise Failed(f"p2p-get printed {lines}, not one path in {self.dest}")
        return True

    def stop(self):
        """Ours must end when told to, with the status that the contract names."""
        if self.program and self.program.ended() is None:
            status = self.program.stop(self.patience)
            if status != 143:
                raise Failed(f"{os.path.basename(self.program.argv[0])} ended with {status} "
                             f"on SIGTERM, not 143: {self.program.tail()}")


class SuperSeed(P2p):
    """p2p-seed --super: it shows its pieces one by one (BEP 16)."""
    name = "p2p-super"

    def _serve(self, operands):
        super()._serve(["--super"] + operands)


class P2pNode(P2p):
    """p2p-node: a member of the DHT and nothing else."""
    name = "p2p-node"

    def _joined(self):
        lines = self._lines()
        if lines and not lines[0].startswith("listening\t"):
            raise Failed(f"p2p-node printed {lines[0]!r}")
        return bool(lines)

    def run(self):
        self._run([program("p2p-node"), "--bind", self.addr, "--port", str(self.port)]
                  + [w for n in self.nodes for w in ("--bootstrap", f"{n.addr}:{n.port}")])
        self.until(self._joined, "to be ready")
