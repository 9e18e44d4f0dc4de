/*
 * JSON over jansson; a `struct json` is a json_t. Jansson refuses text that is not UTF-8, so it is
 * mended first. Its writer leaves DEL, C1 and bidi controls as they are, which is right JSON but
 * steers terminals: these are written as \u escapes.
 */
#include <jansson.h>
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/json.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static json_t *native(struct json *j)
{
    return (json_t *)(void *)j;
}

static struct json *ours(json_t *j)
{
    if (!j)
        abort(); /* out of memory, as in mem.h: what is passed is always valid */
    return (struct json *)(void *)j;
}

struct json *json_new_object(void)
{
    return ours(json_object());
}

struct json *json_new_array(void)
{
    return ours(json_array());
}

void json_free(struct json *j)
{
    json_decref(native(j));
}

/* Length of the valid sequence at the front, 0 if there is none. */
static size_t sequence_len(struct bytes s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (text_utf8_valid(BYTES(s.p, n)))
            return n;
    return 0;
}

static struct json *string(struct bytes s)
{
    struct buf mended = {0};
    json_t *j;

    if (text_utf8_valid(s)) {
        j = json_stringn_nocheck(s.n ? (const char *)s.p : "", s.n);
        return ours(j);
    }
    while (s.n > 0) {
        size_t n = sequence_len(s);

        if (n > 0)
            buf_put(&mended, s.p, n);
        else
            buf_put_str(&mended, REPLACEMENT);
        n += n == 0;
        s = BYTES(s.p + n, s.n - n);
    }
    struct bytes m = buf_bytes(&mended);
    j = json_stringn_nocheck((const char *)m.p, m.n);
    buf_fini(&mended);
    return ours(j);
}

void json_set(struct json *o, const char *key, struct json *value)
{
    if (json_object_set_new(native(o), key, native(value)) != 0)
        abort();
}

void json_set_str(struct json *o, const char *key, const char *s)
{
    if (s)
        json_set_bytes(o, key, bytes_str(s));
}

void json_set_bytes(struct json *o, const char *key, struct bytes s)
{
    json_set(o, key, string(s));
}

void json_set_hex(struct json *o, const char *key, struct bytes s)
{
    char *hex = mem_alloc(2 * s.n + 1);

    text_hex(hex, s);
    json_set_str(o, key, hex);
    free(hex);
}

void json_set_int(struct json *o, const char *key, int64_t v)
{
    json_set(o, key, ours(json_integer(v)));
}

void json_set_real(struct json *o, const char *key, double v)
{
    if (isfinite(v)) /* JSON has no others: absent */
        json_set(o, key, ours(json_real(v)));
}

void json_set_bool(struct json *o, const char *key, bool v)
{
    json_set(o, key, ours(json_boolean(v)));
}

/* Civil date from days since 1970-01-01 (proleptic Gregorian), without asking libc for a zone. */
static void civil(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468; /* from 0000-03-01, so that leap days end a year */
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

void json_set_time(struct json *o, const char *key, int64_t unix_seconds)
{
    char text[sizeof "9999-12-31T23:59:59Z" + 32];
    int64_t days = unix_seconds / 86400, rest = unix_seconds % 86400, year;
    int month, day;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    if (days < -719162 || days > 2932896) /* RFC 3339 knows the years 1 to 9999 */
        return;
    civil(days, &year, &month, &day);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, month, day,
             (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    json_set_str(o, key, text);
}

void json_add(struct json *array, struct json *value)
{
    if (json_array_append_new(native(array), native(value)) != 0)
        abort();
}

void json_add_str(struct json *array, const char *s)
{
    json_add(array, string(bytes_str(s)));
}

static unsigned code_point(const uint8_t *s, size_t n)
{
    if (n == 1)
        return s[0];
    if (n == 2)
        return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu); /* of 3; 4 is not asked */
}

static bool steers(unsigned c)
{
    return (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

char *json_line(const struct json *j)
{
    char *raw = json_dumps((const json_t *)(const void *)j, JSON_COMPACT | JSON_REAL_PRECISION(15));
    struct buf line = {0};

    if (!raw)
        abort();
    for (struct bytes s = bytes_str(raw); s.n > 0;) {
        size_t n = sequence_len(s);
        unsigned c = n < 4 ? code_point(s.p, n) : 0;

        if (steers(c))
            buf_putf(&line, "\\u%04X", c);
        else
            buf_put(&line, s.p, n);
        s = BYTES(s.p + n, s.n - n);
    }
    free(raw);
    return buf_take_str(&line);
}
