/*
 * Where a folder is filled until it is whole: in a hidden one beside its final name, which it gets
 * by one rename. For one final name, one at a time is filled. What a kill -9 left in it is met
 * again by the next one who fills it with the same, and by nobody else.
 */
#ifndef P2P_HOST_HATCH_H
#define P2P_HOST_HATCH_H

#include <p2p/base/err.h>

struct hatch;

/*
 * For the final name `path` (absolute), whose folder is made; `key` is a word (hex digits) for what
 * is to come. ERR_IO if `path` is there already, ERR_LOCKED if one is being filled for it.
 */
int hatch_new(struct hatch **out, const char *path, const char *key, struct err *e);
const char *hatch_folder(const struct hatch *h); /* absolute; borrowed */
/* It is whole: `inner` is the folder in it that gets the final name, or NULL for itself. If that
 * fails all stays where it is, and the error says where. */
int hatch_open(struct hatch *h, const char *inner, struct err *e);
/* Removes the folder if it is empty. NULL is fine. */
void hatch_free(struct hatch *h);

#endif
