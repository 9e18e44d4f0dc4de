/*
 * A session: one loop, one node, one listening port, any number of items. It performs what the node
 * asks for (sockets, disk, HTTP) and feeds back what happened. Made, run and freed on one thread.
 *
 *     engine_new → engine_add … → engine_run → engine_free
 *
 * What happens is told by options.event, from inside engine_run and nowhere else. Everything here
 * but engine_run and engine_free may be called from inside it; items live until engine_free or
 * until the event ENGINE_ENDED about them has returned, whichever comes first.
 *
 * An item passes through: found (what is it, does the catalogue know it), its manifest fetched,
 * surveyed (what of it is on the disk; what the record does not vouch for is hashed), running,
 * ended. Its last progress is on the disk, and in the catalogue, when ENGINE_ENDED comes.
 */
#ifndef P2P_ENGINE_ENGINE_H
#define P2P_ENGINE_ENGINE_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/base/usec.h>
#include <p2p/format/manifest.h>
#include <p2p/host/archive.h>
#include <p2p/proto/dht.h>
#include <p2p/swarm/goals.h>
#include <p2p/swarm/waits.h>

#define ENGINE_GRACE (10 * USEC_SEC) /* with nobody left to ask, an item ends after so long */
/* For trackers, when stopping: with what is saved at the end it is within a second. */
#define ENGINE_PATIENCE (3 * USEC_SEC / 4)
#define ENGINE_BRIEF (60 * USEC_SEC) /* who ran for so long will hardly end in the next seconds */
#define ENGINE_NO_BOOTSTRAP "none"

struct engine;
struct handed;
struct item;
struct inside_entry;
struct loop;

enum engine_event_kind {
    ENGINE_METADATA, /* item: its manifest is known (item_manifest) */
    ENGINE_REUSED,   /* item, path, bytes: so much of it came from this file, which was here */
    ENGINE_FILE,     /* item, file, path: has its final name now */
    ENGINE_COMPLETE, /* item, path: all that was asked for is verified, named and recorded */
    ENGINE_ENDED,   /* item, code, text: nothing more of it. 0, or why not; ERR_CANCELED: stopped */
    ENGINE_NOTICE,  /* item (or NULL), text: for the user, when verbose */
    ENGINE_WARNING, /* item (or NULL), text: for the user */
    ENGINE_READY, /* once: all that was added before engine_run, or that engine_follow found first,
                        has been taken up or has ended */
    ENGINE_TICK,  /* five times a second */
    ENGINE_ENTRY,  /* item, entry: of one of its archives, in a folder that at `path`, else NULL */
    ENGINE_MEMBER, /* item, path, text: the member called so is whole; `path` "-": it went out */
    ENGINE_DHT,   /* dht: what the DHT told the caller's look-ups (lookup.h), and of itself */
};
struct engine_event {
    enum engine_event_kind kind;
    struct item *item;
    uint32_t file;
    const char *path; /* borrowed, as text is */
    uint64_t bytes;
    int code;
    bool temporary; /* ENDED: nobody had it, or nobody answered; another time it may be otherwise */
    bool twin;      /* ENDED: another item of this session is the same, and holds the lock */
    const char *text;
    const struct dht_event *dht; /* borrowed */
    const struct inside_entry *entry; /* borrowed */
};

struct engine_words { /* strings of the caller */
    char *const *v;
    size_t n;
};

struct engine_options {
    const char *home;        /* value of --home; NULL: as home_find says. Made if it is missing */
    const struct addr *bind; /* NULL: every address */
    uint16_t port;           /* 0: any free one */
    struct handed *sockets;  /* in place of both, and taken over; NULL: none */
    uint64_t limit_down, limit_up;
    bool no_trackers, no_web_seeds, no_dht, no_pex, no_lsd;
    bool dht_only;  /* a node of the DHT on UDP and nothing else: no items, no catalogue */
    /* Asks only, and is not asked (BEP 43), until it has run for ENGINE_BRIEF; or for some seconds,
     * where there is hardly anybody else to ask. */
    bool dht_brief;
    /* Under this name the ids of our DHT node are kept in the home. The caller holds a lock, so
     * that no two have them. NULL: new ones each time. */
    const char *dht_ids;
    struct engine_words bootstrap; /* HOST:PORT or ENGINE_NO_BOOTSTRAP; n = 0: the public hosts */
    unsigned prefer_local;         /* 0 to 100 */
    bool port_mapping;             /* ask the router for a way in */
    bool stay;           /* engine_run goes on when there is no item */
    bool patient;        /* items do not end because nobody is left to ask: somebody may come */
    const char *version; /* "0.1.0" */
    void (*event)(void *arg, const struct engine_event *ev);
    void *arg;
};

struct engine *engine_new(const struct engine_options *o, struct err *e);
/* Ends at once what engine_run has not ended. NULL is fine. */
void engine_free(struct engine *g);
struct loop *engine_loop(struct engine *g);
usec engine_now(struct engine *g);
bool engine_listening(const struct engine *g, struct addr *out); /* the first address */
bool engine_dht_status(struct engine *g, struct dht_status *s);  /* false: there is no DHT */

struct engine_range {
    const char *file;     /* NULL: the single file, or the whole content in order */
    uint64_t first, last; /* of from_end: the last `first` bytes; last UINT64_MAX: to the end */
    bool from_end;
};

