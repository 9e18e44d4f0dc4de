/*
 * Web seeds (BEP 19): HTTP servers as one more source, beside peers or alone.
 *
 * Each has a few lanes, a transfer in each, so that the next range is on its way while one ends. A
 * lane takes a run of blocks from the picker and fetches it file by file. Blocks end up in the same
 * place as those of peers, under the same judgement. A server that ignores ranges is read in one
 * lane from the start of a file onwards, keeping what is wanted. Failures back off; whoever sends
 * data that does not match, or fails too often, is dropped.
 */
#include "node/inlet.h"
#include "node/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/proto/tracker.h>
#include <p2p/proto/webseed.h>
#include <stdlib.h>

#define LANES 4u
#define RUN_FIRST 64u /* blocks */
#define RUN_MOST 1024u
#define RUN_HELP 16u
#define RUN_QUICK USEC_SEC
/* So much of the item, divided by all that share it, may be under way; of one piece on its way
 * nobody knows, and while a crowd gathers its parts change hands. */
#define SHARE_UNDER_WAY 16u
/* While peers are only being looked for, so long after the beginning, it is so much, and twice that
 * after each half second. */
#define ALONE_AFTER (3 * USEC_SEC)
#define SHARE_ALONE 200u
#define RUN_LEAST 4u
#define MAX_FAILURES 6u
#define MAX_PAGE 65536u /* of what comes with a refusal */
#define RETRY_FIRST (2 * USEC_SEC)
#define RETRY_MAX (5 * USEC_MIN)

struct lane {
    struct web *web;
    struct inlet_web in;
    struct job *job;    /* the transfer; NULL: idle */
    uint64_t pos, end;  /* of content space: next byte, end of the run */
    uint32_t asked;     /* blocks of the run; 0: it is no run */
    uint64_t part_left; /* bytes that this transfer still brings */
    uint64_t skip;      /* bytes to throw away first */
    uint64_t page;      /* bytes of a refusal */
    struct webseed_part part;
    struct block *b;      /* the block being filled */
    bool partial;         /* the start of the block at pos is missing */
    bool brings;          /* its answer has begun */
    usec begun, asked_at; /* the run; this transfer */
};

struct web {
    struct task *t;
    char *url;
    uint32_t number, sender, run, failures;
    uint32_t from; /* the piece from which it is searched for the next run */
    bool struck, no_range, over;
    usec retry_at, answer; /* its last one began to come so long after it was asked for */
    struct lane lane[LANES];
};

/* ---- blocks by place ---- */

static struct block_ref ref_at(const struct task *t, uint64_t pos)
{
    uint32_t piece = (uint32_t)(pos / t->m->piece_length);
    return (struct block_ref){piece, (uint32_t)(pos % t->m->piece_length) / LAYOUT_BLOCK};
}

static uint64_t start_of(const struct task *t, struct block_ref r)
{
    return (uint64_t)r.piece * t->m->piece_length + (uint64_t)r.block * LAYOUT_BLOCK;
}

/* The speed of the web seeds is reckoned by how long any lane brought something (near.c): the
 * round trip before it says nothing of what they can give. */
static void lane_brings(struct lane *l, bool something, usec now)
{
    struct task *t = l->web->t;
    if (l->brings == something)
        return;
    if (t->web_lanes > 0)
        t->web_time += now - t->web_counted;
    t->web_counted = now;
    t->web_lanes += something ? 1 : UINT32_MAX;
    l->brings = something;
}

static void rest_lanes(struct web *w, usec now)
{
    for (unsigned k = 0; k < LANES; k++)
        if (!w->lane[k].job)
            inlet_web_rests(w->t->node, &w->lane[k].in, now);
}

static void lane_cancel(struct lane *l, usec now)
{
    if (l->job)
        job_cancel(l->web->t->node, l->job);
    l->job = NULL;
    inlet_web_rests(l->web->t->node, &l->in, now);
    lane_brings(l, false, now);
}

static void lane_ends(struct lane *l, usec now)
{
    if (l->job)
        job_free(l->web->t->node, l->job);
    l->job = NULL;
    inlet_web_woken(l->web->t->node, &l->in);
    lane_brings(l, false, now);
}

