/*
 * What is inside an item; see member.h. The thread asks one thing at a time: for bytes from
 * somewhere on, which the node then wants and which are answered when they are verified and in the
 * window; or that the program be told of an entry or of a member that is whole.
 */
#include "engine/member.h"

#include "engine/checked.h"
#include "engine/dig.h"
#include "engine/member_out.h"
#include "engine/outflow.h"
#include "engine/windows.h"

#include <p2p/base/mem.h>
#include <p2p/host/window.h>

#include <errno.h>
#include <stdlib.h>

struct question {
    enum { ASK_BYTES, ASK_TELL_ENTRY, ASK_TELL_MEMBER } kind;
    uint64_t at, sure, end; /* of content space */
    uint64_t here;          /* the answer: all before it */
    uint64_t taken;         /* bytes of members so far, and of all that were begun */
    uint64_t size;
    uint32_t file;
    const struct inside_entry *entry;
    const char *path, *name;
};

struct member {
    struct list_node node; /* in engine.members */
    struct item *it;
    struct errand *errand;
    struct window *window; /* what is fetched comes here; or */
    struct checked *local; /* it lies here */
    struct sink *sink;     /* NULL: members go to files */
    struct question *open; /* of the thread; NULL: none */
    bool asked;            /* the node knows of it */
    uint64_t shown, total; /* bytes of members */

    /* the thread's, until it is over */
    struct errand *w;
    struct dig dig;
    struct member_out *out;
    const char *name;
    struct question q;
    uint64_t from, to; /* content that is here and stays until the next question */
    int code;
    struct err e;
};

/* ---- the thread ---- */

static int ask(struct member *m, struct err *e)
{
    int rc = errand_ask(m->w, &m->q);

    return rc < 0 ? err_set(e, rc, "stopped") : 0;
}

static int64_t read_far(struct member *m, uint32_t file, uint64_t at, struct span to, uint64_t sure,
                        struct err *e)
{
    const struct manifest_file *f = &m->it->m->files[file];
    uint64_t offset = f->offset + at;
    int rc;

    if (offset < m->from || offset >= m->to) {
        m->q.kind = ASK_BYTES;
        m->q.at = offset;
        m->q.sure = f->offset + sure;
        m->q.end = f->offset + f->length;
        m->from = m->to = 0;
        rc = ask(m, e);
        if (rc < 0)
            return rc;
        m->from = offset;
        m->to = m->q.here;
    }
    if (to.n > m->to - offset)
        to.n = (size_t)(m->to - offset);
    rc = window_read(m->window, offset, to, e);
    return rc < 0 ? rc : (int64_t)to.n;
}

static int64_t read_it(void *arg, uint32_t file, uint64_t at, struct span to, uint64_t sure,
                       struct err *e)
{
    struct member *m = arg;

    if (errand_canceled(m->w))
        return err_set(e, ERR_CANCELED, "stopped");
    return m->local ? checked_read(m->local, file, at, to, e) : read_far(m, file, at, to, sure, e);
}

static int tell(void *arg, uint32_t file, const struct inside_entry *n, struct err *e)
{
    struct member *m = arg;

    m->q.kind = ASK_TELL_ENTRY;
    m->q.file = file;
    m->q.entry = n;
    return ask(m, e);
}

static int begin(void *arg, const char *name, const char *base, uint64_t size, struct err *e)
{
    struct member *m = arg;

    m->name = name;
    m->q.size += size;
    return member_out_begin(m->out, base, size, e);
}

static int data(void *arg, struct bytes b, struct err *e)
{
    struct member *m = arg;

    m->q.taken += b.n;
    return member_out_data(m->out, b, e);
}

static int end(void *arg, struct err *e)
{
    struct member *m = arg;
    int rc = member_out_end(m->out, e);

    if (rc < 0)
        return rc;
    m->q.kind = ASK_TELL_MEMBER;
    m->q.path = member_out_path(m->out);
    m->q.name = m->name;
    return ask(m, e);
}

static void drop(void *arg)
{
    member_out_drop(((struct member *)arg)->out);
}

static void work(struct errand *w, void *arg)
{
    struct member *m = arg;

    m->w = w;
    m->out = member_out_new(m->it->g->files, m->it->spec.output, m->sink, w);
    m->code = dig_run(&m->dig, &m->e);
    member_out_free(m->out);
    m->out = NULL;
}

/* ---- the loop ---- */

static void tell_entry(struct member *m, const struct question *q)
{
    const struct manifest *f = m->it->m;

    engine_tell(m->it->g, &(struct engine_event){.kind = ENGINE_ENTRY,
                                                 .item = m->it,
                                                 .path = f->multi ? f->files[q->file].path : NULL,
                                                 .entry = q->entry});
}

static void tell_member(struct member *m, const struct question *q)
{
    if (q->path && strcmp(q->path, "-") != 0) {
        free(m->it->result);
        m->it->result = mem_str(q->path);
    }
    engine_tell(m->it->g,
                &(struct engine_event){
                    .kind = ENGINE_MEMBER, .item = m->it, .path = q->path, .text = q->name});
}

static void asked(void *arg, void *question)
{
    struct member *m = arg;
    struct question *q = question;

    m->shown = q->taken;
    m->total = q->size;
    if (q->kind == ASK_BYTES) {
        m->open = q;
        m->asked = false;
        return;
    }
    if (q->kind == ASK_TELL_ENTRY)
        tell_entry(m, q);
    else
        tell_member(m, q);
    errand_answer(m->errand, 0);
}