/* What to do with which item. Borrowed during the call; zero is a good default but for goals. */
struct engine_spec {
    const char *source;   /* SOURCE of CLI.md; or */
    struct bytes torrent; /* a .torrent, which source only has a name for; or */
    int64_t id;           /* this item of the catalogue */
    const char
        *output; /* folder, or name of a single file; NULL: here, or where the catalogue has it */
    const char *data;   /* serve: folder where its content lies */
    bool serve;         /* give what is here; fetch nothing, make nothing */
    bool manifest_only; /* get the .torrent and nothing else */
    bool no_file;       /* with it: not even a file; ENGINE_COMPLETE tells that it is whole */
    bool ask_only;      /* ask its trackers who has it (item_status at the end), and nothing else */
    bool sequential, super_seed, attributes, preallocate;
    /* Content goes in its order to `stream_fd` and nowhere else: no files, no catalogue, no lock.
     * Of it `window` bytes (0: a good default) are in memory, no more. ERR_CANCELED at the end:
     * the reader is gone. ENGINE_COMPLETE: all is written. */
    bool stream;
    int stream_fd;
    uint64_t window;
    /* With it: not to stream_fd, but the single file that is wanted is an archive, and is unpacked
     * as it comes. `output` says where to, as for a file. ENGINE_COMPLETE: it has its name. */
    bool extract;
    bool archive; /* in this format, also a single file; else folders as tar, the rest as it is */
    enum archive_format archive_format;
    /* Not the content but what is inside the archives of it: these members are taken, each to a
     * file, or to `stream_fd` with `stream`; without any, entries are told. Only what the archive's
     * directory and the members need is fetched, into a window in memory, and what the catalogue
     * has complete is read where it lies. */
    bool inside;
    struct engine_words members;
    struct engine_words select, exclude, files, peers;
    /* Files and folders that were here before: what matches is taken from them first, and from
     * the other items of the catalogue. A path that is not there is passed over. */
    struct engine_words reuse;
    bool no_reuse; /* of nothing, and not of the catalogue */
    const struct engine_range *ranges;
    size_t n_ranges;
    struct goals goals;
    void *user;
};
struct item *engine_add(struct engine *g, const struct engine_spec *s);
void *item_user(const struct item *it);
const char *item_label(const struct item *it); /* as given; borrowed */
/* Ends an item; ENGINE_ENDED follows with ERR_CANCELED. */
void engine_drop(struct engine *g, struct item *it);

/*
 * Serves the whole catalogue, and what other programs add to it or take from it from now on. The
 * spec is that of each item (source, id and output are ignored). An item that nobody talks to goes
 * to sleep: then there is no struct item, until somebody asks for it.
 */
void engine_follow(struct engine *g, const struct engine_spec *s);

/* Until no item is left, or engine_stop is done. The signal of term_stopped() stops it too. */
void engine_run(struct engine *g);
/* Tells trackers, saves, ends all items. */
void engine_stop(struct engine *g, usec patience);
/* engine_run returns at the end of this turn. */
void engine_quit(struct engine *g);

enum item_state {
    ITEM_STARTING,
    ITEM_FETCHING_METADATA,
    ITEM_CHECKING,
    ITEM_DOWNLOADING,
    ITEM_SEEDING,
    ITEM_ENDING
};

struct item_status {
    enum item_state state;
    uint64_t size, wanted, done;                     /* bytes; while checking: to hash and hashed */
    uint64_t from_peers, from_web, wasted, uploaded; /* bytes, this run */
    uint64_t from_near, to_near; /* of from_peers and uploaded: with neighbours */
    uint64_t uploaded_ever;
    uint64_t reused; /* bytes that were here already */
    uint64_t rate_down, rate_up;
    uint32_t peers, seeds, known, near; /* near: of the peers, neighbours */
    int64_t tracker_seeds, tracker_peers;   /* -1: not known */
    usec started, first_byte, completed_at; /* USEC_NEVER: not yet */
    usec waited[WAITS];                     /* for what, until it was complete */
};
void item_status(struct item *it, struct item_status *s);

/* Of all items together, those that are gone too: at no cost for each. */
struct engine_totals {
    uint64_t uploaded, rate_up;
    uint32_t peers;
};
struct engine_totals engine_totals(const struct engine *g);

/* NULL until known; borrowed. */
const struct manifest *item_manifest(const struct item *it);
/* Where it lies; "" until known; borrowed. */
const char *item_path(const struct item *it);
const char *item_name(const struct item *it); /* the manifest's, or the link's, or as given */
bool item_hash(const struct item *it, bool v2, struct bytes *out);
/* Walks those that are awake: start with NULL; NULL at the end. */
struct item *engine_next(const struct engine *g, struct item *it);
size_t engine_count(const struct engine *g); /* awake and asleep */

struct item_view {
    const char *name, *path; /* as item_name, item_path */
    bool has_v1, has_v2;
    uint8_t v1[SHA1_LEN], v2[SHA256_LEN];
    struct item_status status;
};
/* Tells of each item, awake or asleep, whose hash is known. */
void engine_view(struct engine *g, void (*see)(void *arg, const struct item_view *v), void *arg);

#endif
