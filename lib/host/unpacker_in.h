/* Inside of the unpacker: what its two processes share. */
#ifndef LIB_HOST_UNPACKER_IN_H
#define LIB_HOST_UNPACKER_IN_H

#include <p2p/base/err.h>
#include <p2p/host/unpacker.h>

#define UNPACKER_NAME "p2p-unpack"     /* argv[0] of the process */
#define UNPACKER_WORDS 5               /* argc: name, what, folder, top, size */
enum { UNPACKER_DATA, UNPACKER_TALK }; /* its descriptors: the archive; what it tells */

/* Of two lengths, by which they are told apart. */
struct unpacker_want {
    uint64_t at, n;
};

struct unpacker_report {
    int32_t code;
    uint8_t inner;
    char msg[sizeof((struct err *)0)->msg];
};

/* For the rest of this process' life: it has what it holds open, and the folder. */
void unpacker_jail(int folder);

#endif
