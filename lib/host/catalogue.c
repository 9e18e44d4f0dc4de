/*
 * The catalogue: what callers ask for. Each question is a function that db_run calls, in a
 * transaction if it writes, and once more if the file had to be repaired on the way.
 */
#include "host/catalogue_in.h"

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/base/text.h>

#include <stdlib.h>

#define NAMES_TOLD 4 /* in a message about several that fit */

static int open_at(struct catalogue **out, const char *home, bool reads, struct err *e)
{
    struct catalogue *c = mem_zero(sizeof *c);
    c->reads = reads;
    c->home = mem_str(home);
    c->path = mem_fmt("%s/" CATALOGUE_FILE, home);
    int rc = db_open(c, e);
    if (rc != 0) {
        catalogue_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

int catalogue_open(struct catalogue **out, const char *home, struct err *e)
{
    return open_at(out, home, false, e);
}

int catalogue_open_to_read(struct catalogue **out, const char *home, struct err *e)
{
    return open_at(out, home, true, e);
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    db_close(c);
    free(c->home);
    free(c->path);
    free(c->notice);
    free(c);
}

const char *catalogue_notice(const struct catalogue *c)
{
    return c->notice;
}

static int not_found(struct err *e, const char *what)
{
    return err_set(e, ERR_NOTFOUND, "%s: not in the catalogue", what);
}

struct get {
    struct bytes hash;
    int64_t id;
    struct catalogue_item *out;
};

/* The smallest and greatest v2 hash that begin with these bytes. */
static int get_by_head(struct catalogue *c, struct bytes head, struct catalogue_item *out,
                       struct err *e)
{
    uint8_t low[32] = {0}, high[32];
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_V2_RANGE, &rc, e);
    if (!st)
        return rc;
    memset(high, 0xff, sizeof high);
    memcpy(low, head.p, head.n);
    memcpy(high, head.p, head.n);
    db_bind_bytes(st, 1, BYTES(low, sizeof low));
    db_bind_bytes(st, 2, BYTES(high, sizeof high));
    return row_only(c, st, out, e);
}

static int do_get(struct catalogue *c, void *arg, struct err *e)
{
    struct get *g = arg;
    if (g->id)
        return row_by_id(c, g->id, g->out, e);
    if (g->hash.n == 32)
        return row_by_hash(c, ST_BY_V2, g->hash, g->out, e);
    int rc = row_by_hash(c, ST_BY_V1, g->hash, g->out, e);
    return rc == 0 ? get_by_head(c, g->hash, g->out, e) : rc;
}

int catalogue_get(struct catalogue *c, struct bytes hash, struct catalogue_item *out, struct err *e)
{
    char hex[65];
    struct get g = {.hash = hash, .out = out};
    if (hash.n != 20 && hash.n != 32)
        return err_set(e, ERR_USAGE, "a hash has 20 or 32 bytes, not %zu", hash.n);
    int rc = db_run(c, false, do_get, &g, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    text_hex(hex, hash);
    return not_found(e, hex);
}

int catalogue_get_id(struct catalogue *c, int64_t id, struct catalogue_item *out, struct err *e)
{
    struct get g = {.id = id > 0 ? id : -1, .out = out};
    int rc = db_run(c, false, do_get, &g, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return not_found(e, "the item");
}

struct find {
    const char *text;
    struct catalogue_item *out;
    struct catalogue_item hit[2 * 9]; /* no item twice */
    size_t n;
};

/* All rows of a bound statement, into find.hit. */
static int gather(struct catalogue *c, sqlite3_stmt *st, struct find *f, struct err *e)
{
    struct catalogue_item it;
    int rc;
    while ((rc = row_next(c, st, &it, e)) == 1) {
        bool seen = f->n == sizeof f->hit / sizeof *f->hit;
        for (size_t i = 0; i < f->n && !seen; i++)
            seen = f->hit[i].id == it.id;
        if (seen)
            catalogue_item_fini(&it);
        else
            f->hit[f->n++] = it;
    }
    db_done(st);
    return rc;
}

static int find_name(struct catalogue *c, struct find *f, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_BY_NAME, &rc, e);
    if (!st)
        return rc;
    db_bind_bytes(st, 1, bytes_str(f->text));
    return gather(c, st, f, e);
}

/* The prefix filled up with zeros and with ones is the range of hashes that begin with it. */
static bool fill_up(uint8_t *out, size_t size, const char *hex, char with)
{
    char full[64];
    size_t n = strlen(hex);
    if (n > size * 2)
        return false;
    memset(full, with, sizeof full);
    memcpy(full, hex, n);
    return text_unhex(out, size, BYTES(full, size * 2));
}

static int find_prefix(struct catalogue *c, struct find *f, enum statement which, size_t size,
                       struct err *e)
{
    uint8_t low[32], high[32];
    int rc = 0;
    if (!fill_up(low, size, f->text, '0') || !fill_up(high, size, f->text, 'f'))
        return 0;
    sqlite3_stmt *st = db_statement(c, which, &rc, e);
    if (!st)
        return rc;
    db_bind_bytes(st, 1, BYTES(low, size));
    db_bind_bytes(st, 2, BYTES(high, size));
    return gather(c, st, f, e);
}

static int tell_all(const struct find *f, struct err *e)
{
    struct buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < f->n && i < NAMES_TOLD; i++) {
        const struct catalogue_item *it = &f->hit[i];
        char hex[17];
        text_hex(hex, BYTES(it->has_v1 ? it->v1 : it->v2, 8));
        buf_putf(&b, "%s%s ", i ? ", " : "", hex);
        text_show(&b, BYTES(it->name.p, it->name.n < 40 ? it->name.n : 40));
    }
    char *list = buf_take_str(&b);
    int rc = err_set(e, ERR_USAGE, "%s: fits several items: %s%s", f->text, list,
                     f->n > NAMES_TOLD ? ", …" : "");
    free(list);
    return rc;
}

static void find_clear(struct find *f)
{
    for (size_t i = 0; i < f->n; i++)
        catalogue_item_fini(&f->hit[i]);
    f->n = 0;
}

static int do_find(struct catalogue *c, void *arg, struct err *e)
{
    struct find *f = arg;
    f->n = 0;
    int rc = find_name(c, f, e);
    if (rc == 0 && f->n == 0 && strlen(f->text) >= CATALOGUE_PREFIX_MIN) {
        rc = find_prefix(c, f, ST_V1_RANGE, 20, e);
        if (rc == 0)
            rc = find_prefix(c, f, ST_V2_RANGE, 32, e);
    }
    if (rc == 0 && f->n > 1)
        rc = tell_all(f, e);
    if (rc == 0 && f->n == 1) {
        *f->out = f->hit[0];
        f->n = 0;
        return 1;
    }
    find_clear(f);
    return rc;
}

int catalogue_find(struct catalogue *c, const char *text, struct catalogue_item *out, struct err *e)
{
    struct find f = {.text = text, .out = out};
    int rc = db_run(c, false, do_find, &f, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return not_found(e, text);
}

struct at {
    struct bytes path;
    int64_t before;
    struct catalogue_item *out;
};

/* An index with a flipped bit leads to another row. */
static int do_at(struct catalogue *c, void *arg, struct err *e)
{
    struct at *a = arg;
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_BY_PATH, &rc, e);
    if (!st)
        return rc;
    db_bind_bytes(st, 1, a->path);
    sqlite3_bind_int64(st, 2, a->before);
    rc = row_only(c, st, a->out, e);
    if (rc != 1 || (bytes_eq(a->out->path, a->path) && a->out->id < a->before))
        return rc;
    catalogue_item_fini(a->out);
    return CATALOGUE_DAMAGED;
}

int catalogue_at(struct catalogue *c, struct bytes path, int64_t *before,
                 struct catalogue_item *out, struct err *e)
{
    struct at a = {path, *before, out};
    int rc = db_run(c, false, do_at, &a, e);
    if (rc == 1)
        *before = out->id;
    return rc;
}

static int do_page(struct catalogue *c, void *arg, struct err *e)
{
    int rc = 0;
    page_drop(c);
    sqlite3_stmt *st = db_statement(c, ST_PAGE, &rc, e);
    if (!st)
        return rc;
    if (!c->page)
        c->page = mem_array(CATALOGUE_PAGE, sizeof *c->page);
    c->page_after = *(const int64_t *)arg;
    sqlite3_bind_int64(st, 1, c->page_after);
    while (c->page_n < CATALOGUE_PAGE && (rc = row_next(c, st, &c->page[c->page_n], e)) == 1)
        c->page_n++;
    db_done(st);
    if (rc < 0)
        page_drop(c);
    return rc < 0 ? rc : 0;
}

int catalogue_next(struct catalogue *c, int64_t *after, struct catalogue_item *out, struct err *e)
{
    if (c->page_at == c->page_n || c->page_after != *after) {
        int rc = db_run(c, false, do_page, after, e);
        if (rc != 0)
            return rc;
    }
    if (c->page_at == c->page_n)
        return 0;
    *out = c->page[c->page_at++];
    *after = c->page_after = out->id;
    return 1;
}

/* The one number that a statement gives. */
static int number(struct catalogue *c, enum statement which, int64_t *out, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, which, &rc, e);
    if (!st)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    rc = rc == SQLITE_ROW ? 0 : db_failed(c, rc, e);
    db_done(st);
    return rc;
}

