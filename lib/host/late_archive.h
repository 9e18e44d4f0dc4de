/*
 * libarchive, loaded at its first use (late.h). A file that calls it names in CALLS(X) what it
 * calls, without the "archive_" before it, and includes this: `la` has the functions once
 * late_load(&late, e) has returned 0.
 */
#ifndef P2P_HOST_LATE_ARCHIVE_H
#define P2P_HOST_LATE_ARCHIVE_H

#include "host/late.h"

#include <archive.h>
#include <archive_entry.h>

#ifndef CALLS /* the header by itself */
#define CALLS(X) X(error_string)
#endif

static struct {
#define CALL(name) __typeof__(archive_##name) *name;
    CALLS(CALL)
#undef CALL
} la;

static const struct late_place places[] = {
#define PLACE(name) {"archive_" #name, &la.name},
    CALLS(PLACE)
#undef PLACE
};

static struct late late = {
    .library = "libarchive.so.13",
    .what = "libarchive, which archives need",
    .places = places,
    .n = sizeof places / sizeof *places,
};

#endif
