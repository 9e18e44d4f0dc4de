/*
 * Fuzzes what a home remembers of the DHT. floor: proto
 * The input is a record and, behind the first 0 byte that is followed by a "d", what a program
 * adds. Holds: what is written is bounded, is read whole, and is the same when nothing is added.
 */
#include <p2p/format/bencode.h>
#include <p2p/proto/dht_memory.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"nodes4", "nodes6", "hints4", "hints6", "seen4", "seen6"};
    struct buf once = {0}, twice = {0};
    const uint8_t *cut = size ? memmem(data, size, "\0d", 2) : NULL;
    size_t n = cut ? (size_t)(cut - data) : size;

    dht_memory_merge(&once, BYTES(data, n), BYTES(data + n, 0), 1800000000);
    if (cut) {
        struct buf more = {0};

        dht_memory_merge(&more, buf_bytes(&once), BYTES(cut + 1, size - n - 1), 1800000000);
        buf_fini(&once);
        once = more;
    }
    if (buf_len(&once) > DHT_MEMORY_MAX)
        abort();
    struct bencode *b = bencode_parse(buf_bytes(&once), BENCODE_STRICT, 0, NULL, NULL);
    struct bytes s;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!b || !bencode_get_str(b, 0, keys[i], &s))
            abort();
    bencode_free(b);
    dht_memory_merge(&twice, buf_bytes(&once), BYTES(data, 0), 1800000000);
    if (!bytes_eq(buf_bytes(&once), buf_bytes(&twice)))
        abort();
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}
