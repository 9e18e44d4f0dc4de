"""A neighbour who lies about where a router is described, and traps that see who believes it.

liar.py answer URL...     answers every SSDP search with these addresses, before the router does
liar.py trap HOST PORT    says "asked" when anyone connects there
"""

import socket
import sys


def answer(urls):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("239.255.255.250", 1900))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                 socket.inet_aton("239.255.255.250") + socket.inet_aton("0.0.0.0"))
    print("ready")
    while True:
        data, asker = s.recvfrom(2000)
        if not data.startswith(b"M-SEARCH"):
            continue
        wanted = [line[3:].strip() for line in data.split(b"\r\n") if line[:3].upper() == b"ST:"]
        for url in urls:
            s.sendto(b"HTTP/1.1 200 OK\r\nST: %s\r\nUSN: uuid:1::%s\r\nLOCATION: %s\r\n\r\n"
                     % (wanted[0], wanted[0], url.encode()), asker)
        print("answered")


def trap(host, port):
    s = socket.create_server((host, int(port)))
    print("ready")
    while True:
        conn, who = s.accept()
        print("asked by", who[0])
        conn.close()


if sys.argv[1] == "answer":
    answer(sys.argv[2:])
else:
    trap(sys.argv[2], sys.argv[3])
