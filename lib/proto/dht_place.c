/*
 * Storing after a look-up: announce_peer or put at the eight closest that answered (more where the
 * search suspects a crowd), each with the token it gave. Those whose id fits their address come
 * first (BEP 42); others only where there are not eight of them. Where an answer is slow it is sent
 * again, for nothing else would notice a loss.
 */
#include "proto/dht_int.h"

enum { TRIES = 3, PLACES_MOST = 32 };

static bool gave_token(const struct cand *c)
{
    return c->state == CAND_REPLIED && c->token_n && !c->plain;
}

/* Those that the search counts among the closest, and who stands between them. */
static unsigned pick(struct walk *w)
{
    struct crowd k = {0};
    unsigned have = 0;
    for (unsigned i = 0; i < w->n && have < PLACES_MOST; i++) {
        struct cand *c = &w->v[i];
        if (!gave_token(c) || !c->fits)
            continue;
        c->place = PLACE_TODO;
        have++;
        if (dht_walk_full(w, c, &k))
            break;
    }
    for (unsigned i = 0; i < w->n && have < DHT_K; i++)
        if (gave_token(&w->v[i]) && !w->v[i].fits) {
            w->v[i].place = PLACE_TODO;
            have++;
        }
    return have;
}

bool dht_place_begin(struct dht *d, struct walk *w)
{
    const struct job *j = dht_job_find(d, w->job);
    if (!j || !(j->puts || j->search.port || j->search.implied_port))
        return false;
    return pick(w) > 0;
}

static void fill_announce(struct krpc_msg *m, const struct job *j, uint8_t family)
{
    m->method = KRPC_ANNOUNCE_PEER;
    m->target = j->target;
    m->has_port = true;
    m->port = family == 6 && j->search.port6 ? j->search.port6 : j->search.port;
    m->implied_port = j->search.implied_port;
    m->seed = j->search.seed;
}

/* BEP 44: who showed no item is not held to a cas. */
static void fill_put(struct krpc_msg *m, const struct job *j, const struct cand *c)
{
    const struct dht_item *i = &j->item;
    m->method = KRPC_PUT;
    m->value = i->value;
    if (!i->key)
        return;
    m->key = i->key;
    m->sig = i->sig;
    m->seq = i->seq;
    m->has_seq = true;
    m->cas = i->cas;
    m->has_cas = i->has_cas && c->holds;
    if (i->salt.n)
        m->salt = i->salt;
}

static void place(struct dht *d, struct walk *w, struct cand *c, usec now)
{
    const struct job *j = dht_job_find(d, w->job);
    struct krpc_msg m = {.token = BYTES(c->token, c->token_n)};
    if (j->puts)
        fill_put(&m, j, c);
    else
        fill_announce(&m, j, w->side->family);
    if (!dht_walk_ask(d, w, ASK_PLACE, c, &m, now))
        return;
    c->place = PLACE_ASKED;
    c->tries++;
}

bool dht_place_go(struct dht *d, struct walk *w, usec now)
{
    bool more = false;
    for (unsigned i = 0; i < w->n; i++) {
        struct cand *c = &w->v[i];
        if (c->place == PLACE_TODO)
            place(d, w, c, now);
        more |= c->place == PLACE_TODO || c->place == PLACE_ASKED;
    }
    return more;
}

void dht_place_slow(struct dht *d, const struct ask *a, usec now)
{
    struct walk *w = dht_walk_find(d, a->owner);
    struct cand *c = w ? dht_walk_cand(w, a->cand) : NULL;
    if (c && c->place == PLACE_ASKED && c->tries < TRIES)
        place(d, w, c, now);
}

void dht_place_end(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now)
{
    struct walk *w = dht_walk_find(d, a->owner);
    struct cand *c = w ? dht_walk_cand(w, a->cand) : NULL;
    if (!c || c->place != PLACE_ASKED)
        return;
    if (dht_ask_pending(d, ASK_PLACE, a->owner, a->cand, m != NULL) && !m)
        return; /* it was asked again */
    c->place = PLACE_OVER;
    if (m && m->kind == KRPC_REPLY)
        w->stored++;
    else if (m)
        w->code = m->code;
    dht_walk_go(d, w, now);
}
