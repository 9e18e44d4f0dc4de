/*
 * Inside of the catalogue. catalogue.c: what callers ask for. catalogue_put.c: an item put over
 * what was there. catalogue_row.c: rows to items and back, with their checksums. catalogue_db.c:
 * the file, its schema, statements and errors. catalogue_keys.c: files by their content.
 * catalogue_repair.c: what happens when the file is damaged.
 */
#ifndef LIB_HOST_CATALOGUE_IN_H
#define LIB_HOST_CATALOGUE_IN_H

#include <p2p/host/catalogue.h>

#include <sqlite3.h>
#include <sys/types.h>

/* Inside only: what the file says cannot be true. db_run repairs it and tries again. */
#define CATALOGUE_DAMAGED (-100)
#define CATALOGUE_LOCK "catalogue" /* held while the file is opened, made or replaced */
#define CATALOGUE_WAIT_MS 10000
#define CATALOGUE_PAGE 256

enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_VERSION, /* data_version */
    ST_COUNT,
    ST_BY_ID,
    ST_BY_V1,
    ST_BY_V2,
    ST_BY_NAME,
    ST_BY_PATH,
    ST_V1_RANGE,
    ST_V2_RANGE,
    ST_PAGE,
    ST_INSERT,
    ST_UPDATE,
    ST_DELETE,
    ST_TRAFFIC_ADD,
    ST_TRAFFIC_DELETE,
    ST_KEY_PUT,
    ST_KEYS_DELETE,
    ST_KEYS_OF,
    ST_BY_KEY,
    ST_BLOB_GET, /* three each, in the order of enum blob_kind */
    ST_BLOB_PUT = ST_BLOB_GET + 3,
    ST_BLOB_DELETE = ST_BLOB_PUT + 3,
    STATEMENTS = ST_BLOB_DELETE + 3
};

enum blob_kind { BLOB_MANIFEST, BLOB_LINK, BLOB_RECORD, BLOB_KINDS };

struct catalogue {
    bool reads;  /* only that is needed */
    bool frozen; /* on a read-only file system: read as it is */
    char *home, *path;
    sqlite3 *db;
    sqlite3_stmt *st[STATEMENTS]; /* prepared when first used */
    dev_t dev; /* of the file that is open: another program may have replaced it */
    ino_t ino;
    char *notice;
    bool seen;
    int64_t version; /* data_version when it was last asked */
    struct catalogue_item *page; /* CATALOGUE_PAGE of them, or NULL */
    size_t page_at, page_n;
    int64_t page_after; /* the id before page[page_at] */
    bool together;      /* inside catalogue_together, */
    bool damaged;       /* which found damage */
};

/* catalogue_db.c */
int db_open_file(struct catalogue *c, const char *path, bool make, struct err *e);
void db_close(struct catalogue *c);
/* The file is locked, opened, and unlocked. */
int db_open(struct catalogue *c, struct err *e);
int db_failed(struct catalogue *c, int rc, struct err *e); /* from an SQLite result */
sqlite3_stmt *db_statement(struct catalogue *c, enum statement which, int *rc, struct err *e);
/* Runs one that gives no rows, and resets it. */
int db_exec(struct catalogue *c, sqlite3_stmt *st, struct err *e);
int db_exec_simple(struct catalogue *c, enum statement which, struct err *e);
int db_exec_id(struct catalogue *c, enum statement which, int64_t id, struct err *e);
void db_done(sqlite3_stmt *st);
void db_bind_bytes(sqlite3_stmt *st, int i, struct bytes b);
void page_drop(struct catalogue *c);

typedef int db_work(struct catalogue *c, void *arg, struct err *e);
/* Runs `work` (in a transaction that writes, if it does), after repairing the file if need be. */
int db_run(struct catalogue *c, bool writes, db_work *work, void *arg, struct err *e);

/* catalogue_keys.c */
int keys_put(struct catalogue *c, int64_t id, const struct catalogue_key *v, size_t n,
             struct err *e);
void keys_carry(struct catalogue *from, struct catalogue *to, int64_t id);

/* catalogue_repair.c. The lock is held. */
int repair_file(struct catalogue *c, struct err *e);
/* Makes a file with schema and nothing in it, at its name only once it is whole. */
int repair_make_new(struct catalogue *c, struct err *e);

/* catalogue_row.c */
/* Next row of a statement as an owned item: 1, 0 at the end (*out untouched), or an error. */
int row_next(struct catalogue *c, sqlite3_stmt *st, struct catalogue_item *out, struct err *e);
/* The one row of a bound statement: as row_next, and the statement is reset. */
int row_only(struct catalogue *c, sqlite3_stmt *st, struct catalogue_item *out, struct err *e);
int row_by_id(struct catalogue *c, int64_t id, struct catalogue_item *out, struct err *e);
int row_by_hash(struct catalogue *c, enum statement which, struct bytes hash,
                struct catalogue_item *out, struct err *e);
/* id 0: a new one, returned through *id. */
int row_insert(struct catalogue *c, const struct catalogue_item *it, int64_t *id, struct err *e);
int row_update(struct catalogue *c, const struct catalogue_item *it, struct err *e);
int row_delete(struct catalogue *c, int64_t id, struct err *e); /* and all that hangs on it */
int row_add_traffic(struct catalogue *c, int64_t id, uint64_t up, uint64_t down, struct err *e);
/* 1 and an owned copy, 0 if there is none. */
int blob_get(struct catalogue *c, enum blob_kind kind, int64_t id, struct bytes *out,
             struct err *e);
int blob_put(struct catalogue *c, enum blob_kind kind, int64_t id, struct bytes b, struct err *e);
int blob_delete(struct catalogue *c, enum blob_kind kind, int64_t id, struct err *e);

#endif
