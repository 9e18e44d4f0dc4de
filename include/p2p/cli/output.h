/*
 * What programs print. stdout carries results and nothing else, a record a line; stderr carries
 * errors, notices and the progress line. A record is written whole, at once, unless a batch is on.
 *
 * Fields are separated by tabs. On a terminal a field is escaped by text_show(); elsewhere its
 * bytes stay as they are but for tab and newline, which are \x09 and \x0a; with -0 a record ends
 * with NUL and, off the terminal, nothing is escaped.
 *
 * A write that failed is remembered and told by output_end: who went away (EPIPE) gives status 141
 * without a word, anything else is an error, status 5.
 */
#ifndef P2P_CLI_OUTPUT_H
#define P2P_CLI_OUTPUT_H

#include <p2p/base/err.h>
#include <p2p/cli/progress.h>
#include <p2p/format/json.h>

struct output {
    const char *program;
    int out, err;  /* descriptors */
    bool quiet, verbose, json, nul;
    bool out_tty, err_tty;
    bool progress; /* is shown at all */
    bool batch;    /* records wait until 64 KiB are there; for long lists */
    bool in_record; /* a field was put into the record that is being made */
    bool drawn;     /* a progress line stands on the terminal */
    usec redraw_at; /* not before */
    int failed;     /* errno of the first failed write to stdout, 0: none */
    struct buf pending;
};

struct common_options;
/* c may be NULL: plain. Asks what stdout and stderr are. */
void output_init(struct output *o, const char *program, const struct common_options *c);
/* Writes what waits, erases the progress line, frees. Returns the status to exit with. */
int output_end(struct output *o, int status);

/* Adds a field to the record. */
void output_field(struct output *o, struct bytes s);
void output_str(struct output *o, const char *s); /* NULL: an empty field */
void output_fmt(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void output_hex(struct output *o, struct bytes s);
/* Ends the record. False if it (or one before it) could not be written: time to stop. */
bool output_line(struct output *o);
/* A record of its own: one object on a line, always ended by newline. Frees j. */
bool output_json(struct output *o, struct json *j);
/* Bytes as they are (p2p-add -o -). */
bool output_raw(struct output *o, struct bytes b);
bool output_flush(struct output *o);

/* stderr: one line, "PROGRAM: TEXT", escaped, secrets cut out. */
void output_error(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void output_err(struct output *o, const struct err *e); /* its message; nothing if it is clear */
/* Not with -q; only with -v. */
void output_notice(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void output_verbose(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Shows the progress line if one is wanted: on a terminal redrawn in place, at most 5 times a
 * second; elsewhere (--progress=always) a plain line at most once a second. True if it was time to.
 */
bool output_progress(struct output *o, const struct progress *p, usec now);
/* Whether output_progress would draw now: to spare making up the figures. */
bool output_progress_due(const struct output *o, usec now);
void output_erase(struct output *o); /* takes the progress line away */

#endif
