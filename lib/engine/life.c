/* Items: made from a caller's wishes, and freed. */
#include "engine/member.h"
#include "engine/outflow.h"
#include "engine/windows.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

static char **copy_words(const struct engine_words *w)
{
    char **v = w->n ? mem_array(w->n, sizeof *v) : NULL;

    for (size_t i = 0; i < w->n; i++)
        v[i] = mem_str(w->v[i]);
    return v;
}

static void free_words(char **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i]);
    free(v);
}

static struct item_spec copy_spec(const struct engine_spec *s)
{
    struct item_spec c = {
        .source = mem_str(s->source),
        .output = mem_str(s->output),
        .data = mem_str(s->data),
        .id = s->id,
        .serve = s->serve,
        .manifest_only = s->manifest_only,
        .no_file = s->no_file,
        .ask_only = s->ask_only,
        .sequential = s->sequential,
        .super_seed = s->super_seed,
        .attributes = s->attributes,
        .preallocate = s->preallocate,
        .stream = s->stream,
        .extract = s->extract,
        .stream_fd = s->stream_fd,
        .window = s->window,
        .archive = s->archive,
        .inside = s->inside,
        .members = copy_words(&s->members),
        .n_members = s->members.n,
        .archive_format = s->archive_format,
        .select = copy_words(&s->select),
        .exclude = copy_words(&s->exclude),
        .files = copy_words(&s->files),
        .peers = copy_words(&s->peers),
        .reuse = copy_words(&s->reuse),
        .n_reuse = s->reuse.n,
        .no_reuse = s->no_reuse,
        .n_select = s->select.n,
        .n_exclude = s->exclude.n,
        .n_files = s->files.n,
        .n_peers = s->peers.n,
        .n_ranges = s->n_ranges,
        .goals = s->goals,
        .user = s->user,
    };

    if (s->n_ranges)
        c.ranges = mem_dup(s->ranges, s->n_ranges * sizeof *s->ranges);
    for (size_t i = 0; i < s->n_ranges; i++)
        c.ranges[i].file = mem_str(s->ranges[i].file);
    return c;
}

static void free_spec(struct item_spec *c)
{
    for (size_t i = 0; i < c->n_ranges; i++)
        bytes_free(BYTES(c->ranges[i].file, 0));
    free(c->ranges);
    free_words(c->select, c->n_select);
    free_words(c->exclude, c->n_exclude);
    free_words(c->files, c->n_files);
    free_words(c->peers, c->n_peers);
    free_words(c->reuse, c->n_reuse);
    free_words(c->members, c->n_members);
    free(c->source);
    free(c->output);
    free(c->data);
}

static struct item *item_new(struct engine *g, const struct engine_spec *s)
{
    struct item *it = mem_zero(sizeof *it);
    const struct goals *w = &s->goals;

    it->g = g;
    it->spec = copy_spec(s);
    it->body_here = s->torrent.n > 0;
    if (it->body_here)
        it->body = BYTES(mem_dup(s->torrent.p, s->torrent.n), s->torrent.n);
    it->told_seeds = it->told_peers = -1;
    it->label = s->source ? mem_str(s->source) : mem_fmt("item %lld", (long long)s->id);
    it->shares = w->stay || w->seed_ratio > 0 || w->seed_for != USEC_NEVER || w->idle != USEC_NEVER;
    return it;
}

static void free_survey(struct item *it)
{
    reuse_free(it);
    free(it->path);
    free(it->side);
    free(it->result);
    free(it->stretches);
    tree_free(it->tree);
    outflow_free(it->outflow);
    member_free(it->member);
    bits_fini(&it->wanted);
    bits_fini(&it->stale);
    bits_fini(&it->final);
    bits_fini(&it->have);
    bits_fini(&it->check);
    bits_fini(&it->rooted);
    bits_fini(&it->seen);
    free(it->roots);
    free(it->files);
    free(it->standing);
    free(it->priority);
    free(it->unstored);
}

void item_free(struct item *it)
{
    windows_free(it);
    free_spec(&it->spec);
    free_survey(it);
    save_free(it->save);
    magnet_fini(&it->link);
    manifest_free(it->own);
    lock_free(it->locks[0]);
    lock_free(it->locks[1]);
    free(it->row_path);
    free(it->row_selection);
    bytes_free(it->body);
    free(it->label);
    free(it->why);
    free(it);
}

struct item *engine_add(struct engine *g, const struct engine_spec *s)
{
    struct item *it = item_new(g, s);

    it->started = g->now = loop_now(g->loop);
    list_push(&g->items, &it->node);
    item_wake(it);
    if (!g->unready && !g->ready)
        g->unready = it;
    item_begin(it);
    return it;
}

void *item_user(const struct item *it)
{
    return it->spec.user;
}

const char *item_label(const struct item *it)
{
    return it->label;
}

/* The same wishes, from the beginning. */
void life_again(const struct item *it)
{
    const struct item_spec *c = &it->spec;
    struct engine_spec s = {
        .source = c->source,
        .torrent = it->body,
        .id = c->id,
        .output = c->output,
        .data = c->data,
        .serve = c->serve,
        .super_seed = c->super_seed,
        .peers = {c->peers, c->n_peers},
        .goals = c->goals,
        .user = c->user,
    };

    engine_add(it->g, &s);
}
