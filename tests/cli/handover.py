#!/usr/bin/python3
"""Hands sockets to a program as a service manager does: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES.

    handover.py SOCKET... -- PROGRAM [ARGUMENT...]

A SOCKET is tcp4, tcp6, udp4, udp6 (on loopback), tcp46, udp46 (both families, every address),
stream (a TCP socket that does not listen) or file; each on one free port, or tcp4+1 on the next
one. PORT and OTHER stand in the arguments for the two. WRONG_PID in place of a socket: for
somebody else.
"""
import os
import socket
import sys

sys.dont_write_bytecode = True
from ports import free_ports  # beside this


def make(kind, port):
    family = socket.AF_INET6 if '6' in kind else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM if kind.startswith('udp') else socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0 if kind.startswith('udp') else 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, '46' not in kind)
    s.bind(({'46': '::', '4': '127.0.0.1', '6': '::1', '': '127.0.0.1'}[
        '46' if '46' in kind else kind[3:4] if kind[3:4] in '46' else ''], port))
    if kind.startswith('tcp'):
        s.listen()
    return s


at = sys.argv.index('--')
kinds, words = sys.argv[1:at], sys.argv[at + 1:]
port = free_ports(2)
held, pid = [], os.getpid()
for kind in kinds:
    if kind == 'WRONG_PID':
        pid = os.getppid()
    elif kind == 'file':
        held.append(open('/dev/null'))
    else:
        name, _, more = kind.partition('+')
        held.append(make(name, port + int(more or 0)))
high = [os.dup2(h.fileno(), 100 + i) for i, h in enumerate(held)]
for h in held:
    h.close()
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
    os.set_inheritable(3 + i, True)
os.environ.update(LISTEN_PID=str(pid), LISTEN_FDS=str(len(held)),
                  LISTEN_FDNAMES=':'.join('x%d' % i for i in range(len(held))))
words = [w.replace('PORT', str(port)).replace('OTHER', str(port + 1)) for w in words]
os.execvp(words[0], words)
