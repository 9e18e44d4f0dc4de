/*
 * Rows of the catalogue. SQLite trusts its pages; a bit that flipped in one comes back as a value.
 * So each row carries a checksum of what it says, and one that does not fit is reported as damage.
 * Traffic has none: it is a figure, and nothing is decided by it.
 */
#include "host/catalogue_in.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

/* FNV-1a: any change within one byte, and so any single flipped bit, changes the sum. */
static uint64_t sum_bytes(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

static uint64_t sum_number(uint64_t h, uint64_t v)
{
    uint8_t b[8];
    put_be64(b, v);
    return sum_bytes(h, b, sizeof b);
}

/* With its length, so that the end of one field is not the beginning of the next. */
static uint64_t sum_field(uint64_t h, struct bytes b)
{
    return sum_bytes(sum_number(h, b.n), b.p, b.n);
}

static int64_t blob_sum(struct bytes b)
{
    return (int64_t)sum_field(0xcbf29ce484222325u, b);
}

static int64_t row_sum(const struct catalogue_item *it)
{
    const uint64_t numbers[] = {
        (uint64_t)it->state, it->format, it->where,          it->is_private,
        it->size,            it->piece_size, it->pieces,     it->have,
        (uint64_t)it->added, (uint64_t)it->updated,
    };
    uint64_t h = 0xcbf29ce484222325u;
    h = sum_field(h, BYTES(it->v1, it->has_v1 ? sizeof it->v1 : 0));
    h = sum_field(h, BYTES(it->v2, it->has_v2 ? sizeof it->v2 : 0));
    h = sum_field(h, it->name);
    h = sum_field(h, it->path);
    h = sum_field(h, it->selection);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        h = sum_number(h, numbers[i]);
    return (int64_t)h;
}

void catalogue_item_fini(struct catalogue_item *it)
{
    free(it->mem);
    memset(it, 0, sizeof *it);
}

static bool load_hash(sqlite3_stmt *st, int col, bool *has, uint8_t *out, int n)
{
    *has = false;
    if (sqlite3_column_type(st, col) == SQLITE_NULL)
        return true;
    const void *p = sqlite3_column_blob(st, col);
    if (!p || sqlite3_column_bytes(st, col) != n)
        return false;
    memcpy(out, p, (size_t)n);
    *has = true;
    return true;
}

/* Columns 3 to 5 behind one another in one piece of memory. */
static void load_texts(sqlite3_stmt *st, struct catalogue_item *it)
{
    struct bytes *to[] = {&it->name, &it->path, &it->selection};
    size_t n[3], sum = 0;
    const void *p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = sqlite3_column_blob(st, 3 + i);
        n[i] = p[i] ? (size_t)sqlite3_column_bytes(st, 3 + i) : 0;
        sum += n[i];
    }
    it->mem = mem_alloc(sum + 1);
    it->mem[sum] = 0;
    sum = 0;
    for (int i = 0; i < 3; i++) {
        if (n[i] > 0)
            memcpy(it->mem + sum, p[i], n[i]);
        *to[i] = BYTES(it->mem + sum, n[i]);
        sum += n[i];
    }
}

static uint64_t figure(sqlite3_stmt *st, int col)
{
    int64_t v = sqlite3_column_int64(st, col);
    return v > 0 ? (uint64_t)v : 0;
}

static bool load_row(sqlite3_stmt *st, struct catalogue_item *it)
{
    memset(it, 0, sizeof *it);
    it->id = sqlite3_column_int64(st, 0);
    if (!load_hash(st, 1, &it->has_v1, it->v1, sizeof it->v1) ||
        !load_hash(st, 2, &it->has_v2, it->v2, sizeof it->v2))
        return false;
    load_texts(st, it);
    it->state = (enum catalogue_state)sqlite3_column_int(st, 6);
    it->format = (unsigned)sqlite3_column_int64(st, 7);
    it->where = (unsigned)sqlite3_column_int64(st, 8);
    it->is_private = sqlite3_column_int64(st, 9) == 1;
    it->size = (uint64_t)sqlite3_column_int64(st, 10);
    it->piece_size = (uint64_t)sqlite3_column_int64(st, 11);
    it->pieces = (uint64_t)sqlite3_column_int64(st, 12);
    it->have = (uint64_t)sqlite3_column_int64(st, 13);
    it->added = sqlite3_column_int64(st, 14);
    it->updated = sqlite3_column_int64(st, 15);
    it->uploaded = figure(st, 17);
    it->downloaded = figure(st, 18);
    it->has_manifest = sqlite3_column_int(st, 19);
    return (it->has_v1 || it->has_v2) && row_sum(it) == sqlite3_column_int64(st, 16);
}

int row_next(struct catalogue *c, sqlite3_stmt *st, struct catalogue_item *out, struct err *e)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return db_failed(c, rc, e);
    if (load_row(st, out))
        return 1;
    catalogue_item_fini(out);
    return CATALOGUE_DAMAGED;
}

int row_only(struct catalogue *c, sqlite3_stmt *st, struct catalogue_item *out, struct err *e)
{
    int rc = row_next(c, st, out, e);
    db_done(st);
    return rc;
}

