/* Values are checked in the order of cost: a signature comes last. */
#include <p2p/proto/dht_item.h>

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/format/digest.h>
#include <p2p/proto/dht_addr.h>
#include <p2p/proto/krpc.h>

#include <stdlib.h>

struct kept {
    uint8_t target[DHT_ID];
    struct dht_item item; /* borrows from `mem` */
    uint8_t *mem;         /* owned */
    uint8_t host[DHT_ADDR_KEY];
    uint8_t host_n;
    usec until;
};

struct dht_items {
    struct map *map;   /* owned values */
    struct map *hosts; /* by dht_addr_key: how many items it put, as a number */
};

void dht_item_target(const struct dht_item *i, uint8_t out[DHT_ID])
{
    uint8_t both[SIGN_PUBLIC + DHT_ITEM_SALT];
    size_t salt = i->salt.n < DHT_ITEM_SALT ? i->salt.n : DHT_ITEM_SALT;
    if (!i->key) {
        digest_sha1(out, i->value);
        return;
    }
    memcpy(both, i->key, SIGN_PUBLIC);
    if (salt)
        memcpy(both + SIGN_PUBLIC, i->salt.p, salt);
    digest_sha1(out, BYTES(both, SIGN_PUBLIC + salt));
}

static void put_signed(struct buf *out, const struct dht_item *i)
{
    if (i->salt.n)
        bencode_put_key_str(out, "salt", i->salt);
    bencode_put_key_int(out, "seq", i->seq);
    bencode_put_lit(out, "v");
    buf_put_bytes(out, i->value);
}

void dht_item_sign(const struct dht_item *i, const uint8_t seed[SIGN_SEED], uint8_t sig[SIGN_LEN])
{
    struct buf text = {0};
    put_signed(&text, i);
    sign_make(sig, seed, buf_bytes(&text));
    buf_fini(&text);
}

static int check_form(const struct dht_item *i)
{
    if (i->value.n > DHT_ITEM_VALUE)
        return KRPC_TOO_BIG;
    if (!i->key)
        return 0;
    if (i->salt.n > DHT_ITEM_SALT)
        return KRPC_SALT_TOO_BIG;
    return i->seq < 0 || !i->sig ? KRPC_PROTOCOL : 0;
}

static bool value_ok(struct bytes v)
{
    struct bencode *b = bencode_parse(v, BENCODE_STRICT, KRPC_MAX_TOKENS, NULL, NULL);
    bencode_free(b);
    return b != NULL;
}

int dht_item_check(const struct dht_item *i)
{
    struct buf text = {0};
    int wrong = check_form(i);
    if (wrong)
        return wrong;
    if (!value_ok(i->value))
        return KRPC_PROTOCOL;
    if (i->key) {
        put_signed(&text, i);
        wrong = sign_check(i->sig, i->key, buf_bytes(&text)) ? 0 : KRPC_BAD_SIGNATURE;
        buf_fini(&text);
    }
    return wrong;
}

/* ---- those of others ---- */

struct dht_items *dht_items_new(uint64_t seed)
{
    struct dht_items *s = mem_zero(sizeof *s);
    s->map = map_new(seed);
    s->hosts = map_new(seed ^ 1);
    return s;
}

static void kept_free(struct kept *k)
{
    free(k->mem);
    free(k);
}

void dht_items_free(struct dht_items *s)
{
    void *k;
    if (!s)
        return;
    for (size_t it = 0; map_walk(s->map, &it, NULL, &k);)
        kept_free(k);
    map_free(s->map);
    map_free(s->hosts);
    free(s);
}

static void count_host(struct dht_items *s, const struct kept *k, int by)
{
    struct bytes key = BYTES(k->host, k->host_n);
    uintptr_t n = (uintptr_t)map_get(s->hosts, key);
    n = by > 0 ? n + 1 : n - 1;
    if (n)
        map_put(s->hosts, key, (void *)n);
    else
        map_remove(s->hosts, key);
}

static void drop(struct dht_items *s, struct kept *k)
{
    count_host(s, k, -1);
    map_remove(s->map, BYTES(k->target, DHT_ID));
    kept_free(k);
}

static struct kept *find(const struct dht_items *s, const uint8_t *target)
{
    return map_get(s->map, BYTES(target, DHT_ID));
}

