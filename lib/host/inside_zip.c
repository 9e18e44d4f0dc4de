/*
 * Inside of a zip. Its directory is read a chunk at a time, from the end alone; what libarchive
 * does is to unpack: it gets one entry, behind a header of our own that says what the directory
 * said, as if that were all there is.
 */
#include "host/inside_in.h"

#include <p2p/base/mem.h>
#include <p2p/format/zip.h>

#include <stdlib.h>
#include <sys/stat.h>

#define CHUNK (64u << 10)
#define TAIL_FIRST 4096u /* hardly any has a longer comment */

struct inside_zip {
    struct inside_bytes *bytes;
    struct zip_end end;
    uint64_t at, told; /* how far the directory is read; entries that were told */
    struct buf ahead;  /* read of it and not told */
    char *path;
    struct zip_entry entry; /* the one told last; its name is gone */
    struct buf head;        /* of our own */
    uint64_t data_at;
    struct inside_bytes one; /* the entry alone, */
    struct inside_la *la;    /* as it is read; NULL: not begun */
};

/* ---- the directory ---- */

static int find_end_in(struct inside_zip *z, uint64_t n, struct err *e)
{
    uint64_t size = z->bytes->source.size;
    uint8_t *tail;
    int rc;

    n = n < size ? n : size;
    tail = mem_alloc((size_t)n + 1);
    rc = inside_all(z->bytes, size - n, (struct span){tail, (size_t)n}, e);
    if (rc == 0)
        rc = zip_end(&z->end, BYTES(tail, (size_t)n), size, e);
    free(tail);
    return rc;
}

static int find_end(struct inside_zip *z, struct err *e)
{
    uint64_t size = z->bytes->source.size;
    struct err none = {0};
    uint8_t end64[ZIP_END64];
    int rc = find_end_in(z, TAIL_FIRST, &none);

    if (rc == ERR_NOTFOUND && size > TAIL_FIRST)
        rc = find_end_in(z, ZIP_TAIL, e);
    else if (rc < 0 && e)
        *e = none;
    if (rc < 0 || z->end.end64_at == 0)
        return rc;
    rc = inside_all(z->bytes, z->end.end64_at, (struct span){end64, sizeof end64}, e);
    return rc < 0 ? rc : zip_end64(&z->end, BYTES(end64, sizeof end64), size, e);
}

int inside_zip_open(struct inside_zip **out, struct inside_bytes *b, struct err *e)
{
    struct inside_zip *z = mem_zero(sizeof *z);
    int rc;

    z->bytes = b;
    rc = find_end(z, e);
    if (rc == 0 && z->end.length > INSIDE_MAX_DIRECTORY)
        rc = err_set(e, ERR_LIMIT, "its directory has more than %llu bytes",
                     (unsigned long long)INSIDE_MAX_DIRECTORY);
    if (rc < 0) {
        inside_zip_close(z);
        return rc;
    }
    z->at = z->end.at;
    *out = z;
    return 0;
}

static void end_entry(struct inside_zip *z)
{
    inside_la_close(z->la);
    z->la = NULL;
}

void inside_zip_close(struct inside_zip *z)
{
    if (!z)
        return;
    end_entry(z);
    buf_fini(&z->ahead);
    buf_fini(&z->head);
    free(z->path);
    free(z);
}

static int read_ahead(struct inside_zip *z, struct err *e)
{
    uint64_t end = z->end.at + z->end.length;
    int64_t n;

    if (z->at >= end)
        return err_set(e, ERR_INVALID, "its directory is broken: it ends too early");
    n = end - z->at < CHUNK ? (int64_t)(end - z->at) : (int64_t)CHUNK;
    uint8_t *room = buf_room(&z->ahead, (size_t)n);
    n = inside_some(z->bytes, z->at, (struct span){room, (size_t)n}, end, e);
    if (n <= 0)
        return n < 0 ? (int)n : err_set(e, ERR_INVALID, "it ends too early");
    buf_added(&z->ahead, (size_t)n);
    z->at += (uint64_t)n;
    return 0;
}