/* Blocks of the run that were asked of this lane and did not come are free again. */
static void drop_rest(struct lane *l)
{
    struct task *t = l->web->t;
    if (l->b) {
        picker_drop(t->picker, l->b->ref, l->web->sender);
        block_free(t->node, l->b);
        l->b = NULL;
    }
    for (uint64_t at = l->pos; !l->web->no_range && at < l->end;) {
        struct block_ref r = ref_at(t, at);
        picker_drop(t->picker, r, l->web->sender);
        uint32_t len = layout_piece_len(t->m, r.piece);
        uint64_t next = start_of(t, r) + LAYOUT_BLOCK;
        uint64_t piece_end = (uint64_t)r.piece * t->m->piece_length + len;
        at = next < piece_end ? next : (uint64_t)(r.piece + 1) * t->m->piece_length;
    }
    l->pos = l->end = 0;
}

/* ---- failing ---- */

/* By its host alone: the rest of the address may hold a key. */
static void say(struct web *w, const char *why)
{
    struct tracker_url u;
    struct task *t = w->t;
    bool known = tracker_url_parse(&u, w->url, NULL) == 0 && !strstr(why, u.host);
    free(t->web_error);
    t->web_error = mem_fmt("web seed%s%s: %s", known ? " " : "", known ? u.host : "", why);
    node_notice(t->node, t, "%s%s", t->web_error, w->struck ? ": dropped" : "");
}

static void failed(struct web *w, bool for_good, const char *why, usec now)
{
    struct task *t = w->t;
    w->failures++;
    usec wait = RETRY_FIRST << (w->failures < 8 ? w->failures - 1 : 7);
    w->retry_at = now + usec_min(wait, RETRY_MAX);
    if (for_good || w->failures >= MAX_FAILURES)
        w->struck = true;
    rest_lanes(w, now);
    if (!w->over) /* its lanes fail one by one */
        say(w, why);
    w->over = w->struck;
    fetch_all(t, now); /* peers may take what it was asked for */
}

void web_guilty(struct web *w, usec now)
{
    if (!w || w->struck)
        return;
    w->struck = true;
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &w->lane[i];
        lane_cancel(l, now);
        drop_rest(l);
    }
    failed(w, true, "sent data that does not match its hash", now);
}

/* ---- asking ---- */

static bool next_transfer(struct lane *l, usec now)
{
    struct web *w = l->web;
    struct task *t = w->t;
    uint64_t covered;
    if (webseed_plan(t->m, l->pos, l->end - l->pos, &l->part, 1, &covered) == 0) {
        l->pos = l->end = 0;
        return false;
    }
    l->pos = l->part.at;
    l->skip = l->page = 0;
    if (w->no_range) {
        l->skip = l->part.offset;
        l->part.length = t->m->files[l->part.file].length - l->part.offset;
    }
    l->part_left = l->part.length;
    struct buf url = {0};
    webseed_url(&url, w->url, t->m, l->part.file);
    struct job *j = job_new(t->node, t, NODE_WEB);
    struct node_op *op = node_last_op(t->node);
    op->offset = l->part.offset - l->skip;
    op->length = l->part.length + l->skip;
    op->trusted = t->trusted;
    op->local = strpbrk(w->url, "?#") == NULL;
    node_op_text(t->node, buf_take_str(&url));
    j->arg = l;
    l->job = j;
    l->asked_at = now;
    inlet_web_begins(t->node, &l->in, op->length, now);
    return true;
}

/* Blocks of it must come: it is not merely waiting for its verdict. */
static bool lacks_blocks(const struct task *t, uint32_t piece)
{
    uint32_t n = layout_blocks(t->m, piece), b = 0;
    if (!picker_wanted(t->picker, piece))
        return false;
    while (b < n && !picker_is_wanted(t->picker, (struct block_ref){piece, b}))
        b++;
    return b < n;
}

static void begin_whole(struct lane *l, usec now)
{
    struct task *t = l->web->t;
    uint32_t p = 0;
    while (p < t->m->n_pieces && !lacks_blocks(t, p))
        p++;
    if (p == t->m->n_pieces)
        return;
    l->pos = (uint64_t)p * t->m->piece_length;
    l->end = t->m->space;
    l->asked = 0;
    l->begun = now;
    next_transfer(l, now);
}