int row_by_id(struct catalogue *c, int64_t id, struct catalogue_item *out, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_BY_ID, &rc, e);
    if (!st)
        return rc;
    sqlite3_bind_int64(st, 1, id);
    return row_only(c, st, out, e);
}

/* An index with a flipped bit leads to another row. */
int row_by_hash(struct catalogue *c, enum statement which, struct bytes hash,
                struct catalogue_item *out, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, which, &rc, e);
    if (!st)
        return rc;
    db_bind_bytes(st, 1, hash);
    rc = row_only(c, st, out, e);
    if (rc != 1)
        return rc;
    bool fits = which == ST_BY_V1 ? out->has_v1 && memcmp(out->v1, hash.p, hash.n) == 0
                                  : out->has_v2 && memcmp(out->v2, hash.p, hash.n) == 0;
    if (fits)
        return 1;
    catalogue_item_fini(out);
    return CATALOGUE_DAMAGED;
}

static int store_row(struct catalogue *c, enum statement which, const struct catalogue_item *it,
                     struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, which, &rc, e);
    if (!st)
        return rc;
    const int64_t numbers[] = {
        (int64_t)it->state,  it->format, it->where,          it->is_private,
        (int64_t)it->size,   (int64_t)it->piece_size,        (int64_t)it->pieces,
        (int64_t)it->have,   it->added,  it->updated,        row_sum(it),
    };
    if (it->id > 0) /* else NULL: SQLite gives the next one */
        sqlite3_bind_int64(st, 1, it->id);
    if (it->has_v1)
        db_bind_bytes(st, 2, BYTES(it->v1, sizeof it->v1));
    if (it->has_v2)
        db_bind_bytes(st, 3, BYTES(it->v2, sizeof it->v2));
    db_bind_bytes(st, 4, it->name);
    db_bind_bytes(st, 5, it->path);
    db_bind_bytes(st, 6, it->selection);
    for (int i = 0; i < (int)(sizeof numbers / sizeof *numbers); i++)
        sqlite3_bind_int64(st, 7 + i, numbers[i]);
    return db_exec(c, st, e);
}

int row_insert(struct catalogue *c, const struct catalogue_item *it, int64_t *id, struct err *e)
{
    int rc = store_row(c, ST_INSERT, it, e);
    if (rc == 0)
        *id = sqlite3_last_insert_rowid(c->db);
    return rc;
}

int row_update(struct catalogue *c, const struct catalogue_item *it, struct err *e)
{
    return store_row(c, ST_UPDATE, it, e);
}

int row_delete(struct catalogue *c, int64_t id, struct err *e)
{
    int rc = db_exec_id(c, ST_DELETE, id, e);
    if (rc == 0)
        rc = db_exec_id(c, ST_TRAFFIC_DELETE, id, e);
    if (rc == 0)
        rc = keys_put(c, id, NULL, 0, e);
    for (int k = 0; k < BLOB_KINDS && rc == 0; k++)
        rc = blob_delete(c, (enum blob_kind)k, id, e);
    return rc;
}

int row_add_traffic(struct catalogue *c, int64_t id, uint64_t up, uint64_t down, struct err *e)
{
    const uint64_t most = (uint64_t)1 << 60; /* a sum past 2^63 would become a floating number */
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, ST_TRAFFIC_ADD, &rc, e);
    if (!st)
        return rc;
    sqlite3_bind_int64(st, 1, id);
    sqlite3_bind_int64(st, 2, (int64_t)(up < most ? up : most));
    sqlite3_bind_int64(st, 3, (int64_t)(down < most ? down : most));
    return db_exec(c, st, e);
}

int blob_get(struct catalogue *c, enum blob_kind kind, int64_t id, struct bytes *out,
             struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, (enum statement)(ST_BLOB_GET + kind), &rc, e);
    if (!st)
        return rc;
    sqlite3_bind_int64(st, 1, id);
    rc = sqlite3_step(st);
    int got = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_failed(c, rc, e);
    if (got == 1) {
        const void *p = sqlite3_column_blob(st, 0);
        struct bytes b = BYTES(p, p ? (size_t)sqlite3_column_bytes(st, 0) : 0);
        if (blob_sum(b) != sqlite3_column_int64(st, 1))
            got = CATALOGUE_DAMAGED;
        else
            *out = BYTES(mem_strn(b.n ? (const char *)b.p : "", b.n), b.n);
    }
    db_done(st);
    return got;
}

int blob_put(struct catalogue *c, enum blob_kind kind, int64_t id, struct bytes b, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, (enum statement)(ST_BLOB_PUT + kind), &rc, e);
    if (!st)
        return rc;
    sqlite3_bind_int64(st, 1, id);
    db_bind_bytes(st, 2, b);
    sqlite3_bind_int64(st, 3, blob_sum(b));
    return db_exec(c, st, e);
}

int blob_delete(struct catalogue *c, enum blob_kind kind, int64_t id, struct err *e)
{
    return db_exec_id(c, (enum statement)(ST_BLOB_DELETE + kind), id, e);
}
