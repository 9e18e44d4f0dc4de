/* Addresses as text, as compact bytes, and what part of the net they lie in. */
#include <p2p/base/addr.h>
#include <p2p/base/num.h>

#include <stdio.h>

static size_t ip_size(const struct addr *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

static bool prefix(const uint8_t *ip, const uint8_t *with, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (whole > 0 && ip[0] != with[0]) /* mostly; every address that is told of is looked at */
        return false;
    return memcmp(ip, with, whole) == 0 &&
           (!rest || ((ip[whole] ^ with[whole]) >> (8 - rest)) == 0);
}

static const uint8_t mapped_net[12] = {[10] = 0xff, [11] = 0xff};

/* One peer must not count as two because it was written in two ways. */
static void unmap(struct addr *a)
{
    if (a->family != 6 || !prefix(a->ip, mapped_net, 96))
        return;
    a->family = 4;
    memmove(a->ip, a->ip + 12, 4);
    memset(a->ip + 4, 0, 12);
}

/* No leading zeros: some read 010 as ten, some as eight. */
static bool parse_ip4(uint8_t ip[4], struct bytes s)
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        size_t from = at;
        uint64_t v;
        while (at < s.n && s.p[at] != '.')
            at++;
        struct bytes part = BYTES(s.p + from, at - from);
        if (part.n > 3 || !num_parse_u64(part, &v) || v > 255 || (part.n > 1 && *part.p == '0'))
            return false;
        ip[i] = (uint8_t)v;
        if (i < 3 && at++ == s.n)
            return false;
    }
    return at == s.n;
}

static bool parse_group(struct bytes s, uint16_t *v)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            sum = sum << 4 | (uint32_t)(c - '0');
        else if (letter >= 'a' && letter <= 'f')
            sum = sum << 4 | (uint32_t)(letter - 'a' + 10);
        else
            return false;
    }
    *v = (uint16_t)sum;
    return s.n >= 1 && s.n <= 4;
}

/* Groups between colons, the last one perhaps in dots: how many bytes came, -1 if it is wrong. */
static int parse_groups(uint8_t out[16], struct bytes s)
{
    int n = 0;
    for (size_t at = 0; s.n; at++) {
        size_t from = at;
        while (at < s.n && s.p[at] != ':')
            at++;
        struct bytes part = BYTES(s.p + from, at - from);
        uint16_t v;
        if (n <= 14 && parse_group(part, &v)) {
            put_be16(out + n, v);
            n += 2;
        } else if (n <= 12 && at == s.n && parse_ip4(out + n, part)) {
            n += 4;
        } else {
            return -1;
        }
        if (at == s.n)
            break;
    }
    return n;
}

static bool parse_ip6(uint8_t ip[16], const char *s)
{
    uint8_t tail[16];
    const char *gap = strstr(s, "::");
    if (!gap)
        return parse_groups(ip, bytes_str(s)) == 16;
    int before = parse_groups(ip, BYTES(s, gap - s));
    int after = parse_groups(tail, bytes_str(gap + 2));
    /* Dots may stand at the very end only, and the gap is one group at least. */
    if (before < 0 || after < 0 || before + after > 14 || memchr(s, '.', (size_t)(gap - s)))
        return false;
    memset(ip + before, 0, (size_t)(16 - before));
    memcpy(ip + 16 - after, tail, (size_t)after);
    return true;
}

bool addr_parse_ip(struct addr *a, const char *ip, uint16_t port)
{
    struct addr got = {.port = port};
    if (strchr(ip, ':')) {
        got.family = 6;
        if (!parse_ip6(got.ip, ip))
            return false;
        unmap(&got);
    } else {
        got.family = 4;
        if (!parse_ip4(got.ip, bytes_str(ip)))
            return false;
    }
    *a = got;
    return true;
}

static bool parse_port(const char *s, uint16_t *port)
{
    uint64_t v;
    size_t n = strlen(s);
    if (n > 5 || !num_parse_u64(BYTES(s, n), &v) || v > 65535)
        return false;
    *port = (uint16_t)v;
    return true;
}

bool addr_split(const char *s, char *host, size_t hostsize, uint16_t *port)
{
    const char *colon = strrchr(s, ':');
    if (!colon)
        return false;
    struct bytes h = BYTES(s, colon - s);
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = BYTES(s + 1, h.n - 2);
    else if (h.n && memchr(h.p, ':', h.n))
        return false; /* "::1:80" could be an address all of it */
    if (!h.n || h.n >= hostsize || memchr(h.p, '[', h.n) || memchr(h.p, ']', h.n))
        return false;
    if (!parse_port(colon + 1, port))
        return false;
    memcpy(host, h.p, h.n);
    host[h.n] = '\0';
    return true;
}

bool addr_parse(struct addr *a, const char *s)
{
    char host[ADDR_TEXT];
    uint16_t port;
    if (!addr_split(s, host, sizeof host, &port))
        return false;
    if ((*s == '[') != (strchr(host, ':') != NULL))
        return false;
    return addr_parse_ip(a, host, port);
}

/* RFC 5952: the longest run of two or more zero groups, the first of equals. */
static int zero_run(const uint8_t ip[16], int *len)
{
    int best = -1;
    *len = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && !get_be16(ip + 2 * (i + n)))
            n++;
        if (n > *len) {
            best = i;
            *len = n;
        }
    }
    return best;
}

