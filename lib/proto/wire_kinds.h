/* Between wire.c and wire_kinds.c: the kinds of messages, by type byte. */
#ifndef P2P_LIB_PROTO_WIRE_KINDS_H
#define P2P_LIB_PROTO_WIRE_KINDS_H

#include <p2p/proto/wire.h>

struct wire_kind {
    const char *name;
    uint32_t min, max; /* the length prefix, type byte included */
    bool (*read)(struct wire_msg *m, struct bytes body); /* NULL: no body; false: its length lies */
};

const struct wire_kind *wire_kind(uint8_t type); /* NULL: unknown */

#endif
