/*
 * What a SOURCE is: a link, a hash, a .torrent here or over HTTP, or what the catalogue calls it;
 * and what the catalogue knows of it. On a worker thread, since all of it is reading.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/engine/known.h>
#include <p2p/format/source.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <stdlib.h>

/* ---- the catalogue's view ---- */

static void take_row(struct item *it, const struct catalogue_item *row)
{
    it->id = row->id;
    it->row_where = row->where;
    it->row_state = row->state;
    it->row_have = row->have;
    it->uploaded0 = row->uploaded;
    it->downloaded0 = row->downloaded;
    free(it->row_path);
    free(it->row_selection);
    it->row_path = row->path.n ? mem_strn((const char *)row->path.p, row->path.n) : NULL;
    it->row_selection =
        row->selection.n ? mem_strn((const char *)row->selection.p, row->selection.n) : NULL;
}

/* A manifest in the catalogue that cannot be read any more is one that is not there. */
static void take_stored(struct item *it, struct catalogue *c)
{
    struct bytes raw = {0};
    struct err none = {0};

    if (!it->own && catalogue_manifest(c, it->id, &raw, &none) == 0) {
        it->own = manifest_parse(raw, NULL);
        bytes_free(raw);
    }
    if (!it->own && !it->has_link && catalogue_link(c, it->id, &raw, &none) == 0) {
        char *text = mem_strn((const char *)raw.p, raw.n);

        it->has_link = magnet_parse(&it->link, text, NULL) == 0;
        free(text);
        bytes_free(raw);
    }
}

static int look_up(struct item *it, struct catalogue *c, struct bytes hash, struct err *e)
{
    struct catalogue_item row = {0};
    struct err here = {0};
    int rc = catalogue_get(c, hash, &row, &here);

    if (rc == ERR_NOTFOUND)
        return 0;
    if (rc < 0) {
        *e = here;
        return rc;
    }
    take_row(it, &row);
    catalogue_item_fini(&row);
    take_stored(it, c);
    return 0;
}

static int look_up_hashes(struct item *it, struct catalogue *c, struct err *e)
{
    bool v1 = it->own ? it->own->has_v1 : it->link.has_v1;
    bool v2 = it->own ? it->own->has_v2 : it->link.has_v2;
    const uint8_t *h1 = it->own ? it->own->hash_v1 : it->link.hash_v1;
    const uint8_t *h2 = it->own ? it->own->hash_v2 : it->link.hash_v2;
    int rc = v1 ? look_up(it, c, BYTES(h1, SHA1_LEN), e) : 0;

    if (rc == 0 && it->id == 0 && v2)
        rc = look_up(it, c, BYTES(h2, SHA256_LEN), e);
    return rc;
}

static int by_name(struct item *it, struct catalogue *c, struct err *e)
{
    struct catalogue_item row = {0};
    struct err here = {0};
    int rc = it->spec.id ? catalogue_get_id(c, it->spec.id, &row, &here)
                         : catalogue_find(c, it->spec.source, &row, &here);

    if (rc == ERR_NOTFOUND)
        return known_no_name(it->label, e);
    if (rc < 0) {
        *e = here;
        return rc;
    }
    take_row(it, &row);
    it->by_name = true;
    catalogue_item_fini(&row);
    take_stored(it, c);
    if (!it->own && !it->has_link)
        return err_set(e, ERR_INVALID, "%s: its manifest in the catalogue cannot be read",
                       it->label);
    return 0;
}

/* ---- forms of SOURCE ---- */

static int parse_torrent(struct item *it, struct bytes raw, struct err *e)
{
    struct err here = {0};

    it->own = manifest_parse(raw, &here);
    if (it->own)
        return 0;
    return err_set(e, here.code, "%s: %s", it->label, here.msg);
}

/* Content that lies here may have the name of an item. */
static int no_torrent(struct item *it, struct catalogue *c, const struct err *why, struct err *e)
{
    struct err none = {0};
    int rc = by_name(it, c, &none);

    if (rc < 0)
        *e = rc == ERR_NOTFOUND ? *why : none;
    return rc < 0 ? e->code : 0;
}

static int read_torrent(struct item *it, struct catalogue *c, struct err *e)
{
    struct bytes raw = {0};
    struct err here = {0};
    int rc = fileio_read(it->spec.source, MANIFEST_MAX_BYTES, &raw, &here);

    if (rc == 0) {
        struct err why = {0};

        it->own = manifest_parse(raw, &why);
        if (!it->own)
            known_no_torrent(it->label, raw, &why, &here);
        bytes_free(raw);
        return it->own ? 0 : no_torrent(it, c, &here, e);
    }
    if (rc == ERR_IO && here.os != ENOENT && here.os != ENAMETOOLONG && here.os != EISDIR)
        return no_torrent(it, c, &here, e);
    /* A path that is not there is a path mistyped; a word may be a name. */
    if (here.os == ENOENT && strchr(it->spec.source, '/')) {
        *e = here;
        return rc;
    }
    return by_name(it, c, e);
}

