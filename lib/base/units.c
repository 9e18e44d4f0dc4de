/* Sizes, rates and durations. No floating point: 0.1 is no binary number, and sizes are exact. */
#include <p2p/base/num.h>
#include <p2p/base/units.h>

#include <stdio.h>

struct number { /* "12.5": whole 12, fraction "5" */
    uint64_t whole;
    struct bytes fraction;
};

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* Reads digits, and a point with digits behind it; what follows, NULL if there is no number. */
static const char *number(const char *s, struct number *out)
{
    size_t n = digits(s);
    if (!num_parse_u64(BYTES(s, n), &out->whole))
        return NULL;
    s += n;
    n = *s == '.' ? digits(s + 1) : 0;
    out->fraction = BYTES(s + 1, n);
    if (*s == '.')
        return n ? s + 1 + n : NULL;
    out->fraction.n = 0;
    return s;
}

/* number * unit, rounded down. Dividing by ten digit by digit from the right loses nothing. */
static bool scale(const struct number *v, uint64_t unit, uint64_t *out)
{
    uint64_t part = 0, sum;
    for (size_t i = v->fraction.n; i-- > 0;)
        part = (part + (uint64_t)(v->fraction.p[i] - '0') * unit) / 10;
    if (!num_mul(v->whole, unit, &sum) || !num_add(sum, part, &sum))
        return false;
    *out = sum;
    return true;
}

/* The multiple at *s, which is moved behind it; 1 if there is none. */
static uint64_t multiple(const char **s)
{
    static const char letters[] = "kmgt";
    const char *at = **s ? strchr(letters, **s | 0x20) : NULL;
    if (!at)
        return 1;
    ++*s;
    uint64_t base = **s == 'i' || **s == 'I' ? 1024 : 1000, unit = base;
    *s += base == 1024;
    for (; at > letters; at--)
        unit *= base;
    return unit;
}

static bool parse_size(const char *s, const char *behind, uint64_t *out)
{
    struct number v;
    s = number(s, &v);
    if (!s)
        return false;
    uint64_t unit = multiple(&s), n;
    if (unit == 1 && v.fraction.n)
        return false; /* half a byte */
    if (*s == 'B')
        s++;
    if (*s && strcmp(s, behind) != 0)
        return false;
    if (!scale(&v, unit, &n))
        return false;
    *out = n;
    return true;
}

bool units_parse_size(const char *s, uint64_t *bytes)
{
    return parse_size(s, "", bytes);
}

bool units_parse_rate(const char *s, uint64_t *bytes_per_second)
{
    return parse_size(s, "/s", bytes_per_second);
}

/* Each unit once, the larger first: "30m1h" is a slip of the pen. */
bool units_parse_duration(const char *s, usec *us)
{
    static const struct {
        char letter;
        usec us;
    } unit[] = {{'d', 1440 * USEC_MIN}, {'h', 60 * USEC_MIN}, {'m', USEC_MIN}, {'s', USEC_SEC}};
    uint64_t sum = 0, part;
    size_t u = 0;
    bool bare = true;
    do {
        struct number v;
        s = number(s, &v);
        if (!s)
            return false;
        if (*s == '\0' && bare)
            u = 3;
        while (*s && u < 4 && unit[u].letter != *s)
            u++;
        if (u == 4 || (*s == '\0' && !bare))
            return false;
        if (!scale(&v, (uint64_t)unit[u].us, &part) || !num_add(sum, part, &sum))
            return false;
        bare = false;
        u++;
        s += *s != '\0';
    } while (*s);
    if (sum >= (uint64_t)USEC_NEVER)
        return false;
    *us = (usec)sum;
    return true;
}

void units_format_size(char out[16], uint64_t bytes)
{
    static const char *const name[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned u = 0;
    uint64_t unit = 1;
    /* Up while it would round to 1024. */
    while (u < 6 && bytes / unit >= 1023 && bytes - 1023 * unit >= unit - unit / 2) {
        unit *= 1024;
        u++;
    }
    uint64_t whole = bytes / unit, rest = bytes % unit;
    uint64_t tenths = u ? (rest / (unit / 1024) * 10 + 512) / 1024 : 0;
    if (u && (whole < 9 || (whole == 9 && tenths < 10)))
        snprintf(out, 16, "%d.%d %s", (int)(whole + tenths / 10), (int)(tenths % 10), name[u]);
    else
        snprintf(out, 16, "%d %s", (int)(whole + (u && rest >= unit / 2)), name[u]);
}

void units_format_duration(char out[24], usec us)
{
    if (us == USEC_NEVER) {
        snprintf(out, 24, "-");
        return;
    }
    long long s = us > 0 ? us / USEC_SEC : 0;
    int sec = (int)(s % 60), min = (int)(s / 60 % 60), hour = (int)(s / 3600 % 24);
    if (s < 3600)
        snprintf(out, 24, "%d:%02d", min, sec);
    else if (s < 86400)
        snprintf(out, 24, "%d:%02d:%02d", hour, min, sec);
    else
        snprintf(out, 24, "%lld d %d h", s / 86400, hour);
}
