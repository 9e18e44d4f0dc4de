"""The content that the rows carry, the same bytes in every run, and how two trees compare."""

import os
import random

# Sizes around blocks and pieces, nested, with names that programs stumble over. No two leave
# the same rest in a piece: the pad files of a hybrid are named by their length, and rtorrent
# refuses a .torrent that names one path twice. No double quote: Transmission changes it.
FOLDER = [
    ("readme.txt", 1234), ("empty", 0), ("z/tiny2", 2), ("z/tiny3", 3), ("z/tiny5", 5),
    ("fifteen", 15), ("block exactly", 16384), ("block and one", 16385),
    ("block less one", 16383), ("a/first", 65536), ("a/second", 65636), ("a/b/third", 262144),
    ("a/b/c/deep.bin", 3145735), ("ünïcode 文件.txt", 40000), ("ordner/ß/naïve.dat", 777777),
    ("big.bin", 5 * 1024 * 1024 + 4001), ("UPPER.TXT", 99), (".hidden", 4096),
    ("%41 & + #'.x", 31337), ("z/last", 20000),
]
FILE_SIZE = 20 * 1024 * 1024 + 54321


def _fill(path, size, rng):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        while size > 0:
            n = min(size, 1 << 20)
            f.write(rng.randbytes(n))
            size -= n


def make(kind, folder, size=FILE_SIZE):
    """Writes the content below folder and returns its path: "file" or "folder"."""
    rng = random.Random(kind)
    if kind == "file":
        path = os.path.join(folder, "film with spaces.bin")
        _fill(path, size, rng)
        return path
    path = os.path.join(folder, "ordner ä")
    for name, length in FOLDER:
        _fill(os.path.join(path, name), length, rng)
    return path


def add_pads(path, manifest):
    """The pad files of a hybrid, for a seed that takes them for ordinary files."""
    for name, length in manifest.pads():
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.truncate(length)


def tree(path):
    """{path below: full path} of the files of a folder, without pad files."""
    out = {}
    for base, folders, names in os.walk(path):
        folders[:] = [d for d in folders if d != ".pad"]
        for name in names:
            full = os.path.join(base, name)
            out[os.path.relpath(full, path)] = full
    return out


def _same(a, b):
    if os.path.getsize(a) != os.path.getsize(b):
        return False
    with open(a, "rb") as f, open(b, "rb") as g:
        while True:
            x, y = f.read(1 << 20), g.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


def difference(want, got, names=None, empty_files=True):
    """What differs, in words, or None. names: which files of a folder are to be there."""
    if not os.path.exists(got):
        return f"{os.path.basename(got)} is not there"
    if os.path.isfile(want):
        return None if _same(want, got) else f"{os.path.basename(got)} differs"
    a, b = tree(want), tree(got)
    a = {name: full for name, full in a.items() if name in names
         and (empty_files or name in b or os.path.getsize(full))}
    if a.keys() != b.keys():
        return f"names differ: {sorted(a.keys() ^ b.keys())}"
    for name in a:
        if not _same(a[name], b[name]):
            return f"{name} differs"
    return None
