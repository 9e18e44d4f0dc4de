/*
 * A catalogue that is damaged: cut short, overwritten, or with bits that flipped. What can be read
 * and whose checksum fits is copied into a new file; then the old one gets the name .damaged-N and
 * the new one takes its place. A crash in between leaves the old file where it was, to be repaired
 * again. The lock CATALOGUE_LOCK is held all the time.
 *
 * The old file's -wal must be out of the way before the new file has the name, or SQLite would play
 * it into the new one.
 */
#include "host/catalogue_in.h"

#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MISSES_MAX 5000 /* ids in a row that give nothing, past the greatest that is known */
#define ID_SENSIBLE 10000000
#define NAMES_MAX 10000

static void remove_with_tails(const char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char *name = mem_fmt("%s%s", path, tails[i]);
        unlink(name);
        free(name);
    }
}

/* An empty catalogue under a name of its own, open in *n. Links in it may hold passkeys: 0600. */
static int begin_new(const struct catalogue *c, struct catalogue *n, struct err *e)
{
    memset(n, 0, sizeof *n);
    n->path = mem_fmt("%s.new", c->path);
    remove_with_tails(n->path);
    int fd = open(n->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_os(e, errno, "%s", n->path);
    close(fd);
    return db_open_file(n, n->path, true, e);
}

/* Closing writes everything back into the file itself and removes its -wal. */
static int finish_new(struct catalogue *n, struct err *e)
{
    db_close(n);
    int fd = open(n->path, O_RDWR | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? err_os(e, errno, "%s", n->path) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

static void abandon_new(struct catalogue *n)
{
    db_close(n);
    if (n->path)
        remove_with_tails(n->path);
    free(n->path);
}

static int put_in_place(const struct catalogue *c, const struct catalogue *n, struct err *e)
{
    if (rename(n->path, c->path) != 0)
        return err_os(e, errno, "%s", c->path);
    return fileio_sync_folder(c->home, e);
}

int repair_make_new(struct catalogue *c, struct err *e)
{
    struct catalogue n;
    char *wal = mem_fmt("%s-wal", c->path);
    int rc = begin_new(c, &n, e);
    if (rc == 0)
        rc = finish_new(&n, e);
    unlink(wal); /* of a catalogue that somebody removed */
    free(wal);
    if (rc == 0)
        rc = put_in_place(c, &n, e);
    abandon_new(&n);
    return rc;
}

static bool carry_blobs(struct catalogue *from, struct catalogue *to, int64_t id)
{
    bool all = true;
    for (int k = 0; k < BLOB_KINDS; k++) {
        struct bytes b = {0};
        int rc = blob_get(from, (enum blob_kind)k, id, &b, NULL);
        if (rc == 1)
            all &= blob_put(to, (enum blob_kind)k, id, b, NULL) == 0;
        all &= rc >= 0;
        free((void *)(uintptr_t)b.p);
    }
    return all;
}

struct saved {
    uint64_t items, lost; /* lost: rows that are there and cannot be trusted, whole or in part */
};

static int carry_item(struct catalogue *from, struct catalogue *to, int64_t id, struct saved *s,
                      struct err *e)
{
    struct catalogue_item it;
    int64_t same;
    int rc = row_by_id(from, id, &it, NULL);
    if (rc == 0)
        return 0;
    if (rc != 1 || it.id != id) {
        if (rc == 1)
            catalogue_item_fini(&it);
        s->lost++;
        return 0;
    }
    rc = row_insert(to, &it, &same, e);
    if (rc == CATALOGUE_DAMAGED) { /* a second row of the same hash */
        s->lost++;
        rc = 0;
        goto out;
    }
    if (rc == 0 && (it.uploaded || it.downloaded))
        rc = row_add_traffic(to, id, it.uploaded, it.downloaded, e);
    if (rc == 0) {
        s->items++;
        if (!carry_blobs(from, to, id))
            s->lost++;
        keys_carry(from, to, id);
    }
out:
    catalogue_item_fini(&it);
    return rc;
}

/* The greatest id ever given, 0 if the table that knows cannot be read. */
static int64_t greatest_id(struct catalogue *from)
{
    sqlite3_stmt *st = NULL;
    int64_t id = 0;
    if (sqlite3_prepare_v2(from->db, "SELECT seq FROM sqlite_sequence WHERE name = 'items'", -1,
                           &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        id = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return id > 0 && id < ID_SENSIBLE ? id : 0;
}

/* Each row is asked for by its number: the way to one may be sound where a scan would stop. */
static int carry_over(struct catalogue *from, struct catalogue *to, struct saved *s, struct err *e)
{
    int64_t known = greatest_id(from), misses = 0;
    int rc = 0;
    if (!db_statement(from, ST_BY_ID, &rc, NULL))
        return 0; /* nothing in it can be read at all */
    rc = db_exec_simple(to, ST_BEGIN, e);
    for (int64_t id = 1; rc == 0 && (id <= known || misses < MISSES_MAX); id++) {
        uint64_t before = s->items;
        rc = carry_item(from, to, id, s, e);
        misses = s->items > before ? 0 : misses + 1;
    }
    if (rc == 0)
        rc = db_exec_simple(to, ST_COMMIT, e);
    return rc;
}

/* Opened as it is, whatever its marks say; closing it must not write into it. */
static int open_damaged(const struct catalogue *c, struct catalogue *from)
{
    from->path = c->path;
    int rc = sqlite3_open_v2(c->path, &from->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
                             NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(from->db, CATALOGUE_WAIT_MS);
        sqlite3_db_config(from->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    return rc;
}

/* The first free name. A second name first, where there are hard links: never a moment without. */
static char *set_aside(const struct catalogue *c, struct err *e)
{
    for (int i = 1; i <= NAMES_MAX; i++) {
        char *name = mem_fmt("%s.damaged-%d", c->path, i);
        if (link(c->path, name) == 0)
            return name;
        if (errno != EEXIST && renameat2(AT_FDCWD, c->path, AT_FDCWD, name, RENAME_NOREPLACE) == 0)
            return name;
        int why = errno;
        free(name);
        if (why != EEXIST) {
            err_os(e, why, "%s", c->path);
            return NULL;
        }
    }
    err_set(e, ERR_IO, "%s: too many damaged ones beside it", c->path);
    return NULL;
}

static void move_tails(const struct catalogue *c, const char *aside)
{
    static const char *const tails[] = {"-wal", "-journal"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char *from = mem_fmt("%s%s", c->path, tails[i]), *to = mem_fmt("%s%s", aside, tails[i]);
        rename(from, to);
        free(from);
        free(to);
    }
    char *shm = mem_fmt("%s-shm", c->path); /* an index of the -wal, made anew from it */
    unlink(shm);
    free(shm);
}

static void tell(struct catalogue *c, const char *aside, const struct saved *s)
{
    const char *slash = strrchr(aside, '/');
    free(c->notice);
    c->notice = mem_fmt("%s: was damaged; it is kept as %s, and %llu items were carried over%s",
                        c->path, slash ? slash + 1 : aside, (unsigned long long)s->items,
                        s->lost ? " (not everything could be read)" : "");
}

int repair_file(struct catalogue *c, struct err *e)
{
    struct catalogue n, from = {0};
    struct saved s = {0};
    char *aside = NULL;
    int rc = begin_new(c, &n, e);
    if (rc == 0 && open_damaged(c, &from) == SQLITE_OK)
        rc = carry_over(&from, &n, &s, e);
    db_close(&from);
    if (rc == 0)
        rc = finish_new(&n, e);
    if (rc == 0 && !(aside = set_aside(c, e)))
        rc = ERR_IO;
    if (rc == 0) {
        move_tails(c, aside);
        rc = put_in_place(c, &n, e);
    }
    if (rc == 0)
        tell(c, aside, &s);
    free(aside);
    abandon_new(&n);
    return rc;
}
