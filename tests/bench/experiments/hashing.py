"""How fast content becomes a manifest, with all cores and on one, of one big file and of many small
ones; and how fast what lies here is verified. `openssl speed` tells what one core can do, two dd at
once what reading alone takes. Where the processor has SHA instructions, all are also played without
them (without.py)."""

import os
import re
import subprocess
import time

from clients.p2p import program
from contenders import CLIENTS, MAKERS
from measure import to_end
from rig.process import Failed, Program, clean_env, run
from without import NO_SHA, has_sha

SIZES = ("one file of the size; 20,000 files of some 13 KiB (254 MiB)",
         "one file of twice the size; 2,000 files of some 13 KiB (25 MiB)")
ONE_CORE = ("taskset", "-c", "0")
READ = 256 << 10        # bytes at once
SLOW = "not with QUICK=1: it hashes gigabytes of padding"


def timed(bench, argv, size, env=None):
    log = bench.path("hashing.log")
    if os.path.exists(log):
        os.unlink(log)
    began = time.monotonic()
    made = Program(argv, log, bench.base, env)
    found = to_end(made, began)
    if made.ended() != 0:
        raise Failed(f"ended with {made.ended()}: {made.tail()}")
    return {**found, "rate": size / 1e6 / found["wall"]}


def make(bench, maker, fmt, content, size, wrap=()):
    out = bench.path("made.torrent")
    if os.path.exists(out):
        os.unlink(out)
    found = timed(bench, [*wrap, *maker.maker(content, out, fmt)], size)
    if not os.path.exists(out):
        raise Failed("wrote no manifest")
    return found


def of(bench, title, content, size, wrap=(), leave_out=()):
    """The runs of all makers that know a format, on this content."""
    return [(f"{title} {fmt}", maker.name,
             lambda m=maker, f=fmt: make(bench, m, f, content, size, wrap))
            for fmt in ("v1", "v2", "hybrid") for maker in MAKERS.values()
            if maker.maker("", "", fmt) and (maker.name, fmt) not in leave_out]


def verifying(bench, folder):
    """Each hashes again what it has recorded or is told of."""
    size = os.path.getsize(os.path.join(folder, "content.bin"))
    home = bench.path("verify-home")
    env = clean_env(bench.base, P2P_HOME=home)
    link = run([program("p2p-add"), "--format", "v1", "--print", "hash",
                os.path.join(folder, "content.bin")], bench.path("hashing.log"), bench.base,
               env=env).decode().split()[0]
    torrent = bench.torrent(folder, "v1")
    runs = [("verify v1", "p2p", lambda: timed(
        bench, [program("p2p-ls"), "--verify", link], size, env))]
    for client in CLIENTS.values():
        argv = client.verifier(torrent, folder)
        if argv:
            runs.append(("verify v1", client.name,
                         lambda a=argv: timed(bench, a, size)))
    return runs


def openssl(bench, digest, wrap=()):
    done = subprocess.run([*wrap, "openssl", "speed", "-seconds", "1", "-bytes", "16384", "-evp",
                           digest], capture_output=True, text=True, check=False)
    found = re.search(r"([\d.]+)k\s*$", done.stdout.strip())
    if found:
        return {"rate": float(found[1]) / 1000}
    raise Failed("openssl speed said nothing")


def reading(bench, file, size):
    """Both halves side by side, and nothing done with them: no hashing can be quicker."""
    half = size // READ // 2
    dd = f'dd if="$1" of=/dev/null bs={READ} count={half} status=none'
    return timed(bench, ["sh", "-c", f"{dd} & {dd} skip={half}; wait", "sh", file], size)


def play(bench):
    size = bench.size * bench.pick(1, 2)
    folder = bench.big(size)
    file = os.path.join(folder, "content.bin")
    runs = of(bench, "hashing", file, size)
    runs.append(("hashing v1", "(reading alone)", lambda: reading(bench, file, size)))
    runs += of(bench, "hashing on one core", file, size, ONE_CORE)
    for fmt, digest in (("v1", "sha1"), ("v2", "sha256")):
        runs.append((f"hashing on one core {fmt}", f"openssl speed {digest}",
                     lambda d=digest: openssl(bench, d)))
    if has_sha():
        title = "hashing without SHA instructions"
        runs += of(bench, title, file, size, NO_SHA)
        for fmt, digest in (("v1", "sha1"), ("v2", "sha256")):
            runs.append((f"{title} {fmt}", f"openssl speed {digest}",
                         lambda d=digest: openssl(bench, d, NO_SHA)))
    runs += verifying(bench, folder)
    bench.rounds(runs)
    n = bench.pick(20000, 2000)
    folder = bench.small(n, 13300)
    size = sum(os.path.getsize(os.path.join(at, name))
               for at, _, names in os.walk(folder) for name in names)
    late = ("libtorrent", "hybrid")
    title = f"hashing {n:,} files"
    runs = of(bench, title, folder, size)
    bench.rounds([r for r in runs if (r[1], r[0].split()[-1]) != late])
    if bench.quick:
        bench.figures.cannot(f"{title} hybrid", "libtorrent", SLOW)
    else:
        bench.rounds([r for r in runs if (r[1], r[0].split()[-1]) == late], 1)
