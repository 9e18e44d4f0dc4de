/* Asking others about one item: a session for one question. */
#include <p2p/engine/ask.h>

#include <p2p/base/mem.h>
#include <p2p/engine/engine.h>
#include <p2p/host/term.h>

#include <stdlib.h>

struct asking {
    const struct ask_options *o;
    struct engine *g;
    usec give_up;        /* USEC_NEVER: not by time */
    struct buf manifest; /* what came */
    ask_entry_fn *entry; /* NULL: entries are not asked for */
    void *arg;
    struct ask_answer answer;
    int code;
    struct err *e;
};

/* The caller says what this is about. */
static const char *own_words(const struct asking *a, const char *text)
{
    size_t n = strlen(a->o->source);

    return strncmp(text, a->o->source, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2
                                                                                  : text;
}

static void ended(struct asking *a, const struct engine_event *ev)
{
    struct item_status st;

    if (a->e->code)
        return; /* it ends because we gave up */
    item_status(ev->item, &st);
    a->answer = (struct ask_answer){st.tracker_seeds, st.tracker_peers};
    a->code = ev->code;
    if (ev->code < 0)
        err_set(a->e, ev->code, "%s", own_words(a, ev->text));
}

static void happened(void *arg, const struct engine_event *ev)
{
    struct asking *a = arg;

    switch (ev->kind) {
    case ENGINE_COMPLETE:
        if (!a->entry)
            manifest_write(item_manifest(ev->item), &a->manifest);
        break;
    case ENGINE_ENTRY:
        a->entry(a->arg, ev->path, ev->entry);
        break;
    case ENGINE_TICK:
        if (engine_now(a->g) >= a->give_up) {
            a->code = err_set(a->e, ERR_NOTFOUND, "nobody answered in time");
            engine_quit(a->g);
        }
        break;
    case ENGINE_ENDED:
        ended(a, ev);
        break;
    default:
        break;
    }
}

static int session(struct asking *a, struct engine_spec *s)
{
    struct engine_options o = {.home = a->o->home,
                               .version = a->o->version,
                               .no_dht = a->o->no_dht,
                               .no_lsd = true,
                               .dht_brief = true,
                               .bootstrap = a->o->bootstrap,
                               .event = happened,
                               .arg = a};
    usec timeout = a->o->timeout;

    goals_init(&s->goals);
    s->goals.metadata_timeout = timeout;
    s->source = a->o->source;
    a->g = engine_new(&o, a->e);
    if (!a->g)
        return a->e->code;
    a->give_up = timeout == USEC_NEVER ? USEC_NEVER : engine_now(a->g) + timeout;
    engine_add(a->g, s);
    engine_run(a->g);
    engine_free(a->g);
    if (term_stopped())
        return ERR_CANCELED;
    return a->code;
}

int ask_manifest(struct known *k, const struct ask_options *o, struct err *e)
{
    struct asking a = {.o = o, .e = e, .code = ERR_NOTFOUND};
    struct engine_spec s = {.manifest_only = true, .no_file = true};
    int rc = session(&a, &s);

    if (rc == 0 && buf_len(&a.manifest)) {
        k->m = manifest_parse(buf_bytes(&a.manifest), e);
        rc = k->m ? 0 : e->code;
    }
    buf_fini(&a.manifest);
    return rc;
}

int ask_peers(const struct known *k, const struct ask_options *o, struct ask_answer *out,
              struct err *e)
{
    struct asking a = {.o = o, .e = e, .code = ERR_NOTFOUND, .answer = {-1, -1}};
    struct engine_spec s = {.ask_only = true};
    size_t trackers = k->m ? k->m->n_tiers : k->link.n_trackers;
    int rc;

    if (trackers == 0 && o->no_dht)
        return err_set(e, ERR_NOTFOUND, "it names no tracker to ask");
    rc = session(&a, &s);
    *out = a.answer;
    if (rc == ERR_NOTFOUND && trackers == 0) {
        err_clear(e);
        err_set(e, rc, "it names no tracker, and no node of the DHT answered");
    }
    return rc;
}

int ask_entries(const struct known *k, const struct ask_options *o, ask_entry_fn *entry, void *arg,
                struct err *e)
{
    struct asking a = {.o = o, .e = e, .code = ERR_NOTFOUND, .entry = entry, .arg = arg};
    struct engine_spec s = {.inside = true};
    struct buf raw = {0};
    int rc;

    manifest_write(k->m, &raw);
    s.torrent = buf_bytes(&raw);
    if (k->has_link)
        s.peers = (struct engine_words){k->link.peers, k->link.n_peers};
    rc = session(&a, &s);
    buf_fini(&raw);
    return rc;
}
