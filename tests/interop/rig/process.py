"""Start a program, watch it, end it by its pid, and never leave one behind.

Every program runs with its output in a log of its own, so that a failed row can be read
afterwards, and with a home folder of its own, so that nobody's settings leak in.
"""

import os
import random
import select
import signal
import socket
import subprocess
import time


class Failed(Exception):
    """The row did not do what it should; the message is what the runner prints."""


def clean_env(home, **more):
    env = {"HOME": home, "XDG_CONFIG_HOME": f"{home}/config", "XDG_DATA_HOME": f"{home}/data",
           "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    for kept in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TMPDIR"):
        if kept in os.environ:
            env[kept] = os.environ[kept]
    env.update(more)
    return env


class Program:
    """A running program: argv, log, pid. Not stopped by itself: call stop()."""

    def __init__(self, argv, log, cwd, env=None, stdout=None):
        self.argv, self.log = argv, log
        self.usage = None
        with open(log, "ab") as out, open(stdout or log, "ab") as result:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=result,
                                          stderr=out, cwd=cwd, env=env or clean_env(cwd))
        self.pid = self.popen.pid

    def ended(self):
        """Its exit status, or None while it runs; keeps what it used in self.usage."""
        if self.popen.returncode is not None:
            return self.popen.returncode
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.usage = usage
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        return self.popen.returncode

    def rest(self, seconds):
        """Sleeps for so long, or until it ends: who waits for an end takes no time from it."""
        if self.ended() is not None:
            time.sleep(seconds)
            return
        end = os.pidfd_open(self.pid)
        try:
            select.select([end], [], [], seconds)
        finally:
            os.close(end)

    def stop(self, patience=1.0):
        """SIGTERM, and SIGKILL for what has not ended by then; returns the exit status."""
        if self.ended() is None:
            os.kill(self.pid, signal.SIGTERM)
            limit = time.monotonic() + patience
            while self.ended() is None and time.monotonic() < limit:
                time.sleep(0.01)
        if self.ended() is None:
            os.kill(self.pid, signal.SIGKILL)
            while self.ended() is None:
                time.sleep(0.005)
        return self.ended()

    def tail(self, lines=3):
        with open(self.log, "rb") as f:
            text = f.read().decode("utf-8", "replace").replace("\r", "\n")
        return " | ".join([s.strip() for s in text.splitlines() if s.strip()][-lines:])


def wait_until(check, seconds, what, program=None, every=0.05):
    """The first true value of check(); Failed when time is up or the program has ended."""
    limit = time.monotonic() + seconds
    while True:
        # Asked before the check: what a program did just before it ended still counts.
        status = program.ended() if program else None
        value = check()
        if value:
            return value
        if status is not None:
            raise Failed(f"{what}: {os.path.basename(program.argv[0])} ended with {status}: "
                         f"{program.tail()}")
        if time.monotonic() > limit:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        if program:
            program.rest(every)
        else:
            time.sleep(every)


def run(argv, log, cwd, seconds=60, env=None):
    """Runs to the end and returns stdout; stderr goes to the log; Failed unless status 0."""
    with open(log, "ab") as err:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                              cwd=cwd, env=env or clean_env(cwd), timeout=seconds, check=False)
        err.write(done.stdout)
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as f:
            said = f.read().strip().splitlines()[-1:]
        raise Failed(f"{os.path.basename(argv[0])} ended with {done.returncode}: {said}")
    return done.stdout


def free_port(addr):
    """A port free now for TCP and UDP. Below those that the kernel gives to who asks for any, and the
    network is the row's own: so it stays free."""
    for _ in range(50):
        port = random.randrange(10000, 32000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((addr, port))
                udp.bind((addr, port))
            except OSError:
                continue
            return port
    raise Failed(f"no free port at {addr}")


def accepts(addr, port):
    """Whether something listens there."""
    try:
        with socket.create_connection((addr, port), timeout=1):
            return True
    except OSError:
        return False


def shakes_hands(addr, port, info_hash):
    """Whether a peer there answers the handshake (BEP 3) for this hash."""
    hello = (b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(info_hash)
             + b"-XX0000-" + bytes(12))
    try:
        with socket.create_connection((addr, port), timeout=1) as s:
            s.sendall(hello)
            return s.recv(68)[:20] == hello[:20]
    except OSError:
        return False
