/* From a stream to a manifest, and to the store. */
#include "engine/scan_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/engine/places.h>
#include <p2p/host/home.h>

#include <stdlib.h>

#define TEMPORARY "/var/tmp" /* for what is hashed and not kept: /tmp may be memory */

bool scan_tick(void *watch, uint64_t bytes)
{
    const struct scan_watch *w = watch;

    if (w->progress)
        w->progress(w->arg, bytes, 0);
    return !w->stopped || !w->stopped(w->arg);
}

/* HASH/NAME: the name can be told from the path, and no two items share a folder. */
char *scan_store_place(const struct manifest *m)
{
    char hex[2 * SHA256_LEN + 1], *name = places_name(m->name, 0), *path;

    text_hex(hex, m->has_v1 ? BYTES(m->hash_v1, SHA1_LEN) : BYTES(m->hash_v2, SHA256_LEN));
    path = mem_fmt("%s/%s", hex, name);
    free(name);
    return path;
}

int scan_store(const struct scan_options *o, char **out, struct err *e)
{
    struct home h;
    int rc;

    if (!o->catalogue) {
        const char *tmp = getenv("TMPDIR");

        *out = mem_str(tmp && *tmp ? tmp : TEMPORARY);
        return 0;
    }
    rc = home_find(&h, o->home, e);
    if (rc < 0)
        return rc;
    rc = home_folder(&h, HOME_STORE, out, e);
    home_fini(&h);
    return rc;
}

/* The file has no name while it is hashed; what is said of it must not be a number in /proc. */
static int hash_stream(struct scan_result *r, const struct intake_stream *s,
                       const struct scan_options *o, struct err *e)
{
    struct scan_options here = *o;
    struct err why = {0};
    int rc;

    here.catalogue = NULL;
    rc = scan_it(r, s->path, true, &here, &why);
    free(r->path);
    r->path = NULL;
    r->where = PLACES_RAW;
    return rc < 0 ? err_set(e, rc, "standard input: %s", why.msg) : 0;
}

int scan_stream(struct scan_result *r, int in, const struct scan_options *o, struct err *e)
{
    struct intake_stream s = {.fd = -1};
    struct scan_watch watch = o->watch;
    char *store = NULL;
    int rc;

    *r = (struct scan_result){0};
    if (!o->author.name)
        return err_set(e, ERR_USAGE, "-: standard input has no name: give one with --name");
    rc = scan_store(o, &store, e);
    if (rc == 0)
        rc = intake_stream(&s, in, BYTES(NULL, 0), store, scan_tick, &watch, e);
    if (rc == 0)
        rc = hash_stream(r, &s, o, e);
    if (rc == 0 && o->catalogue) {
        char *place = scan_store_place(r->m);

        r->path = mem_fmt("%s/%s", store, place);
        free(place);
        rc = intake_stream_name(&s, r->path, e);
    }
    intake_stream_fini(&s);
    free(store);
    return rc;
}