static int do_count(struct catalogue *c, void *arg, struct err *e)
{
    return number(c, ST_COUNT, arg, e);
}

int64_t catalogue_count(struct catalogue *c, struct err *e)
{
    int64_t n = 0;
    int rc = db_run(c, false, do_count, &n, e);
    return rc != 0 ? rc : n;
}

struct blob {
    enum blob_kind kind;
    int64_t id;
    struct bytes *out;
};

static int do_blob(struct catalogue *c, void *arg, struct err *e)
{
    struct blob *b = arg;
    return blob_get(c, b->kind, b->id, b->out, e);
}

static int get_blob(struct catalogue *c, enum blob_kind kind, int64_t id, struct bytes *out,
                    const char *what, struct err *e)
{
    struct blob b = {kind, id, out};
    int rc = db_run(c, false, do_blob, &b, e);
    if (rc == 0)
        return err_set(e, ERR_NOTFOUND, "the catalogue has no %s of this item", what);
    return rc < 0 ? rc : 0;
}

int catalogue_manifest(struct catalogue *c, int64_t id, struct bytes *out, struct err *e)
{
    return get_blob(c, BLOB_MANIFEST, id, out, "manifest", e);
}

int catalogue_link(struct catalogue *c, int64_t id, struct bytes *out, struct err *e)
{
    return get_blob(c, BLOB_LINK, id, out, "link", e);
}

