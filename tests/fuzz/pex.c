/*
 * Fuzzes peer exchange messages. floor: proto
 * Holds: never more than the limit; every address has a port; none stands twice; what was read,
 * written again, is read the same.
 */
#include <p2p/proto/pex.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void sound(const struct pex_msg *m)
{
    must(m->n_added <= PEX_MAX_PEERS && m->n_dropped <= PEX_MAX_PEERS);
    for (size_t i = 0; i < m->n_added; i++) {
        must(m->added[i].addr.port != 0);
        for (size_t k = 0; k < i; k++)
            must(!addr_eq(&m->added[i].addr, &m->added[k].addr));
    }
    for (size_t i = 0; i < m->n_dropped; i++)
        for (size_t k = 0; k < i; k++)
            must(!addr_eq(&m->dropped[i], &m->dropped[k]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pex_msg m, again, third;
    struct err e = {0};
    struct buf out = {0}, more = {0};
    int r = pex_parse(&m, BYTES(data, size), &e);
    must(r == 0 || (r == ERR_INVALID && e.msg[0]));
    if (r < 0)
        return 0;
    sound(&m);
    /* IPv4 in IPv6 comes back as IPv4, before the rest; from then on nothing changes. */
    pex_put(&out, &m);
    must(pex_parse(&again, buf_bytes(&out), NULL) == 0);
    must(again.n_added == m.n_added && again.n_dropped == m.n_dropped);
    pex_put(&more, &again);
    must(pex_parse(&third, buf_bytes(&more), NULL) == 0);
    must(bytes_eq(buf_bytes(&out), buf_bytes(&more)));
    for (size_t i = 0; i < again.n_added; i++)
        must(addr_eq(&again.added[i].addr, &third.added[i].addr) &&
             again.added[i].flags == third.added[i].flags);
    buf_fini(&out);
    buf_fini(&more);
    return 0;
}
