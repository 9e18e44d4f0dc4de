/*
 * Fuzzes local service discovery datagrams. floor: proto
 * Holds: what was read has a port and hashes within the limits and a cookie that may be printed;
 * written again, it is read the same and fits a datagram.
 */
#include <p2p/proto/lsd.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lsd_msg m, again;
    uint8_t out[LSD_MAX_DATAGRAM];
    if (!lsd_parse(&m, BYTES(data, size)))
        return 0;
    must(size <= LSD_MAX_DATAGRAM && m.port != 0);
    must(m.n_hashes > 0 && m.n_hashes <= LSD_MAX_HASHES);
    must(strlen(m.cookie) <= LSD_MAX_COOKIE);
    for (const char *p = m.cookie; *p; p++)
        must(*p >= 0x20 && *p <= 0x7e);
    m.cookie[16] = '\0'; /* ours are not longer */
    while (m.cookie[0] && m.cookie[strlen(m.cookie) - 1] == ' ')
        m.cookie[strlen(m.cookie) - 1] = '\0';
    for (int family = 4; family <= 6; family += 2) {
        size_t n = lsd_put(out, family, &m);
        must(n <= sizeof out && lsd_parse(&again, BYTES(out, n)));
        must(again.port == m.port && again.n_hashes == m.n_hashes);
        must(strcmp(again.cookie, m.cookie) == 0);
        must(memcmp(again.hash, m.hash, m.n_hashes * sizeof m.hash[0]) == 0);
    }
    return 0;
}
