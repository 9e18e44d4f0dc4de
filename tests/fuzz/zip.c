/*
 * Fuzzes the directory of zip archives. floor: format
 * Holds: what is found lies inside; entries take what they say and no more; a header of our own is
 * one.
 */
#include <p2p/base/buf.h>
#include <p2p/format/zip.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_header(const struct zip_entry *n)
{
    struct buf out = {0};
    uint32_t skip = 0;

    zip_put_local(n, &out);
    must(zip_local(buf_bytes(&out), &skip, NULL) == 0);
    must(skip == buf_len(&out));
    buf_fini(&out);
}

static void walk(struct bytes all, const struct zip_end *z)
{
    struct bytes b;

    must(z->at <= all.n && z->length <= all.n - z->at);
    b = BYTES(all.p + z->at, (size_t)z->length);
    for (uint64_t i = 0; i < z->entries; i++) {
        struct zip_entry n;
        size_t used = 0;

        if (zip_entry(&n, b, &used, NULL) != 1)
            return;
        must(used > 0 && used <= b.n && used <= ZIP_RECORD_MOST);
        must(n.name.n == 0 || (n.name.p >= b.p && n.name.p + n.name.n <= b.p + used));
        check_header(&n);
        b = BYTES(b.p + used, b.n - used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes all = BYTES(data, size);
    size_t n = size < ZIP_TAIL ? size : ZIP_TAIL;
    struct zip_end z;
    uint32_t skip;

    (void)zip_local(all, &skip, NULL);
    if (zip_end(&z, BYTES(data + size - n, n), size, NULL) < 0)
        return 0;
    if (z.end64_at) {
        must(z.end64_at + ZIP_END64 <= size);
        if (zip_end64(&z, BYTES(data + z.end64_at, ZIP_END64), size, NULL) < 0)
            return 0;
    }
    walk(all, &z);
    return 0;
}
