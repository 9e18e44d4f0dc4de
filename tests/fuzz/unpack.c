/*
 * Fuzzes unpacking. floor: host
 * Holds: whatever the archive, nothing is made outside of its folder, no link in it leads out, and
 * what is refused leaves nothing.
 */
#include "host/unpack.h"

#include <p2p/base/mem.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH 16 /* descriptors of a walk */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/dev/shm/p2p-fuzz-XXXXXX", to[sizeof top + 3];
static size_t seen;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static int count(const char *path, const struct stat *st, int type, struct FTW *f)
{
    char real[4096];

    (void)type;
    must(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
    must(S_ISLNK(st->st_mode) || (st->st_mode & 07000) == 0);
    if (S_ISLNK(st->st_mode) && realpath(path, real))
        must(strncmp(real, to, strlen(to)) == 0);
    seen += f->level > 0;
    return 0;
}

static int take_away(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    return f->level > 0 ? remove(path) : 0;
}

static size_t things(const char *folder)
{
    seen = 0;
    must(nftw(folder, count, DEPTH, FTW_PHYS) == 0);
    return seen;
}

static void end(void)
{
    nftw(top, take_away, DEPTH, FTW_DEPTH | FTW_PHYS);
    rmdir(top);
}

static void begin(void)
{
    must(mkdtemp(top) != NULL);
    snprintf(to, sizeof to, "%s/to", top);
    must(mkdir(to, 0755) == 0);
    atexit(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unpack_spec s = {
        .what = "A", .in = memfd_create("archive", MFD_CLOEXEC), .size = size, .top = "src"};
    struct beneath *b = NULL;
    struct err e = {0};
    int rc;

    if (*to == '\0')
        begin();
    s.limits = UNPACK_LIMITS;
    s.limits.always = 1 << 20;
    s.limits.entries = 1000;
    must(write(s.in, data, size) == (ssize_t)size && beneath_open(&b, to, 0, &e) == 0);
    s.to = b;
    struct unpack *u = unpack_new(&s, &e);
    must(u != NULL);
    rc = unpack_run(u, &e);
    if (rc < 0) {
        must(rc == ERR_INVALID || rc == ERR_LIMIT);
        unpack_undo(u);
        must(things(to) == 0);
    }
    things(to);
    nftw(to, take_away, DEPTH, FTW_DEPTH | FTW_PHYS);
    must(things(top) == 1); /* `to` itself */
    unpack_free(u);
    beneath_free(b);
    close(s.in);
    return 0;
}
