/* Inside of the engine: what its files share. */
#ifndef LIB_ENGINE_ENGINE_INT_H
#define LIB_ENGINE_ENGINE_INT_H

#include "engine/piecejob.h"
#include "engine/places.h"

#include <p2p/base/bits.h>
#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/engine/engine.h>
#include <p2p/format/magnet.h>
#include <p2p/format/record.h>
#include <p2p/host/catalogue.h>
#include <p2p/host/fdcache.h>
#include <p2p/host/home.h>
#include <p2p/host/http.h>
#include <p2p/host/lock.h>
#include <p2p/host/loop.h>
#include <p2p/host/tcp.h>
#include <p2p/host/udp.h>
#include <p2p/node/node.h>

/*
 * Work on the catalogue. One at a time and on a worker thread: a call may wait for the disk or for
 * another program. `item`, if any, is the job's alone until `done`.
 */
struct db_job {
    struct list_node node;
    struct engine *g;
    struct item *item;
    void (*work)(struct db_job *j, struct catalogue *c);
    void (*done)(struct db_job *j);
};
void db_submit(struct engine *g, struct db_job *j);

/* ---- the session ---- */

struct follow;
struct sleeper;
struct outflow; /* outflow.h */
struct member;  /* member.h */

struct joining { /* join.c's own */
    bool worth;       /* it was joined: there is something to remember */
    bool busy;        /* a worker is saving */
    bool complained;
    usec save_at, full_at, few_at;
    char *ids;        /* file of our ids, or NULL */
    struct buf fresh; /* the worker's, while it is busy */
    int code;
    struct err why;
};

struct engine {
    struct loop *loop;
    struct node *node;
    struct http *http;
    struct udp *udp;
    struct tcp_listener *door;
    struct fdcache *files;
    struct catalogue *catalogue;
    struct home home;
    char *client;
    uint8_t peer_id[20];
    void (*event)(void *arg, const struct engine_event *ev);
    void *arg;
    bool no_trackers, no_web_seeds, stay, patient;
    bool stopping, ready;
    bool door_shut;   /* no more callers for now */
    struct addr bind; /* family 0: every address */
    struct loop_hook hook;
    struct loop_timer node_timer, tick;
    struct loop_watch *signals;
    struct list items;   /* struct item */
    struct list awake;   /* those of them that the tick is for */
    struct item *unready; /* all before it have been taken up; NULL: all, or told already */
    struct map *tasks;   /* node_id → item */
    struct list sleepers;
    struct map *asleep;  /* node_id → sleeper */
    struct map *conns;   /* node_id → conn */
    struct list heard;   /* of them, those that are to be acknowledged at the turn's end */
    struct stage *stage; /* of all connections; NULL: nothing was sent yet */
    struct moved *moved; /* redirects of web seeds */
    struct map *nets;    /* node_id of a job → net_job: HTTP, web seeds, look-ups */
    struct list db_waiting;
    struct list db_taken, db_ran; /* the worker's while it is busy */
    bool db_busy;
    size_t db_jobs; /* in all of these lists */
    struct list stores; /* store batches to be submitted at the end of a turn */
    struct list outflows; /* struct outflow */
    struct list members;  /* struct member */
    uint64_t windows;     /* bytes that such items have in memory (windows.h) */
    struct list names;  /* FILE_DONE batches, likewise */
    struct list checks; /* pieces that wait for others to be hashed with */
    struct loop_timer check_timer;
    uint64_t turns;     /* of items */
    size_t jobs;        /* on worker threads or waiting for them */
    struct follow *follow;
    struct joining dht;
    struct portmap *mapping; /* NULL: none wanted */
    struct multicast *groups[2]; /* of IPv4 and IPv6; NULL: there is none */
    usec now;
    usec stop_by;
};

#define ID_KEY(id) BYTES(&(id), sizeof(id))