/* Will peers perhaps be found in a moment, with whom this can be shared? */
static bool may_meet(const struct task *t, usec now)
{
    return t->node->cfg.prefer_local && now - t->started < ALONE_AFTER && t->n_open == 0 &&
           !task_sources_exhausted(t);
}

static uint32_t run_length(const struct web *w, usec now)
{
    const struct task *t = w->t;
    uint64_t run = t->m->size / LAYOUT_BLOCK / LANES;
    if (may_meet(t, now))
        run = run / SHARE_ALONE << (now - t->started) * 2 / USEC_SEC;
    else if (t->node->cfg.prefer_local && t->n_open > 0)
        run = run / SHARE_UNDER_WAY / (t->n_open + 1);
    else
        return inlet_web_run(t->node, w->run);
    run = run < RUN_LEAST ? RUN_LEAST : run;
    uint64_t most = t->n_open > 0 && w->run > RUN_FIRST ? RUN_FIRST : w->run;
    return inlet_web_run(t->node, run < most ? (uint32_t)run : (uint32_t)most);
}

/*
 * What others will bring is left to them. If too little comes that way, one run at a time makes up
 * for it.
 */
static size_t pick_run(struct web *w, struct block_ref v[RUN_MOST], usec now)
{
    struct task *t = w->t;
    near_pulse(t, now); /* who has come meanwhile? */
    struct picker_ask ask = {.peer = w->sender,
                             .avoid = near_hold_web(t, now),
                             .speed = 1,
                             .whole_runs = true,
                             .from = w->from,
                             .now = now};
    size_t n = picker_pick(t->picker, &ask, v, run_length(w, now));
    if (n == 0 && ask.avoid && !web_busy(t) && near_starves(t, now)) {
        ask.avoid = NULL;
        n = picker_pick(t->picker, &ask, v, RUN_HELP);
    }
    if (n > 0)
        w->from = v[n - 1].piece + 1;
    return n;
}

static void begin_run(struct lane *l, usec now)
{
    struct web *w = l->web;
    struct task *t = w->t;
    struct block_ref v[RUN_MOST];
    size_t n = pick_run(w, v, now);
    if (n == 0)
        return;
    l->pos = l->end = start_of(t, v[0]);
    size_t i = 0;
    for (; i < n && start_of(t, v[i]) == l->end; i++) {
        uint64_t piece_end =
            (uint64_t)v[i].piece * t->m->piece_length + layout_piece_len(t->m, v[i].piece);
        uint64_t end = l->end + LAYOUT_BLOCK;
        l->end = end < piece_end            ? end
                 : piece_end == t->m->space ? piece_end
                                            : (uint64_t)(v[i].piece + 1) * t->m->piece_length;
    }
    l->asked = (uint32_t)i;
    for (; i < n; i++)
        picker_drop(t->picker, v[i], w->sender);
    l->begun = now;
    next_transfer(l, now);
}

void web_run(struct task *t, usec now)
{
    if (t->state != NODE_DOWNLOADING || t->node->paused_disk)
        return;
    for (uint32_t i = 0; i < t->n_webs; i++) {
        struct web *w = &t->webs[i];
        if (w->struck || w->retry_at > now || (w->no_range && reuse_waits(t)))
            continue;
        unsigned lanes = w->no_range ? 1 : inlet_web_lanes(t->node, LANES, w->answer);
        for (unsigned k = 0; k < lanes; k++) {
            if (w->lane[k].job)
                continue;
            if (!inlet_web_may_begin(t->node, &w->lane[k].in, now))
                return;
            if (w->no_range)
                begin_whole(&w->lane[k], now);
            else
                begin_run(&w->lane[k], now);
            if (!w->lane[k].job)
                break;
        }
        rest_lanes(w, now);
    }
}

/* ---- what comes ---- */

static struct lane *lane_of(struct node *n, node_id job, usec now)
{
    n->now = now;
    conn_reap(n);
    struct job *j = idtab_get(&n->jobs, job);
    return j && j->kind == NODE_WEB ? j->arg : NULL;
}

