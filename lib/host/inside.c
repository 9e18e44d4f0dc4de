/* What is inside an archive: which format it is, and bounds; see inside.h. */
#include "host/inside_in.h"

#include <p2p/base/mem.h>
#include <p2p/host/archive_in.h>

#include <stdlib.h>

#define HEAD 512u
#define TAR_MAGIC 257u
#define ISO_MAGIC 32769u

struct inside {
    struct inside_bytes bytes;
    const char *format;
    enum inside_la_filter filter;
    struct inside_zip *zip; /* or */
    struct inside_la *la;
    uint32_t entries;
    uint64_t left; /* of the file that was told last */
    bool is_file;
    uint64_t unpacked; /* what must be taken out of a filter to come to where it is */
};

/* ---- bytes ---- */

int64_t inside_some(struct inside_bytes *b, uint64_t at, struct span to, uint64_t sure,
                    struct err *e)
{
    uint64_t size = b->source.size;
    int64_t n;

    if (at >= size || to.n == 0)
        return 0;
    if (to.n > size - at)
        to.n = (size_t)(size - at);
    if ((b->read > INSIDE_READ_MORE ? b->read - INSIDE_READ_MORE : 0) / INSIDE_READ_TIMES > size)
        return err_set(e, ERR_LIMIT, "its directory leads round and round: it is read no further");
    n = b->source.read(b->source.arg, at, to, sure < size ? sure : size, e);
    b->read += n > 0 ? (uint64_t)n : 0;
    return n;
}

int inside_all(struct inside_bytes *b, uint64_t at, struct span to, struct err *e)
{
    uint64_t end = at + to.n;

    while (to.n > 0) {
        int64_t n = inside_some(b, at, to, end, e);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return err_set(e, ERR_INVALID, "it ends too early");
        at += (uint64_t)n;
        to = (struct span){to.p + n, to.n - (size_t)n};
    }
    return 0;
}

/* ---- which format ---- */

static const struct magic {
    const char *bytes;
    uint8_t n;
    const char *name;
    enum inside_la_format format;
    enum inside_la_filter filter;
} magics[] = {
    {"7z\xbc\xaf\x27\x1c", 6, "7z", LA_7ZIP, LA_NONE},
    {"!<arch>\n", 8, "ar", LA_AR, LA_NONE},
    {"070701", 6, "cpio", LA_CPIO, LA_NONE},
    {"070702", 6, "cpio", LA_CPIO, LA_NONE},
    {"070707", 6, "cpio", LA_CPIO, LA_NONE},
    {"\x1f\x8b", 2, "tar in gzip", LA_TAR, LA_GZIP},
    {"BZh", 3, "tar in bzip2", LA_TAR, LA_BZIP2},
    {"\xfd"
     "7zXZ",
     6, "tar in xz", LA_TAR, LA_XZ},
    {"\x5d\0\0", 3, "tar in lzma", LA_TAR, LA_LZMA},
    {"\x28\xb5\x2f\xfd", 4, "tar in zstd", LA_TAR, LA_ZSTD},
    {"\x04\x22\x4d\x18", 4, "tar in lz4", LA_TAR, LA_LZ4},
    {"LZIP", 4, "tar in lzip", LA_TAR, LA_LZIP},
    {"\x1f\x9d", 2, "tar in compress", LA_TAR, LA_COMPRESS},
};

static int open_la(struct inside *a, const char *name, enum inside_la_format format,
                   enum inside_la_filter filter, struct err *e)
{
    a->format = name;
    a->filter = filter;
    return inside_la_open(&a->la, &a->bytes, format, filter, e);
}

static int open_zip(struct inside *a, struct err *e)
{
    a->format = "zip";
    return inside_zip_open(&a->zip, &a->bytes, e);
}

static int open_sure_zip(struct inside *a, struct err *e)
{
    struct err here = {0};
    int rc = open_zip(a, &here);

    if (rc == ERR_NOTFOUND)
        return err_set(e, ERR_INVALID, "the end of the archive is missing");
    if (rc < 0 && e)
        *e = here;
    return rc;
}

/* A tar of before there was a magic, if its checksum is right. */
static int open_old_tar(struct inside *a, struct err *e)
{
    struct err here = {0};
    int rc = open_la(a, "tar", LA_TAR, LA_NONE, &here);

    if (rc == ERR_INVALID)
        return err_set(e, rc, "it is no archive that is known here");
    if (rc < 0 && e)
        *e = here;
    return rc;
}

