/* Checked arithmetic. */
#include <p2p/base/num.h>

bool num_add(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > UINT64_MAX - b)
        return false;
    *out = a + b;
    return true;
}

bool num_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b && a > UINT64_MAX / b)
        return false;
    *out = a * b;
    return true;
}

uint64_t num_ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

bool num_is_pow2(uint64_t v)
{
    return v && !(v & (v - 1));
}

uint64_t num_pow2_ceil(uint64_t v)
{
    if (v <= 1)
        return 1;
    unsigned bit = num_log2(v - 1) + 1;
    return bit > 63 ? 0 : (uint64_t)1 << bit;
}

unsigned num_log2(uint64_t v)
{
    return v ? 63u - (unsigned)__builtin_clzll(v) : 0;
}

bool num_parse_u64(struct bytes s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (!num_mul(v, 10, &v) || !num_add(v, s.p[i] - '0', &v))
            return false;
    }
    if (!s.n)
        return false;
    *out = v;
    return true;
}

size_t num_text(char out[NUM_TEXT], uint64_t v)
{
    char back[NUM_TEXT];
    size_t n = 0;
    do
        back[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = back[n - 1 - i];
    return n;
}
