/* The port control protocol's messages (RFC 6887, sections 7, 8, 11 and 14). */
#include "host/pcp.h"

#define VERSION 2
#define ANSWER 0x80 /* the bit of the opcode that tells answers from requests */
#define HEADER 24
#define MAP_BODY 36
#define OLD_MIN 8 /* NAT-PMP: version, opcode, result, epoch (RFC 6886, section 3.5) */

/* An address of 128 bits; IPv4 is mapped (section 5). */
static void put_ip(uint8_t out[16], const struct addr *a)
{
    memset(out, 0, 16);
    if (a->family == 6) {
        memcpy(out, a->ip, 16);
        return;
    }
    out[10] = out[11] = 0xff;
    memcpy(out + 12, a->ip, 4);
}

static struct addr take_ip(struct cursor *c)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct bytes b = cursor_take(c, 16);
    struct addr a = {0};

    if (b.n != 16)
        return a;
    bool four = memcmp(b.p, mapped, sizeof mapped) == 0;
    a.family = four ? 4 : 6;
    memcpy(a.ip, four ? b.p + 12 : b.p, four ? 4 : 16);
    return a;
}

static void put_header(uint8_t out[HEADER], enum pcp_opcode op, uint32_t lifetime,
                       const struct addr *client)
{
    memset(out, 0, HEADER);
    out[0] = VERSION;
    out[1] = (uint8_t)op;
    put_be32(out + 4, lifetime);
    put_ip(out + 8, client);
}

void pcp_put_hello(uint8_t out[PCP_HELLO_LEN], const struct addr *client)
{
    put_header(out, PCP_ANNOUNCE, 0, client);
}

void pcp_put_map(uint8_t out[PCP_MAP_LEN], const struct pcp_map *m, const struct addr *client,
                 uint32_t lifetime)
{
    uint8_t *body = out + HEADER;

    put_header(out, PCP_MAP, lifetime, client);
    memset(body, 0, MAP_BODY);
    memcpy(body, m->nonce, PCP_NONCE_LEN);
    body[12] = m->protocol;
    put_be16(body + 16, m->port);
    put_be16(body + 18, m->external.port);
    put_ip(body + 20, &m->external); /* all zeros behind the IPv4 prefix: any (section 11.1) */
}

static bool read_old(struct pcp_answer *a, struct bytes b)
{
    if (b.n < OLD_MIN || !(b.p[1] & ANSWER))
        return false;
    a->old = true;
    a->opcode = b.p[1] & (ANSWER - 1);
    uint16_t result = get_be16(b.p + 2);
    a->result = result > UINT8_MAX ? UINT8_MAX : (uint8_t)result;
    a->epoch = get_be32(b.p + 4);
    return true;
}

static void read_map(struct pcp_map *m, struct cursor *c)
{
    struct bytes nonce = cursor_take(c, PCP_NONCE_LEN);

    if (nonce.n == PCP_NONCE_LEN)
        memcpy(m->nonce, nonce.p, PCP_NONCE_LEN);
    m->protocol = cursor_u8(c);
    cursor_take(c, 3);
    m->port = cursor_be16(c);
    uint16_t external = cursor_be16(c);
    m->external = take_ip(c);
    m->external.port = external;
}

/* Code, reserved, length, and data filled up to four bytes (section 7.3). */
static void skip_options(struct cursor *c)
{
    while (!c->bad && cursor_left(c) > 0) {
        cursor_take(c, 2);
        size_t n = cursor_be16(c);
        cursor_take(c, (n + 3) / 4 * 4);
    }
}

bool pcp_read(struct pcp_answer *a, struct bytes b)
{
    struct cursor c;

    *a = (struct pcp_answer){0};
    if (b.n < 2 || b.n > PCP_MESSAGE_MAX)
        return false;
    if (b.p[0] == 0)
        return read_old(a, b);
    if (b.p[0] != VERSION || !(b.p[1] & ANSWER) || b.n < HEADER || b.n % 4)
        return false;
    cursor_init(&c, b);
    cursor_take(&c, 1);
    a->opcode = cursor_u8(&c) & (ANSWER - 1);
    cursor_take(&c, 1);
    a->result = cursor_u8(&c);
    a->lifetime = cursor_be32(&c);
    a->epoch = cursor_be32(&c);
    cursor_take(&c, 12);
    if (a->opcode == PCP_MAP)
        read_map(&a->map, &c);
    skip_options(&c);
    return !c.bad;
}

bool pcp_answers(const struct pcp_answer *a, const struct pcp_map *asked)
{
    return !a->old && a->opcode == PCP_MAP &&
           memcmp(a->map.nonce, asked->nonce, PCP_NONCE_LEN) == 0 &&
           a->map.protocol == asked->protocol && a->map.port == asked->port;
}

const char *pcp_result_text(unsigned result)
{
    static const char *const text[] = {
        "done",
        "it speaks another version",
        "not allowed",
        "it found the request malformed",
        "it does not map ports",
        "an option is not known to it",
        "it found an option malformed",
        "its own network is down",
        "it has no room for a mapping",
        "a protocol is not known to it",
        "too many mappings for us",
        "it cannot give that external port",
        "another NAT stands between us and it",
        "too many remote peers",
    };

    return result < sizeof text / sizeof *text ? text[result] : "for a reason not known here";
}

bool pcp_epoch_step(struct pcp_epoch *e, uint32_t told, usec now)
{
    struct pcp_epoch was = *e;

    *e = (struct pcp_epoch){.known = true, .told = told, .at = now};
    if (!was.known)
        return true;
    if ((int64_t)told < (int64_t)was.told - 1)
        return false;
    int64_t here = (now - was.at) / USEC_SEC, there = (int64_t)told - (int64_t)was.told;
    return here + 2 >= there - there / 16 && there + 2 >= here - here / 16;
}
