"""mktorrent: a maker of manifests and nothing else. It takes a thread a core by itself."""

from contenders.contender import Contender


class Mktorrent(Contender):
    name, package, binaries = "mktorrent", "mktorrent", ("mktorrent",)

    @staticmethod
    def maker(path, out, fmt):
        return ["mktorrent", "-o", out, path] if fmt == "v1" else None
