/* Text. Whatever comes in may be hostile: every function works for any bytes. */
#include <p2p/base/text.h>

static const char hex_digits[] = "0123456789abcdef";

void text_hex(char *out, struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        *out++ = hex_digits[b.p[i] >> 4];
        *out++ = hex_digits[b.p[i] & 15];
    }
    *out = '\0';
}

/* Letters by number: ctype.h would ask the locale. */
static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_unhex(uint8_t *out, size_t n, struct bytes hex)
{
    if (hex.n % 2 || hex.n / 2 != n)
        return false;
    for (size_t i = 0; i < hex.n; i++)
        if (hex_value(hex.p[i]) < 0)
            return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(hex_value(hex.p[2 * i]) << 4 | hex_value(hex.p[2 * i + 1]));
    return true;
}

static int base32_value(uint8_t c)
{
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' : -1;
}

bool text_unbase32(uint8_t *out, size_t n, struct bytes s)
{
    if (n > SIZE_MAX / 8 || s.n != n / 5 * 8 + (n % 5 * 8 + 4) / 5)
        return false;
    unsigned left = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = base32_value(s.p[i]);
        if (v < 0)
            return false;
        bits = (bits << 5 | (uint32_t)v) & 0xfff;
        left += 5;
        if (left >= 8) {
            left -= 8;
            *out++ = (uint8_t)(bits >> left);
        }
    }
    return (bits & ((1u << left) - 1)) == 0; /* else two texts would name the same bytes */
}

/*
 * The length of the UTF-8 sequence at p, 0 if there is none; its code point goes to `cp`.
 * The table is that of The Unicode Standard, "Well-Formed UTF-8 Byte Sequences".
 */
static size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *cp)
{
    static const struct {
        uint8_t lead_lo, lead_hi, second_lo, second_hi, len, bits;
    } form[] = {
        {0x00, 0x7f, 0, 0, 1, 0x7f},       {0xc2, 0xdf, 0x80, 0xbf, 2, 0x1f},
        {0xe0, 0xe0, 0xa0, 0xbf, 3, 0x0f}, {0xe1, 0xec, 0x80, 0xbf, 3, 0x0f},
        {0xed, 0xed, 0x80, 0x9f, 3, 0x0f}, {0xee, 0xef, 0x80, 0xbf, 3, 0x0f},
        {0xf0, 0xf0, 0x90, 0xbf, 4, 0x07}, {0xf1, 0xf3, 0x80, 0xbf, 4, 0x07},
        {0xf4, 0xf4, 0x80, 0x8f, 4, 0x07},
    };
    for (size_t f = 0; n && f < sizeof form / sizeof *form; f++) {
        if (p[0] < form[f].lead_lo || p[0] > form[f].lead_hi)
            continue;
        if (form[f].len > n)
            return 0;
        uint32_t v = p[0] & form[f].bits;
        for (size_t i = 1; i < form[f].len; i++) {
            uint8_t lo = i == 1 ? form[f].second_lo : 0x80, hi = i == 1 ? form[f].second_hi : 0xbf;
            if (p[i] < lo || p[i] > hi)
                return 0;
            v = v << 6 | (p[i] & 0x3f);
        }
        *cp = v;
        return form[f].len;
    }
    return 0;
}

bool text_utf8_valid(struct bytes b)
{
    uint32_t cp;
    for (size_t i = 0, len; i < b.n; i += len)
        if (!(len = utf8_decode(b.p + i, b.n - i, &cp)))
            return false;
    return true;
}

size_t text_utf8_cut(struct bytes b, size_t max)
{
    if (b.n <= max)
        return b.n;
    uint32_t cp;
    for (size_t back = 1; back <= 3 && back <= max; back++)
        if (utf8_decode(b.p + max - back, b.n - (max - back), &cp) > back)
            return max - back;
    return max;
}

/* One character, or one byte that is not part of any: those get numbers behind Unicode's. */
static size_t glob_char(const char *p, const char *end, uint32_t *cp)
{
    size_t len = utf8_decode((const uint8_t *)p, (size_t)(end - p), cp);
    if (len)
        return len;
    *cp = 0x110000u + (uint8_t)*p;
    return 1;
}

/* As glob_char, with a quoting backslash in front of it skipped. */
static const char *glob_quoted(const char *p, const char *end, uint32_t *cp)
{
    if (*p == '\\' && p + 1 < end)
        p++;
    return p + glob_char(p, end, cp);
}

/* Does the set at p (behind its bracket) hold c? The end of the set, NULL if it is not closed. */
static const char *glob_set(const char *p, const char *end, uint32_t c, bool *holds)
{
    bool no = p < end && *p == '!', found = false;
    p += no;
    for (bool first = true; p < end; first = false) {
        if (*p == ']' && !first) {
            *holds = found != no;
            return p + 1;
        }
        uint32_t lo, hi;
        p = glob_quoted(p, end, &lo);
        hi = lo;
        if (end - p >= 2 && *p == '-' && p[1] != ']')
            p = glob_quoted(p + 1, end, &hi);
        if (lo <= c && c <= hi)
            found = true;
    }
    return NULL;
}

