/* RC4. OpenSSL has it in a provider of its own, which may be missing and takes long to load. */
#include <p2p/format/rc4.h>

static void swap(struct rc4 *r)
{
    uint8_t t = r->s[r->i];
    r->s[r->i] = r->s[r->j];
    r->s[r->j] = t;
}

void rc4_init(struct rc4 *r, struct bytes key)
{
    for (unsigned i = 0; i < 256; i++)
        r->s[i] = (uint8_t)i;
    r->j = 0;
    for (unsigned i = 0; i < 256; i++) {
        r->i = (uint8_t)i;
        r->j = (uint8_t)(r->j + r->s[i] + key.p[i % key.n]);
        swap(r);
    }
    r->i = r->j = 0;
}

static uint8_t next(struct rc4 *r)
{
    r->i = (uint8_t)(r->i + 1);
    r->j = (uint8_t)(r->j + r->s[r->i]);
    swap(r);
    return r->s[(uint8_t)(r->s[r->i] + r->s[r->j])];
}

void rc4_skip(struct rc4 *r, size_t n)
{
    while (n-- > 0)
        next(r);
}

void rc4_apply(struct rc4 *r, uint8_t *p, size_t n)
{
    for (size_t k = 0; k < n; k++)
        p[k] ^= next(r);
}
