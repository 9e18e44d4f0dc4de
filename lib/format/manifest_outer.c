/*
 * What stands around the info dictionary: trackers (BEP 12), web seeds (BEP 19), nodes (BEP 5),
 * words. None of it is needed, so what is malformed there is left out rather than refused. Of each
 * list only the first MANIFEST_MAX_URLS are looked at, as every one is compared with all before.
 */
#include "manifest_int.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

static size_t count_trackers(const struct manifest *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_tiers; i++)
        n += m->tiers[i].n;
    return n;
}

static bool listed(char *const *list, size_t n, struct bytes s)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_is(s, list[i]))
            return true;
    return false;
}

static bool has_tracker(const struct manifest *m, struct bytes url)
{
    for (size_t i = 0; i < m->n_tiers; i++)
        if (listed(m->tiers[i].urls, m->tiers[i].n, url))
            return true;
    return false;
}

static bool blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks around it; false if it cannot be an address at all. */
static bool clean_url(struct bytes *s)
{
    while (s->n > 0 && blank(s->p[0]))
        *s = BYTES(s->p + 1, s->n - 1);
    while (s->n > 0 && blank(s->p[s->n - 1]))
        s->n--;
    for (size_t i = 0; i < s->n; i++)
        if (s->p[i] < ' ' || s->p[i] == 0x7f)
            return false;
    return s->n > 0 && s->n <= MANIFEST_MAX_URL;
}

static void list_add(struct manifest *m, char ***list, size_t *n, struct bytes s)
{
    if (!clean_url(&s) || *n >= MANIFEST_MAX_URLS || listed(*list, *n, s))
        return;
    *list = mem_grow(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = manifest_strn(m, s);
}

static void tracker_add(struct manifest *m, size_t tier, struct bytes url)
{
    if (!clean_url(&url) || has_tracker(m, url) || count_trackers(m) >= MANIFEST_MAX_URLS)
        return;
    if (tier >= m->n_tiers) {
        tier = m->n_tiers++;
        m->tiers = mem_grow(m->tiers, m->n_tiers, sizeof *m->tiers);
        m->tiers[tier] = (struct manifest_tier){0};
    }
    struct manifest_tier *t = &m->tiers[tier];
    t->urls = mem_grow(t->urls, t->n + 1, sizeof *t->urls);
    t->urls[t->n++] = manifest_strn(m, url);
}

void manifest_add_tracker(struct manifest *m, size_t tier, const char *url)
{
    tracker_add(m, tier, bytes_str(url));
}

void manifest_add_web_seed(struct manifest *m, const char *url)
{
    list_add(m, &m->web_seeds, &m->n_web_seeds, bytes_str(url));
}

void manifest_add_node(struct manifest *m, const char *hostport)
{
    list_add(m, &m->nodes, &m->n_nodes, bytes_str(hostport));
}

/* BEP 12: where announce-list is of use, announce is not read. */
static void read_trackers(struct manifest_reader *r, bnode root)
{
    struct bytes url;
    unsigned budget = MANIFEST_MAX_URLS;
    bnode tiers = bencode_get(r->b, root, "announce-list");
    if (bencode_type(r->b, tiers) != BENCODE_LIST)
        tiers = BNODE_NONE;
    for (bnode t = bencode_first(r->b, tiers); t != BNODE_NONE; t = bencode_next(r->b, t)) {
        size_t tier = r->m->n_tiers;
        if (bencode_type(r->b, t) != BENCODE_LIST)
            continue;
        for (bnode u = bencode_first(r->b, t); u != BNODE_NONE && budget > 0;
             u = bencode_next(r->b, u), budget--)
            if (bencode_str(r->b, u, &url))
                tracker_add(r->m, tier, url);
    }
    if (r->m->n_tiers == 0 && bencode_get_str(r->b, root, "announce", &url))
        tracker_add(r->m, 0, url);
}

/* url-list is a string or a list of them. */
static void read_web_seeds(struct manifest_reader *r, bnode root)
{
    struct bytes url;
    struct manifest *m = r->m;
    unsigned budget = MANIFEST_MAX_URLS;
    bnode list = bencode_get(r->b, root, "url-list");
    if (bencode_str(r->b, list, &url))
        list_add(m, &m->web_seeds, &m->n_web_seeds, url);
    if (bencode_type(r->b, list) != BENCODE_LIST)
        return;
    for (bnode u = bencode_first(r->b, list); u != BNODE_NONE && budget > 0;
         u = bencode_next(r->b, u), budget--)
        if (bencode_str(r->b, u, &url))
            list_add(m, &m->web_seeds, &m->n_web_seeds, url);
}

/* [["host", port], …]; an IPv6 address gets the brackets that HOST:PORT needs. */
static void read_nodes(struct manifest_reader *r, bnode root)
{
    struct manifest *m = r->m;
    unsigned budget = MANIFEST_MAX_URLS;
    bnode list = bencode_get(r->b, root, "nodes");
    if (bencode_type(r->b, list) != BENCODE_LIST)
        return;
    for (bnode n = bencode_first(r->b, list); n != BNODE_NONE && budget > 0;
         n = bencode_next(r->b, n), budget--) {
        struct bytes host;
        uint64_t port;
        bnode h = bencode_type(r->b, n) == BENCODE_LIST ? bencode_first(r->b, n) : BNODE_NONE;
        if (!bencode_str(r->b, h, &host) || !bencode_uint(r->b, bencode_next(r->b, h), &port))
            continue;
        if (host.n == 0 || host.n > 255 || memchr(host.p, 0, host.n) || port == 0 || port > 65535)
            continue;
        bool v6 = memchr(host.p, ':', host.n) && host.p[0] != '[';
        char *s = mem_fmt("%s%.*s%s:%u", v6 ? "[" : "", (int)host.n, (const char *)host.p,
                          v6 ? "]" : "", (unsigned)port);
        list_add(m, &m->nodes, &m->n_nodes, bytes_str(s));
        free(s);
    }
}

void manifest_read_outer(struct manifest_reader *r, bnode root)
{
    struct manifest *m = r->m;
    struct bytes s;
    int64_t date;
    read_trackers(r, root);
    read_web_seeds(r, root);
    read_nodes(r, root);
    if (bencode_get_str(r->b, root, "comment", &s))
        m->comment = manifest_strn(m, s);
    if (bencode_get_str(r->b, root, "created by", &s))
        m->created_by = manifest_strn(m, s);
    if (bencode_get_int(r->b, root, "creation date", &date) && date >= 0)
        m->creation_date = date;
}
