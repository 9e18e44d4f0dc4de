/*
 * The bencode reader and writer. A document is a flat array of tokens in the order of the input;
 * a token knows where its encoding begins and ends and which token follows its subtree, so that
 * walking and skipping need neither recursion nor a stack. Only the parser keeps one, of
 * BENCODE_MAX_DEPTH open containers.
 */
#include <p2p/format/bencode.h>

#include <inttypes.h>
#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <stdlib.h>

struct token {
    uint32_t start, end; /* its encoding in the input */
    uint32_t next;       /* the token behind its subtree */
    uint32_t more;       /* strings: bytes before the content; containers: children */
};

/* Kept in the low bits of `more`: three for the type, one for "last of its container". */
#define TYPE_MASK 7u
#define LAST_BIT 8u
#define MORE_SHIFT 4

struct bencode {
    struct bytes in;
    struct token *t;
    uint32_t n, cap;
};

struct open {
    uint32_t token; /* the container */
    uint32_t last;  /* its latest child, BNODE_NONE if none yet */
    uint32_t children;
    struct bytes key; /* the latest key of a dictionary: strict order is checked against it */
    bool has_key;
};

struct parser {
    struct bencode *b;
    enum bencode_mode mode;
    uint32_t max_tokens;
    size_t at;
    uint32_t depth;
    struct open stack[BENCODE_MAX_DEPTH];
    struct err *e;
};

/* ---- reading ---- */

static int bad(struct parser *p, const char *what)
{
    return err_set(p->e, ERR_INVALID, "bencode: %s at byte %zu", what, p->at);
}

static int add_token(struct parser *p, enum bencode_type type, uint32_t start, uint32_t *index)
{
    struct bencode *b = p->b;
    if (b->n >= p->max_tokens)
        return err_set(p->e, ERR_LIMIT, "bencode: more than %" PRIu32 " tokens", p->max_tokens);
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 32;
        b->t = mem_grow(b->t, b->cap, sizeof *b->t);
    }
    *index = b->n++;
    b->t[*index] = (struct token){.start = start, .end = start, .next = *index + 1, .more = type};
    return 0;
}

/* "digits:" and then that many bytes. The length may not wrap, nor reach past the input. */
static int read_string(struct parser *p, struct bytes *content)
{
    const struct bytes in = p->b->in;
    size_t start = p->at, i = p->at;
    uint64_t len = 0;
    for (; i < in.n && in.p[i] >= '0' && in.p[i] <= '9'; i++) {
        len = len * 10 + (uint64_t)(in.p[i] - '0');
        if (len > in.n)
            return bad(p, "string length past the end");
    }
    if (i == start)
        return bad(p, "not a value");
    if (i == in.n || in.p[i] != ':')
        return bad(p, i == in.n ? "cut short" : "string length without ':'");
    if (p->mode != BENCODE_LENIENT && in.p[start] == '0' && i - start > 1)
        return bad(p, "string length with a leading zero");
    i++;
    if (len > in.n - i)
        return bad(p, "string length past the end");
    if (i - start > UINT32_MAX >> MORE_SHIFT)
        return bad(p, "absurd string length");
    *content = BYTES(in.p + i, (size_t)len);
    p->at = i + (size_t)len;
    return 0;
}

/* Digits from `from` to the 'e'; false past 64 bits. */
static bool read_digits(struct bytes in, size_t from, size_t *end, uint64_t *v)
{
    uint64_t n = 0;
    size_t i = from;
    for (; i < in.n && in.p[i] >= '0' && in.p[i] <= '9'; i++) {
        unsigned d = (unsigned)(in.p[i] - '0');
        if (n > (UINT64_MAX - d) / 10)
            return false;
        n = n * 10 + d;
    }
    *end = i;
    *v = n;
    return true;
}

