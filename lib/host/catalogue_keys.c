/* Which items hold which files: an index by numbers that the caller makes of content. */
#include "host/catalogue_in.h"

struct keys {
    int64_t id;
    const struct catalogue_key *v;
    size_t n;
};

int keys_put(struct catalogue *c, int64_t id, const struct catalogue_key *v, size_t n,
             struct err *e)
{
    int rc = db_exec_id(c, ST_KEYS_DELETE, id, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        sqlite3_stmt *st = db_statement(c, ST_KEY_PUT, &rc, e);
        if (!st)
            return rc;
        sqlite3_bind_int64(st, 1, v[i].key);
        sqlite3_bind_int64(st, 2, id);
        sqlite3_bind_int64(st, 3, v[i].file);
        rc = db_exec(c, st, e);
    }
    return rc;
}

static int do_put(struct catalogue *c, void *arg, struct err *e)
{
    struct keys *k = arg;
    return keys_put(c, k->id, k->v, k->n, e);
}

int catalogue_keys_put(struct catalogue *c, int64_t id, const struct catalogue_key *v, size_t n,
                       struct err *e)
{
    struct keys k = {id, v, n};
    return db_run(c, true, do_put, &k, e);
}

struct holders {
    int64_t key;
    struct catalogue_holder *out;
    size_t most, n;
};

static int do_find(struct catalogue *c, void *arg, struct err *e)
{
    struct holders *h = arg;
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_BY_KEY, &rc, e);
    if (!st)
        return rc;
    sqlite3_bind_int64(st, 1, h->key);
    for (h->n = 0; h->n < h->most && (rc = sqlite3_step(st)) == SQLITE_ROW; h->n++)
        h->out[h->n] = (struct catalogue_holder){
            .id = sqlite3_column_int64(st, 0),
            .file = (uint32_t)sqlite3_column_int64(st, 1),
        };
    db_done(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_OK ? 0 : db_failed(c, rc, e);
}

int catalogue_holders(struct catalogue *c, int64_t key, struct catalogue_holder *out, size_t *n,
                      struct err *e)
{
    struct holders h = {.key = key, .out = out, .most = *n};
    int rc = db_run(c, false, do_find, &h, e);
    *n = rc == 0 ? h.n : 0;
    return rc;
}

/* What cannot be read is not worth repairing: it only saves fetching. */
void keys_carry(struct catalogue *from, struct catalogue *to, int64_t id)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(from, ST_KEYS_OF, &rc, NULL);
    if (!st)
        return;
    sqlite3_bind_int64(st, 1, id);
    while (sqlite3_step(st) == SQLITE_ROW) {
        sqlite3_stmt *put = db_statement(to, ST_KEY_PUT, &rc, NULL);
        if (!put)
            break;
        sqlite3_bind_int64(put, 1, sqlite3_column_int64(st, 0));
        sqlite3_bind_int64(put, 2, id);
        sqlite3_bind_int64(put, 3, sqlite3_column_int64(st, 1));
        db_exec(to, put, NULL);
    }
    db_done(st);
}
