"""Prints a port that is free for TCP and UDP, and stays so until it is used: the kernel gives those
who ask for any port one of its own range, and this is below it."""
import errno
import random
import socket


def is_free(port):
    for family, everywhere in (socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::'):
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            try:
                with socket.socket(family, kind) as s:
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
                    s.bind((everywhere, port))
            except OSError as e:
                if e.errno != errno.EAFNOSUPPORT:  # a machine without IPv6
                    return False
    return True


def free_ports(n):
    """The first of so many in a row."""
    with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as f:
        end = max(int(f.read().split()[0]), 20000)
    while True:
        port = random.randrange(10000, end - n)
        if all(is_free(port + i) for i in range(n)):
            return port


if __name__ == '__main__':
    print(free_ports(1))