/* Matches one character by the element at p: the next element, NULL if it does not match. */
static const char *glob_one(const char *p, const char *end, uint32_t c)
{
    if (*p == '?')
        return c == '/' ? NULL : p + 1;
    if (*p == '[') {
        bool holds = false;
        const char *next = glob_set(p + 1, end, c, &holds);
        if (next)
            return holds && c != '/' ? next : NULL;
    }
    uint32_t want;
    p = glob_quoted(p, end, &want);
    return want == c ? p : NULL;
}

enum star { STAR_NONE, STAR_NAME, STAR_ANY, STAR_FOLDERS };

/* `**` and a slash, at the start of a component, stand for any number of folders, none too. */
static enum star glob_star(const char *start, const char **p, const char *end)
{
    const char *s = *p;
    if (s == end || *s != '*')
        return STAR_NONE;
    bool at_start = s == start || s[-1] == '/';
    while (*p < end && **p == '*')
        ++*p;
    if (*p - s == 1)
        return STAR_NAME;
    if (at_start && *p < end && **p == '/') {
        ++*p;
        return STAR_FOLDERS;
    }
    return STAR_ANY;
}

struct glob_back { /* where to go on if it does not match: the star takes a little more */
    enum star kind;
    const char *pattern, *path;
};

static bool glob_retry(struct glob_back *b, const char *end)
{
    if (b->kind == STAR_NONE || b->path == end)
        return false;
    if (b->kind == STAR_NAME && *b->path == '/')
        return false;
    if (b->kind == STAR_FOLDERS) {
        const char *slash = memchr(b->path, '/', (size_t)(end - b->path));
        b->path = slash ? slash + 1 : end;
        return slash != NULL;
    }
    uint32_t c;
    b->path += glob_char(b->path, end, &c);
    return true;
}

/*
 * It is enough to remember the last star of each sort. What stands before a star is matched at the
 * leftmost place, which leaves that star the most room; and a `*` that failed inside its component
 * can be saved by nothing but a `**` in front of it. So the time is bounded by a polynomial.
 */
static bool glob_match(const char *p, const char *p_end, const char *s, const char *s_end)
{
    const char *p_start = p;
    struct glob_back name = {.kind = STAR_NONE}, far = {.kind = STAR_NONE};
    for (;;) {
        enum star kind = glob_star(p_start, &p, p_end);
        if (kind == STAR_NAME) {
            name = (struct glob_back){kind, p, s};
            continue;
        }
        if (kind != STAR_NONE) {
            far = (struct glob_back){kind, p, s};
            name.kind = STAR_NONE;
            continue;
        }
        if (p == p_end && s == s_end)
            return true;
        uint32_t c;
        const char *next = NULL;
        size_t len = s < s_end ? glob_char(s, s_end, &c) : 0;
        if (p < p_end && len)
            next = glob_one(p, p_end, c);
        if (next) {
            p = next;
            s += len;
            continue;
        }
        struct glob_back *b = &name;
        if (!glob_retry(b, s_end)) {
            name.kind = STAR_NONE;
            b = &far;
            if (!glob_retry(b, s_end))
                return false;
        }
        p = b->pattern;
        s = b->path;
    }
}

/* The pattern against every folder above the path: with its slash, or its name alone. */
static bool glob_folders(const char *pattern, const char *p_end, const char *path)
{
    bool by_path = strchr(pattern, '/') != NULL;
    const char *from = path;
    for (const char *slash; (slash = strchr(from, '/')); from = slash + 1)
        if (by_path ? glob_match(pattern, p_end, path, slash + 1)
                    : glob_match(pattern, p_end, from, slash))
            return true;
    return !by_path && glob_match(pattern, p_end, from, from + strlen(from));
}

bool text_glob(const char *pattern, const char *path)
{
    const char *p_end = pattern + strlen(pattern);
    if (strchr(pattern, '/') && p_end[-1] != '/')
        return glob_match(pattern, p_end, path, path + strlen(path));
    return glob_folders(pattern, p_end, path);
}

static bool unreserved(uint8_t c)
{
    uint8_t letter = c | 0x20;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

void text_percent(struct buf *out, struct bytes s, const char *keep)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (unreserved(c) || (c && keep && strchr(keep, c)))
            buf_put_u8(out, c);
        else
            buf_putf(out, "%%%02X", c);
    }
}

bool text_unpercent(struct buf *out, struct bytes s, bool plus)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3 || !text_unhex(&c, 1, BYTES(s.p + i + 1, 2)))
                return false;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (!buf_put_u8(out, c))
            return false;
    }
    return true;
}

/* Controls, and what reorders or breaks a line: a name must not look like another. */
static bool unsafe(uint32_t cp)
{
    static const struct {
        uint32_t lo, hi;
    } range[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},
        {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
    };
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (cp >= range[i].lo && cp <= range[i].hi)
            return true;
    return false;
}

void text_show(struct buf *out, struct bytes s)
{
    uint32_t cp = 0;
    for (size_t i = 0, len; i < s.n; i += len) {
        len = utf8_decode(s.p + i, s.n - i, &cp);
        bool good = len && !unsafe(cp);
        if (!len)
            len = 1;
        if (good)
            buf_put(out, s.p + i, len);
        for (size_t k = 0; !good && k < len; k++)
            buf_putf(out, "\\x%02x", s.p[i + k]);
    }
}

void text_plain(struct buf *out, struct bytes s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\t' || s.p[i] == '\n')
            buf_putf(out, "\\x%02x", s.p[i]);
        else
            buf_put_u8(out, s.p[i]);
}
