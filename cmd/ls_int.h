/*
 * Inside of p2p-ls. p2p-ls.c: which items, and what is to be found out for them. ls_print.c: what
 * is printed of one. ls_archive.c: what is inside its archives.
 */
#ifndef P2P_CMD_LS_INT_H
#define P2P_CMD_LS_INT_H

#include <p2p/cli/program.h>
#include <p2p/cli/sources.h>
#include <p2p/cli/status.h>
#include <p2p/engine/ask.h>
#include <p2p/engine/known.h>
#include <p2p/host/home.h>

struct ls {
    struct program *p;
    const struct ls_options *o;
    struct output *out;
    struct home home;
    struct catalogue *c; /* NULL: there is none yet */
    bool sources;        /* some were named */
    const char *doing;
    usec begun;
};

/* What is known of one item, and what was found out for it. */
struct ls_entry {
    struct known k;
    const char *source; /* as given; NULL: from the catalogue's list */
    const struct source_entry *from;
    struct scan_verdict verdict;
    bool verified;
    struct ask_answer answer;
    bool asked;
};

/* ls_archive.c: the same of its archives */
int ls_archive(struct ls *l, const struct ls_entry *n, const struct ask_options *a);

/* ls_print.c. Each prints one item and says with which status. */
int ls_print(struct ls *l, const struct ls_entry *n);
int ls_without_manifest(struct ls *l, const struct ls_entry *n); /* says so */
void ls_tell_bad(struct ls *l, const struct ls_entry *n);        /* what --verify found */
/* What an item is called in errors. *owned is to be freed. */
const char *ls_label(const struct ls_entry *n, char **owned);
char *ls_link(const struct ls_entry *n); /* owned by the caller */

#endif
