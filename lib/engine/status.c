/* Figures about items, for progress lines, events and p2p-seed --status. */
#include "engine/member.h"
#include "engine/outflow.h"

#include <p2p/base/mem.h>

static enum item_state state_of(const struct item *it, const struct node_status *st)
{
    switch (it->phase) {
    case ITEM_FINDING:
    case ITEM_SURVEYING:
    case ITEM_SETTLING:
        return ITEM_STARTING;
    case ITEM_LOADING:
    case ITEM_ASKING:
        return ITEM_FETCHING_METADATA;
    case ITEM_HASHING:
        return ITEM_CHECKING;
    case ITEM_RUNNING:
        return st->state == NODE_SEEDING || it->complete ? ITEM_SEEDING : ITEM_DOWNLOADING;
    case ITEM_STOPPING:
    case ITEM_SAVING:
    case ITEM_OVER:
        break;
    }
    return ITEM_ENDING;
}

void status_from_node(const struct node_status *st, struct item_status *s)
{
    *s = (struct item_status){
        .size = st->size,
        .wanted = st->wanted,
        .done = st->done,
        .from_peers = st->from_peers,
        .from_web = st->from_web,
        .wasted = st->wasted,
        .uploaded = st->uploaded,
        .from_near = st->from_near,
        .to_near = st->to_near,
        .rate_down = st->rate_down,
        .rate_up = st->rate_up,
        .peers = st->peers,
        .seeds = st->seeds,
        .known = st->known,
        .near = st->near,
        .tracker_seeds = st->tracker_seeds,
        .tracker_peers = st->tracker_peers,
        .first_byte = st->first_byte,
        .completed_at = st->completed_at,
    };
    memcpy(s->waited, st->waited, sizeof s->waited);
}

void item_status(struct item *it, struct item_status *s)
{
    struct engine *g = it->g;
    struct node_status st = {.first_byte = USEC_NEVER,
                             .completed_at = USEC_NEVER,
                             .tracker_seeds = it->told_seeds,
                             .tracker_peers = it->told_peers};
    bool has = it->task && node_status(g->node, it->task, &st, loop_now(g->loop));

    status_from_node(&st, s);
    s->state = state_of(it, &st);
    s->uploaded_ever = it->uploaded0 + st.uploaded;
    s->started = it->started;
    if (it->outflow && it->spec.extract && it->n_stretches > 0) {
        s->wanted = it->stretches[0].end;
        s->done = it->complete ? s->wanted : outflow_given(it->outflow);
        s->done = s->done < s->wanted ? s->done : s->wanted;
    }
    if (it->phase == ITEM_HASHING) {
        s->wanted = it->to_hash;
        s->done = it->hashed;
    }
    /* Until then a worker has it. */
    if (it->phase > ITEM_SETTLING || (it->phase == ITEM_HASHING && it->m))
        s->reused = it->reused;
    bool unbegun = !has || st.size == 0; /* the node was never given what to do */
    if (unbegun && it->complete && it->m)
        s->size = it->m->size;
    if (unbegun && it->complete)
        s->wanted = s->done = it->reused;
    if (it->member)
        member_status(it->member, s);
}

struct engine_totals engine_totals(const struct engine *g)
{
    struct node_totals t = node_totals(g->node, loop_now(g->loop));

    return (struct engine_totals){.uploaded = t.uploaded, .rate_up = t.rate_up, .peers = t.peers};
}

static bool with_worker(const struct item *it)
{
    return it->stepping && (it->phase == ITEM_FINDING || it->phase == ITEM_SURVEYING);
}

const struct manifest *item_manifest(const struct item *it)
{
    return with_worker(it) && !it->task ? NULL : it->m;
}

const char *item_path(const struct item *it)
{
    if (with_worker(it))
        return "";
    return it->result ? it->result : it->path ? it->path : "";
}

const char *item_name(const struct item *it)
{
    const struct manifest *m = item_manifest(it);

    if (m)
        return m->name;
    return !with_worker(it) && it->has_link && it->link.name ? it->link.name : it->label;
}

bool item_hash(const struct item *it, bool v2, struct bytes *out)
{
    const struct manifest *m = item_manifest(it);
    bool has = m ? (v2 ? m->has_v2 : m->has_v1)
                 : !with_worker(it) && (v2 ? it->link.has_v2 : it->link.has_v1);

    if (has && v2)
        *out = BYTES(m ? m->hash_v2 : it->link.hash_v2, SHA256_LEN);
    else if (has)
        *out = BYTES(m ? m->hash_v1 : it->link.hash_v1, SHA1_LEN);
    return has;
}

static void view_item(struct item *it, struct item_view *v)
{
    struct bytes h;

    *v = (struct item_view){.name = item_name(it), .path = item_path(it)};
    v->has_v1 = item_hash(it, false, &h);
    if (v->has_v1)
        memcpy(v->v1, h.p, h.n);
    v->has_v2 = item_hash(it, true, &h);
    if (v->has_v2)
        memcpy(v->v2, h.p, h.n);
    item_status(it, &v->status);
}

void engine_view(struct engine *g, void (*see)(void *arg, const struct item_view *v), void *arg)
{
    struct item_view v;

    for (struct item *it = engine_next(g, NULL); it; it = engine_next(g, it)) {
        view_item(it, &v);
        if (v.has_v1 || v.has_v2)
            see(arg, &v);
    }
    for (struct list_node *l = list_first(&g->sleepers); l; l = list_next(&g->sleepers, l)) {
        dormant_view(g, l, &v);
        see(arg, &v);
    }
}