bool node_web_head(struct node *n, node_id job, int status, uint64_t from, uint64_t total, usec now)
{
    struct lane *l = lane_of(n, job, now);
    if (!l)
        return false;
    struct web *w = l->web;
    uint64_t length = w->t->m->files[l->part.file].length;
    bool whole = l->part.offset - l->skip == 0 && l->part_left + l->skip == length;
    const char *why = NULL;
    if (total != UINT64_MAX && total != length)
        why = "its file has another length";
    else if (status == 206 && from != l->part.offset - l->skip)
        why = "answered with another range";
    if (!why && (status == 206 || (status == 200 && whole))) {
        lane_brings(l, true, now);
        w->answer = now - l->asked_at;
        return true;
    }
    lane_ends(l, now);
    drop_rest(l);
    if (!why && status == 200) {
        w->no_range = true; /* read on from the start, next time */
        for (unsigned i = 0; i < LANES; i++) {
            struct lane *o = &w->lane[i];
            lane_cancel(o, now);
            drop_rest(o);
        }
    } else {
        failed(w, why != NULL, why ? why : "answered with an error", now);
    }
    return false;
}

static void block_full(struct lane *l, usec now)
{
    struct task *t = l->web->t;
    struct block *b = l->b;
    l->b = NULL;
    t->last_arrival = now;
    fetch_take(t, b, now);
}

static void block_begin(struct lane *l, struct block_ref r, uint64_t start)
{
    struct task *t = l->web->t;
    l->partial = l->pos != start;
    if (l->partial || !picker_is_open_to(t->picker, r, l->web->sender))
        return;
    l->b = block_new(t->node);
    memset(l->b->data, 0, sizeof l->b->data);
    l->b->ref = r;
    l->b->len = layout_block_len(t->m, r.piece, r.block);
    l->b->sender = l->web->sender;
    l->b->task = t->id;
}

/* Takes bytes up to the end of the block at pos; returns how many. */
static size_t fill(struct lane *l, struct bytes b, usec now)
{
    struct task *t = l->web->t;
    struct block_ref r = ref_at(t, l->pos);
    uint64_t start = start_of(t, r);
    uint64_t end = start + layout_block_len(t->m, r.piece, r.block);
    if (l->b && (l->b->ref.piece != r.piece || l->b->ref.block != r.block)) {
        block_free(t->node, l->b); /* a gap: cannot happen inside a run */
        l->b = NULL;
    }
    if (!l->b)
        block_begin(l, r, start);
    uint64_t room = end > l->pos ? end - l->pos : 0;
    size_t n = b.n < room ? b.n : (size_t)room;
    if (n > l->part_left)
        n = (size_t)l->part_left;
    if (l->b)
        memcpy(l->b->data + (l->pos - start), b.p, n);
    l->pos += n;
    l->part_left -= n;
    t->from_web += n;
    near_got_web(t, n);
    if (l->b && l->pos == end)
        block_full(l, now);
    return n;
}

static bool nothing_wanted_ahead(const struct lane *l)
{
    const struct task *t = l->web->t;
    uint32_t from = (uint32_t)(l->pos / t->m->piece_length);
    uint64_t last = l->pos + l->part_left;
    for (uint32_t p = from; p < t->m->n_pieces && (uint64_t)p * t->m->piece_length < last; p++)
        if (lacks_blocks(t, p))
            return false;
    return true;
}

/* What comes with a refusal is a page for people to read, and no content. */
static bool refusal(struct lane *l, size_t bytes, usec now)
{
    l->page += bytes;
    if (l->page <= MAX_PAGE)
        return true;
    lane_ends(l, now);
    drop_rest(l);
    failed(l->web, false, "answered with an error", now);
    return false;
}

bool node_web_data(struct node *n, node_id job, struct bytes b, bool *pause, usec now)
{
    struct lane *l = lane_of(n, job, now);
    *pause = false;
    if (!l)
        return false;
    if (!l->brings)
        return refusal(l, b.n, now);
    struct web *w = l->web;
    size_t all = b.n;
    if (l->skip > 0) {
        size_t n_skip = b.n < l->skip ? b.n : (size_t)l->skip;
        l->skip -= n_skip;
        b.p += n_skip;
        b.n -= n_skip;
    }
    while (b.n > 0 && l->part_left > 0 && l->job) {
        size_t took = fill(l, b, now);
        if (took == 0)
            break;
        b.p += took;
        b.n -= took;
    }
    if (!l->job)
        return false; /* it was found guilty meanwhile */
    if (b.n > 0 && l->part_left == 0) {
        lane_ends(l, now);
        drop_rest(l);
        failed(w, true, "sends more than the range", now);
        return false;
    }
    if (w->no_range && l->part_left > 0 && nothing_wanted_ahead(l)) {
        lane_ends(l, now);
        drop_rest(l);
        return false;
    }
    rate_add(w->t->down, all, now);
    *pause = inlet_web_got(n, &l->in, all, now);
    return true;
}

