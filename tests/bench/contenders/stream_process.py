"""A file down bare TCP streams: sendfile on one side, recv and write on the other.

send ADDR PORT PATH            to each caller the part that its eight bytes ask for
receive PATH ADDR:PORT...      from each sender an equal part, all at once
"""

import os
import selectors
import socket
import struct
import sys

ROOM = 256 << 10
PART = struct.Struct("!II")     # which, of how many


def part(size, i, n):
    return size * i // n, size * (i + 1) // n


def send(addr, port, path):
    with socket.create_server((addr, int(port))) as door, open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        while True:
            s, _ = door.accept()
            with s:
                try:
                    asked = s.recv(PART.size, socket.MSG_WAITALL)
                    if len(asked) < PART.size:
                        continue    # who only looks whether we listen goes away
                    start, end = part(size, *PART.unpack(asked))
                    s.sendall(struct.pack("!Q", start))
                    s.sendfile(f, start, end - start)
                except OSError:
                    pass


def receive(path, *peers):
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    room = memoryview(bytearray(ROOM))
    offsets, ready = {}, selectors.DefaultSelector()
    for i, peer in enumerate(peers):
        addr, _, port = peer.rpartition(":")
        s = socket.create_connection((addr, int(port)))
        s.sendall(PART.pack(i, len(peers)))
        ready.register(s, selectors.EVENT_READ)
    while ready.get_map():
        for key, _ in ready.select():
            s = key.fileobj
            if s not in offsets:
                offsets[s], = struct.unpack("!Q", s.recv(8, socket.MSG_WAITALL))
            elif n := s.recv_into(room):
                os.pwrite(out, room[:n], offsets[s])
                offsets[s] += n
            else:
                ready.unregister(s)
                s.close()
    os.close(out)


{"send": send, "receive": receive}[sys.argv[1]](*sys.argv[2:])
