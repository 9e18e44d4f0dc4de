/*
 * What a node does unasked. Rules:
 * - Joining: look for our own id, beginning with whoever may be alive; again after two seconds,
 *   four, … a minute while nobody answers; after success again soon, then every quarter of an hour.
 *   So a network that restarts as a whole finds itself again.
 * - Remembered nodes stay of use after joining: look-ups for the table try some of them too. Else
 *   the halves of a network that came back one by one would each be content with itself.
 * - Every five seconds at most one ping and one refreshed bucket a family.
 * - Our id changes when others agree on an address of ours that it does not fit, not too often. The
 *   first who tells is believed until then: the id that he improves on was made up anyway.
 */
#include "proto/dht_int.h"

#include <p2p/base/mem.h>

#define KEEP_TICK (5 * USEC_SEC)
#define SWEEP_TICK (60 * USEC_SEC)
#define JOIN_AGAIN (2 * USEC_SEC) /* doubles */
#define JOIN_AGAIN_MOST (60 * USEC_SEC)
#define JOINED_AGAIN (15 * USEC_SEC) /* quadruples */
#define JOINED_AGAIN_MOST (15 * USEC_MIN)
#define ID_LEAST (10 * USEC_MIN)

enum { MAX_DOUBLINGS = 8, FILLS = 2, HINT_FAILS = 3 };

static usec jitter(struct dht *d, usec t)
{
    return t - t / 8 + (usec)dht_dice_below(&d->dice, (uint32_t)(t / 4000) + 1) * 1000;
}

/* ---- joining ---- */

/* The one that failed most; of equals any. */
static unsigned least_hopeful(struct dht *d, const struct dht_side *s)
{
    unsigned first = dht_dice_below(&d->dice, s->n_hints), worst = first;
    for (unsigned i = 0; i < s->n_hints; i++) {
        unsigned at = (first + i) % s->n_hints;
        if (s->hints[at].fails > s->hints[worst].fails)
            worst = at;
    }
    return worst;
}

void dht_keep_hint(struct dht *d, const struct addr *a, const uint8_t *id)
{
    struct dht_side *s = dht_side_of(d, a);
    unsigned at = 0;
    if (!s || !a->port || addr_scope(a) == ADDR_UNUSABLE)
        return;
    if (!s->hints)
        s->hints = mem_array(DHT_MAX_HINTS, sizeof *s->hints);
    while (at < s->n_hints && !addr_eq(&s->hints[at].addr, a))
        at++;
    if (at == DHT_MAX_HINTS)
        at = least_hopeful(d, s);
    else if (at == s->n_hints)
        s->n_hints++;
    else if (!id)
        return;
    s->hints[at] = (struct hint){.addr = *a, .has_id = id != NULL};
    if (id)
        memcpy(s->hints[at].id, id, DHT_ID);
}

void dht_keep_hint_failed(struct dht_side *s, const struct addr *a)
{
    for (unsigned i = 0; i < s->n_hints; i++) {
        struct hint *h = &s->hints[i];
        if (!addr_eq(&h->addr, a))
            continue;
        h->fails += h->fails < UINT8_MAX;
        if (h->has_id && h->fails >= HINT_FAILS)
            *h = s->hints[--s->n_hints];
        return;
    }
}

void dht_keep_join(struct dht *d, struct dht_side *s, usec now)
{
    if (!s->on || s->joining)
        return;
    struct walk *w = dht_walk_new(d, s, KRPC_FIND_NODE, dht_table_own(s->table), 0, now);
    w->joins = true;
    s->joining = w->id;
    dht_walk_go(d, w, now);
}

void dht_keep_joined(struct dht *d, struct walk *w, usec now)
{
    struct dht_side *s = w->side;
    unsigned n = s->join_tries < MAX_DOUBLINGS ? s->join_tries : MAX_DOUBLINGS;
    if (s->joining != w->id)
        return; /* it looked for an id that is ours no more */
    s->joining = 0;
    if (!dht_table_any_good(s->table, now)) {
        s->join_tries++;
        s->join_at = now + jitter(d, usec_min(JOIN_AGAIN << n, JOIN_AGAIN_MOST));
        return;
    }
    n = s->joins < MAX_DOUBLINGS ? s->joins : MAX_DOUBLINGS;
    s->join_at = now + jitter(d, usec_min(JOINED_AGAIN << 2 * n, JOINED_AGAIN_MOST));
    s->join_tries = 0;
    if (s->joins++ < FILLS)
        dht_table_age(s->table, now);
}

void dht_add_node(struct dht *d, const struct addr *a, usec now)
{
    struct dht_side *s = dht_side_of(d, a);
    if (!s || !a->port || addr_scope(a) == ADDR_UNUSABLE)
        return;
    dht_keep_hint(d, a, NULL);
    struct walk *w = s->joining ? dht_walk_find(d, s->joining) : NULL;
    if (s->joined) {
        dht_keep_probe(d, a, now);
    } else if (w) {
        dht_walk_hint(w, a);
        dht_walk_go(d, w, now);
    } else {
        s->join_tries = 0;
        dht_keep_join(d, s, now);
    }
    d->jobs_due = true;
}