static void ip6_text(const uint8_t ip[16], char out[ADDR_TEXT])
{
    int len, gap = zero_run(ip, &len);
    char *to = out, *end = out + ADDR_TEXT;
    for (int i = 0; i < 8; i++) {
        if (i == gap) {
            to += snprintf(to, (size_t)(end - to), "::");
            i += len - 1;
            continue;
        }
        const char *colon = i && i != gap + len ? ":" : "";
        to += snprintf(to, (size_t)(end - to), "%s%x", colon, (unsigned)get_be16(ip + 2 * i));
    }
}

void addr_ip_text(const struct addr *a, char out[ADDR_TEXT])
{
    if (a->family == 6)
        ip6_text(a->ip, out);
    else if (a->family == 4)
        snprintf(out, ADDR_TEXT, "%d.%d.%d.%d", a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
    else
        snprintf(out, ADDR_TEXT, "-");
}

void addr_text(const struct addr *a, char out[ADDR_TEXT])
{
    char ip[ADDR_TEXT];
    addr_ip_text(a, ip);
    if (a->family == 0)
        snprintf(out, ADDR_TEXT, "-");
    else
        snprintf(out, ADDR_TEXT, a->family == 6 ? "[%.45s]:%u" : "%.45s:%u", ip, (unsigned)a->port);
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, ip_size(a)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_same_ip(a, b);
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int r = memcmp(a->ip, b->ip, ip_size(a));
    return r ? r : (a->port > b->port) - (a->port < b->port);
}

size_t addr_put_compact(const struct addr *a, uint8_t out[18])
{
    size_t n = ip_size(a);
    if (!n)
        return 0;
    memcpy(out, a->ip, n);
    put_be16(out + n, a->port);
    return n + 2;
}

bool addr_get_compact(struct addr *a, struct bytes b)
{
    if (b.n != 6 && b.n != 18)
        return false;
    struct addr got = {.family = b.n == 6 ? 4 : 6, .port = get_be16(b.p + b.n - 2)};
    memcpy(got.ip, b.p, b.n - 2);
    unmap(&got);
    *a = got;
    return true;
}

struct net {
    uint8_t ip[16];
    uint8_t bits;
    uint8_t scope;
};

/* The special-purpose registries of IANA; the first that matches counts. */
static const struct net nets4[] = {
    {{0}, 8, ADDR_UNUSABLE},
    {{10}, 8, ADDR_PRIVATE},
    {{100, 64}, 10, ADDR_PRIVATE},
    {{127}, 8, ADDR_LOOPBACK},
    {{169, 254}, 16, ADDR_LINK_LOCAL},
    {{172, 16}, 12, ADDR_PRIVATE},
    {{192, 0, 0}, 24, ADDR_UNUSABLE},
    {{192, 0, 2}, 24, ADDR_UNUSABLE},
    {{192, 88, 99}, 24, ADDR_UNUSABLE},
    {{192, 168}, 16, ADDR_PRIVATE},
    {{198, 18}, 15, ADDR_UNUSABLE},
    {{198, 51, 100}, 24, ADDR_UNUSABLE},
    {{203, 0, 113}, 24, ADDR_UNUSABLE},
    {{224}, 3, ADDR_UNUSABLE}, /* multicast, class E, broadcast */
};
static const struct net nets6[] = {
    {{[15] = 1}, 128, ADDR_LOOPBACK},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, ADDR_PRIVATE}, /* NAT64 of a network's own */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDR_UNUSABLE},
    {{0x20, 0x01, 0x00, 0x02}, 48, ADDR_UNUSABLE}, /* benchmarks */
    {{0x20, 0x01, 0x00, 0x10}, 28, ADDR_UNUSABLE}, /* ORCHID */
    {{0x20, 0x01, 0x00, 0x20}, 28, ADDR_UNUSABLE},
    {{0x3f, 0xff}, 20, ADDR_UNUSABLE}, /* documentation */
    {{0x20}, 3, ADDR_PUBLIC},
    {{0xfc}, 7, ADDR_PRIVATE},
    {{0xfe, 0x80}, 10, ADDR_LINK_LOCAL},
    {{0xfe, 0xc0}, 10, ADDR_PRIVATE}, /* site-local of old */
    {{0}, 0, ADDR_UNUSABLE},
};

/* Ways to write an IPv4 address as IPv6: each is a way round a check that looks at IPv6 only. */
static const struct {
    uint8_t ip[12];
    uint8_t bits, at, flip;
} embed[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12, 0},  /* mapped */
    {{0x20, 0x02}, 16, 2, 0},                 /* 6to4 */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, 0},    /* NAT64 */
    {{0x20, 0x01, 0x00, 0x00}, 32, 12, 0xff}, /* Teredo: the client's, inverted */
};

static enum addr_scope scope4(const uint8_t ip[4])
{
    for (size_t i = 0; i < sizeof nets4 / sizeof *nets4; i++)
        if (prefix(ip, nets4[i].ip, nets4[i].bits))
            return (enum addr_scope)nets4[i].scope;
    return ADDR_PUBLIC;
}

enum addr_scope addr_scope(const struct addr *a)
{
    if (a->family == 4)
        return scope4(a->ip);
    if (a->family != 6)
        return ADDR_UNUSABLE;
    for (size_t i = 0; i < sizeof embed / sizeof *embed; i++) {
        if (!prefix(a->ip, embed[i].ip, embed[i].bits))
            continue;
        uint8_t ip[4];
        for (int k = 0; k < 4; k++)
            ip[k] = a->ip[embed[i].at + k] ^ embed[i].flip;
        return scope4(ip);
    }
    for (size_t i = 0; i < sizeof nets6 / sizeof *nets6; i++)
        if (prefix(a->ip, nets6[i].ip, nets6[i].bits))
            return (enum addr_scope)nets6[i].scope;
    return ADDR_UNUSABLE;
}
