/* The text of p2p-get --range: `[FILE:]OFF-END`, first and last counted, `OFF-`, `-N` (CLI.md). */
#ifndef P2P_CLI_RANGE_H
#define P2P_CLI_RANGE_H

#include <p2p/base/err.h>

#include <stdbool.h>
#include <stdint.h>

struct range {
    char *file;     /* owned; NULL: the single file, or the whole content in order */
    uint64_t first; /* of `-N`: N, and from_end is set */
    uint64_t last;  /* UINT64_MAX: to the end */
    bool from_end;
};

/* ERR_USAGE. Offsets are plain numbers or sizes ("1Mi"). FILE is all up to the last colon. */
int range_parse(struct range *r, const char *text, struct err *e);
void range_fini(struct range *r);

#endif