/* "i", perhaps '-', digits, "e": from -2^63 to 2^64-1. */
static int read_int(struct parser *p)
{
    const struct bytes in = p->b->in;
    size_t first = p->at + 1, end;
    bool minus = first < in.n && in.p[first] == '-';
    uint64_t v;
    first += minus;
    if (!read_digits(in, first, &end, &v) || (minus && v > (uint64_t)INT64_MAX + 1))
        return bad(p, "number beyond 64 bits");
    if (end == in.n)
        return bad(p, "cut short");
    if (end == first || in.p[end] != 'e')
        return bad(p, "not a number");
    if (p->mode != BENCODE_LENIENT &&
        ((in.p[first] == '0' && end - first > 1) || (minus && v == 0)))
        return bad(p, "number not in canonical form");
    p->at = end + 1;
    return 0;
}

static int check_key(struct parser *p, struct open *o, struct bytes key)
{
    if (p->mode == BENCODE_STRICT && o->has_key && bytes_cmp(o->key, key) >= 0)
        return bad(p, "dictionary key out of order or twice");
    o->key = key;
    o->has_key = true;
    return 0;
}

/* Counts a new child in its container, and holds a dictionary's key to what keys must be. */
static int add_child(struct parser *p, uint32_t child, bool is_string, struct bytes content)
{
    if (p->depth == 0)
        return 0;
    struct open *o = &p->stack[p->depth - 1];
    bool in_dict = (p->b->t[o->token].more & TYPE_MASK) == BENCODE_DICT;
    if (in_dict && o->children % 2 == 0) {
        if (!is_string)
            return bad(p, "dictionary key that is no string");
        int rc = check_key(p, o, content);
        if (rc < 0)
            return rc;
    }
    o->last = child;
    o->children++;
    return 0;
}

static int open_container(struct parser *p, enum bencode_type type)
{
    uint32_t t;
    int rc = add_token(p, type, (uint32_t)p->at, &t);
    if (rc < 0)
        return rc;
    rc = add_child(p, t, false, BYTES("", 0));
    if (rc < 0)
        return rc;
    if (p->depth == BENCODE_MAX_DEPTH)
        return err_set(p->e, ERR_LIMIT, "bencode: nested deeper than %u", BENCODE_MAX_DEPTH);
    p->stack[p->depth++] = (struct open){.token = t, .last = BNODE_NONE};
    p->at++;
    return 0;
}

static int close_container(struct parser *p)
{
    if (p->depth == 0)
        return bad(p, "not a value");
    struct open *o = &p->stack[p->depth - 1];
    struct token *t = &p->b->t[o->token];
    if ((t->more & TYPE_MASK) == BENCODE_DICT && o->children % 2 != 0)
        return bad(p, "dictionary key without a value");
    p->at++;
    t->end = (uint32_t)p->at;
    t->next = p->b->n;
    t->more |= o->children << MORE_SHIFT;
    if (o->last != BNODE_NONE)
        p->b->t[o->last].more |= LAST_BIT;
    p->depth--;
    return 0;
}

static int add_scalar(struct parser *p, enum bencode_type type)
{
    size_t start = p->at;
    struct bytes content = BYTES("", 0);
    uint32_t t;
    int rc = type == BENCODE_STR ? read_string(p, &content) : read_int(p);
    if (rc < 0)
        return rc;
    rc = add_token(p, type, (uint32_t)start, &t);
    if (rc < 0)
        return rc;
    p->b->t[t].end = (uint32_t)p->at;
    if (type == BENCODE_STR)
        p->b->t[t].more |= (uint32_t)(p->at - start - content.n) << MORE_SHIFT;
    return add_child(p, t, type == BENCODE_STR, content);
}

static int parse_one(struct parser *p)
{
    if (p->at >= p->b->in.n)
        return bad(p, "cut short");
    switch (p->b->in.p[p->at]) {
    case 'd':
        return open_container(p, BENCODE_DICT);
    case 'l':
        return open_container(p, BENCODE_LIST);
    case 'e':
        return close_container(p);
    case 'i':
        return add_scalar(p, BENCODE_INT);
    default:
        return add_scalar(p, BENCODE_STR);
    }
}

