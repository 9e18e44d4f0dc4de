/* The directory of a zip archive; see zip.h. Its numbers are little-endian. */
#include <p2p/format/zip.h>

#include <p2p/base/num.h>

#define SIG_LOCAL 0x04034b50u
#define SIG_RECORD 0x02014b50u
#define SIG_END 0x06054b50u
#define SIG_END64 0x06064b50u
#define SIG_LOCATOR 0x07064b50u

#define EXTRA_ZIP64 1u
#define EXTRA_TIME 0x5455u

#define MADE_BY_UNIX 3u
#define OWN_FLAGS 6u /* of flags: how the method is meant */

static uint32_t u16(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static uint64_t u64(const uint8_t *p)
{
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static int broken(struct err *e, const char *why)
{
    return err_set(e, ERR_INVALID, "its directory is broken: %s", why);
}

/* ---- the end ---- */

/* The last place where the record fits: its comment may hold anything but is at most so long. */
static const uint8_t *find_end(struct bytes tail)
{
    for (size_t i = tail.n < ZIP_END ? 0 : tail.n - ZIP_END + 1; i-- > 0;)
        if (u32(tail.p + i) == SIG_END && i + ZIP_END + u16(tail.p + i + 20) <= tail.n)
            return tail.p + i;
    return NULL;
}

static int check(const struct zip_end *z, uint64_t before, struct err *e)
{
    uint64_t end;

    if (!num_add(z->at, z->length, &end) || end > before)
        return broken(e, "it lies behind its own end");
    return 0;
}

int zip_end(struct zip_end *z, struct bytes tail, uint64_t size, struct err *e)
{
    const uint8_t *p = find_end(tail), *l;
    uint64_t at;

    *z = (struct zip_end){0};
    if (!p || tail.n > size)
        return err_set(e, ERR_NOTFOUND, "it is no zip archive");
    at = size - tail.n + (uint64_t)(p - tail.p);
    l = p - tail.p >= (ptrdiff_t)ZIP_LOCATOR ? p - ZIP_LOCATOR : NULL;
    if (l && u32(l) == SIG_LOCATOR) {
        z->end64_at = u64(l + 8);
        if (z->end64_at == 0 || z->end64_at > at - ZIP_LOCATOR ||
            at - ZIP_LOCATOR - z->end64_at < ZIP_END64)
            return broken(e, "it names no place for its end");
        return 0;
    }
    if (u16(p + 4) != 0 || u16(p + 6) != 0)
        return err_set(e, ERR_INVALID, "it is a part of an archive in several volumes");
    z->entries = u16(p + 10);
    z->length = u32(p + 12);
    z->at = u32(p + 16);
    if (check(z, at, e) < 0)
        return ERR_INVALID;
    z->base = at - z->length - z->at;
    z->at += z->base;
    return 0;
}

int zip_end64(struct zip_end *z, struct bytes b, uint64_t size, struct err *e)
{
    uint64_t before = z->end64_at;

    if (b.n < ZIP_END64 || u32(b.p) != SIG_END64 || before > size)
        return broken(e, "there is no end where it should be");
    if (u32(b.p + 16) != 0 || u32(b.p + 20) != 0)
        return err_set(e, ERR_INVALID, "it is a part of an archive in several volumes");
    z->entries = u64(b.p + 32);
    z->length = u64(b.p + 40);
    z->at = u64(b.p + 48);
    z->end64_at = 0;
    return check(z, before, e);
}

/* ---- entries ---- */

/* What did not fit into 32 bits, in this order and only that. */
static bool read_zip64(struct zip_entry *n, struct bytes b)
{
    uint64_t *const fields[] = {&n->size, &n->packed, &n->at};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (*fields[i] != UINT32_MAX)
            continue;
        if (b.n < 8)
            return false;
        *fields[i] = u64(b.p);
        b = BYTES(b.p + 8, b.n - 8);
    }
    return true;
}

static int read_extra(struct zip_entry *n, struct bytes b, struct err *e)
{
    while (b.n >= 4) {
        uint32_t id = u16(b.p), len = u16(b.p + 2);

        if (len > b.n - 4)
            break; /* others wrote such and are read all the same */
        if (id == EXTRA_ZIP64 && !read_zip64(n, BYTES(b.p + 4, len)))
            return broken(e, "a size is missing");
        if (id == EXTRA_TIME && len >= 5 && b.p[4] & 1) {
            n->dated = true;
            n->mtime = (int32_t)u32(b.p + 5);
        }
        b = BYTES(b.p + 4 + len, b.n - 4 - len);
    }
    return 0;
}

int zip_entry(struct zip_entry *n, struct bytes b, size_t *used, struct err *e)
{
    size_t name, extra, whole;

    if (b.n >= 4 && u32(b.p) != SIG_RECORD)
        return broken(e, "an entry is none");
    if (b.n < 46)
        return 0;
    name = u16(b.p + 28);
    extra = u16(b.p + 30);
    whole = 46 + name + extra + u16(b.p + 32);
    if (b.n < whole)
        return 0;
    *n = (struct zip_entry){
        .name = BYTES(b.p + 46, name),
        .size = u32(b.p + 24),
        .packed = u32(b.p + 20),
        .at = u32(b.p + 42),
        .crc = u32(b.p + 16),
        .method = (uint16_t)u16(b.p + 10),
        .flags = (uint16_t)u16(b.p + 8),
        .mode = b.p[5] == MADE_BY_UNIX ? (uint16_t)u16(b.p + 40) : 0,
    };
    *used = whole;
    return read_extra(n, BYTES(b.p + 46 + name, extra), e) < 0 ? ERR_INVALID : 1;
}

int zip_local(struct bytes b, uint32_t *skip, struct err *e)
{
    if (b.n < ZIP_LOCAL || u32(b.p) != SIG_LOCAL)
        return broken(e, "an entry is not where it should be");
    *skip = ZIP_LOCAL + u16(b.p + 26) + u16(b.p + 28);
    return 0;
}

/* ---- a header of our own ---- */

static void put16(struct buf *out, uint32_t v)
{
    buf_put_u8(out, (uint8_t)v);
    buf_put_u8(out, (uint8_t)(v >> 8));
}

static void put32(struct buf *out, uint32_t v)
{
    put16(out, v & 0xffff);
    put16(out, v >> 16);
}

static void put64(struct buf *out, uint64_t v)
{
    put32(out, (uint32_t)v);
    put32(out, (uint32_t)(v >> 32));
}

void zip_put_local(const struct zip_entry *n, struct buf *out)
{
    bool big = n->size >= UINT32_MAX || n->packed >= UINT32_MAX;

    put32(out, SIG_LOCAL);
    put16(out, big ? 45 : 20);
    put16(out, n->flags & OWN_FLAGS);
    put16(out, n->method);
    put32(out, 0); /* no date */
    put32(out, n->crc);
    put32(out, big ? UINT32_MAX : (uint32_t)n->packed);
    put32(out, big ? UINT32_MAX : (uint32_t)n->size);
    put16(out, 1);
    put16(out, big ? 20 : 0);
    buf_put_u8(out, 'x');
    if (big) {
        put16(out, EXTRA_ZIP64);
        put16(out, 16);
        put64(out, n->size);
        put64(out, n->packed);
    }
}
