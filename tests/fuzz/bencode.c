/*
 * Fuzzes the bencode reader. floor: format
 * Holds: what strict mode takes, lenient mode takes; what strict mode took, written again, is the
 * input; every node's encoding lies inside its container's.
 */
#include <p2p/format/bencode.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void write_again(const struct bencode *b, bnode n, struct buf *out)
{
    struct bytes s;
    int64_t i;
    switch (bencode_type(b, n)) {
    case BENCODE_STR:
        must(bencode_str(b, n, &s));
        bencode_put_str(out, s);
        return;
    case BENCODE_INT:
        if (bencode_int(b, n, &i))
            bencode_put_int(out, i);
        else
            buf_put_bytes(out, bencode_raw(b, n));
        return;
    case BENCODE_LIST:
    case BENCODE_DICT:
        buf_put_u8(out, bencode_type(b, n) == BENCODE_LIST ? 'l' : 'd');
        for (bnode c = bencode_first(b, n); c != BNODE_NONE; c = bencode_next(b, c))
            write_again(b, c, out);
        bencode_put_end(out);
        return;
    case BENCODE_NONE:
        abort();
    }
}

static size_t walk(const struct bencode *b, bnode n)
{
    struct bytes in = bencode_raw(b, n), s;
    size_t count = 1;
    uint64_t u;
    must(in.n > 0 && (bencode_type(b, n) != BENCODE_STR || bencode_str(b, n, &s)));
    bencode_uint(b, n, &u);
    bencode_get(b, n, "a");
    for (bnode c = bencode_first(b, n); c != BNODE_NONE; c = bencode_next(b, c)) {
        struct bytes raw = bencode_raw(b, c);
        must(raw.p > in.p && raw.p + raw.n < in.p + in.n);
        count += walk(b, c);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = BYTES(data, size);
    struct buf again = {0};
    size_t used = 0;
    struct bencode *lenient = bencode_parse(in, BENCODE_LENIENT, 0, &used, NULL);
    struct bencode *strict = bencode_parse(in, BENCODE_STRICT, 0, NULL, NULL);
    struct bencode *few = bencode_parse(in, BENCODE_LENIENT, 3, &used, NULL);
    if (lenient) {
        must(walk(lenient, 0) >= 1);
        bencode_unique(lenient, 0);
    }
    if (strict) {
        must(lenient && used == size ? bencode_unique(strict, 0) : lenient != NULL);
        write_again(strict, 0, &again);
        must(bytes_eq(buf_bytes(&again), in));
    }
    must(!few || walk(few, 0) <= 3);
    buf_fini(&again);
    bencode_free(lenient);
    bencode_free(strict);
    bencode_free(few);
    return 0;
}
