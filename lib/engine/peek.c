/* What is inside what is here; see peek.h. */
#include <p2p/engine/peek.h>

#include "engine/checked.h"
#include "engine/dig.h"

struct peeking {
    const struct peek *o;
    const struct manifest *m;
    struct checked *content;
};

static int64_t read_here(void *arg, uint32_t file, uint64_t at, struct span to, uint64_t sure,
                         struct err *e)
{
    struct peeking *p = arg;

    (void)sure;
    if (p->o->stopped(p->o->arg))
        return err_set(e, ERR_CANCELED, "stopped");
    return checked_read(p->content, file, at, to, e);
}

static int tell(void *arg, uint32_t file, const struct inside_entry *n, struct err *e)
{
    struct peeking *p = arg;

    if (p->o->stopped(p->o->arg))
        return err_set(e, ERR_CANCELED, "stopped");
    p->o->entry(p->o->arg, p->m->multi ? p->m->files[file].path : NULL, n);
    return 0;
}

static bool all_here(const struct checked *c, const struct bits *archives)
{
    for (size_t i = bits_next(archives, 0, true); i < archives->n;
         i = bits_next(archives, i + 1, true))
        if (!checked_has(c, (uint32_t)i))
            return false;
    return true;
}

static int go_through(struct peeking *p, const struct known_place *at, const struct bits *archives,
                      struct err *e)
{
    const struct places where = {.m = p->m,
                                 .path = at->place.path,
                                 .where = at->place.where,
                                 .wanted = at->place.wanted,
                                 .side = at->place.side};
    const struct dig d = {.m = p->m, .read = read_here, .tell = tell, .arg = p};
    struct fdcache *files = fdcache_new(FDCACHE_USUAL);
    int rc = 0;

    p->content = checked_new(files, &where);
    if (all_here(p->content, archives))
        rc = dig_run(&d, e) < 0 ? e->code : 1;
    checked_free(p->content);
    fdcache_free(files);
    return rc;
}

int peek(const struct known *k, const struct known_place *at, const struct peek *o, struct err *e)
{
    struct peeking p = {.o = o, .m = k->m};
    struct bits archives = {0};
    int rc = 0;

    dig_archives(k->m, NULL, &archives);
    if (archives.ones == 0)
        rc = err_set(e, ERR_NOTFOUND, DIG_NONE);
    else if (at)
        rc = go_through(&p, at, &archives, e);
    bits_fini(&archives);
    return rc;
}
