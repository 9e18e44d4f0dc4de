/*
 * Options. One table a program yields parsing (GNU style), --help, the keys of the configuration
 * file, and what the lint holds manuals and completions against. A table is made of groups; a
 * group writes into a struct that lies somewhere in the program's struct of values, so groups are
 * shared between programs (suite.h).
 *
 * Every switch can be undone: `--no-json` undoes `json = yes` of the configuration, `--trackers`
 * undoes `no-trackers = yes`. Of several values the last counts. A list on the command line
 * replaces the list of the configuration, as every value there does.
 */
#ifndef P2P_CLI_OPTIONS_H
#define P2P_CLI_OPTIONS_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/base/usec.h>

enum option_kind {   /* type of the value      when not given */
    OPTION_FLAG,     /* bool                   false */
    OPTION_ACT,      /* as FLAG, but on the command line only and not to be undone (--help) */
    OPTION_TEXT,     /* char *, may be empty   NULL */
    OPTION_STRING,   /* char *, not empty      NULL */
    OPTION_LIST,     /* struct option_list     empty */
    OPTION_HOSTPORT, /* struct option_list of "HOST:PORT", or of a word of choices */
    OPTION_SIZE,     /* uint64_t bytes         0 */
    OPTION_RATE,     /* uint64_t bytes/s       0: no limit */
    OPTION_DURATION, /* usec                   USEC_NEVER */
    OPTION_TIMEOUT,  /* as DURATION, but not 0, which is "none" to some and "at once" to others */
    OPTION_PORT,     /* uint16_t               0 */
    OPTION_INT,      /* int from min to max    -1 */
    OPTION_RATIO,    /* double, not negative   -1 */
    OPTION_ENUM,     /* int, place in choices  preset */
};

struct option_list { /* zero is empty; only option_list_add makes it longer */
    char **v;        /* owned */
    size_t n;
};
void option_list_add(struct option_list *l, char *owned); /* the string is moved in */
void option_list_fini(struct option_list *l);

struct option_def {
    const char *name; /* long name without dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    size_t at;        /* offsetof the value in the group's struct */
    const char *arg;  /* as the help names the value: "FILE" */
    const char *help; /* one line */
    const char *const *choices; /* ENUM, HOSTPORT (or NULL): NULL behind the last */
    int preset;                 /* ENUM */
    int min, max;               /* INT */
};

struct option_group {
    const char *title; /* "What to get" */
    const struct option_def *defs;
    size_t n;
    size_t at; /* offsetof the group's struct in the program's values */
};

struct option_table {
    const char *program; /* "p2p-get" */
    const char *summary; /* one line, as `p2p` lists it */
    const char *const *usage; /* "[option]... SOURCE...", NULL behind the last */
    const struct option_group *groups;
    size_t n_groups;
    size_t size;        /* of the values */
    bool stop;          /* the first operand ends the options, what follows is another program's;
                           and program_start reads no configuration (p2p, p2p-config) */
};

enum option_layer { OPTION_PRESET, OPTION_GENERAL, OPTION_SECTION, OPTION_ARGV };

/* The state of parsing. A value of a lower layer never replaces one of a higher layer. */
struct options {
    const struct option_table *table;
    void *values;   /* borrowed; what it points to is owned by this until options_fini */
    uint8_t *layer; /* of each option, in the order of the table */
    /* Told of each value that is set, as it was written, of a switch yes or no; NULL: nobody asks.
     * `index` is the option's place in the table. */
    void (*note)(void *arg, size_t index, const char *text, enum option_layer layer, unsigned line);
    void *note_arg;
    unsigned line; /* of the configuration file while that is read */
    char **operands; /* borrowed from argv */
    size_t n_operands;
};

/* Sets all of values (table->size bytes) to what stands above. */
void options_init(struct options *o, const struct option_table *t, void *values);
void options_fini(struct options *o); /* frees strings and lists in values, and the state */

/*
 * Sets one option by its long name (or by the name that undoes it). For a switch, value is yes or
 * no or NULL (yes). ERR_USAGE: "--NAME: WHY".
 */
int options_set(struct options *o, const char *name, const char *value, enum option_layer layer,
                struct err *e);
/* Reads the command line; argv is permuted as getopt_long does. ERR_USAGE: "WHAT: WHY". */
int options_argv(struct options *o, int argc, char **argv, struct err *e);

/* Is it there by the command line, not by the configuration? A switch: is it on by that? */
bool options_typed(const struct options *o, const char *name);

/* The definition of a long name in any group; NULL if there is none. *undo: the name undoes it. */
const struct option_def *options_find(const struct option_table *t, const char *name, bool *undo);
/* The text of --help, no line wider than 80 columns. */
void options_help(const struct option_table *t, struct buf *out);

#endif