void dht_keep_changed(struct dht *d, struct dht_side *s, usec now)
{
    bool joined = dht_table_any_good(s->table, now);
    struct dht_event e = {.type = joined ? DHT_JOINED : DHT_LOST, .family = s->family};
    if (joined == s->joined)
        return;
    s->joined = joined;
    dht_tell(d, &e, NULL);
    d->jobs_due = true;
    if (!joined) {
        s->join_tries = s->joins = 0;
        s->join_at = now;
    }
}

/* ---- our id ---- */

static void change_id(struct dht *d, struct dht_side *s, const struct addr *a, usec now)
{
    struct dht_event e = {.type = DHT_NEW_ID, .family = s->family, .from = *a};
    dht_dice_fill(&d->dice, e.id, DHT_ID);
    dht_id_fit(e.id, a);
    dht_table_move(s->table, e.id, now);
    s->joining = 0;
    s->joins = 0;
    s->join_at = now;
    dht_tell(d, &e, NULL);
}

static void learn_external(struct dht *d, struct dht_side *s, const struct addr *a, bool sure,
                           usec now)
{
    struct dht_event e = {.type = DHT_EXTERNAL, .family = s->family, .from = *a};
    if (!addr_same_ip(&s->external, a)) {
        s->external = *a;
        dht_tell(d, &e, NULL);
    }
    if (!dht_id_fits(dht_table_own(s->table), a) &&
        (sure || !s->id_changed || now - s->id_at >= ID_LEAST)) {
        change_id(d, s, a, now);
        s->id_at = now;
        s->id_changed = true;
    }
}

void dht_set_external(struct dht *d, const struct addr *a, usec now)
{
    struct dht_side *s = dht_side_of(d, a);
    if (s)
        learn_external(d, s, a, true, now);
}

void dht_keep_vote(struct dht *d, const struct addr *from, const struct addr *says, usec now)
{
    struct dht_side *s = dht_side_of(d, from);
    struct addr winner;
    if (says->family != from->family || addr_scope(says) != ADDR_PUBLIC ||
        addr_scope(from) != ADDR_PUBLIC)
        return;
    if (dht_vote_cast(&s->vote, from, says, &winner)) {
        learn_external(d, s, &winner, false, now);
    } else if (!s->external.family && !s->id_guessed) {
        s->id_guessed = true;
        if (!dht_id_fits(dht_table_own(s->table), says))
            change_id(d, s, says, now);
    }
}

/* ---- looking after the table ---- */

void dht_keep_probe(struct dht *d, const struct addr *a, usec now)
{
    struct krpc_msg m = {.method = KRPC_PING};
    if (bucket_avail(&d->probes, now) < 1)
        return;
    bucket_take(&d->probes, 1, now);
    dht_ask(d, ASK_PROBE, 0, 0, a, &m, now);
}

static bool refreshing(const struct dht *d, const struct dht_side *s)
{
    for (struct list_node *n = list_first(&d->walks); n; n = list_next(&d->walks, n)) {
        const struct walk *w = LIST_OF(n, struct walk, node);
        if (w->side == s && !w->job && !w->joins)
            return true;
    }
    return false;
}

static void refresh(struct dht *d, struct dht_side *s, usec now)
{
    uint8_t target[DHT_ID];
    dht_dice_fill(&d->dice, target, sizeof target);
    if (!s->joined || refreshing(d, s) || !dht_table_stale(s->table, target, now))
        return;
    dht_walk_go(d, dht_walk_new(d, s, KRPC_FIND_NODE, target, 0, now), now);
}

static void keep_side(struct dht *d, struct dht_side *s, usec now)
{
    const struct dht_node *n;
    dht_keep_changed(d, s, now);
    refresh(d, s, now);
    if ((n = dht_table_probe(s->table, now))) {
        struct addr a = n->addr;
        dht_keep_probe(d, &a, now);
    }
}

void dht_keep(struct dht *d, usec now)
{
    bool due = now >= d->keep_at;
    for (int i = 0; i < 2; i++) {
        struct dht_side *s = &d->side[i];
        if (s->on && due)
            keep_side(d, s, now);
        if (s->on && now >= s->join_at)
            dht_keep_join(d, s, now);
    }
    if (now >= d->sweep_at) {
        d->sweep_at = now + SWEEP_TICK;
        dht_store_sweep(d->store, now);
        dht_items_sweep(d->items, now);
        dht_guard_sweep(d->guard, now);
    }
    dht_tokens_turn(&d->tokens, &d->dice, now);
    if (due) {
        d->keep_at = now + jitter(d, KEEP_TICK);
        d->jobs_due = true;
    }
}