struct bencode *bencode_parse(struct bytes in, enum bencode_mode mode, uint32_t max_tokens,
                              size_t *used, struct err *e)
{
    struct bencode *b = mem_zero(sizeof *b);
    if (max_tokens == 0 || max_tokens > BENCODE_MAX_TOKENS)
        max_tokens = BENCODE_MAX_TOKENS;
    struct parser p = {.b = b, .mode = mode, .max_tokens = max_tokens, .e = e};
    b->in = in;
    int rc = in.n > UINT32_MAX ? err_set(e, ERR_LIMIT, "bencode: longer than 4 GiB") : 0;
    do {
        if (rc == 0)
            rc = parse_one(&p);
    } while (rc == 0 && p.depth > 0);
    if (rc == 0 && !used && p.at != in.n)
        rc = bad(&p, "bytes behind the value");
    if (rc == 0 && mode == BENCODE_UNSORTED && !bencode_unique(b, 0))
        rc = bad(&p, "dictionary key twice");
    if (rc < 0) {
        bencode_free(b);
        return NULL;
    }
    if (used)
        *used = p.at;
    return b;
}

void bencode_free(struct bencode *b)
{
    if (!b)
        return;
    free(b->t);
    free(b);
}

/* ---- looking at it ---- */

enum bencode_type bencode_type(const struct bencode *b, bnode n)
{
    return n < b->n ? (enum bencode_type)(b->t[n].more & TYPE_MASK) : BENCODE_NONE;
}

struct bytes bencode_raw(const struct bencode *b, bnode n)
{
    if (n >= b->n)
        return BYTES("", 0);
    return BYTES(b->in.p + b->t[n].start, b->t[n].end - b->t[n].start);
}

bool bencode_str(const struct bencode *b, bnode n, struct bytes *out)
{
    if (bencode_type(b, n) != BENCODE_STR)
        return false;
    const struct token *t = &b->t[n];
    uint32_t content = t->start + (t->more >> MORE_SHIFT);
    *out = BYTES(b->in.p + content, t->end - content);
    return true;
}

/* The parser saw to its form; here only the value is made again. */
static bool int_parts(const struct bencode *b, bnode n, bool *minus, uint64_t *v)
{
    if (bencode_type(b, n) != BENCODE_INT)
        return false;
    size_t end, first = b->t[n].start + 1;
    *minus = b->in.p[first] == '-';
    return read_digits(b->in, first + *minus, &end, v);
}

bool bencode_int(const struct bencode *b, bnode n, int64_t *out)
{
    bool minus;
    uint64_t v;
    if (!int_parts(b, n, &minus, &v) || (!minus && v > INT64_MAX))
        return false;
    *out = !minus ? (int64_t)v : v == 0 ? 0 : -(int64_t)(v - 1) - 1;
    return true;
}

bool bencode_uint(const struct bencode *b, bnode n, uint64_t *out)
{
    bool minus;
    uint64_t v;
    if (!int_parts(b, n, &minus, &v) || (minus && v != 0))
        return false;
    *out = v;
    return true;
}

bnode bencode_first(const struct bencode *b, bnode container)
{
    enum bencode_type t = bencode_type(b, container);
    if ((t != BENCODE_LIST && t != BENCODE_DICT) || b->t[container].more >> MORE_SHIFT == 0)
        return BNODE_NONE;
    return container + 1;
}

bnode bencode_next(const struct bencode *b, bnode n)
{
    return n >= b->n || n == 0 || (b->t[n].more & LAST_BIT) ? BNODE_NONE : b->t[n].next;
}

size_t bencode_count(const struct bencode *b, bnode n)
{
    enum bencode_type t = bencode_type(b, n);
    if (t != BENCODE_LIST && t != BENCODE_DICT)
        return 0;
    size_t children = b->t[n].more >> MORE_SHIFT;
    return t == BENCODE_DICT ? children / 2 : children;
}