/* ---- one entry ---- */

static int64_t read_one(void *arg, uint64_t at, struct span to, uint64_t sure, struct err *e)
{
    struct inside_zip *z = arg;
    struct bytes head = buf_bytes(&z->head);

    (void)sure;
    if (at >= head.n)
        return inside_some(z->bytes, z->data_at + (at - head.n), to, z->data_at + z->entry.packed,
                           e);
    if (to.n > head.n - at)
        to.n = (size_t)(head.n - at);
    memcpy(to.p, head.p + at, to.n);
    return (int64_t)to.n;
}

static int begin_entry(struct inside_zip *z, struct err *e)
{
    uint64_t at = z->end.base + z->entry.at, size = z->bytes->source.size;
    struct inside_entry n;
    uint8_t local[ZIP_LOCAL];
    uint32_t skip = 0;
    int rc = at > size || z->entry.packed > size - at
                 ? err_set(e, ERR_INVALID, "an entry lies behind the end")
                 : inside_all(z->bytes, at, (struct span){local, sizeof local}, e);

    if (rc == 0)
        rc = zip_local(BYTES(local, sizeof local), &skip, e);
    if (rc < 0)
        return rc;
    z->data_at = at + skip;
    buf_clear(&z->head);
    zip_put_local(&z->entry, &z->head);
    z->one = (struct inside_bytes){
        .source = {.size = buf_len(&z->head) + z->entry.packed, .read = read_one, .arg = z}};
    rc = inside_la_open(&z->la, &z->one, LA_ZIP_ENTRY, LA_NONE, e);
    if (rc == 0)
        rc = inside_la_next(z->la, &n, e);
    return rc == 0 ? err_set(e, ERR_INVALID, "an entry cannot be read") : rc < 0 ? rc : 0;
}

int64_t inside_zip_read(struct inside_zip *z, struct span to, struct err *e)
{
    int rc = z->la ? 0 : begin_entry(z, e);

    return rc < 0 ? rc : inside_la_read(z->la, to, e);
}

/* ---- the next ---- */

static enum inside_kind kind_of(const struct zip_entry *n)
{
    if (n->name.n > 0 && n->name.p[n->name.n - 1] == '/')
        return INSIDE_FOLDER;
    switch (n->mode & S_IFMT) {
    case 0:
    case S_IFREG:
        return INSIDE_FILE;
    case S_IFDIR:
        return INSIDE_FOLDER;
    case S_IFLNK: /* where it leads stands at its place, which is not read for that */
        return INSIDE_SYMLINK;
    default:
        return INSIDE_OTHER;
    }
}

int inside_zip_next(struct inside_zip *z, struct inside_entry *n, struct err *e)
{
    size_t used = 0;
    int rc = 0;

    end_entry(z);
    if (z->told == z->end.entries)
        return 0;
    while (rc == 0 && (rc = zip_entry(&z->entry, buf_bytes(&z->ahead), &used, e)) == 0)
        rc = read_ahead(z, e);
    if (rc < 0)
        return rc;
    if (memchr(z->entry.name.p, 0, z->entry.name.n))
        return err_set(e, ERR_INVALID, "an entry has a name that is none");
    free(z->path);
    z->path = mem_strn((const char *)z->entry.name.p, z->entry.name.n);
    *n = (struct inside_entry){
        .path = z->path,
        .size = z->entry.size,
        .kind = kind_of(&z->entry),
        .executable = z->entry.mode & 0111,
        .encrypted = z->entry.flags & ZIP_ENCRYPTED,
        .dated = z->entry.dated,
        .mtime = z->entry.mtime,
    };
    buf_eat(&z->ahead, used);
    z->entry.name = (struct bytes){0};
    z->told++;
    return 1;
}
