"""Just enough of BEP 3, 9 and 52 to know a .torrent's hashes and to write a magnet link.

Kept apart from the code under test on purpose: the harness must not believe it.
"""

import hashlib
import urllib.parse


def _read(data, at):
    c = data[at:at + 1]
    if c == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if c in (b"l", b"d"):
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            start = at
            value, at = _read(data, at)
            items.append((value, start, at))
        if c == b"l":
            return [v for v, _, _ in items], at + 1
        out, spans = {}, {}
        for (key, _, _), (value, start, end) in zip(items[::2], items[1::2]):
            out[key], spans[key] = value, (start, end)
        out[None] = spans
        return out, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


class Manifest:
    """name, v1 and v2 (hex or None) of a .torrent file."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        self.path = path
        self.root, _ = _read(data, 0)
        self.info = self.root[b"info"]
        start, end = self.root[None][b"info"]
        self.name = self.info[b"name"].decode()
        self.v1 = hashlib.sha1(data[start:end]).hexdigest() if b"pieces" in self.info else None
        self.v2 = (hashlib.sha256(data[start:end]).hexdigest()
                   if self.info.get(b"meta version") == 2 else None)

    def format(self):
        return "hybrid" if self.v1 and self.v2 else "v2" if self.v2 else "v1"

    def announced(self, formats=("v1", "v2", "hybrid")):
        """The 40 hex digits by which trackers know it, for clients that speak these formats."""
        out = [self.v1] if self.v1 else []
        if self.v2 and "v2" in formats:
            out.append(self.v2[:40])
        return out

    def pads(self):
        """[(path, length)] of the pad files, which a client without BEP 47 holds for real."""
        out = []
        for f in self.info.get(b"files", []):
            if b"p" in f.get(b"attr", b""):
                out.append((b"/".join(f[b"path"]).decode(), f[b"length"]))
        return out

    def names(self):
        """Paths of the files below the folder, without pad files; None for a single file."""
        if self.v1:
            if b"files" not in self.info:
                return None
            return {b"/".join(f[b"path"]).decode() for f in self.info[b"files"]
                    if b"p" not in f.get(b"attr", b"")}
        names = set(self.roots())
        return None if names == {self.name} else names

    def roots(self):
        """{path: pieces root} of the v2 file tree; an empty file has none."""
        out = {}

        def walk(tree, path):
            for key, node in tree.items():
                if key is None:
                    continue
                if key == b"":
                    out[path] = node.get(b"pieces root")
                else:
                    walk(node, f"{path}/{key.decode()}" if path else key.decode())

        walk(self.info.get(b"file tree", {}), "")
        return out

    def magnet(self, tracker=None, peers=(), only=None):
        """A link with the hashes (only="v1" or "v2": that one), the tracker and x.pe."""
        parts = []
        if self.v1 and only != "v2":
            parts.append(f"xt=urn:btih:{self.v1}")
        if self.v2 and only != "v1":
            parts.append(f"xt=urn:btmh:1220{self.v2}")
        parts.append("dn=" + urllib.parse.quote(self.name))
        if tracker:
            parts.append("tr=" + urllib.parse.quote(tracker, safe=""))
        parts += [f"x.pe={p.addr}:{p.port}" for p in peers]
        return "magnet:?" + "&".join(parts)
