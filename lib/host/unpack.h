/*
 * An archive from a stranger, unpacked into a folder.
 *
 * Rules
 * - It is unpacked as it comes: tar and cpio from the beginning to the end; of zip, 7z and ISO
 *   images what tells what is in them is asked for first, and then the rest in its order.
 * - Nothing outside of the folder is ever touched (beneath.h), and what tries is refused with the
 *   whole archive: absolute names, "..", links that lead out, hard links to anything but a file of
 *   the archive, devices, FIFOs, sockets. Symbolic links are made last of all.
 * - Files get the permissions that new files have, executable or not as their owner has them: no
 *   set-user-ID, set-group-ID or sticky bit, owner, attribute or access list. Times of files are
 *   kept.
 * - A name that comes twice means the later one.
 * - An archive that unpacks to much more than its own size, or to too much or too many names, is
 *   refused as soon as that shows: struct unpack_limits.
 *
 * What is wrong with the archive is ERR_INVALID or ERR_LIMIT, what is wrong with the disk ERR_IO.
 * The caller then calls unpack_undo, which takes away what was made and nothing else.
 */
#ifndef LIB_HOST_UNPACK_H
#define LIB_HOST_UNPACK_H

#include <p2p/base/err.h>
#include <p2p/host/archive_in.h>
#include <p2p/host/beneath.h>
#include <signal.h>
#include <stdint.h>

struct unpack_limits {
    uint64_t always; /* bytes that any archive may unpack to; */
    uint64_t times;  /* beyond that, so many times its size, */
    uint64_t most;   /* but never more than this */
    uint64_t entries;
    uint64_t names; /* made: folders that no entry is for count as well */
};
#define UNPACK_MOST ((uint64_t)16 << 40)
#define UNPACK_ENTRIES ((uint64_t)1 << 20)
#define UNPACK_NAMES ((uint64_t)1 << 22)
#define UNPACK_LIMITS \
    (struct unpack_limits) \
    { \
        ARCHIVE_BOMB_BYTES, ARCHIVE_BOMB_RATIO, UNPACK_MOST, UNPACK_ENTRIES, UNPACK_NAMES \
    }

struct unpack_spec {
    const char *what; /* borrowed; what the archive is called in messages */
    int in;           /* the archive: a file; or, with `want`, a pipe */
    /* So many bytes from `at` on are to come next. False: they will not. NULL: from the file. */
    bool (*want)(void *arg, uint64_t at, uint64_t n);
    void *arg;
    uint64_t size;            /* of the archive */
    const struct beneath *to; /* borrowed; empty, or left by an earlier run of the same */
    const char *top; /* borrowed: if all of it is one folder of this name, see unpack_inner */
    struct unpack_limits limits;
    const volatile sig_atomic_t *stop; /* borrowed; once it is not 0, ERR_CANCELED. NULL: never */
};

struct unpack;

/* Loads libarchive. NULL: it cannot be had. Afterwards no file but those beneath `to` is opened. */
struct unpack *unpack_new(const struct unpack_spec *s, struct err *e);
void unpack_free(struct unpack *u); /* NULL is fine */
/* All of it, to the end of `in`. Once. */
int unpack_run(struct unpack *u, struct err *e);
/* After that: the archive holds one folder called `top`, and nothing beside it. */
bool unpack_inner(const struct unpack *u);
/* Unlinks the files that were made, then the folders that are empty. */
void unpack_undo(struct unpack *u);

#endif
