/*
 * The option tables of all programs. What a row says here is what --help, the manual pages, the
 * completions and the configuration file know; tests/lint/manuals holds them together.
 */
#include <p2p/cli/suite.h>

#include <limits.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define AT(s, m) offsetof(struct s, m)
#define FLAG(l, n, s, m, text) \
    {.name = n, .letter = l, .kind = OPTION_FLAG, .at = AT(s, m), .help = text}
#define ACT(l, n, s, m, text) \
    {.name = n, .letter = l, .kind = OPTION_ACT, .at = AT(s, m), .help = text}
#define VALUE(l, n, k, a, s, m, text) \
    {.name = n, .letter = l, .kind = OPTION_##k, .arg = a, .at = AT(s, m), .help = text}
#define ENUM(n, a, c, p, s, m, text)                                                     \
    {.name = n, .kind = OPTION_ENUM, .arg = a, .choices = c, .preset = p, .at = AT(s, m), \
     .help = text}

/* --- shared ------------------------------------------------------------------------------- */

static const char *const progress_words[] = {"auto", "always", "never", NULL};

static const struct option_def common_defs[] = {
    VALUE(0, "home", STRING, "DIR", common_options, home, "where state lives (default: $P2P_HOME)"),
    FLAG('q', "quiet", common_options, quiet, "no progress and no notices; errors always print"),
    FLAG('v', "verbose", common_options, verbose, "say more about what happens"),
    ENUM("progress", "WHEN", progress_words, PROGRESS_AUTO, common_options, progress,
         "show progress: auto (on a terminal), always, never"),
    FLAG(0, "json", common_options, json, "results as JSON, one object a line"),
    FLAG('0', "null", common_options, nul, "end records with NUL instead of newline"),
    ACT('h', "help", common_options, help, "show this and exit"),
    ACT('V', "version", common_options, version, "show the version and exit"),
};
#define COMMON(s) {"All programs", common_defs, COUNT(common_defs), AT(s, common)}

#define INPUT(s)                                                    \
    VALUE('i', "input-file", LIST, "LIST", s, lists,                \
          "also what is in LIST, one a line (-: standard input); repeat")
#define PORT(s)                         \
    VALUE(0, "port", PORT, "N", s, port, \
          "listen on this port (default: 0, any free one)")
#define BIND(s) VALUE(0, "bind", STRING, "ADDR", s, bind, "listen on this address (default: all)")
#define NO_PORT_MAPPING \
    FLAG(0, "no-port-mapping", net_options, no_port_mapping, "do not ask the router for a way in")
static const struct option_def net_defs[] = {
    VALUE(0, "limit-down", RATE, "RATE", net_options, limit_down,
          "download no faster than this (default: no limit)"),
    VALUE(0, "limit-up", RATE, "RATE", net_options, limit_up,
          "upload no faster than this (default: no limit)"),
    PORT(net_options),
    BIND(net_options),
    FLAG(0, "no-trackers", net_options, no_trackers, "do not ask trackers"),
    FLAG(0, "no-web-seeds", net_options, no_web_seeds, "do not use web seeds"),
    FLAG(0, "no-pex", net_options, no_pex, "do not exchange peers with peers"),
    FLAG(0, "no-lsd", net_options, no_lsd, "do not look for peers among the neighbours"),
    NO_PORT_MAPPING,
    {.name = "prefer-local",
     .kind = OPTION_INT,
     .arg = "N",
     .at = AT(net_options, prefer_local),
     .min = 0,
     .max = 100,
     .help = "how much to prefer peers that are near: 0 not at all, to 100 (default: 50)"},
};
#define NET(s) {"Network", net_defs, COUNT(net_defs), AT(s, net)}

static const char *const bootstrap_words[] = {SUITE_NONE, NULL};
#define BOOTSTRAP                                                                            \
    {.name = "bootstrap",                                                                    \
     .kind = OPTION_HOSTPORT,                                                                \
     .arg = "HOST:PORT",                                                                     \
     .choices = bootstrap_words,                                                             \
     .at = AT(dht_options, bootstrap),                                                       \
     .help = "DHT node to join by, in place of the public ones (none: no such); repeat"}
static const struct option_def dht_defs[] = {
    BOOTSTRAP,
    FLAG(0, "no-dht", dht_options, no_dht, "do not look for peers in the DHT"),
};
#define DHT(s) {"The DHT", dht_defs, COUNT(dht_defs), AT(s, dht)}

/* --- p2p-add ------------------------------------------------------------------------------ */

static const char *const format_words[] = {"v1", "v2", "hybrid", NULL};
static const char *const print_words[] = {"link", "hash", "torrent", NULL};

static const struct option_def add_what[] = {
    INPUT(add_options),
    VALUE('n', "name", STRING, "NAME", add_options, name,
          "name of the item (default: last part of PATH)"),
    FLAG(0, "archive", add_options, archive,
         "share what is inside the archive PATH (tar, zip, 7z, cpio, iso; -: on standard input)"),
    VALUE(0, "files-from", LIST, "LIST", add_options, files_from,
          "only these files of a folder, one a line (-: standard input); repeat"),
    VALUE(0, "exclude", LIST, "GLOB", add_options, exclude, "leave out what matches; repeat"),
    FLAG(0, "follow", add_options, follow,
         "follow symlinks in a folder (default: keep them as symlinks)"),
    FLAG(0, "no-catalogue", add_options, no_catalogue, "only compute; record nothing"),
};
static const struct option_def add_manifest[] = {
    ENUM("format", "FORMAT", format_words, FORMAT_HYBRID, add_options, format,
         "BitTorrent format: v1, v2 or hybrid (default: hybrid)"),
    VALUE(0, "piece-size", SIZE, "SIZE", add_options, piece_size,
          "a power of two from 16Ki to 128Mi (default: by total size)"),
    VALUE('t', "tracker", LIST, "URL", add_options, trackers,
          "tracker; repeat for further tiers, comma within one tier"),
    VALUE('w', "web-seed", LIST, "URL", add_options, web_seeds,
          "HTTP(S) address that also serves the content; repeat"),
    VALUE(0, "node", HOSTPORT, "HOST:PORT", add_options, nodes,
          "DHT node for the manifest and link; repeat"),
    VALUE(0, "peer", HOSTPORT, "HOST:PORT", add_options, peers, "peer for the link; repeat"),
    VALUE(0, "comment", TEXT, "TEXT", add_options, comment, "comment in the manifest"),
    VALUE(0, "source", TEXT, "TEXT", add_options, source,
          "source tag in the manifest; changes the hash"),
    FLAG(0, "private", add_options, private_flag, "private torrent: peers from its trackers only"),
};
static const struct option_def add_results[] = {
    VALUE('o', "output", STRING, "FILE", add_options, output,
          "also write the .torrent (-: to standard output, in place of the link)"),
    ENUM("print", "WHAT", print_words, PRINT_LINK, add_options, print,
         "print the link, the hash or the torrent (default: link)"),
};
static const struct option_group add_groups[] = {
    {"What to add", add_what, COUNT(add_what), 0},
    {"The manifest", add_manifest, COUNT(add_manifest), 0},
    {"Results", add_results, COUNT(add_results), 0},
    COMMON(add_options),
};
const struct option_table suite_add = {
    .program = "p2p-add",
    .summary = "make a link from a file, a folder or standard input",
    .usage = (const char *const[]){"[option]... PATH...", "[option]... -i LIST",
                                   "[option]... --name NAME -",
                                   "[option]... --archive PATH...", NULL},
    .groups = add_groups,
    .n_groups = COUNT(add_groups),
    .size = sizeof(struct add_options),
};

/* --- p2p-get ------------------------------------------------------------------------------ */

static const char *const archive_words[] = {"tar", "cpio", "zip", NULL};
static const struct option_def get_what[] = {
    INPUT(get_options),
    VALUE('o', "output", STRING, "PATH", get_options, output,
          "folder to put it in, or name of a single file (default: .); -: to standard output"),
    VALUE(0, "window", SIZE, "SIZE", get_options, window,
          "with -o - or -x: memory for what the reader has not taken yet (default: 32Mi)"),
    ENUM("format", "FORMAT", archive_words, -1, get_options, format,
         "with -o -: in an archive, tar, cpio or zip (default: tar for a folder)"),
    VALUE(0, "select", LIST, "GLOB", get_options, select, "only files whose name matches; repeat"),
    VALUE(0, "exclude", LIST, "GLOB", get_options, exclude, "not files whose name matches; repeat"),
    VALUE(0, "files-from", LIST, "FILE", get_options, files_from,
          "only the files named in FILE, one a line (-: standard input); repeat"),
    VALUE('r', "range", LIST, "[FILE:]OFF-END", get_options, ranges,
          "only these bytes, END included; OFF- is to the end, -N the last N; repeat"),
    VALUE(0, "reuse", LIST, "PATH", get_options, reuse,
          "take what matches from this file or folder too (none: nor from the catalogue); repeat"),
    VALUE(0, "member", LIST, "NAME", get_options, members,
          "only what is called so inside the archive, and no more of it than that takes; repeat"),
    FLAG(0, "manifest-only", get_options, manifest_only, "get the .torrent and nothing else"),
    FLAG('x', "extract", get_options, extract,
         "unpack the archive that comes (tar, zip, 7z, ...), while it comes"),
    FLAG(0, "attributes", get_options, attributes,
         "make symlinks and set executable bits as the manifest says, where that is safe"),
    FLAG(0, "preallocate", get_options, preallocate,
         "reserve the space of files first (default: sparse files)"),
};
static const struct option_def get_how[] = {
    VALUE(0, "peer", HOSTPORT, "HOST:PORT", get_options, peers, "a peer to try at once; repeat"),
    FLAG(0, "sequential", get_options, sequential,
         "in order, as a player reads (default: rarest first)"),
    VALUE(0, "timeout", TIMEOUT, "DUR", get_options, timeout,
          "give up when nothing has arrived for so long"),
    VALUE(0, "metadata-timeout", TIMEOUT, "DUR", get_options, metadata_timeout,
          "give up when the manifest of a link has not arrived by then"),
    VALUE(0, "deadline", TIMEOUT, "DUR", get_options, deadline,
          "give up when not complete by then"),
    FLAG('W', "wait", get_options, wait,
         "try again for ever what nobody has yet, with growing pauses"),
    VALUE(0, "seed-for", DURATION, "DUR", get_options, seed_for,
          "go on sharing for so long (default: exit)"),
    VALUE(0, "seed-ratio", RATIO, "R", get_options, seed_ratio,
          "go on sharing until uploaded / size is R"),
    {.name = "events-fd",
     .kind = OPTION_INT,
     .arg = "N",
     .at = AT(get_options, events_fd),
     .min = 0,
     .max = INT_MAX,
     .help = "events as JSON, one object a line, to this descriptor"},
};
static const struct option_group get_groups[] = {
    {"What to get", get_what, COUNT(get_what), 0},
    {"How", get_how, COUNT(get_how), 0},
    NET(get_options),
    DHT(get_options),
    COMMON(get_options),
};
const struct option_table suite_get = {
    .program = "p2p-get",
    .summary = "fetch what a link means, verify every byte, exit",
    .usage = (const char *const[]){"[option]... SOURCE...", "[option]... -i LIST", NULL},
    .groups = get_groups,
    .n_groups = COUNT(get_groups),
    .size = sizeof(struct get_options),
};

/* --- p2p-seed ----------------------------------------------------------------------------- */

static const struct option_def seed_what[] = {
    INPUT(seed_options),
    VALUE('d', "data", STRING, "DIR", seed_options, data,
          "where the content of a SOURCE lies that is not known here"),
    FLAG(0, "super", seed_options, super, "super-seeding: for the first copy of something new"),
    FLAG(0, "daemon", seed_options, daemon, "go to the background once ready"),
    FLAG(0, "status", seed_options, status, "ask the running one; a line for each item"),
};
static const struct option_def seed_until[] = {
    VALUE(0, "for", DURATION, "DUR", seed_options, run_for,
          "stop after so long (default: run until stopped)"),
    VALUE(0, "until-ratio", RATIO, "R", seed_options, until_ratio,
          "stop when uploaded / size of each item is R"),
    VALUE(0, "until-idle", DURATION, "DUR", seed_options, until_idle,
          "stop when nobody took anything for so long"),
};
static const struct option_group seed_groups[] = {
    {"What to serve", seed_what, COUNT(seed_what), 0},
    {"How long", seed_until, COUNT(seed_until), 0},
    NET(seed_options),
    DHT(seed_options),
    COMMON(seed_options),
};
const struct option_table suite_seed = {
    .program = "p2p-seed",
    .summary = "serve what is here: some items, or the whole catalogue",
    .usage = (const char *const[]){"[option]... [SOURCE|PATH]...", NULL},
    .groups = seed_groups,
    .n_groups = COUNT(seed_groups),
    .size = sizeof(struct seed_options),
};

/* --- p2p-ls ------------------------------------------------------------------------------- */

static const struct option_def ls_what[] = {
    INPUT(ls_options),
    FLAG('l', "long", ls_options, columns,
         "more columns: format, pieces, added, uploaded, ratio, where"),
    FLAG(0, "archive", ls_options, archive,
         "print what is inside the archive that it is, or its archives"),
    FLAG(0, "link", ls_options, link, "print the magnet link instead"),
    FLAG(0, "hash", ls_options, hash, "print the info-hash instead"),
    FLAG(0, "path", ls_options, path, "print where it lies instead"),
    VALUE(0, "torrent", STRING, "FILE", ls_options, torrent,
          "write the .torrent instead (-: to standard output)"),
};
static const struct option_def ls_how[] = {
    FLAG(0, "verify", ls_options, verify, "hash the data again; exit 4 if anything differs"),
    FLAG(0, "fetch", ls_options, fetch,
         "get from peers what is lacking: the manifest of a link, an archive's directory"),
    FLAG(0, "peers", ls_options, peers, "ask trackers and the DHT who has it: seeds and peers"),
    VALUE(0, "timeout", TIMEOUT, "DUR", ls_options, timeout,
          "give up on the network after so long"),
};
static const struct option_group ls_groups[] = {
    {"What to print", ls_what, COUNT(ls_what), 0},
    {"What to do for it", ls_how, COUNT(ls_how), 0},
    DHT(ls_options),
    COMMON(ls_options),
};
const struct option_table suite_ls = {
    .program = "p2p-ls",
    .summary = "tell what is here, and what is in it",
    .usage = (const char *const[]){"[option]... [SOURCE]...", NULL},
    .groups = ls_groups,
    .n_groups = COUNT(ls_groups),
    .size = sizeof(struct ls_options),
};

/* --- p2p-node ----------------------------------------------------------------------------- */

static const struct option_def node_where[] = {
    PORT(net_options),
    BIND(net_options),
    NO_PORT_MAPPING,
};
static const struct option_def node_by[] = {
    BOOTSTRAP,
};
static const struct option_def node_run[] = {
    VALUE(0, "for", DURATION, "DUR", node_options, run_for,
          "stop after so long (default: run until stopped)"),
    FLAG(0, "daemon", node_options, daemon, "go to the background once ready"),
};
static const struct option_def node_look[] = {
    VALUE(0, "timeout", TIMEOUT, "DUR", node_options, timeout,
          "give up on a look-up after so long (default: 20s)"),
    FLAG(0, "scrape", node_options, scrape, "get-peers: only count seeds and peers"),
    VALUE(0, "key", STRING, "FILE", node_options, key,
          "put: sign with the key in FILE, so that the value can be replaced later"),
    VALUE(0, "salt", STRING, "TEXT", node_options, salt,
          "put, get: tells apart the values of one key"),
    VALUE(0, "seq", STRING, "N", node_options, seq,
          "put: number of this version (default: one more than the newest found)"),
    VALUE(0, "cas", STRING, "N", node_options, cas, "put: only in place of version N"),
};
static const struct option_group node_groups[] = {
    {"The node", node_run, COUNT(node_run), 0},
    {"Look-ups", node_look, COUNT(node_look), 0},
    {"Network", node_where, COUNT(node_where), AT(node_options, net)},
    {"The DHT", node_by, COUNT(node_by), AT(node_options, dht)},
    COMMON(node_options),
};
const struct option_table suite_node = {
    .program = "p2p-node",
    .summary = "be a node of the DHT, or look something up in it",
    .usage = (const char *const[]){"[option]...", "[option]... get-peers HASH|LINK",
                                   "[option]... put VALUE|-", "[option]... get TARGET|PUBLICKEY",
                                   "[option]... ping HOST:PORT", "[option]... sample [TARGET]",
                                   "[option]... key FILE", "[option]... status", NULL},
    .groups = node_groups,
    .n_groups = COUNT(node_groups),
    .size = sizeof(struct node_options),
};

/* --- p2p-rm ------------------------------------------------------------------------------- */

static const struct option_def rm_what[] = {
    INPUT(rm_options),
    FLAG(0, "data", rm_options, data, "delete its files too"),
};
static const struct option_group rm_groups[] = {
    {"What to remove", rm_what, COUNT(rm_what), 0},
    COMMON(rm_options),
};
const struct option_table suite_rm = {
    .program = "p2p-rm",
    .summary = "forget an item of the catalogue",
    .usage = (const char *const[]){"[option]... SOURCE...", "[option]... -i LIST", NULL},
    .groups = rm_groups,
    .n_groups = COUNT(rm_groups),
    .size = sizeof(struct rm_options),
};

/* --- p2p-config --------------------------------------------------------------------------- */

static const struct option_def config_what[] = {
    ACT(0, "file", config_options, file, "print the name of the configuration file instead"),
    FLAG(0, "json", config_options, common.json, "results as JSON, one object a line"),
    FLAG('0', "null", config_options, common.nul, "end records with NUL instead of newline"),
    ACT('h', "help", config_options, common.help, "show this and exit"),
    ACT('V', "version", config_options, common.version, "show the version and exit"),
};
static const struct option_group config_groups[] = {
    {"Options", config_what, COUNT(config_what), 0},
};
const struct option_table suite_config = {
    .program = "p2p-config",
    .summary = "tell which options are in force, and where from",
    .usage = (const char *const[]){"[option]... [PROGRAM [option of PROGRAM]...]", NULL},
    .groups = config_groups,
    .n_groups = COUNT(config_groups),
    .size = sizeof(struct config_options),
    .stop = true,
};

/* --- p2p ---------------------------------------------------------------------------------- */

static const struct option_def p2p_defs[] = {
    ACT('h', "help", p2p_options, help, "show this and exit"),
    ACT('V', "version", p2p_options, version, "show the version and exit"),
};
static const struct option_group p2p_groups[] = {
    {"Options", p2p_defs, COUNT(p2p_defs), 0},
};
const struct option_table suite_p2p = {
    .program = "p2p",
    .summary = "share files from peer to peer",
    .usage =
        (const char *const[]){"COMMAND [option]... [operand]...", "help COMMAND", "[option]", NULL},
    .groups = p2p_groups,
    .n_groups = COUNT(p2p_groups),
    .size = sizeof(struct p2p_options),
    .stop = true,
};

const struct option_table *const suite[] = {
    &suite_p2p, &suite_add, &suite_get, &suite_seed, &suite_ls, &suite_rm, &suite_node,
    &suite_config, NULL,
};

const struct option_table *suite_find(const char *program)
{
    for (size_t i = 0; suite[i]; i++)
        if (strcmp(suite[i]->program, program) == 0)
            return suite[i];
    return NULL;
}