static uint8_t *copy(uint8_t *to, struct bytes b, struct bytes *out)
{
    if (b.n)
        memcpy(to, b.p, b.n);
    *out = BYTES(to, b.n);
    return to + b.n;
}

/* One piece of memory for everything that the item borrows. */
static void keep(struct kept *k, const struct dht_item *i)
{
    struct bytes key, sig;
    struct bytes salt = i->key ? i->salt : BYTES("", 0);
    size_t fixed = i->key ? SIGN_PUBLIC + SIGN_LEN : 0;
    uint8_t *mem = mem_alloc(fixed + salt.n + i->value.n), *at = mem;
    k->item = *i;
    k->item.has_cas = false;
    if (i->key) {
        at = copy(at, BYTES(i->key, SIGN_PUBLIC), &key);
        at = copy(at, BYTES(i->sig, SIGN_LEN), &sig);
        k->item.key = key.p;
        k->item.sig = sig.p;
    }
    at = copy(at, salt, &k->item.salt);
    copy(at, i->value, &k->item.value);
    free(k->mem);
    k->mem = mem;
}

static int check_order(const struct dht_item *old, const struct dht_item *i)
{
    if (i->has_cas && i->cas != old->seq)
        return KRPC_CAS_MISMATCH;
    if (i->seq < old->seq || (i->seq == old->seq && !bytes_eq(i->value, old->value)))
        return KRPC_SEQ_OLD;
    return 0;
}

static struct kept *farthest(const struct dht_items *s, const uint8_t *own)
{
    struct kept *far = NULL;
    void *v;
    for (size_t it = 0; map_walk(s->map, &it, NULL, &v);) {
        struct kept *k = v;
        if (!far || dht_id_cmp(own, k->target, far->target) > 0)
            far = k;
    }
    return far;
}

static int make_room(struct dht_items *s, const uint8_t *target, const uint8_t *own,
                     struct bytes host)
{
    if ((uintptr_t)map_get(s->hosts, host) >= DHT_ITEMS_PER_HOST)
        return KRPC_SERVER;
    if (map_count(s->map) < DHT_ITEMS)
        return 0;
    struct kept *far = farthest(s, own);
    if (dht_id_cmp(own, target, far->target) >= 0)
        return KRPC_SERVER;
    drop(s, far);
    return 0;
}

int dht_items_put(struct dht_items *s, const struct dht_item *i, const uint8_t own[DHT_ID],
                  const struct addr *from, usec now)
{
    uint8_t target[DHT_ID], buf[DHT_ADDR_KEY];
    struct bytes host = dht_addr_key(from, buf);
    int wrong = check_form(i);
    if (wrong)
        return wrong;
    dht_item_target(i, target);
    struct kept *k = find(s, target);
    if (k && k->until <= now) {
        drop(s, k);
        k = NULL;
    }
    if (k && i->key)
        wrong = check_order(&k->item, i);
    if (!wrong)
        wrong = dht_item_check(i);
    if (!wrong && !k)
        wrong = make_room(s, target, own, host);
    if (wrong)
        return wrong;
    if (!k) {
        k = mem_zero(sizeof *k);
        memcpy(k->target, target, DHT_ID);
        memcpy(k->host, host.p, host.n);
        k->host_n = (uint8_t)host.n;
        map_put(s->map, BYTES(target, DHT_ID), k);
        count_host(s, k, 1);
    }
    keep(k, i);
    k->until = now + DHT_ITEM_TIME;
    return 0;
}

const struct dht_item *dht_items_get(const struct dht_items *s, const uint8_t target[DHT_ID],
                                     usec now)
{
    const struct kept *k = find(s, target);
    return k && k->until > now ? &k->item : NULL;
}

void dht_items_sweep(struct dht_items *s, usec now)
{
    struct kept **old = mem_array(map_count(s->map), sizeof(struct kept *));
    size_t n = 0;
    void *v;
    for (size_t it = 0; map_walk(s->map, &it, NULL, &v);)
        if (((struct kept *)v)->until <= now)
            old[n++] = v;
    while (n)
        drop(s, old[--n]);
    free(old);
}

size_t dht_items_count(const struct dht_items *s)
{
    return map_count(s->map);
}
