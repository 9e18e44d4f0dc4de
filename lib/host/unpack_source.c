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
    while (s->n < CHUNK) {
        int64_t got = read_some(s->fd, s->mem + s->n, CHUNK - s->n);

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
    return s->n >= at + n && memcmp(s->mem + at, what, n) == 0;
}

/* Numbers of the formats' specifications. A tar is told first: its first file may hold anything. */
static bool must_be_whole(const struct source *s)
{
    if (has(s, 257, "ustar", 5))
        return false;
    return has(s, 0, "PK\3\4", 4) || has(s, 0, "PK\5\6", 4) || has(s, 0, "PK00PK\3\4", 8) ||
           has(s, 0, "7z\xbc\xaf\x27\x1c", 6) || has(s, 32769, "CD001", 5);
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
    int rc = 0;

    while (rc == 0 && s->n > 0) {
        int64_t got;

        rc = fileio_write_all(to, "unpacking", BYTES(s->mem, s->n), e);
        got = rc == 0 ? read_some(s->fd, s->mem, CHUNK) : 0;
        if (got < 0)
            rc = err_os(e, errno, "unpacking");
        s->n = got > 0 ? (size_t)got : 0;
    }
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

    *s = (struct source){.fd = spec->in, .mem = mem_alloc(CHUNK)};
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
    free(s->mem);
    *s = (struct source){.fd = -1};
}

int64_t source_read(struct source *s, const void **p)
{
    *p = s->mem;
    if (s->at == 0 && s->n > 0) { /* what was looked at in the beginning */
        s->at = s->n;
        return (int64_t)s->n;
    }
    int64_t got = read_some(s->fd, s->mem, CHUNK);
    s->at = s->n = got > 0 ? (size_t)got : 0;
    if (got < 0)
        err_os(&s->e, errno, "unpacking");
    return got;
}

int64_t source_seek(struct source *s, int64_t offset, int whence)
{
    int64_t at = s->whole ? lseek(s->fd, offset, whence) : -1;

    s->at = s->n = 0;
    return at;
}

void source_drain(struct source *s)
{
    const void *p;

    while (source_read(s, &p) > 0)
        continue;
}
