/*
 * Where values are from: every value that was set is remembered, and which of them are in force is
 * reckoned when somebody asks (p2p-config).
 */
#ifndef P2P_CLI_ORIGIN_H
#define P2P_CLI_ORIGIN_H

#include <p2p/cli/options.h>

struct origin {
    size_t index; /* of the option, in the order of the table */
    char *text;   /* as it was written, of a switch yes or no; owned */
    enum option_layer layer;
    unsigned line; /* of the configuration file */
};

struct origins { /* zero is empty */
    struct origin *v;
    size_t n;
};
/* From now on what is set in o is remembered in g, which must outlive that. */
void origins_watch(struct origins *g, struct options *o);
void origins_fini(struct origins *g);

/*
 * Shows each value in force, options in the order of the table, of a list each member. What nobody
 * set is of layer OPTION_PRESET, and its text what the help calls the default, or empty. Options
 * that ask for an answer and an end (--help) have no value.
 */
void origins_see(const struct origins *g, const struct options *o,
                 void (*see)(void *arg, const struct option_def *d, const struct origin *from),
                 void *arg);

#endif
