/* A folder that is filled under a hidden name; see hatch.h. */
#include <p2p/host/hatch.h>

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/host/beneath.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define SHOWN 180u /* bytes of the final name in the hidden one */

struct hatch {
    struct beneath *above;
    char *name, *hidden; /* in the folder above */
    char *folder;
    int fd; /* locked */
};

static int taken(const char *path, struct err *e)
{
    return err_set(e, ERR_IO, "%s: is there already; move it away, or choose another place with -o",
                   path);
}

/* Whoever had the lock may have given it its final name meanwhile. */
static bool is_still(const struct hatch *h)
{
    struct stat named, held;

    return beneath_stat(h->above, h->hidden, &named, NULL) == 0 && fstat(h->fd, &held) == 0 &&
           named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

/* A file system without locks is no reason to fail. */
static int take(struct hatch *h, struct err *e)
{
    h->fd = beneath_folder(h->above, h->hidden, true, e);
    if (h->fd < 0)
        return h->fd;
    if ((flock(h->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) || !is_still(h))
        return err_set(e, ERR_LOCKED, "%s: another program is filling it", h->folder);
    return 0;
}

int hatch_new(struct hatch **out, const char *path, const char *key, struct err *e)
{
    struct hatch *h = mem_zero(sizeof *h);
    const char *name = strrchr(path, '/') + 1;
    char *above = mem_strn(path, (size_t)(name - path));
    struct stat st;
    int rc = fileio_mkdirs(above, 0777, e);

    h->fd = -1;
    h->name = mem_str(name);
    h->hidden = mem_fmt(".%.*s.%s.part", (int)text_utf8_cut(bytes_str(name), SHOWN), name, key);
    h->folder = mem_fmt("%s%s", above, h->hidden);
    if (rc == 0)
        rc = beneath_open(&h->above, above, 0, e);
    if (rc == 0 && beneath_stat(h->above, name, &st, NULL) == 0)
        rc = taken(path, e);
    if (rc == 0)
        rc = take(h, e);
    free(above);
    if (rc < 0) {
        if (rc == ERR_LOCKED && h->fd >= 0) { /* it is not ours to remove */
            close(h->fd);
            h->fd = -1;
        }
        hatch_free(h);
        return rc;
    }
    *out = h;
    return 0;
}

const char *hatch_folder(const struct hatch *h)
{
    return h->folder;
}

int hatch_open(struct hatch *h, const char *inner, struct err *e)
{
    char *from = inner ? mem_fmt("%s/%s", h->hidden, inner) : mem_str(h->hidden);
    struct err here = {0};
    int rc = beneath_rename(h->above, from, h->name, &here);

    free(from);
    if (rc < 0 && here.os == EEXIST)
        return taken(h->name, e);
    if (rc < 0) {
        if (e)
            *e = here;
        return rc;
    }
    return beneath_sync_parent(h->above, h->name, e);
}

void hatch_free(struct hatch *h)
{
    if (!h)
        return;
    if (h->fd >= 0) {
        beneath_rmdir(h->above, h->hidden, NULL);
        close(h->fd);
    }
    beneath_free(h->above);
    free(h->name);
    free(h->hidden);
    free(h->folder);
    free(h);
}
