/*
 * Operands that may be `-`: then one a line comes from standard input, blank lines and lines that
 * begin with # left out, blanks around a line dropped. Works for SOURCEs, PATHs and --files-from.
 */
#ifndef P2P_CLI_SOURCES_H
#define P2P_CLI_SOURCES_H

#include <p2p/base/err.h>
#include <p2p/cli/options.h>

#define SOURCES_MAX_LINE 65536u
#define SOURCES_MAX 1000000u

/*
 * Appends to `list` (free with option_list_fini) every operand in order, `-` (once at most)
 * replaced by the lines of descriptor `in`. ERR_USAGE: `-` twice, a line too long or with NUL;
 * ERR_IO.
 */
int sources_read(struct option_list *list, char *const *operands, size_t n, int in, struct err *e);
/* Appends the lines of a file, "-" being descriptor `in`. */
int sources_read_file(struct option_list *list, const char *file, int in, struct err *e);

#endif
