/*
 * Ids and their distance. BEP 42 hashes the address, masked so that a small network yields few
 * ids and a large one more, together with three bits that the last byte of the id tells.
 */
#include <p2p/proto/dht_id.h>

bool dht_id_eq(const uint8_t a[DHT_ID], const uint8_t b[DHT_ID])
{
    return memcmp(a, b, DHT_ID) == 0;
}

int dht_id_cmp(const uint8_t target[DHT_ID], const uint8_t a[DHT_ID], const uint8_t b[DHT_ID])
{
    for (int i = 0; i < DHT_ID; i++)
        if (a[i] != b[i])
            return (a[i] ^ target[i]) < (b[i] ^ target[i]) ? -1 : 1;
    return 0;
}

unsigned dht_id_common(const uint8_t a[DHT_ID], const uint8_t b[DHT_ID])
{
    for (unsigned i = 0; i < DHT_ID; i++) {
        unsigned x = a[i] ^ b[i], n = 8 * i;
        if (!x)
            continue;
        while (!(x & 0x80)) {
            x <<= 1;
            n++;
        }
        return n;
    }
    return 8 * DHT_ID;
}

/* Castagnoli's polynomial, reflected; eight bytes at most come here, so no table. */
uint32_t dht_crc32c(const uint8_t *p, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
    }
    return ~crc;
}

static uint32_t prefix_of(const struct addr *a, uint8_t r)
{
    static const uint8_t mask4[] = {0x03, 0x0f, 0x3f, 0xff};
    static const uint8_t mask6[] = {0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff};
    const uint8_t *mask = a->family == 4 ? mask4 : mask6;
    size_t n = a->family == 4 ? sizeof mask4 : sizeof mask6;
    uint8_t ip[sizeof mask6];
    for (size_t i = 0; i < n; i++)
        ip[i] = a->ip[i] & mask[i];
    ip[0] |= (uint8_t)((r & 7) << 5);
    return dht_crc32c(ip, n);
}

bool dht_id_fits(const uint8_t id[DHT_ID], const struct addr *a)
{
    if (addr_scope(a) != ADDR_PUBLIC)
        return true;
    return (prefix_of(a, id[DHT_ID - 1]) ^ get_be32(id)) >> 11 == 0;
}

void dht_id_fit(uint8_t id[DHT_ID], const struct addr *a)
{
    if (addr_scope(a) != ADDR_PUBLIC)
        return;
    uint32_t prefix = prefix_of(a, id[DHT_ID - 1]);
    put_be32(id, (prefix & ~UINT32_C(0x7ff)) | (get_be32(id) & 0x7ff));
}

void dht_id_near(uint8_t id[DHT_ID], const uint8_t own[DHT_ID], unsigned bits)
{
    unsigned at = bits / 8;
    uint8_t keep = (uint8_t)(0xff00 >> bits % 8), flip = (uint8_t)(0x80 >> bits % 8);
    memcpy(id, own, at);
    id[at] = (uint8_t)((own[at] & keep) | (~own[at] & flip) | (id[at] & (uint8_t) ~(keep | flip)));
}
