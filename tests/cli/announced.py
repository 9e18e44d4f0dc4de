#!/usr/bin/python3
"""A tracker on loopback that writes down what it is told, a line each: event, port, what is left.

    announced.py http               answers at once, with no peers
    announced.py udp                the same by UDP (BEP 15)
    announced.py ... mute           answers until somebody says "stopped", and nothing from then on

It prints the address to announce to first, and serves until killed.
"""
import http.server
import os
import socket
import struct
import sys
import time
import urllib.parse

EVENTS = ['', 'completed', 'started', 'stopped']
mute = 'mute' in sys.argv


def note(event, port, left):
    # In one write: those who are served at once would mix their lines.
    os.write(1, b'%s\t%s\t%s\n' % (event.encode(), str(port).encode(), str(left).encode()))


class Http(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query,
                                            encoding='latin-1'))
        note(query.get('event', ''), query['port'], query['left'])
        if mute and query.get('event') == 'stopped':
            time.sleep(600)
        body = b'd8:intervali1800e5:peers0:e'
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.1', 0))
    print('udp://127.0.0.1:%d/announce' % s.getsockname()[1], flush=True)
    while True:
        data, who = s.recvfrom(4096)
        connection, action, transaction = struct.unpack('!QII', data[:16])
        if action == 0:
            s.sendto(struct.pack('!IIQ', 0, transaction, 4711), who)
        elif action == 1:
            left, = struct.unpack('!Q', data[64:72])
            event, = struct.unpack('!I', data[80:84])
            port, = struct.unpack('!H', data[96:98])
            note(EVENTS[event], port, left)
            if not (mute and EVENTS[event] == 'stopped'):
                s.sendto(struct.pack('!IIIII', 1, transaction, 1800, 0, 0), who)


if sys.argv[1] == 'udp':
    serve_udp()
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Http)
print('http://127.0.0.1:%d/announce' % server.server_port, flush=True)
server.serve_forever()
