/* The catalogue's file: opening, schema, statements, errors, transactions. */
#include "host/catalogue_in.h"

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/host/lock.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * "p2p" and the version once more: a file without it is not one of ours, and no single flipped bit
 * makes a file look as if it came from a newer program.
 */
#define APPLICATION(version) (0x70327000 + (version))

/*
 * One step a version, never changed once it is released. Names and paths are blobs because they
 * need not be text. Manifests are apart from the items so that listing does not read through them.
 * AUTOINCREMENT: an id is never given twice.
 */
static const char *const steps[] = {
    "CREATE TABLE items(id INTEGER PRIMARY KEY AUTOINCREMENT, v1 BLOB UNIQUE, v2 BLOB UNIQUE,"
    " name BLOB NOT NULL, path BLOB NOT NULL, selection BLOB NOT NULL, state INTEGER NOT NULL,"
    " format INTEGER NOT NULL, place INTEGER NOT NULL, private INTEGER NOT NULL,"
    " size INTEGER NOT NULL, piece_size INTEGER NOT NULL, pieces INTEGER NOT NULL,"
    " have INTEGER NOT NULL, added INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " sum INTEGER NOT NULL);"
    "CREATE INDEX items_name ON items(name);"
    "CREATE TABLE traffic(item INTEGER PRIMARY KEY, up INTEGER NOT NULL, down INTEGER NOT NULL);"
    "CREATE TABLE manifests(item INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE links(item INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE records(item INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL);",
    "CREATE INDEX items_path ON items(path);",
    "CREATE TABLE keys(key INTEGER NOT NULL, item INTEGER NOT NULL, file INTEGER NOT NULL,"
    " PRIMARY KEY(key, item, file)) WITHOUT ROWID;"
    "CREATE INDEX keys_item ON keys(item);",
};
#define VERSION ((int)(sizeof steps / sizeof *steps))

#define ROWS \
    "SELECT i.id, i.v1, i.v2, i.name, i.path, i.selection, i.state, i.format, i.place, i.private," \
    " i.size, i.piece_size, i.pieces, i.have, i.added, i.updated, i.sum, t.up, t.down," \
    " EXISTS(SELECT 1 FROM manifests m WHERE m.item = i.id)" \
    " FROM items i LEFT JOIN traffic t ON t.item = i.id "
#define BLOBS(verb, rest) verb " manifests " rest, verb " links " rest, verb " records " rest

static const char *const sql[STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_VERSION] = "PRAGMA data_version",
    [ST_COUNT] = "SELECT count(*) FROM items",
    [ST_BY_ID] = ROWS "WHERE i.id = ?1",
    [ST_BY_V1] = ROWS "WHERE i.v1 = ?1",
    [ST_BY_V2] = ROWS "WHERE i.v2 = ?1",
    [ST_BY_NAME] = ROWS "WHERE i.name = ?1 ORDER BY i.id LIMIT 9",
    [ST_BY_PATH] = ROWS "WHERE i.path = ?1 AND i.id < ?2 ORDER BY i.id DESC LIMIT 1",
    [ST_V1_RANGE] = ROWS "WHERE i.v1 BETWEEN ?1 AND ?2 ORDER BY i.v1 LIMIT 9",
    [ST_V2_RANGE] = ROWS "WHERE i.v2 BETWEEN ?1 AND ?2 ORDER BY i.v2 LIMIT 9",
    [ST_PAGE] = ROWS "WHERE i.id > ?1 ORDER BY i.id LIMIT 256",
    [ST_INSERT] = "INSERT INTO items(id, v1, v2, name, path, selection, state, format, place,"
                  " private, size, piece_size, pieces, have, added, updated, sum)"
                  " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
    [ST_UPDATE] = "UPDATE items SET v1=?2, v2=?3, name=?4, path=?5, selection=?6, state=?7,"
                  " format=?8, place=?9, private=?10, size=?11, piece_size=?12, pieces=?13,"
                  " have=?14, added=?15, updated=?16, sum=?17 WHERE id=?1",
    [ST_DELETE] = "DELETE FROM items WHERE id = ?1",
    [ST_TRAFFIC_ADD] = "INSERT INTO traffic(item, up, down) VALUES(?1, ?2, ?3)"
                       " ON CONFLICT(item) DO UPDATE SET up = up + ?2, down = down + ?3",
    [ST_TRAFFIC_DELETE] = "DELETE FROM traffic WHERE item = ?1",
    [ST_KEY_PUT] = "INSERT OR REPLACE INTO keys(key, item, file) VALUES(?1, ?2, ?3)",
    [ST_KEYS_DELETE] = "DELETE FROM keys WHERE item = ?1",
    [ST_KEYS_OF] = "SELECT key, file FROM keys WHERE item = ?1",
    [ST_BY_KEY] = "SELECT item, file FROM keys WHERE key = ?1 ORDER BY item DESC",
    [ST_BLOB_GET] = BLOBS("SELECT data, sum FROM", "WHERE item = ?1"),
    [ST_BLOB_PUT] = BLOBS("INSERT OR REPLACE INTO", "VALUES(?1, ?2, ?3)"),
    [ST_BLOB_DELETE] = BLOBS("DELETE FROM", "WHERE item = ?1"),
};