static void all_taken(struct item *it)
{
    it->complete = it->finished = true;
    engine_tell(it->g, &(struct engine_event){.kind = ENGINE_COMPLETE,
                                              .item = it,
                                              .path = it->result ? it->result : "-"});
    item_finished(it);
}

static void done(void *arg)
{
    struct member *m = arg;
    struct item *it = m->it;

    it->g->now = loop_now(it->g->loop);
    m->shown = m->q.taken;
    if (it->dropped)
        ;
    else if (m->code == 0)
        all_taken(it);
    else if (m->e.os == EPIPE && m->sink)
        engine_drop(it->g, it); /* the reader has had enough: nothing to complain of */
    else
        item_fail(it, m->code, &m->e);
    item_job_back(it);
}

/* True if the node was told something. */
static bool answer(struct member *m)
{
    struct item *it = m->it;
    struct engine *g = it->g;
    struct question *q = m->open;

    if (!q || it->phase != ITEM_RUNNING || !it->task)
        return false;
    if (!m->asked)
        node_want(g->node, it->task, q->at, q->sure, q->end, g->now);
    q->here = node_here(g->node, it->task, q->at);
    q->here = q->here < q->end ? q->here : q->end;
    if (q->here > q->at) {
        m->open = NULL;
        errand_answer(m->errand, 0);
    }
    bool told = !m->asked;
    m->asked = true;
    return told;
}

bool member_turns(struct engine *g)
{
    bool told = false;

    for (struct list_node *l = list_first(&g->members); l; l = list_next(&g->members, l)) {
        struct member *m = LIST_OF(l, struct member, node);

        if (m->it->dropped && m->errand) {
            m->open = NULL;
            errand_cancel(m->errand);
        } else {
            told |= answer(m);
        }
    }
    return told;
}

void member_end(struct engine *g)
{
    for (struct list_node *l = list_first(&g->members); l; l = list_next(&g->members, l)) {
        struct member *m = LIST_OF(l, struct member, node);

        errand_free(m->errand);
        m->errand = NULL;
        m->open = NULL;
    }
}

void member_forget(struct item *it, const struct node_op *op)
{
    uint64_t offset = (uint64_t)op->piece * it->m->piece_length;
    struct window *w = it->member->window;

    node_forgotten(it->g->node, op->task, op->piece, window_at(w, offset), it->g->now);
    window_drop(w, op->piece);
}

void member_status(const struct member *m, struct item_status *s)
{
    s->wanted = m->total;
    s->done = m->shown;
}

/* ---- beginning ---- */

/* All that is looked at, as far as the catalogue knows: else it comes from others. */
static bool is_here(struct item *it, struct member *m)
{
    const struct places p = {
        .m = it->m, .path = it->row_path, .where = it->row_where & PLACES_FOUND};
    struct bits archives = {0};
    bool here = it->row_path && it->row_state == CATALOGUE_COMPLETE && !it->task;

    if (!here)
        return false;
    m->local = checked_new(it->g->files, &p);
    dig_archives(it->m, &it->wanted, &archives);
    for (size_t i = bits_next(&archives, 0, true); i < archives.n && here;
         i = bits_next(&archives, i + 1, true))
        here = checked_has(m->local, (uint32_t)i);
    bits_fini(&archives);
    if (!here) {
        checked_free(m->local);
        m->local = NULL;
    }
    return here;
}

static int make_window(struct item *it, struct member *m, struct err *e)
{
    int rc = windows_settle(it, e);

    if (rc < 0)
        return rc;
    m->window = window_new(it->m->piece_length, node_window_pieces(it->m, windows_part(it)));
    it->tree = outflow_tree(it, m->window);
    return 0;
}

static struct dig dig_of(struct item *it, struct member *m)
{
    return (struct dig){
        .m = it->m,
        .label = it->label,
        .wanted = &it->wanted,
        .names = it->spec.members,
        .n_names = it->spec.n_members,
        .far = !m->local,
        .read = read_it,
        .tell = tell,
        .begin = begin,
        .data = data,
        .end = end,
        .drop = drop,
        .arg = m,
    };
}

void member_run(struct item *it)
{
    struct member *m = it->member;
    const struct errand_calls calls = {.work = work, .asked = asked, .done = done, .arg = m};
    struct err e = {0};

    m->dig = dig_of(it, m);
    m->errand = errand_new(it->g->loop, &calls, &e);
    if (m->errand)
        it->jobs++;
    else
        item_fail(it, e.code, &e);
}

int member_begin(struct item *it, struct err *e)
{
    struct member *m = mem_zero(sizeof *m);
    int rc;

    it->member = m;
    m->it = it;
    list_push(&it->g->members, &m->node);
    rc = choose_files(it, e);
    if (rc == 0 && it->spec.stream) {
        m->sink = sink_new(it->spec.stream_fd, e);
        rc = m->sink ? 0 : e->code;
    }
    if (rc < 0)
        return rc;
    it->complete = is_here(it, m);
    it->id = 0; /* nothing of this is for the catalogue */
    bits_init(&it->have, it->m->n_pieces);
    bits_init(&it->stale, it->m->n_files);
    choose_pieces(it);
    free(it->unstored);
    it->unstored = NULL;
    return m->local ? 0 : make_window(it, m, e);
}

void member_free(struct member *m)
{
    if (!m)
        return;
    list_remove(&m->it->g->members, &m->node);
    errand_free(m->errand);
    checked_free(m->local);
    window_free(m->window);
    sink_free(m->sink);
    free(m);
}
