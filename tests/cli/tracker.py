#!/usr/bin/python3
"""A tracker on loopback that answers scrapes with fixed figures: prints its port, serves until killed.

    tracker.py SEEDS PEERS          with those figures for whatever is asked
    tracker.py html                 a web page, as trackers that are gone leave behind
    tracker.py silent               takes the question and never answers
"""
import http.server
import sys
import time
import urllib.parse


class Tracker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if sys.argv[1] == 'silent':
            time.sleep(600)
        query = urllib.parse.urlsplit(self.path).query
        hashes = [urllib.parse.unquote_to_bytes(p[10:]) for p in query.split('&')
                  if p.startswith('info_hash=')]
        if sys.argv[1] == 'html' or '/scrape' not in self.path or not hashes:
            body = b'<html><body>It works</body></html>'
        else:
            figures = b'd8:completei%se10:downloadedi0e10:incompletei%see' % tuple(
                a.encode() for a in sys.argv[1:3])
            body = b'd5:filesd20:' + hashes[0] + figures + b'ee'
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Tracker)
print(server.server_port, flush=True)
server.serve_forever()
