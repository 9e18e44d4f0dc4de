/*
 * What every program does before and after its work:
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct get_options o;
 *         struct program p;
 *         int status;
 *
 *         if (!program_start(&p, &suite_get, &o, argc, argv, &status))
 *             return status;
 *         status = run(&p, &o);          // p.options.operands, p.output
 *         return program_end(&p, status);
 *     }
 */
#ifndef P2P_CLI_PROGRAM_H
#define P2P_CLI_PROGRAM_H

#include <p2p/cli/output.h>
#include <p2p/cli/suite.h>

struct program {
    struct options options;
    struct output output;
};

/*
 * Makes sure that descriptors 0 to 2 are open, ignores SIGPIPE, reads configuration and command
 * line, answers --help and --version. False: exit with *status, all is said and freed.
 */
bool program_start(struct program *p, const struct option_table *t, void *values, int argc,
                   char **argv, int *status);
/* Flushes, frees; the status to exit with. */
int program_end(struct program *p, int status);

/* "WHAT: WHY" and where to read on; returns STATUS_USAGE. */
int program_usage(struct program *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the error; returns its status. */
int program_fail(struct program *p, const struct err *e);

#endif