void engine_tell(struct engine *g, const struct engine_event *ev);
void engine_warn(struct engine *g, struct item *it, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* loop_work that is counted, so that nothing is freed under a worker. */
void engine_work(struct engine *g, void (*work)(void *arg), void (*done)(void *arg), void *arg);
void engine_job_done(struct engine *g);

/* conns.c */
void conns_accepted(void *arg, struct tcp *c);
void conns_dial(struct engine *g, const struct node_op *op);
void conns_close(struct engine *g, const struct node_op *op);
void conns_send(struct engine *g, const struct node_op *op);
void conns_recv(struct engine *g, const struct node_op *op);
void conns_turn(struct engine *g);
void conns_free_all(struct engine *g);

/* net.c */
void net_http(struct engine *g, const struct node_op *op);
void net_web(struct engine *g, const struct node_op *op);
void net_resolve(struct engine *g, const struct node_op *op);
void net_udp(struct engine *g, const struct node_op *op);
void net_cancel(struct engine *g, const struct node_op *op);
bool net_resume(struct engine *g, node_id job); /* NODE_RECV of a web seed */
void net_datagram(void *arg, const struct addr *from, struct bytes b);
void net_free_all(struct engine *g);

/* join.c */
void join_begin(struct engine *g, const struct engine_options *o);
void join_told(struct engine *g, const struct node_op *op);
void join_tick(struct engine *g);
void join_end(struct engine *g); /* no worker is left */

/* mapping.c */
void mapping_begin(struct engine *g, const struct engine_options *o);
bool mapping_gone(struct engine *g); /* gives it back; false until that is done */
void mapping_end(struct engine *g);

/* neighbours.c */
void neighbours_begin(struct engine *g, const struct engine_options *o);
void neighbours_send(struct engine *g, const struct node_op *op);
void neighbours_end(struct engine *g);

/* disk.c */
void disk_store(struct engine *g, const struct node_op *op);
void disk_check(struct engine *g, const struct node_op *op);
void disk_leaves(struct engine *g, const struct node_op *op);
void disk_file_done(struct engine *g, const struct node_op *op);
void disk_flush(struct engine *g); /* submits what the turn gathered */
void disk_checks_late(void *arg);  /* of engine.check_timer */
void disk_end(struct engine *g);   /* nothing is kept waiting any more */

/* ---- one item ---- */

enum item_phase {
    ITEM_FINDING,   /* a worker reads files and the catalogue */
    ITEM_LOADING,   /* its .torrent comes over HTTP */
    ITEM_ASKING,    /* its manifest comes from peers */
    ITEM_SURVEYING, /* a worker looks at the disk */
    ITEM_HASHING,   /* what the record does not vouch for */
    ITEM_SETTLING,  /* a worker prepares files and catalogue */
    ITEM_RUNNING,
    ITEM_STOPPING, /* trackers are told */
    ITEM_SAVING,   /* last record */
    ITEM_OVER,     /* as soon as its jobs have come back */
};

/* How a file stands on disk. */
enum standing {
    FILE_ABSENT,
    FILE_TRUSTED, /* the record vouches for it */
    FILE_DOUBTED, /* ours, but changed, or not recorded: hashed */
    FILE_FOREIGN, /* not known to be ours, under the final name: must match, is never written */
    FILE_NOTHING, /* padding, links: nothing on disk to look at */
};

struct item_spec { /* engine_spec, owned */
    char *source, *output, *data;
    int64_t id;
    bool serve, manifest_only, no_file, ask_only, sequential, super_seed, attributes, preallocate;
    bool stream, extract;
    int stream_fd;
    uint64_t window;
    bool archive;
    enum archive_format archive_format;
    bool inside;    /* members are taken, or entries told if none is named */
    char **members;
    size_t n_members;
    char **select, **exclude, **files, **peers;
    size_t n_select, n_exclude, n_files, n_peers;
    char **reuse; /* paths */
    size_t n_reuse;
    bool no_reuse;
    struct engine_range *ranges; /* names owned */
    size_t n_ranges;
    struct goals goals;
    void *user;
};

struct stretch { /* wanted bytes of one file */
    uint32_t file;
    uint64_t from, end;
};

struct save { /* save.c's own */
    struct db_job db;
    int64_t id; /* of the item; 0 until the row is there */
    bool record, open, all;
    node_id job; /* to answer; 0: none */
    struct bits have, stale;
    struct buf out, manifest;
    uint64_t have_bytes, up, down;
    int code;
    struct err e;
    void (*then)(struct item *it);
    bool again, again_record, again_open; /* asked for meanwhile */
    node_id again_job;
    void (*again_then)(struct item *it);
};

struct item {
    struct engine *g;
    struct list_node node, awake; /* in engine.items, engine.awake */
    struct item_spec spec;
    char *label;
    enum item_phase phase;
    bool dropped; /* is to end */
    uint64_t window; /* of engine.windows; 0: nothing yet */
    int code;     /* how it ends */
    bool temporary, twin; /* as in engine_event */
    struct err *why; /* in words; made before a step begins. NULL: nothing to say */
    size_t jobs, storing;    /* out with workers or waiting; those of them that write blocks */
    int writing;             /* of these, out with workers */
    struct store *gathering; /* takes what comes meanwhile; NULL: none yet */
    struct db_job step; /* finding, surveying, settling, saving: one at a time */
    struct http_req *req;
    struct bytes body; /* owned: a .torrent that came over HTTP */
    bool body_here, wants_url, surveyed;
    bool stepping; /* a worker is at a step of it */

    struct magnet link;
    bool has_link;
    struct manifest *own; /* until the node takes it */
    const struct manifest *m;
    node_id task;
    node_id asleep; /* the task that this is to wake; 0: none */
    struct lock *locks[2];

    /* the catalogue's view */
    int64_t id;                     /* 0: it does not know the item, or is not to be told */
    char *row_path, *row_selection; /* NULL: none */
    unsigned row_where;
    enum catalogue_state row_state;
    uint64_t row_have;
    uint64_t uploaded0, downloaded0, told_up, told_down;
    bool by_name;    /* SOURCE is what the catalogue calls it */
    bool unrecorded; /* the catalogue has it complete elsewhere: left alone */
    bool known;      /* its record is about this path */
    unsigned where;

    /* places and survey */
    char *path, *side;
    struct tree *tree;
    struct bits wanted; /* files */
    bool all_wanted, ranged, side_there;
    char *result; /* what is written and told, if it is not `path` */
    struct stretch *stretches;
    size_t n_stretches;
    struct record_file *files;
    uint8_t *standing; /* enum standing, a file each */
    struct bits stale; /* files whose stats are to be taken again */
    struct bits final; /* serving: files under their final names, while there is no tree */
    struct bits have, check;
    uint8_t *roots; /* of pieces, while nothing is known to hold them against */
    struct bits rooted;
    uint8_t *priority, *unstored;
    uint64_t reused;
    int64_t told_seeds, told_peers; /* of ask_only: what trackers said */
    uint32_t check_at;              /* next piece to hash */
    uint32_t hashing;               /* piece jobs out */
    uint64_t to_hash, hashed;

    bool had_layers; /* its manifest in the catalogue has all piece layers */
    bool settled;    /* its records may be kept */
    bool unput;      /* the catalogue is to have a row of it: the next save puts it */
    bool complete;   /* says the node, or the survey */
    bool finished;   /* last names given, results written */
    bool ending;     /* its goals are reached, or it gave up */
    bool told_complete;
    bool canceled; /* by engine_drop or engine_stop */
    bool shares;   /* goes on after completion */
    bool warned;
    struct bits seen; /* serving: files that were looked at since the tree is there */
    bool differs;
    bool looking; /* watch.c is at its files */
    bool again;   /* begins anew when it is over */
    usec look_at;
    usec started;
    usec alone_since; /* nobody left to ask; 0: not so */
    usec save_traffic_at, saved_at;
    struct save *save; /* under way; NULL: none */
    struct outflow *outflow; /* NULL: it goes to files */
    struct reuse *reuse;     /* reuse.c; NULL: nothing is looked for */
    uint64_t turn;           /* when it was seen what is here; 0: not yet */
    struct member *member;   /* NULL: it is taken itself, and not what is inside */
};

/* life.c */
void item_free(struct item *it);
void life_again(const struct item *it); /* serving: adds the same once more */

/* item.c: its life */
void item_begin(struct item *it);
void item_step(struct item *it, void (*work)(struct db_job *, struct catalogue *),
               void (*done)(struct db_job *));
struct item *item_of(const struct engine *g, node_id task);
void item_take_task(struct item *it, node_id task); /* one that the node has already */
void item_hashed(struct item *it);
void item_finished(struct item *it);
void item_metadata(struct engine *g, const struct node_op *op);
void item_completed(struct engine *g, const struct node_op *op);
void item_ended(struct engine *g, const struct node_op *op);
void item_failed(struct engine *g, const struct node_op *op);
void item_notice(struct engine *g, const struct node_op *op);
struct err *item_why(struct item *it);
struct tree *item_tree(struct item *it); /* made when it is first needed */
/* Content could not be read for a peer: what was there is gone or was changed. */
void item_unreadable(struct item *it, uint64_t offset, const struct err *e);

/* item_end.c */
void item_fail(struct item *it, int code, const struct err *why); /* ends it, saving what it has */
void item_end(struct item *it);                                   /* for it->code */
void item_job_back(struct item *it); /* one of its jobs has come back */
void item_stopped(struct engine *g, const struct node_op *op); /* its trackers were told */
void item_over(struct item *it); /* is freed, once no job of it is out */

/* item_tick.c */
void item_tick(struct item *it);
void item_wake(struct item *it); /* it has something to do by itself: the tick is for it */

/* find.c: what is it? */
void find_work(struct db_job *j, struct catalogue *c);
void find_fetch(struct item *it);              /* its URL */
int find_lock(struct item *it, struct err *e); /* what of its hashes is not locked yet */

/* choose.c: which files, which pieces */
int choose_files(struct item *it, struct err *e);
void choose_pieces(struct item *it);                    /* priority, unstored */
void choose_read(struct bits *files, const char *text); /* sets what choose_text wrote */
char *choose_text(const struct item *it);               /* for the catalogue: "0,3-7"; NULL: all */

/* survey.c: what is here? */
void survey_work(struct db_job *j, struct catalogue *c);
bool survey_is_folder(const char *path);
bool survey_is_there(const char *path); /* absolute */
bool survey_finds(const struct item *it, const char *path,
                  unsigned where);                                 /* anything of it there? */
int survey_side(struct item *it, const char *tail, struct err *e); /* names its side file */
/* hash.c */
void hash_begin(struct item *it);

/* reuse.c: what is here elsewhere */
void reuse_survey(struct item *it, struct catalogue *c); /* on a worker, behind the survey */
bool reuse_first(struct item *it); /* after hashing: true: it looks, and calls item_hashed itself */
const struct bits *reuse_holds(struct item *it, struct bits *mem); /* for node_hold; NULL: none */
void reuse_run(struct item *it); /* the node has it */
void reuse_end(struct item *it); /* it is complete without running */
void reuse_tick(struct item *it);
bool reuse_busy(const struct item *it); /* reads and hashes just now */
void reuse_named(struct engine *g); /* files of some item have their names: others may want them */
void reuse_free(struct item *it);
/* reuse_ask.c */
void reuse_probed(struct engine *g, const struct node_op *op);
void reuse_no_probes(struct engine *g, const struct node_op *op);
void reuse_told(struct engine *g, const struct node_op *op);

/* settle.c: after the survey, before running; and at completion */
int settle_judge(struct item *it, struct err *e); /* on the loop's thread, after hashing */
void settle_work(struct db_job *j, struct catalogue *c);
void settle_finish(struct item *it); /* last names, links, results */

/* save.c */
void save_first(struct item *it); /* it begins to run */
void save_checkpoint(struct engine *g, const struct node_op *op);
void save_last(struct item *it); /* then item_over */
void save_free(struct save *s);
void save_start(struct item *it, node_id job, bool record, bool open,
                void (*then)(struct item *it));
void save_record(struct item *it, const struct bits *have, bool open, struct buf *out);
void save_row(const struct item *it, struct catalogue_item *row, const char *selection);
void save_traffic(struct item *it);
uint64_t save_have_bytes(const struct manifest *m, const struct bits *have);

/* ranges.c */
void ranges_add(struct item *it, uint32_t file, uint64_t from, uint64_t end);
int ranges_find(struct item *it, struct err *e); /* resolves those that were named */
int ranges_place(struct item *it, struct err *e); /* worker, in the survey */
int ranges_write(struct item *it, struct err *e); /* worker */
void ranges_priority(struct item *it);
struct node_part *ranges_parts(const struct item *it, size_t *n); /* for the node; moved */

/* watch.c: served files that change */
void watch_tick(struct item *it);
/* True if a file still looks as when it was surveyed; asked before it is first sent from. */
bool watch_vouches(struct item *it, uint32_t file);
void watch_changed(struct item *it);  /* it is surveyed anew */
void watch_warn(struct item *it);     /* the user is told so */
void watch_put_away(struct item *it); /* its tree */

/* twins.c: names that are one for the file system. On a worker */
int twins_check(struct item *it, struct err *e);

/* dormant.c: items that nobody talks to */
bool dormant_can(const struct item *it); /* is it one that may, when nobody talks to it? */
bool dormant_begin(struct item *it);     /* true: it is freed */
void dormant_wanted(struct engine *g, const struct node_op *op); /* somebody asks for one */
bool dormant_stopped(struct engine *g, node_id task);          /* true: it was one, and is gone */
struct sleeper *dormant_of(const struct engine *g, int64_t id); /* by the catalogue's; NULL: none */
void dormant_drop(struct engine *g, struct sleeper *s, usec patience);
void dormant_drop_all(struct engine *g, usec patience);
bool dormant_leaving(const struct engine *g); /* any that was dropped and is not gone? */
void dormant_free(struct engine *g);
void dormant_view(struct engine *g, struct list_node *l, struct item_view *v);

/* status.c */
void status_from_node(const struct node_status *st, struct item_status *s); /* what that knows */

/* follow.c */
void follow_tick(struct engine *g);
void follow_turn(struct engine *g); /* takes up more of what was listed */
/* How an item of the catalogue is served. */
struct item *follow_add(struct engine *g, int64_t id);
bool follow_listed(const struct engine *g); /* what was there at first has been added */
void follow_free(struct engine *g);

#endif