void node_web_end(struct node *n, node_id job, int err, const struct err *why, int status, usec now)
{
    struct lane *l = lane_of(n, job, now);
    if (!l)
        return;
    struct web *w = l->web;
    lane_ends(l, now);
    if (err < 0 || l->part_left > 0) {
        drop_rest(l);
        bool gone = status == 404 || status == 410 || status == 403;
        char *answer = status >= 300 ? mem_fmt("answered %d", status) : NULL;
        failed(w, gone && w->t->m->n_files == 1,
               why && why->msg[0] ? why->msg
               : answer           ? answer
                                  : "ended early",
               now);
        free(answer);
        return;
    }
    w->failures = 0;
    if (l->pos < l->end && next_transfer(l, now))
        return;
    if (l->b)
        drop_rest(l);
    if (l->asked >= w->run && now - l->begun < RUN_QUICK && w->run < RUN_MOST)
        w->run *= 2;
    web_run(w->t, now);
}

void web_wake(struct node *n, size_t most, usec now)
{
    struct list_node *at;
    for (; most > 0 && (at = list_pop(&n->web_wait)) != NULL; most--) {
        const struct lane *l = LIST_OF(at, struct lane, in.wait);
        if (l->job)
            node_op(n, NODE_RECV)->job = l->job->id;
        else
            web_run(l->web->t, now);
    }
}

/* ---- life ---- */

void web_init(struct task *t, usec now)
{
    if (t->node->cfg.no_web_seeds || t->m->n_web_seeds == 0 || t->webs)
        return;
    t->webs = mem_array(t->m->n_web_seeds, sizeof *t->webs);
    for (size_t i = 0; i < t->m->n_web_seeds; i++) {
        if (!webseed_spoken(t->m->web_seeds[i]))
            continue;
        struct web *w = &t->webs[t->n_webs];
        *w = (struct web){
            .t = t, .url = mem_str(t->m->web_seeds[i]), .number = t->n_webs, .run = RUN_FIRST};
        struct addr number = {.port = (uint16_t)t->n_webs};
        w->sender = sender_new(t, NULL, w, &number);
        if (t->node->cfg.prefer_local) /* many that begin now shall not all fetch the same */
            w->from = (uint32_t)rng_below(&t->node->rng, t->m->n_pieces + 1);
        for (unsigned k = 0; k < LANES; k++)
            w->lane[k].web = w;
        picker_peer_all(t->picker, 1);
        t->n_webs++;
    }
    web_run(t, now);
}

void web_fini(struct task *t)
{
    for (uint32_t i = 0; i < t->n_webs; i++) {
        struct web *w = &t->webs[i];
        for (unsigned k = 0; k < LANES; k++) {
            lane_cancel(&w->lane[k], t->node->now);
            drop_rest(&w->lane[k]);
        }
        picker_peer_all(t->picker, -1);
        sender_left(t, w->sender);
        free(w->url);
    }
    free(t->webs);
    free(t->web_error);
    t->webs = NULL;
    t->web_error = NULL;
    t->n_webs = 0;
}

struct web *web_by_number(struct task *t, uint32_t number)
{
    return number < t->n_webs ? &t->webs[number] : NULL;
}

bool web_busy(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_webs; i++)
        for (unsigned k = 0; k < LANES; k++)
            if (t->webs[i].lane[k].job)
                return true;
    return false;
}

usec web_time(const struct task *t, usec now)
{
    return t->web_time + (t->web_lanes > 0 ? now - t->web_counted : 0);
}

bool web_exhausted(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_webs; i++)
        if (!t->webs[i].struck)
            return false;
    return true;
}
