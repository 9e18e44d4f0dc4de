"""What each program is on disk: its size without symbols, and how many shared libraries it needs,
theirs counted too."""

import glob
import os
import shutil
import subprocess

from contenders import CLIENTS, MAKERS, OURS
from clients.p2p import BIN
from rig.process import Failed

SIZES = ("", "")


def find(name):
    if name in OURS.binaries:
        return os.path.join(BIN, name)
    if ".so" in name:
        found = sorted(glob.glob(f"/usr/lib/*/{name}*"))
        return os.path.realpath(found[0]) if found else None
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def weigh(bench, name):
    path, out = find(name), bench.path("stripped")
    if not path or subprocess.run(["strip", "-o", out, path], check=False).returncode:
        raise Failed("not here")
    libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return {"size": os.path.getsize(out) / 1024, "libraries": libraries.count("=>")}


def play(bench):
    names = [n for c in {**CLIENTS, **MAKERS}.values() for n in c.binaries]
    bench.rounds([("footprint", n, lambda n=n: weigh(bench, n)) for n in dict.fromkeys(names)], 1)
