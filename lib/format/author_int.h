/* What the two halves of the author share. */
#ifndef FORMAT_AUTHOR_INT_H
#define FORMAT_AUTHOR_INT_H

#include "manifest_int.h"

#include <p2p/base/bits.h>
#include <p2p/format/author.h>

/* The canonical info dictionary of a plan whose hashes are all there. */
void author_write_info(const struct manifest *m, struct buf *out);

/*
 * How many tokens and bytes the manifest of a plan will take, a little more at most: so that one
 * that no reader would take is refused before its content is hashed, not after.
 */
struct author_weight {
    uint64_t tokens, bytes;
};
struct author_weight author_weigh(const struct manifest *m);

#endif
