"""A program around libtorrent: make or read a .torrent, or seed and leech until it is ended.

Its arguments are what to do and a JSON object; its results are lines on stdout.
"""

import json
import os
import sys
import time

import libtorrent as lt

SETTINGS = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_incoming_utp": False, "enable_outgoing_utp": False, "dht_bootstrap_nodes": "",
    "allow_multiple_connections_per_ip": True, "announce_to_all_trackers": True,
    "out_enc_policy": 2, "in_enc_policy": 1, "ssrf_mitigation": False,
    "torrent_connect_boost": 50, "tick_interval": 100, "stop_tracker_timeout": 1,
    "enable_ip_notifier": False,
}
TRICKLE = 4000  # bytes a second


def make(job):
    """Writes a .torrent; a hybrid unless told otherwise."""
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only}
    storage = lt.file_storage()
    lt.add_files(storage, job["path"])
    made = lt.create_torrent(storage, 0, flags.get(job["format"], 0))
    if job["tracker"]:
        made.add_tracker(job["tracker"])
    lt.set_piece_hashes(made, os.path.dirname(job["path"]))
    with open(job["out"], "wb") as f:
        f.write(lt.bencode(made.generate()))


def read(job):
    info = lt.torrent_info(job["path"])
    hashes = info.info_hashes()
    files = info.files()
    print(json.dumps({
        "v1": str(hashes.v1) if hashes.has_v1() else None,
        "v2": str(hashes.v2) if hashes.has_v2() else None,
        "name": info.name(), "size": info.total_size(), "pieces": info.num_pieces(),
        "piece_size": info.piece_length(),
        "files": [[files.file_path(i), files.file_size(i)] for i in range(files.num_files())
                  if not files.file_flags(i) & files.flag_pad_file]}))


def ways_in(job):
    """How it finds others: private addresses are all there is here, and all are on one net."""
    return {"enable_dht": "dht" in job["ways"], "enable_lsd": "lsd" in job["ways"],
                "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
                "dht_ignore_dark_internet": False, "dht_prefer_verified_node_ids": False,
                "dht_enforce_node_id": False, "local_service_announce_interval": 5,
                "dht_announce_interval": 30}


def join(session, job):
    for known in job["nodes"]:
        session.add_dht_node(tuple(known))


def spare(session, addr):
    """Whoever is at this address gets but a trickle; all others what they can take. It is called
    again soon if it was not there yet, not after the minute that libtorrent waits."""
    session.apply_settings({"min_reconnect_time": 1, "max_failcount": 100})
    number = session.create_peer_class("trickle")
    session.set_peer_class(number, {**session.get_peer_class(number), "upload_limit": TRICKLE})
    only = lt.ip_filter()
    only.add_rule(addr, addr, 1 << number)
    session.set_peer_class_filter(only)


def node(job):
    """A member of the DHT that has no torrents."""
    session = lt.session({**SETTINGS, **ways_in({**job, "ways": ["dht"]}),
                          "listen_interfaces": f"{job['addr']}:{job['port']}"})
    join(session, job)
    print("complete", flush=True)
    while True:
        time.sleep(1)
        session.pop_alerts()


def serve(job):
    """Seeds or leeches until it is ended; prints "complete" once all is there, and if it is sparing
    "served" when somebody has taken the first of it."""
    here = f"{job['addr']}:{job['port']}"
    session = lt.session({**SETTINGS, **ways_in(job), "listen_interfaces": here,
                          "outgoing_interfaces": job["addr"],
                          "alert_mask": lt.alert.category_t.error_notification
                          | lt.alert.category_t.tracker_notification
                          | lt.alert.category_t.status_notification
                          | lt.alert.category_t.connect_notification})
    if job["source"].startswith("magnet:"):
        params = lt.parse_magnet_uri(job["source"])
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(job["source"])
    params.save_path = job["folder"]
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    params.peers = [tuple(p) for p in job["peers"]] + list(params.peers)
    if "pex" not in job["ways"]:
        params.flags |= lt.torrent_flags.disable_pex
    if job["sparing"]:
        spare(session, job["sparing"])
    handle = session.add_torrent(params)
    join(session, job)
    complete, served = False, not job["sparing"]
    while True:
        # Not wait_for_alert: what it returns may have moved before Python looks at it (a crash).
        time.sleep(0.02)
        for alert in session.pop_alerts():
            print(alert.message(), file=sys.stderr, flush=True)
        if not complete and handle.status().is_seeding:
            # Buffers go to the files before the word is given, or a reader finds holes.
            handle.flush_cache()
            time.sleep(0.05)
            complete = True
            print("complete", flush=True)
        if not served and handle.status().total_payload_upload:
            served = True
            print("served", flush=True)


if __name__ == "__main__":
    {"make": make, "read": read, "serve": serve, "node": node}[sys.argv[1]](json.loads(sys.argv[2]))
