/*
 * A process of its own that unpacks an archive (unpack.h) while it comes: it says which bytes it
 * wants, and these go in by a pipe. Whatever a stranger's archive makes of the libraries that read
 * it, what it can reach is the one folder. Once it has begun to read, the process
 * - may read, write and make nothing outside of that folder (Landlock, of Linux 5.19),
 * - may do what unpacking needs and no more: no program, no socket, no other process (seccomp),
 * - has UNPACKER_MEMORY and no more.
 * Where the kernel does not know one of these, the others stand.
 *
 * The program must begin with unpacker_main: the process is the same program once more.
 */
#ifndef P2P_HOST_UNPACKER_H
#define P2P_HOST_UNPACKER_H

#include <p2p/base/err.h>
#include <p2p/host/loop.h>
#include <stdint.h>

#define UNPACKER_MEMORY ((uint64_t)1 << 30)

struct unpacker;

struct unpacker_spec {  /* borrowed during the call */
    const char *what;   /* what the archive is called in messages */
    const char *folder; /* absolute; where it is unpacked: empty, or of an earlier run */
    const char *top;    /* as unpack_spec.top */
    uint64_t size;      /* of the archive */
};

struct unpacker_calls { /* in a turn of the loop */
    /* These bytes are to be written, when all that it wanted before have been. */
    void (*wants)(void *arg, uint64_t at, uint64_t n);
    /* Once, unless it is freed before: as unpack_run ended: 0, or a code, and then nothing of it is
     * left. `inner`: as unpack_inner. */
    void (*ended)(void *arg, int code, bool inner, const struct err *e);
    void *arg;
};

struct unpacker *unpacker_new(struct loop *l, const struct unpacker_spec *s,
                              const struct unpacker_calls *c, struct err *e);
/* To write to. It stays the unpacker's; a copy of it must be closed before unpacker_stop. */
int unpacker_fd(const struct unpacker *u);
/* It is to take away what it has made; then comes the end. */
void unpacker_stop(struct unpacker *u);
/* Stops it, and waits until it is gone. NULL is fine. */
void unpacker_free(struct unpacker *u);

/* True if this process is one: it has done its work, and *status is for exit. */
bool unpacker_main(int argc, char **argv, int *status);

#endif
