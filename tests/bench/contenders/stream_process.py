"""A file down one TCP stream: sendfile on one side, recv and write on the other."""

import os
import socket
import sys

what, addr, port, path = sys.argv[1:]
if what == "send":
    with socket.create_server((addr, int(port))) as door, open(path, "rb") as f:
        while True:
            s, _ = door.accept()
            with s:
                try:
                    s.sendfile(f, 0)
                except OSError:
                    pass    # who only looks whether we listen goes away
else:
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    room = memoryview(bytearray(1 << 20))
    with socket.create_connection((addr, int(port))) as s:
        while n := s.recv_into(room):
            os.write(out, room[:n])
    os.close(out)