int db_failed(struct catalogue *c, int rc, struct err *e)
{
    int os = c->db ? sqlite3_system_errno(c->db) : 0;
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* every caller looks first: an index has lied */
        return CATALOGUE_DAMAGED;
    case SQLITE_FULL:
        return err_os(e, ENOSPC, "%s", c->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, ERR_LOCKED, "%s: another program has been using it for too long",
                       c->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return err_os(e, os ? os : EIO, "%s", c->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_os(e, os ? os : EACCES, "%s", c->path);
    default:
        return err_set(e, ERR_FAIL, "%s: %s", c->path, sqlite3_errstr(rc));
    }
}

sqlite3_stmt *db_statement(struct catalogue *c, enum statement which, int *rc, struct err *e)
{
    if (!c->st[which]) {
        int got = sqlite3_prepare_v3(c->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                     &c->st[which], NULL);
        /* A plain error is a table or column that is not there: bits of the schema have changed. */
        if (got != SQLITE_OK) {
            *rc = got == SQLITE_ERROR ? CATALOGUE_DAMAGED : db_failed(c, got, e);
            return NULL;
        }
    }
    return c->st[which];
}

void db_done(sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

int db_exec(struct catalogue *c, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);
    int out = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_failed(c, rc, e);
    db_done(st);
    return out;
}

int db_exec_simple(struct catalogue *c, enum statement which, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, which, &rc, e);
    return st ? db_exec(c, st, e) : rc;
}

int db_exec_id(struct catalogue *c, enum statement which, int64_t id, struct err *e)
{
    int rc = 0;
    sqlite3_stmt *st = db_statement(c, which, &rc, e);
    if (!st)
        return rc;
    sqlite3_bind_int64(st, 1, id);
    return db_exec(c, st, e);
}

/* Never NULL, which the columns do not take. */
void db_bind_bytes(sqlite3_stmt *st, int i, struct bytes b)
{
    sqlite3_bind_blob64(st, i, b.n ? (const void *)b.p : "", b.n, SQLITE_STATIC);
}

void page_drop(struct catalogue *c)
{
    while (c->page_at < c->page_n)
        catalogue_item_fini(&c->page[c->page_at++]);
    c->page_at = c->page_n = 0;
}

void db_close(struct catalogue *c)
{
    page_drop(c);
    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(c->st[i]);
        c->st[i] = NULL;
    }
    sqlite3_close(c->db);
    c->db = NULL;
    free(c->page);
    c->page = NULL;
}