static int find(struct item *it, struct catalogue *c, struct err *e)
{
    struct source s;
    int rc;

    if (it->spec.id)
        return by_name(it, c, e);
    if (it->body_here)
        return parse_torrent(it, it->body, e);
    rc = source_parse(&s, it->spec.source, e);
    if (rc < 0)
        return rc;
    switch (s.kind) {
    case SOURCE_MAGNET:
    case SOURCE_HASH:
        it->link = s.magnet;
        it->has_link = true;
        return 0;
    case SOURCE_URL:
        it->wants_url = true;
        break;
    case SOURCE_STDIN:
        rc = err_set(e, ERR_USAGE, "-: a list on standard input is for the program to read");
        break;
    case SOURCE_WORD:
        rc = read_torrent(it, c, e);
        break;
    }
    source_fini(&s);
    return rc;
}

/* What the link says besides belongs to the manifest that we have. */
static void merge_link(struct item *it)
{
    for (size_t i = 0; i < it->link.n_trackers; i++)
        manifest_add_tracker(it->own, it->own->n_tiers, it->link.trackers[i]);
    for (size_t i = 0; i < it->link.n_web_seeds; i++)
        manifest_add_web_seed(it->own, it->link.web_seeds[i]);
}

static bool manifest_is_of_link(const struct item *it)
{
    const struct magnet *k = &it->link;
    const struct manifest *m = it->own;

    return (!k->has_v1 || (m->has_v1 && memcmp(k->hash_v1, m->hash_v1, SHA1_LEN) == 0)) &&
           (!k->has_v2 || (m->has_v2 && memcmp(k->hash_v2, m->hash_v2, SHA256_LEN) == 0));
}

/* ---- locks ---- */

static int lock_one(struct item *it, size_t which, const uint8_t *hash, size_t n, struct err *e)
{
    char hex[2 * SHA256_LEN + 1];
    struct err here = {0};

    if (it->locks[which])
        return 0;
    text_hex(hex, BYTES(hash, n));
    if (lock_take(&it->locks[which], it->g->home.dir, hex, &here) == 0)
        return 0;
    it->twin = here.code == ERR_LOCKED && lock_is_ours(it->g->home.dir, hex);
    if (here.code == ERR_LOCKED)
        return err_set(e, ERR_LOCKED, "%s: is being fetched by another p2p-get (%s)", it->label,
                       here.msg);
    *e = here;
    return here.code;
}

int find_lock(struct item *it, struct err *e)
{
    const struct manifest *m = it->m ? it->m : it->own;
    bool v1 = m ? m->has_v1 : it->link.has_v1, v2 = m ? m->has_v2 : it->link.has_v2;
    int rc = 0;

    if (it->spec.serve || it->spec.manifest_only || it->spec.ask_only || it->spec.stream ||
        it->spec.inside)
        return 0;
    if (v1)
        rc = lock_one(it, 0, m ? m->hash_v1 : it->link.hash_v1, SHA1_LEN, e);
    if (rc == 0 && v2)
        rc = lock_one(it, 1, m ? m->hash_v2 : it->link.hash_v2, SHA256_LEN, e);
    return rc;
}

void find_work(struct db_job *j, struct catalogue *c)
{
    struct item *it = j->item;
    int rc = find(it, c, it->why);

    if (rc == 0 && !it->wants_url && it->id == 0)
        rc = look_up_hashes(it, c, it->why);
    if (rc == 0 && it->own && it->has_link) {
        if (!manifest_is_of_link(it))
            rc =
                err_set(it->why, ERR_INVALID, "%s: its two hashes name different items", it->label);
        else
            merge_link(it);
    }
    if (rc == 0 && (it->own || it->has_link))
        rc = find_lock(it, it->why);
    it->code = rc;
    if (rc == 0 && it->own && !it->spec.manifest_only && !it->spec.ask_only && !it->spec.stream &&
        !it->spec.inside) {
        it->m = it->own;
        survey_work(j, c); /* at once: ten thousand items are found and surveyed one by one */
        it->surveyed = true;
    }
}

/* ---- over HTTP ---- */

static void loaded(void *owner, int code, const struct http_head *h, struct bytes body,
                   const struct err *e)
{
    struct item *it = owner;
    struct err why = {0};

    it->g->now = loop_now(it->g->loop);
    it->req = NULL;
    if (code == 0 && h->status != 200)
        code = err_set(&why, ERR_NOTFOUND, "%s: the server answers %d", it->label, h->status);
    else if (code < 0)
        err_set(&why, code, "%s: %s", it->label, e->msg);
    if (code < 0) {
        /* A server that is in trouble, or that has had enough of us for now. */
        it->temporary = code == ERR_NET || (h && (h->status >= 500 || h->status == 429));
        item_fail(it, code, &why);
        return;
    }
    it->body = BYTES(mem_dup(body.p, body.n), body.n);
    it->body_here = true;
    it->wants_url = false;
    item_begin(it);
}

void find_fetch(struct item *it)
{
    struct http_request r = {.url = it->spec.source,
                             .trust = HTTP_TYPED,
                             .compressed = true,
                             .max_body = HTTP_MANIFEST_MAX};

    it->phase = ITEM_LOADING;
    it->req = http_fetch(it->g->http, &r, loaded, it);
}