bnode bencode_get_bytes(const struct bencode *b, bnode dict, struct bytes key)
{
    struct bytes k;
    if (bencode_type(b, dict) != BENCODE_DICT)
        return BNODE_NONE;
    for (bnode n = bencode_first(b, dict); n != BNODE_NONE;) {
        bnode value = bencode_next(b, n);
        if (bencode_str(b, n, &k) && bytes_eq(k, key))
            return value;
        n = bencode_next(b, value);
    }
    return BNODE_NONE;
}

bnode bencode_get(const struct bencode *b, bnode dict, const char *key)
{
    return bencode_get_bytes(b, dict, bytes_str(key));
}

bool bencode_get_str(const struct bencode *b, bnode dict, const char *key, struct bytes *out)
{
    return bencode_str(b, bencode_get(b, dict, key), out);
}

bool bencode_get_int(const struct bencode *b, bnode dict, const char *key, int64_t *out)
{
    return bencode_int(b, bencode_get(b, dict, key), out);
}

bool bencode_get_uint(const struct bencode *b, bnode dict, const char *key, uint64_t *out)
{
    return bencode_uint(b, bencode_get(b, dict, key), out);
}

static int cmp_keys(const void *x, const void *y)
{
    return bytes_cmp(*(const struct bytes *)x, *(const struct bytes *)y);
}

/* Sorting is for the rare dictionary that is not in order; the others pass in one walk. */
static bool unique_sorted(const struct bencode *b, bnode dict)
{
    size_t n = 0, count = bencode_count(b, dict);
    struct bytes *keys = mem_array(count, sizeof *keys);
    for (bnode k = bencode_first(b, dict); k != BNODE_NONE; k = bencode_next(b, bencode_next(b, k)))
        bencode_str(b, k, &keys[n++]);
    qsort(keys, n, sizeof *keys, cmp_keys);
    bool ok = true;
    for (size_t i = 1; ok && i < n; i++)
        ok = !bytes_eq(keys[i - 1], keys[i]);
    free(keys);
    return ok;
}

static bool unique_dict(const struct bencode *b, bnode dict)
{
    struct bytes before = BYTES("", 0), key = BYTES("", 0);
    bool any = false;
    for (bnode k = bencode_first(b, dict); k != BNODE_NONE;
         k = bencode_next(b, bencode_next(b, k))) {
        bencode_str(b, k, &key);
        if (any && bytes_cmp(before, key) >= 0)
            return unique_sorted(b, dict);
        before = key;
        any = true;
    }
    return true;
}

bool bencode_unique(const struct bencode *b, bnode n)
{
    if (n >= b->n)
        return true;
    for (bnode i = n; i < b->t[n].next; i++)
        if (bencode_type(b, i) == BENCODE_DICT && !unique_dict(b, i))
            return false;
    return true;
}

/* ---- writing ---- */

void bencode_put_int(struct buf *out, int64_t v)
{
    char s[NUM_TEXT + 3] = "i";
    size_t n = 1;
    if (v < 0)
        s[n++] = '-';
    n += num_text(s + n, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    s[n++] = 'e';
    buf_put(out, s, n);
}

void bencode_put_str(struct buf *out, struct bytes s)
{
    char head[NUM_TEXT + 1];
    size_t n = num_text(head, s.n);
    head[n++] = ':';
    buf_put(out, head, n);
    buf_put_bytes(out, s);
}

void bencode_put_lit(struct buf *out, const char *s)
{
    bencode_put_str(out, bytes_str(s));
}

void bencode_put_key_int(struct buf *out, const char *key, int64_t v)
{
    bencode_put_lit(out, key);
    bencode_put_int(out, v);
}

void bencode_put_key_str(struct buf *out, const char *key, struct bytes s)
{
    bencode_put_lit(out, key);
    bencode_put_str(out, s);
}

void bencode_put_dict(struct buf *out)
{
    buf_put_u8(out, 'd');
}

void bencode_put_list(struct buf *out)
{
    buf_put_u8(out, 'l');
}

void bencode_put_end(struct buf *out)
{
    buf_put_u8(out, 'e');
}
