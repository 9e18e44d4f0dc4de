"""The program of tests/interop around libtorrent, with ceilings, and for many torrents."""

import json
import os
import sys
import time

import libtorrent as lt

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "interop", "rig"))

import libtorrent_process as plain



class Session(lt.session):
    """By itself it holds nobody on the local network to its limits, and all are there."""

    def __init__(self, settings):
        super().__init__(settings)
        everybody = lt.ip_filter()
        everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
        self.set_peer_class_filter(everybody)


lt.session = Session
ways_in = plain.ways_in
plain.ways_in = lambda job: {**ways_in(job), "upload_rate_limit": job["up"],
                             "download_rate_limit": job["down"]}


def many(job):
    """Seeds all, trusting that the files are as they were; "complete" once all are served."""
    session = lt.session({**plain.SETTINGS, **plain.ways_in(job), "alert_mask": 0,
                          "listen_interfaces": f"{job['addr']}:{job['port']}"})
    handles = []
    for name in sorted(os.listdir(job["torrents"])):
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(os.path.join(job["torrents"], name))
        params.save_path = job["folder"]
        params.flags |= lt.torrent_flags.seed_mode | lt.torrent_flags.disable_pex
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handles.append(session.add_torrent(params))
    while not all(h.status().is_seeding for h in handles):
        time.sleep(0.05)
    print("complete", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    {"serve": plain.serve, "many": many}[sys.argv[1]](json.loads(sys.argv[2]))