static int open_iso_or_so(struct inside *a, struct err *e)
{
    struct err none = {0};
    uint8_t m[5];
    int rc = a->bytes.source.size < ISO_MAGIC + sizeof m
                 ? ERR_INVALID
                 : inside_all(&a->bytes, ISO_MAGIC, (struct span){m, sizeof m}, e);

    if (rc == 0 && memcmp(m, "CD001", sizeof m) == 0)
        return open_la(a, "iso", LA_ISO, LA_NONE, e);
    if (rc < 0 && rc != ERR_INVALID)
        return rc;
    rc = open_zip(a, &none); /* with a program in front that unpacks it */
    if (rc == ERR_NOTFOUND)
        return open_old_tar(a, e);
    if (rc < 0 && e)
        *e = none;
    return rc;
}

static bool begins(const uint8_t *head, const struct magic *m)
{
    return memcmp(head, m->bytes, m->n) == 0;
}

static int open_by_head(struct inside *a, struct err *e)
{
    uint8_t head[HEAD] = {0};
    uint64_t size = a->bytes.source.size;
    int rc = inside_all(&a->bytes, 0,
                        (struct span){head, size < sizeof head ? (size_t)size : sizeof head}, e);

    if (rc < 0)
        return rc;
    if (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0)
        return open_sure_zip(a, e);
    if (memcmp(head + TAR_MAGIC, "ustar", 5) == 0)
        return open_la(a, "tar", LA_TAR, LA_NONE, e);
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (begins(head, &magics[i]))
            return open_la(a, magics[i].name, magics[i].format, magics[i].filter, e);
    return open_iso_or_so(a, e);
}

int inside_open(struct inside **out, const struct inside_source *s, struct err *e)
{
    struct inside *a = mem_zero(sizeof *a);
    int rc;

    a->bytes.source = *s;
    rc = open_by_head(a, e);
    *out = rc < 0 ? NULL : a;
    if (rc < 0)
        inside_close(a);
    return rc;
}

void inside_close(struct inside *a)
{
    if (!a)
        return;
    inside_zip_close(a->zip);
    inside_la_close(a->la);
    free(a);
}

bool inside_has_directory(const struct inside *a)
{
    return a->filter == LA_NONE;
}

const char *inside_format(const struct inside *a)
{
    return a->format;
}

/* ---- entries ---- */

static int check_bomb(const struct inside *a, uint64_t out, struct err *e)
{
    if (out <= ARCHIVE_BOMB_BYTES || out / ARCHIVE_BOMB_RATIO <= a->bytes.source.size)
        return 0;
    return err_set(e, ERR_LIMIT, "it is a bomb: more than %u times its size comes out of it",
                   ARCHIVE_BOMB_RATIO);
}

int inside_next(struct inside *a, struct inside_entry *n, struct err *e)
{
    int rc;

    *n = (struct inside_entry){0};
    a->left = 0;
    rc = a->zip ? inside_zip_next(a->zip, n, e) : inside_la_next(a->la, n, e);
    if (rc <= 0)
        return rc;
    if (++a->entries > INSIDE_MAX_ENTRIES)
        return err_set(e, ERR_LIMIT, "it has more than %u entries", INSIDE_MAX_ENTRIES);
    if (strlen(n->path) > INSIDE_MAX_NAME || (n->target && strlen(n->target) > INSIDE_MAX_NAME))
        return err_set(e, ERR_LIMIT, "the name of an entry has more than %u bytes",
                       INSIDE_MAX_NAME);
    if (a->filter != LA_NONE)
        a->unpacked += n->size < UINT64_MAX - a->unpacked ? n->size : UINT64_MAX - a->unpacked;
    if (check_bomb(a, a->unpacked, e) < 0)
        return ERR_LIMIT;
    a->is_file = n->kind == INSIDE_FILE && !n->encrypted;
    a->left = a->is_file ? n->size : 0;
    return 1;
}

int64_t inside_read(struct inside *a, struct span to, struct err *e)
{
    uint8_t more;
    int64_t n;

    if (!a->is_file)
        return err_set(e, ERR_USAGE, "that entry has no bytes to read");
    if (check_bomb(a, a->left, e) < 0)
        return ERR_LIMIT;
    if (to.n > a->left)
        to.n = (size_t)a->left;
    if (to.n == 0) /* what is behind its end is asked for too: then its checksum is looked at */
        to = (struct span){&more, 1};
    n = a->zip ? inside_zip_read(a->zip, to, e) : inside_la_read(a->la, to, e);
    if (n < 0)
        return n;
    if (n > 0 && a->left == 0)
        return err_set(e, ERR_INVALID, "an entry has more bytes than it says");
    if (n == 0 && a->left > 0)
        return err_set(e, ERR_INVALID, "an entry has fewer bytes than it says");
    a->left -= (uint64_t)n;
    return n;
}
