/*
 * Fuzzes resume records. floor: format
 * Holds: what was read is, written again, the input. A right checksum is put behind the input as
 * well, or no mutation would ever get past it.
 */
#include <p2p/format/record.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes in)
{
    struct record r;
    struct buf again = {0};

    if (record_parse(&r, in, NULL) < 0)
        return;
    record_write(&r, &again);
    if (!bytes_eq(buf_bytes(&again), in))
        abort();
    record_fini(&r);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b = {0};
    uint8_t sum[SHA256_LEN];

    check(BYTES(data, size));
    digest_sha256(sum, BYTES(data, size));
    buf_put(&b, data, size);
    buf_put(&b, sum, sizeof sum);
    check(buf_bytes(&b));
    buf_fini(&b);
    return 0;
}
