/* The bytes of an archive, as they are asked for; see unpack.h. */
#include "host/unpack_in.h"

#include <p2p/base/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (256u << 10) /* asked for at a time, by who jumps about */

static bool has(const struct source *s, size_t at, const char *what, size_t n)
{
    return s->n >= at + n && memcmp(s->head + at, what, n) == 0;
}

bool source_is_tar(const struct source *s)
{
    return has(s, 257, "ustar", 5);
}

/* A tar is told first: its first file may begin with anything, as an image may before CD001. */
static bool has_directory(const struct source *s)
{
    if (source_is_tar(s))
        return false;
    return archive_in_at_end(BYTES(s->head, s->n)) || has(s, 32769, "CD001", 5);
}

static int stopped(struct err *e)
{
    return err_set(e, ERR_CANCELED, "the archive does not come any more");
}

static int ask(struct source *s, uint64_t n, struct err *e)
{
    const struct unpack_spec *spec = s->spec;

    s->left = n;
    if (spec->want)
        return spec->want(spec->arg, s->pos, n) ? 0 : stopped(e);
    return lseek(spec->in, (off_t)s->pos, SEEK_SET) < 0 ? err_os(e, errno, "unpacking") : 0;
}

/* All of what was asked for, as far as it fits. */
static int64_t take(struct source *s, struct span to, struct err *e)
{
    size_t most = s->left < to.n ? (size_t)s->left : to.n, n = 0;

    while (n < most) {
        ssize_t got = read(s->spec->in, to.p + n, most - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (s->spec->stop && *s->spec->stop))
            return stopped(e);
        if (got < 0)
            return err_os(e, errno, "unpacking");
        n += (size_t)got;
    }
    s->left -= n;
    s->pos += n;
    return (int64_t)n;
}

int source_open(struct source *s, const struct unpack_spec *spec, struct err *e)
{
    int rc;

    *s = (struct source){.spec = spec, .head = mem_alloc(SOURCE_HEAD)};
    s->n = spec->size < SOURCE_HEAD ? (size_t)spec->size : SOURCE_HEAD;
    rc = s->n ? ask(s, s->n, e) : 0;
    if (rc == 0 && s->n && take(s, (struct span){s->head, s->n}, e) < 0)
        rc = e->code;
    s->pos = 0;
    s->jumps = rc == 0 && has_directory(s);
    return rc;
}

void source_close(struct source *s)
{
    free(s->head);
    s->head = NULL;
}

static int64_t source_read(void *arg, struct span to, struct err *e)
{
    struct source *s = arg;
    uint64_t rest = s->spec->size - s->pos;

    if (s->pos < s->n) { /* what was looked at in the beginning */
        size_t n = s->n - (size_t)s->pos < to.n ? s->n - (size_t)s->pos : to.n;

        memcpy(to.p, s->head + s->pos, n);
        s->pos += n;
        return (int64_t)n;
    }
    if (s->left == 0 && rest > 0) {
        int rc = ask(s, s->jumps && rest > CHUNK ? CHUNK : rest, e);

        if (rc < 0)
            return rc;
    }
    return take(s, to, e);
}

int source_drain(struct source *s, struct err *e)
{
    uint8_t *mem = mem_alloc(CHUNK);
    int64_t got;

    while ((got = source_read(s, (struct span){mem, CHUNK}, e)) > 0)
        continue;
    free(mem);
    return got < 0 ? (int)got : 0;
}

/* What was asked for comes all the same. */
static bool pass_over(struct source *s)
{
    uint8_t *mem = mem_alloc(CHUNK);
    int64_t got = 0;

    while (s->left > 0 && got >= 0)
        got = take(s, (struct span){mem, CHUNK}, NULL);
    free(mem);
    return got >= 0;
}

static int64_t source_seek(void *arg, int64_t off, int whence)
{
    struct source *s = arg;
    int64_t size = (int64_t)s->spec->size;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)s->pos : size;

    if (off < -base || off > size - base || !pass_over(s))
        return -1;
    s->pos = (uint64_t)(base + off);
    return base + off;
}

struct archive_source source_archive(struct source *s)
{
    return (struct archive_source){s, source_read, s->jumps ? source_seek : NULL};
}
