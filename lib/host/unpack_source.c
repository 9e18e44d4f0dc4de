/* The bytes of an archive as they come, or out of a file that has all of them; see unpack.h. */
#include "host/unpack_in.h"

#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHUNK (256u << 10)
#define KEPT ".p2p-archive" /* its name for the moment until it has none */

static int64_t read_some(int fd, uint8_t *p, size_t n)
{
    ssize_t got;

    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    return got;
}

static int fill(struct source *s, struct err *e)
{
    while (s->n < SOURCE_HEAD) {
        int64_t got = read_some(s->fd, s->head + s->n, SOURCE_HEAD - s->n);

        if (got < 0)
            return err_os(e, errno, "unpacking");
        if (got == 0)
            break;
        s->n += (size_t)got;
    }
    return 0;
}

static bool has(const struct source *s, size_t at, const char *what, size_t n)
{
    return s->n >= at + n && memcmp(s->head + at, what, n) == 0;
}

bool source_is_tar(const struct source *s)
{
    return has(s, 257, "ustar", 5);
}

/* A tar is told first: its first file may begin with anything, as an image may before CD001. */
static bool must_be_whole(const struct source *s)
{
    if (source_is_tar(s))
        return false;
    return archive_in_at_end(BYTES(s->head, s->n)) || has(s, 32769, "CD001", 5);
}

static int check_space(const struct beneath *to, uint64_t bytes, struct err *e)
{
    struct statvfs v;

    if (fstatvfs(beneath_fd(to), &v) == 0 && v.f_frsize && bytes / v.f_frsize > v.f_bavail)
        return err_os(e, ENOSPC, "keeping the archive until it is whole");
    return 0;
}

static int keep_all(struct source *s, int to, struct err *e)
{
    uint8_t *mem = mem_alloc(CHUNK);
    int64_t got = 1;
    int rc = fileio_write_all(to, "unpacking", BYTES(s->head, s->n), e);

    while (rc == 0 && (got = read_some(s->fd, mem, CHUNK)) > 0)
        rc = fileio_write_all(to, "unpacking", BYTES(mem, (size_t)got), e);
    if (got < 0)
        rc = err_os(e, errno, "unpacking");
    free(mem);
    return rc;
}

static int keep(struct source *s, const struct unpack_spec *spec, struct err *e)
{
    int fd, rc = check_space(spec->to, spec->size, e);

    if (rc < 0)
        return rc;
    beneath_unlink(spec->to, KEPT, NULL);
    fd = beneath_file(spec->to, KEPT, BENEATH_NEW, e);
    if (fd < 0)
        return fd;
    rc = beneath_unlink(spec->to, KEPT, e);
    if (rc == 0)
        rc = keep_all(s, fd, e);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    s->fd = fd;
    s->own = true;
    return 0;
}

int source_open(struct source *s, const struct unpack_spec *spec, struct err *e)
{
    int rc;

    *s = (struct source){.fd = spec->in, .head = mem_alloc(SOURCE_HEAD)};
    rc = fill(s, e);
    if (rc < 0 || !must_be_whole(s))
        return rc;
    s->whole = true;
    rc = keep(s, spec, e);
    if (rc == 0 && lseek(s->fd, 0, SEEK_SET) != 0)
        rc = err_os(e, errno, "unpacking");
    s->n = 0;
    return rc;
}

void source_close(struct source *s)
{
    if (s->own)
        close(s->fd);
    free(s->head);
    *s = (struct source){.fd = -1};
}

/* What was looked at comes first. */
static int64_t source_read(void *arg, struct span to, struct err *e)
{
    struct source *s = arg;
    size_t n = s->n - s->at < to.n ? s->n - s->at : to.n;

    if (n > 0) {
        memcpy(to.p, s->head + s->at, n);
        s->at += n;
        return (int64_t)n;
    }
    int64_t got = read_some(s->fd, to.p, to.n);
    return got < 0 ? err_os(e, errno, "unpacking") : got;
}

static int64_t source_seek(void *arg, int64_t off, int whence)
{
    struct source *s = arg;

    return lseek(s->fd, off, whence);
}

struct archive_source source_archive(struct source *s)
{
    return (struct archive_source){s, source_read, s->whole ? source_seek : NULL};
}

int source_drain(struct source *s, struct err *e)
{
    uint8_t *mem = mem_alloc(CHUNK);
    int64_t got;

    while ((got = read_some(s->fd, mem, CHUNK)) > 0)
        continue;
    free(mem);
    return got < 0 ? err_os(e, errno, "unpacking") : 0;
}