int catalogue_record_get(struct catalogue *c, int64_t id, struct bytes *out, struct err *e)
{
    return get_blob(c, BLOB_RECORD, id, out, "progress record", e);
}

struct progress {
    int64_t id, now;
    enum catalogue_state state;
    uint64_t have;
    struct bytes record;
};

static int do_record(struct catalogue *c, void *arg, struct err *e)
{
    struct progress *p = arg;
    struct catalogue_item it;
    int rc = row_by_id(c, p->id, &it, e);
    if (rc == 0)
        return not_found(e, "the item");
    if (rc < 0)
        return rc;
    it.state = p->state;
    it.have = p->have;
    it.updated = p->now;
    rc = row_update(c, &it, e);
    catalogue_item_fini(&it);
    return rc == 0 ? blob_put(c, BLOB_RECORD, p->id, p->record, e) : rc;
}

int catalogue_record_put(struct catalogue *c, int64_t id, enum catalogue_state state, uint64_t have,
                         struct bytes record, int64_t now, struct err *e)
{
    struct progress p = {.id = id, .now = now, .state = state, .have = have, .record = record};
    return db_run(c, true, do_record, &p, e);
}

struct traffic {
    int64_t id;
    uint64_t up, down;
};

/* Of an item that is still there: somebody may have removed it while it was being served. */
static int do_traffic(struct catalogue *c, void *arg, struct err *e)
{
    struct traffic *t = arg;
    struct catalogue_item it;
    int rc = row_by_id(c, t->id, &it, e);
    if (rc == 0)
        return not_found(e, "the item");
    if (rc < 0)
        return rc;
    catalogue_item_fini(&it);
    return row_add_traffic(c, t->id, t->up, t->down, e);
}

int catalogue_add_traffic(struct catalogue *c, int64_t id, uint64_t uploaded, uint64_t downloaded,
                          struct err *e)
{
    struct traffic t = {id, uploaded, downloaded};
    return db_run(c, true, do_traffic, &t, e);
}

struct together {
    int (*fn)(struct catalogue *c, void *arg, struct err *e);
    void *arg;
};

static int do_together(struct catalogue *c, void *arg, struct err *e)
{
    const struct together *t = arg;
    c->together = true;
    c->damaged = false;
    int rc = t->fn(c, t->arg, e);
    c->together = false;
    return c->damaged ? CATALOGUE_DAMAGED : rc;
}

int catalogue_together(struct catalogue *c,
                       int (*fn)(struct catalogue *c, void *arg, struct err *e), void *arg,
                       struct err *e)
{
    struct together t = {fn, arg};
    return db_run(c, true, do_together, &t, e);
}

static int do_remove(struct catalogue *c, void *arg, struct err *e)
{
    struct catalogue_item it;
    int64_t id = *(const int64_t *)arg;
    int rc = row_by_id(c, id, &it, e);
    if (rc == 0)
        return not_found(e, "the item");
    if (rc < 0)
        return rc;
    catalogue_item_fini(&it);
    return row_delete(c, id, e);
}

int catalogue_remove(struct catalogue *c, int64_t id, struct err *e)
{
    return db_run(c, true, do_remove, &id, e);
}

static int do_version(struct catalogue *c, void *arg, struct err *e)
{
    return number(c, ST_VERSION, arg, e);
}

bool catalogue_changed(struct catalogue *c)
{
    int64_t now = 0;
    if (db_run(c, false, do_version, &now, NULL) != 0)
        return false;
    bool changed = !c->seen || now != c->version;
    c->seen = true;
    c->version = now;
    return changed;
}
