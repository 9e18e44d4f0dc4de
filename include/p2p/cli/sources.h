/*
 * What is to be worked on: operands, and lists of them in files and on standard input.
 *
 * A list has one a line; blank lines and lines that begin with # are left out, and blanks around a
 * line are dropped. With `nul` (option -0) records end with NUL and are taken as they are. A line
 * that can be none is an entry too, that says so: the others go on.
 */
#ifndef P2P_CLI_SOURCES_H
#define P2P_CLI_SOURCES_H

#include <p2p/base/err.h>
#include <p2p/cli/options.h>
#include <p2p/cli/output.h>

#define SOURCES_MAX_LINE 65536u
#define SOURCES_MAX 1000000u

struct source_entry {
    char *text;       /* owned; of a .torrent on standard input "standard input" */
    const char *list; /* borrowed name of the list; NULL: an operand */
    size_t line;      /* in the list, from 1 */
    bool bad;         /* no entry: text says why */
    bool torrent;     /* the bytes of sources.torrent are what is meant */
};

struct sources { /* zero is empty */
    struct source_entry *v;
    size_t n;
    struct buf torrent; /* that came on standard input in place of a list */
};

struct source_options {
    char *const *operands;
    size_t n;
    const struct option_list *lists; /* files, "-" being `in`; NULL: none */
    const struct option_list *names; /* read later with sources_names; NULL: none */
    bool operand_list;               /* the operand "-" stands for a list or .torrent on `in` */
    bool nul;
    int in;
};

/*
 * Appends every operand in order, then the lines of the lists. ERR_USAGE: standard input is asked
 * for twice, or is a terminal; too many entries. ERR_IO. Free with sources_fini, also after that.
 */
int sources_read(struct sources *s, const struct source_options *o, struct err *e);
void sources_fini(struct sources *s);

/* An error about an entry: "LIST:LINE: WHY" if it is from a list. NULL is fine. */
void sources_complain(struct output *o, const struct source_entry *n, const char *why);

/*
 * Appends names of files, one a line, as they are or as p2p-ls prints them: in a line that begins
 * with digits and a tab the name is what follows, up to the next tab; with `nul`, all that follows.
 * A line that can be none is ERR_USAGE.
 */
int sources_names(struct option_list *list, const char *file, bool nul, int in, struct err *e);

#endif
