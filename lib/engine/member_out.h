/*
 * Where a member goes: to a file of its own, which has its last name only when it is whole, or to a
 * descriptor as it comes. Blocking.
 */
#ifndef LIB_ENGINE_MEMBER_OUT_H
#define LIB_ENGINE_MEMBER_OUT_H

#include "engine/engine_int.h"

#include <p2p/host/errand.h>
#include <p2p/host/sink.h>

struct member_out;

/* `sink` NULL: to files, in the folder or under the name that is given. All is borrowed. */
struct member_out *member_out_new(struct fdcache *files, const char *output, struct sink *sink,
                                  struct errand *w);
void member_out_free(struct member_out *o); /* what is not whole goes; NULL is fine */
int member_out_begin(struct member_out *o, const char *base, uint64_t size, struct err *e);
int member_out_data(struct member_out *o, struct bytes b, struct err *e);
int member_out_end(struct member_out *o, struct err *e);
void member_out_drop(struct member_out *o);
const char *member_out_path(const struct member_out *o); /* of the one begun last; "-" */

#endif
