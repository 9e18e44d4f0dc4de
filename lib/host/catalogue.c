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

int catalogue_open(struct catalogue **out, const char *home, struct err *e)
{
    struct catalogue *c = mem_zero(sizeof *c);
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

struct put {
    const struct catalogue_item *it;
    struct bytes manifest, link;
    int64_t id;
};

/* Which of two rows of one item to keep: the one with more data. */
static bool is_better(const struct catalogue_item *a, const struct catalogue_item *b)
{
    if (a->state != b->state)
        return a->state > b->state;
    return a->have != b->have ? a->have > b->have : a->id < b->id;
}

/* Takes the row `drop` away and gives what only it had to `keep`. */
static int merge_rows(struct catalogue *c, struct catalogue_item *keep,
                      const struct catalogue_item *drop, struct err *e)
{
    static const enum blob_kind kinds[] = {BLOB_MANIFEST, BLOB_LINK};
    int rc = 0;
    for (int k = 0; k < 2 && rc == 0; k++) {
        struct bytes mine = {0}, theirs = {0};
        int have = blob_get(c, kinds[k], keep->id, &mine, e);
        int other = have == 0 ? blob_get(c, kinds[k], drop->id, &theirs, e) : 0;
        if (have < 0 || other < 0)
            rc = have < 0 ? have : other;
        else if (other == 1)
            rc = blob_put(c, kinds[k], keep->id, theirs, e);
        free((void *)(uintptr_t)mine.p);
        free((void *)(uintptr_t)theirs.p);
    }
    if (rc == 0)
        rc = row_add_traffic(c, keep->id, drop->uploaded, drop->downloaded, e);
    if (rc == 0)
        rc = row_delete(c, drop->id, e);
    if (drop->added < keep->added)
        keep->added = drop->added;
    return rc;
}

static bool hashes_differ(const struct catalogue_item *a, const struct catalogue_item *b)
{
    return (a->has_v1 && b->has_v1 && memcmp(a->v1, b->v1, sizeof a->v1) != 0) ||
           (a->has_v2 && b->has_v2 && memcmp(a->v2, b->v2, sizeof a->v2) != 0);
}

/* The row that `it` is about, after merging if there were two: 1, 0 if it is new. */
static int find_existing(struct catalogue *c, const struct catalogue_item *it,
                         struct catalogue_item *old, struct err *e)
{
    struct catalogue_item a = {0}, b = {0};
    int rc = 0;
    if (it->has_v1)
        rc = row_by_hash(c, ST_BY_V1, BYTES(it->v1, sizeof it->v1), &a, e);
    if (rc >= 0 && it->has_v2 && !a.has_v2)
        rc = row_by_hash(c, ST_BY_V2, BYTES(it->v2, sizeof it->v2), &b, e);
    if (rc >= 0 && (hashes_differ(&a, it) || hashes_differ(&b, it)))
        rc = err_set(e, ERR_INVALID, "the catalogue knows this hash with another second hash");
    if (rc >= 0 && a.id && b.id) {
        bool first = is_better(&a, &b);
        rc = merge_rows(c, first ? &a : &b, first ? &b : &a, e);
        catalogue_item_fini(first ? &b : &a);
    }
    if (rc < 0) {
        catalogue_item_fini(&a);
        catalogue_item_fini(&b);
        return rc;
    }
    *old = a.id ? a : b;
    return old->id != 0;
}

static void take_hashes(struct catalogue_item *to, const struct catalogue_item *from)
{
    if (from->has_v1)
        memcpy(to->v1, from->v1, sizeof to->v1);
    if (from->has_v2)
        memcpy(to->v2, from->v2, sizeof to->v2);
    to->has_v1 |= from->has_v1;
    to->has_v2 |= from->has_v2;
}

/* What the row is to say: what is new, over what was there. */
static struct catalogue_item overlay(const struct catalogue_item *old,
                                     const struct catalogue_item *it)
{
    struct catalogue_item r = *old;
    take_hashes(&r, it);
    r.updated = it->updated;
    if (it->state == CATALOGUE_LINK && old->state != CATALOGUE_LINK)
        return r;
    if (it->piece_size != 0) { /* a bare link does not know */
        r.format = it->format;
        r.is_private = it->is_private;
        r.size = it->size;
        r.piece_size = it->piece_size;
        r.pieces = it->pieces;
    }
    r.name = it->name.p ? it->name : old->name;
    r.path = it->path.p ? it->path : old->path;
    r.selection = it->selection.p ? it->selection : old->selection;
    r.state = it->state;
    r.where = it->where;
    r.have = it->have;
    return r;
}

static int put_row(struct catalogue *c, struct put *p, struct err *e)
{
    struct catalogue_item old = {0}, row;
    int rc = find_existing(c, p->it, &old, e);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        row = *p->it;
        row.id = 0;
        return row_insert(c, &row, &p->id, e);
    }
    row = overlay(&old, p->it);
    p->id = row.id;
    rc = row_update(c, &row, e);
    if (rc == 0 && !bytes_eq(row.path, old.path))
        rc = blob_delete(c, BLOB_RECORD, row.id, e);
    catalogue_item_fini(&old);
    return rc;
}

static int do_put(struct catalogue *c, void *arg, struct err *e)
{
    struct put *p = arg;
    int rc = put_row(c, p, e);
    if (rc == 0 && p->manifest.p)
        rc = blob_put(c, BLOB_MANIFEST, p->id, p->manifest, e);
    if (rc == 0 && p->link.p)
        rc = blob_put(c, BLOB_LINK, p->id, p->link, e);
    return rc;
}

int catalogue_put(struct catalogue *c, const struct catalogue_item *it, struct bytes manifest,
                  struct bytes link, int64_t *id, struct err *e)
{
    struct put p = {.it = it, .manifest = manifest, .link = link};
    if (!it->has_v1 && !it->has_v2)
        return err_set(e, ERR_USAGE, "an item of the catalogue needs a hash");
    int rc = db_run(c, true, do_put, &p, e);
    if (rc == 0 && id)
        *id = p.id;
    return rc;
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

static int do_count(struct catalogue *c, void *arg, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_COUNT, &rc, e);
    if (!st)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *(int64_t *)arg = sqlite3_column_int64(st, 0);
    rc = rc == SQLITE_ROW ? 0 : db_failed(c, rc, e);
    db_done(st);
    return rc;
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
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_VERSION, &rc, e);
    if (!st)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *(int64_t *)arg = sqlite3_column_int64(st, 0);
    rc = rc == SQLITE_ROW ? 0 : db_failed(c, rc, e);
    db_done(st);
    return rc;
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
