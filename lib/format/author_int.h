/* What the two halves of the author share. */
#ifndef FORMAT_AUTHOR_INT_H
#define FORMAT_AUTHOR_INT_H

#include "manifest_int.h"

#include <p2p/base/bits.h>
#include <p2p/format/author.h>

/* The canonical info dictionary of a plan whose hashes are all there. */
void author_write_info(const struct manifest *m, struct buf *out);

#endif
