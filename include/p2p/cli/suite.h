/*
 * The programs of the suite: their option tables and the structs that these fill. They stand in one
 * place so that the configuration file can tell a key of another program from a mistake, and `p2p`
 * can list all. CLI.md is the contract; an option that is not built yet is not in a table.
 */
#ifndef P2P_CLI_SUITE_H
#define P2P_CLI_SUITE_H

#include <p2p/cli/options.h>

enum { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

struct common_options { /* first in every struct of values but p2p's own */
    char *home;         /* NULL: home_find() of the host knows */
    int progress;       /* PROGRESS_… */
    bool quiet, verbose, json, nul, help, version;
};

struct net_options { /* p2p-get, p2p-seed */
    uint64_t limit_down, limit_up;
    uint16_t port;
    char *bind;
    bool no_trackers, no_web_seeds, no_pex, no_lsd, no_port_mapping;
    int prefer_local; /* -1: not given */
};

struct dht_options { /* whoever looks for peers */
    bool no_dht;
    struct option_list bootstrap; /* HOST:PORT or SUITE_NONE; empty: not given */
};
#define SUITE_NONE "none"

enum { FORMAT_V1, FORMAT_V2, FORMAT_HYBRID };
enum { PRINT_LINK, PRINT_HASH, PRINT_TORRENT };
struct add_options {
    struct common_options common;
    struct option_list lists; /* of PATHs */
    int format; /* FORMAT_… */
    uint64_t piece_size; /* 0: by total size */
    char *name, *comment, *source;
    bool private_flag, follow, no_catalogue, archive;
    struct option_list exclude, files_from;
    struct option_list trackers; /* each a tier, its addresses split by commas */
    struct option_list web_seeds, nodes, peers;
    char *output;
    int print; /* PRINT_… */
};

struct get_options {
    struct common_options common;
    struct option_list lists; /* of SOURCEs */
    char *output; /* NULL: "." */
    struct option_list select, exclude, files_from, ranges, members, reuse;
    bool manifest_only, extract, sequential, preallocate, attributes, wait;
    struct option_list peers;
    usec timeout, metadata_timeout, deadline, seed_for;
    double seed_ratio; /* -1: not given */
    int events_fd;     /* -1: not given */
    uint64_t window;   /* 0: not given */
    int format;        /* -1: not given, else as enum archive_format of the host */
    struct net_options net;
    struct dht_options dht;
};

struct seed_options {
    struct common_options common;
    struct option_list lists; /* of SOURCEs */
    char *data;
    usec run_for, until_idle;
    double until_ratio; /* -1: not given */
    bool daemon, super, status;
    struct net_options net;
    struct dht_options dht;
};

struct ls_options {
    struct common_options common;
    struct option_list lists; /* of SOURCEs */
    bool columns, archive, link, hash, path, fetch, peers, verify;
    char *torrent;
    usec timeout;
    struct dht_options dht;
};

struct node_options {
    struct common_options common;
    usec run_for, timeout;
    bool daemon, scrape;
    char *key, *salt, *seq, *cas; /* seq, cas: numbers */
    struct net_options net;       /* port and bind of it */
    struct dht_options dht;       /* bootstrap of it */
};

struct rm_options {
    struct common_options common;
    struct option_list lists; /* of SOURCEs */
    bool data;
};

struct config_options {
    struct common_options common; /* some of them */
    bool file;
};

struct p2p_options {
    bool help, version;
};

extern const struct option_table suite_p2p, suite_add, suite_get, suite_seed, suite_ls, suite_rm,
    suite_node, suite_config;

/* All of them, in the order in which they are listed; NULL behind the last. */
extern const struct option_table *const suite[];
const struct option_table *suite_find(const char *program); /* "p2p-get"; NULL if unknown */

#endif