static int pragma_int(struct catalogue *c, const char *text, int64_t *out, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(c->db, text, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    if ((rc & 0xff) == SQLITE_ERROR) /* "unsupported file format": a head that says nonsense */
        return CATALOGUE_DAMAGED;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_failed(c, rc, e);
}

/* Several statements at once, as one transaction. */
static int apply(struct catalogue *c, int from, struct err *e)
{
    char tail[96];
    int rc = sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int i = from; i < VERSION && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(c->db, steps[i], NULL, NULL, NULL);
    snprintf(tail, sizeof tail, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             APPLICATION(VERSION), VERSION);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->db, tail, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    int out = db_failed(c, rc, e);
    sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return out;
}

/* A whole file of ours has its marks; `make` is for one that is just being made. */
static int check_schema(struct catalogue *c, bool make, struct err *e)
{
    int64_t application = 0, version = 0;
    int rc = pragma_int(c, "PRAGMA application_id", &application, e);
    if (rc == 0)
        rc = pragma_int(c, "PRAGMA user_version", &version, e);
    if (rc != 0)
        return rc;
    if (make)
        return apply(c, 0, e);
    if (application != APPLICATION(version) || version <= 0)
        return CATALOGUE_DAMAGED;
    if (version > VERSION)
        return err_set(e, ERR_FAIL, "%s: made by a newer version of this program (%lld)", c->path,
                       (long long)version);
    return version < VERSION ? apply(c, (int)version, e) : 0;
}

/*
 * WAL where the file system can; where it cannot (no shared memory on a network file system) SQLite
 * stays with its rollback journal, which is as safe and only slower. One that is being made has not
 * its name yet: it is synced once, when it is whole (finish_new).
 */
static int set_up(struct catalogue *c, bool make, struct err *e)
{
    int64_t none;
    sqlite3_busy_timeout(c->db, CATALOGUE_WAIT_MS);
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    int rc = pragma_int(c, "PRAGMA cell_size_check=ON", &none, e);
    if (rc == 0)
        rc = pragma_int(c, make ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", &none, e);
    if (rc == 0 && !c->frozen)
        rc = pragma_int(c, "PRAGMA journal_mode=WAL", &none, e);
    return rc;
}

/* SQLite notices pages that are missing, but reads what is missing of the last one as zeros. */
static int check_size(struct catalogue *c, uint64_t size, struct err *e)
{
    int64_t page = 0;
    int rc = pragma_int(c, "PRAGMA page_size", &page, e);
    return rc == 0 && page > 0 && size % (uint64_t)page != 0 ? CATALOGUE_DAMAGED : rc;
}

/* Without locks and without what goes beside the file, which cannot be made there. */
static int open_frozen(struct catalogue *c, const char *path)
{
    struct buf uri = {0};
    buf_put_str(&uri, "file:");
    text_percent(&uri, bytes_str(path), "/");
    buf_put_str(&uri, "?immutable=1");
    char *text = buf_take_str(&uri);
    int rc = sqlite3_open_v2(text, &c->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX, NULL);
    free(text);
    return rc;
}

int db_open_file(struct catalogue *c, const char *path, bool make, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_os(e, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_IO, "%s: not a file", path);
    c->dev = st.st_dev;
    c->ino = st.st_ino;
    if (!make && st.st_size == 0) /* it gets its name only with something in it */
        return CATALOGUE_DAMAGED;
    int rc = c->frozen ? open_frozen(c, path)
                       : sqlite3_open_v2(path, &c->db,
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
    rc = rc == SQLITE_OK ? set_up(c, make, e) : db_failed(c, rc, e);
    if (rc == 0)
        rc = check_schema(c, make, e);
    if (rc == 0 && !make)
        rc = check_size(c, (uint64_t)st.st_size, e);
    if (rc == 0 && sqlite3_db_readonly(c->db, "main") == 1 && access(path, W_OK) == 0)
        rc = CATALOGUE_DAMAGED; /* the marks in its head that say how it may be opened */
    if (rc != 0)
        db_close(c);
    return rc;
}

/* The lock is held: opens the file, making or repairing it. */
static int open_locked(struct catalogue *c, struct err *e)
{
    struct stat st;
    int rc = 0;
    if (stat(c->path, &st) != 0 && errno == ENOENT)
        rc = repair_make_new(c, e);
    if (rc == 0)
        rc = db_open_file(c, c->path, false, e);
    if (rc != CATALOGUE_DAMAGED)
        return rc;
    rc = repair_file(c, e);
    return rc == 0 ? db_open_file(c, c->path, false, e) : rc;
}

/* A journal that was left there cannot be applied: without it, old rows would be told as new. */
static bool has_journal(const struct catalogue *c)
{
    struct stat st;
    char *path = mem_fmt("%s-wal", c->path);
    bool yes = stat(path, &st) == 0 && st.st_size > 0;
    free(path);
    return yes;
}

int db_open(struct catalogue *c, struct err *e)
{
    struct lock *lock = NULL;
    struct stat st;
    struct err why = {0};
    if (stat(c->home, &st) != 0) /* taking the lock would make it */
        return err_os(e, errno, "%s", c->home);
    int rc = lock_wait(&lock, c->home, CATALOGUE_LOCK, CATALOGUE_WAIT_MS, &why);
    c->frozen = rc < 0 && c->reads && why.os == EROFS && !has_journal(c);
    if (c->frozen)
        rc = db_open_file(c, c->path, false, e);
    else if (rc < 0 && e)
        *e = why;
    else if (rc == 0)
        rc = open_locked(c, e);
    lock_free(lock);
    if (rc == CATALOGUE_DAMAGED)
        rc = err_set(e, ERR_IO, "%s: damaged, and so is the one made in its place", c->path);
    return rc;
}

/* Another program found damage and put a new file in its place: this one is history. */
static bool was_replaced(const struct catalogue *c)
{
    struct stat st;
    return stat(c->path, &st) != 0 || st.st_dev != c->dev || st.st_ino != c->ino;
}

static int repair_and_reopen(struct catalogue *c, struct err *e)
{
    struct lock *lock = NULL;
    int rc = lock_wait(&lock, c->home, CATALOGUE_LOCK, CATALOGUE_WAIT_MS, e);
    if (rc != 0)
        return rc;
    bool replaced = was_replaced(c);
    db_close(c);
    if (!replaced)
        rc = repair_file(c, e);
    if (rc == 0)
        rc = open_locked(c, e);
    lock_free(lock);
    return rc;
}

static int run_once(struct catalogue *c, bool writes, db_work *work, void *arg, struct err *e)
{
    int rc = writes ? db_exec_simple(c, ST_BEGIN, e) : 0;
    if (rc != 0)
        return rc;
    rc = work(c, arg, e);
    if (writes && rc >= 0) {
        int end = db_exec_simple(c, ST_COMMIT, e);
        rc = end != 0 ? end : rc;
    }
    if (!sqlite3_get_autocommit(c->db))
        db_exec_simple(c, ST_ROLLBACK, NULL);
    return rc;
}

int db_run(struct catalogue *c, bool writes, db_work *work, void *arg, struct err *e)
{
    int rc = 0;
    if (writes)
        page_drop(c);
    if (c->together) {
        rc = work(c, arg, e);
        c->damaged |= rc == CATALOGUE_DAMAGED;
        return rc;
    }
    if (c->db && was_replaced(c))
        db_close(c);
    if (!c->db) { /* replaced, or a repair failed earlier for want of space */
        c->seen = false;
        rc = db_open(c, e);
    }
    if (rc == 0)
        rc = run_once(c, writes, work, arg, e);
    if (rc == CATALOGUE_DAMAGED) {
        c->seen = false;
        rc = repair_and_reopen(c, e);
        if (rc == 0)
            rc = run_once(c, writes, work, arg, e);
    }
    if (rc == CATALOGUE_DAMAGED)
        rc = err_set(e, ERR_IO, "%s: damaged", c->path);
    return rc;
}
