/*
 * The resume record on disk, all numbers big-endian:
 *   8 "p2prec1\n" · 32 content · 4 files · 4 pieces · pieces/8 bits
 *   files times: 1 flags (1 present, 2 open) · 8 size · 8 mtime · 8 inode
 *   32 SHA-256 of all before
 * The checksum comes last and covers everything, so a file cut at any byte or with any bit turned
 * does not read back.
 */
#include <p2p/base/mem.h>
#include <p2p/format/manifest.h>
#include <p2p/format/record.h>

#include <stdlib.h>

#define MAGIC "p2prec1\n"
#define MAGIC_LEN (sizeof MAGIC - 1)
#define FILE_LEN (1 + 3 * 8)

void record_init(struct record *r)
{
    memset(r, 0, sizeof *r);
}

void record_fini(struct record *r)
{
    bits_fini(&r->have);
    free(r->files);
    memset(r, 0, sizeof *r);
}

void record_write(const struct record *r, struct buf *out)
{
    uint8_t sum[SHA256_LEN];
    size_t start = buf_len(out);

    buf_put(out, MAGIC, MAGIC_LEN);
    buf_put(out, r->content, sizeof r->content);
    buf_put_be32(out, r->n_files);
    buf_put_be32(out, (uint32_t)r->have.n);
    buf_put_bytes(out, bits_wire(&r->have));
    for (uint32_t i = 0; i < r->n_files; i++) {
        const struct record_file *f = &r->files[i];

        buf_put_u8(out, (uint8_t)(f->present | f->open << 1));
        buf_put_be64(out, f->size);
        buf_put_be64(out, (uint64_t)f->mtime_ns);
        buf_put_be64(out, f->inode);
    }
    struct bytes all = buf_bytes(out);
    digest_sha256(sum, BYTES(all.p + start, all.n - start));
    buf_put(out, sum, sizeof sum);
}

static int broken(struct err *e, const char *why)
{
    return err_set(e, ERR_INVALID, "resume record: %s", why);
}

static bool sum_ok(struct bytes b)
{
    uint8_t sum[SHA256_LEN];

    if (b.n < sizeof sum)
        return false;
    digest_sha256(sum, BYTES(b.p, b.n - sizeof sum));
    return memcmp(sum, b.p + b.n - sizeof sum, sizeof sum) == 0;
}

/* Nothing is allocated before the length says that what is counted can be there. */
static int read_body(struct record *r, struct cursor *c, struct err *e)
{
    struct bytes magic = cursor_take(c, MAGIC_LEN);
    struct bytes content = cursor_take(c, sizeof r->content);
    uint32_t n_files = cursor_be32(c), n_pieces = cursor_be32(c);

    if (c->bad || !bytes_is(magic, MAGIC))
        return broken(e, "is none");
    if (n_files > MANIFEST_MAX_FILES || n_pieces > MANIFEST_MAX_PIECES)
        return broken(e, "more files or pieces than there may be");
    if (cursor_left(c) != bits_bytes(n_pieces) + (size_t)n_files * FILE_LEN)
        return broken(e, "has another length than it says");
    memcpy(r->content, content.p, content.n);
    bits_init(&r->have, n_pieces);
    if (!bits_load(&r->have, cursor_take(c, bits_bytes(n_pieces))))
        return broken(e, "spare bits are set");
    r->files = mem_array(n_files, sizeof *r->files);
    r->n_files = n_files;
    for (uint32_t i = 0; i < n_files; i++) {
        struct record_file *f = &r->files[i];
        uint8_t flags = cursor_u8(c);

        if (flags > 3 || flags == 2)
            return broken(e, "a file is neither present nor absent");
        f->present = flags & 1;
        f->open = flags & 2;
        f->size = cursor_be64(c);
        f->mtime_ns = (int64_t)cursor_be64(c);
        f->inode = cursor_be64(c);
    }
    return 0;
}

int record_parse(struct record *r, struct bytes b, struct err *e)
{
    struct cursor c;

    record_init(r);
    if (!sum_ok(b))
        return broken(e, "its checksum is wrong");
    cursor_init(&c, BYTES(b.p, b.n - SHA256_LEN));
    int rc = read_body(r, &c, e);
    if (rc < 0)
        record_fini(r);
    return rc;
}
