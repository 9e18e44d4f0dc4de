#!/usr/bin/python3
"""Peers that say what needs no answer; how often did the kernel at last acknowledge it by its clock?
Alone in a network of its own, where nobody else is counted.

    words.py PORT HASH N
"""
import array
import fcntl
import socket
import sys
import termios
import time


def late():
    with open('/proc/net/netstat', encoding='ascii') as f:
        names, values = [line.split() for line in f if line.startswith('TcpExt:')]
    return int(values[names.index('DelayedACKs')])


def unacknowledged(s):
    left = array.array('i', [0])
    fcntl.ioctl(s, termios.TIOCOUTQ, left)
    return left[0]


before = late()
for i in range(int(sys.argv[3])):
    s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    s.sendall(b'\x13BitTorrent protocol' + bytes(8) + bytes.fromhex(sys.argv[2])
              + b'-XX0000-%012d' % i)
    s.recv(65536)   # from now on the other end's kernel waits for something to say
    s.sendall(bytes(4))
    while unacknowledged(s):
        time.sleep(0.001)
    s.close()
print(late() - before)
