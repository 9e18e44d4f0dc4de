/* Archives, entry by entry into a folder; see unpack.h. */
#include "host/unpack_in.h"

#include <p2p/base/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct unpack {
    struct unpack_spec spec;
    struct archive_in *in;
    struct source source;
    struct place place;
    bool inner;
};

struct unpack *unpack_new(const struct unpack_spec *s, struct err *e)
{
    struct unpack *u;
    struct archive_in *trial = archive_in_new(&(struct archive_source){0}, s->what, e);

    if (!trial)
        return NULL;
    archive_in_free(trial);
    u = mem_zero(sizeof *u);
    u->spec = *s;
    place_init(&u->place, s);
    tzset(); /* zip has times of the place */
    return u;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    archive_in_free(u->in);
    source_close(&u->source);
    place_fini(&u->place);
    free(u);
}

bool unpack_inner(const struct unpack *u)
{
    return u->inner;
}

void unpack_undo(struct unpack *u)
{
    place_undo(&u->place);
}

/* ---- one entry ---- */

static int go_on(const struct unpack *u, struct err *e)
{
    return u->spec.stop && *u->spec.stop ? err_set(e, ERR_CANCELED, "stopped") : 0;
}

static int write_blocks(struct unpack *u, int fd, uint64_t *end, struct err *e)
{
    struct bytes b;
    uint64_t at;
    int got, rc = 0;

    while (rc == 0 && (got = archive_in_data(u->in, &b, &at, e)) != 0) {
        rc = got < 0 ? got : go_on(u, e);
        if (rc == 0)
            rc = place_write(&u->place, fd, at, *end, b, e);
        *end = at + b.n;
    }
    return rc;
}

/* A hole at the end, if it is longer than what was written. */
static int write_data(struct unpack *u, const struct archive_entry_in *n, int fd, struct err *e)
{
    uint64_t end = 0;
    int rc = place_room(&u->place, n->size, n->sparse, e);

    if (rc == 0)
        rc = write_blocks(u, fd, &end, e);
    if (rc == 0 && end < n->size)
        rc = place_write(&u->place, fd, n->size, end, BYTES(NULL, 0), e);
    if (rc == 0 && end < n->size && ftruncate(fd, (off_t)n->size) != 0)
        rc = err_os(e, errno, "unpacking");
    return rc;
}

/* A file system that keeps neither is no error. */
static void dress(const struct archive_entry_in *n, int fd)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, n->mtime};
    struct stat st;

    if (n->executable && fstat(fd, &st) == 0)
        (void)fchmod(fd, (st.st_mode | (st.st_mode & 0444) >> 2) & 0777);
    if (n->dated)
        (void)futimens(fd, times);
}

static int regular(struct unpack *u, const struct archive_entry_in *n, const char *path, bool again,
                   struct err *e)
{
    int rc, fd = place_file(&u->place, path, again, e);

    if (fd < 0)
        return fd;
    rc = write_data(u, n, fd, e);
    if (rc == 0)
        dress(n, fd);
    if (close(fd) != 0 && rc == 0)
        rc = err_os(e, errno, "unpacking");
    return rc;
}

/* Of some formats, one of the names of a file has its data, of others each has. */
static int hardlink(struct unpack *u, const struct archive_entry_in *n, const char *path,
                    struct err *e)
{
    int rc = place_hardlink(&u->place, path, n->link, e);

    return rc == 0 && n->size > 0 ? regular(u, n, path, true, e) : rc;
}

static int entry_at(struct unpack *u, const struct archive_entry_in *n, const char *path,
                    struct err *e)
{
    switch (n->kind) {
    case ARCHIVE_IS_FOLDER:
        return place_folder(&u->place, path, e);
    case ARCHIVE_IS_FILE:
        return regular(u, n, path, false, e);
    case ARCHIVE_IS_LINK:
        return place_link(&u->place, path, n->link, e);
    case ARCHIVE_IS_HARD:
        return hardlink(u, n, path, e);
    case ARCHIVE_IS_OTHER:
        break;
    }
    return place_refuse(&u->place, path, "a device, FIFO or socket", e);
}

static int entry(struct unpack *u, const struct archive_entry_in *n, struct err *e)
{
    char *path = NULL;
    int rc = place_name(&u->place, n->path, &path, e);

    if (rc == 0 && path)
        rc = entry_at(u, n, path, e);
    else if (rc == 0 && n->kind != ARCHIVE_IS_FOLDER)
        rc = place_refuse(&u->place, n->path, "no name of a file", e);
    free(path);
    return rc;
}

/* ---- all of them ---- */

static int all_entries(struct unpack *u, struct err *e)
{
    struct archive_source from = source_archive(&u->source);
    struct archive_entry_in n;
    int got, rc = 0;

    u->in = archive_in_new(&from, u->spec.what, e);
    if (!u->in)
        return e->code;
    if (!u->source.jumps && !source_is_tar(&u->source))
        archive_in_to_end(u->in);
    while (rc == 0 && (got = archive_in_next(u->in, &n, e)) != 0) {
        rc = got < 0 ? got : go_on(u, e);
        if (rc == 0)
            rc = entry(u, &n, e);
    }
    return rc;
}

int unpack_run(struct unpack *u, struct err *e)
{
    int rc = source_open(&u->source, &u->spec, e);

    if (rc == 0)
        rc = all_entries(u, e);
    if (rc == 0)
        rc = place_finish(&u->place, u->spec.top, &u->inner, e);
    if (rc == 0 && !u->source.jumps)
        rc = source_drain(&u->source, e);
    return rc;
}
