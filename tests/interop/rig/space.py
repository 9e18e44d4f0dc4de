"""A network of its own for each row, so that nothing a client does can leave the machine.

With a network namespace (as root, or by a user namespace) the clients stand at 10.77.0.N on
the loopback device: one address each, for some clients hold one peer an address, and not
127.x, for Transmission takes no peer from there. Without namespaces the clients stand at
127.A.B.N; Transmission can then only be called, and rows in which it must call fail.
"""

import os
import subprocess

from rig.process import Failed

INSIDE = "INTEROP_SPACE"


def _works(argv):
    try:
        return subprocess.run(argv + ["true"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def entry():
    """The words to put before a command so that it runs in a network of its own, or []."""
    roots = ["unshare", "--net"]
    # The user keeps its number: opentracker, as root, insists on becoming somebody else,
    # and in such a namespace there is nobody else.
    users = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net"]
    ways = [roots] if os.geteuid() == 0 else []
    for way in ways + [users]:
        if _works(way):
            return way
    return []


class Space:
    """The addresses of this process's network."""

    def __init__(self, mtu=None):
        self.own = os.environ.get(INSIDE) == "own"
        self.count, self.lan_mtu, self.device = 0, mtu, None
        if self.own:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            if mtu:
                subprocess.run(["ip", "link", "set", "lo", "mtu", str(mtu)], check=True)

    def lan(self):
        """From now on addresses are those of a link with neighbours, on which multicast works."""
        if not self.own:
            raise Failed("multicast needs a network namespace")
        for words in ("add neighbours type veth peer name others", "set others up",
                      f"set neighbours up mtu {self.lan_mtu or 1500} multicast on"):
            subprocess.run(["ip", "link"] + words.split(), check=True)
        subprocess.run("ip route add default dev neighbours".split(), check=True)
        self.device = "neighbours"

    def address(self):
        """An address that nobody else has."""
        self.count += 1
        if not self.own:
            pid = os.getpid()
            return f"127.{pid >> 8 & 127 | 64}.{pid & 255}.{self.count}"
        addr = f"10.77.0.{self.count}"
        if self.device:
            subprocess.run(["ip", "address", "replace", f"{addr}/24", "dev", self.device],
                           check=True)
            return addr
        subprocess.run(["ip", "address", "replace", f"{addr}/32", "dev", "lo"], check=True)
        return addr
