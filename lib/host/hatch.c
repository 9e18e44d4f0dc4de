/* A folder that is filled under a hidden name; see hatch.h. */
#include <p2p/host/hatch.h>

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/names.h>
#include <p2p/host/beneath.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define SHOWN 180u /* bytes of the final name in the hidden one */

struct hatch {
    struct beneath *above;
    char *name, *hidden, *inside; /* in the folder above */
    char *folder;                 /* `inside`, absolute */
    int fd;                       /* of `hidden`; locked */
};

/* Whoever had the lock may have given it its final name meanwhile. */
static bool is_still(const struct hatch *h)
{
    struct stat named, held;

    return beneath_stat(h->above, h->hidden, &named, NULL) == 0 && fstat(h->fd, &held) == 0 &&
           named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

/* Where anybody may make folders, one of ours is not to be filled that is somebody else's. */
static bool is_trap(const struct hatch *h)
{
    struct stat above, held;

    return fstat(beneath_fd(h->above), &above) == 0 && fstat(h->fd, &held) == 0 &&
           (above.st_mode & S_IWOTH) && held.st_uid != geteuid();
}

/* A file system without locks is no reason to fail. */
static int take(struct hatch *h, struct err *e)
{
    int rc = 0;

    h->fd = beneath_folder(h->above, h->hidden, true, e);
    if (h->fd < 0)
        return h->fd;
    if (is_trap(h))
        rc = err_os(e, EACCES, "%s: its hidden folder is somebody else's", h->name);
    else if ((flock(h->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) || !is_still(h))
        rc = err_set(e, ERR_LOCKED, "%s: something is being put there", h->name);
    if (rc < 0) { /* it is not ours to remove */
        close(h->fd);
        h->fd = -1;
    }
    return rc;
}

static int make(struct hatch *h, struct err *e)
{
    int fd = beneath_folder(h->above, h->inside, true, e);

    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

int hatch_new(struct hatch **out, const char *path, const char *key, struct err *e)
{
    struct hatch *h = mem_zero(sizeof *h);
    const char *name = strrchr(path, '/') + 1;
    char *above = mem_strn(path, (size_t)(name - path));
    struct stat st;
    int rc = names_component_ok(bytes_str(name))
                 ? fileio_mkdirs(above, 0777, e)
                 : err_set(e, ERR_USAGE, "%s: is no name for a folder", path);

    h->fd = -1;
    h->name = mem_str(name);
    h->hidden = mem_fmt(".%.*s.part", (int)text_utf8_cut(bytes_str(name), SHOWN), name);
    h->inside = mem_fmt("%s/%s", h->hidden, key);
    h->folder = mem_fmt("%s%s", above, h->inside);
    if (rc == 0)
        rc = beneath_open(&h->above, above, 0, e);
    if (rc == 0 && beneath_stat(h->above, name, &st, NULL) == 0)
        rc = err_set(e, ERR_IO,
                     "%s: is there already; move it away, or choose another place with -o", path);
    if (rc == 0)
        rc = take(h, e);
    if (rc == 0)
        rc = make(h, e);
    free(above);
    if (rc < 0) {
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
    char *from = inner ? mem_fmt("%s/%s", h->inside, inner) : mem_str(h->inside);
    struct err here = {0};
    int rc = beneath_rename(h->above, from, h->name, &here);

    free(from);
    return rc < 0 ? err_set(e, rc, "%s; it is whole in %s", here.msg, h->folder)
                  : beneath_sync_parent(h->above, h->name, e);
}

void hatch_free(struct hatch *h)
{
    if (!h)
        return;
    if (h->fd >= 0) {
        beneath_rmdir(h->above, h->inside, NULL);
        beneath_rmdir(h->above, h->hidden, NULL);
        close(h->fd);
    }
    beneath_free(h->above);
    free(h->name);
    free(h->hidden);
    free(h->inside);
    free(h->folder);
    free(h);
}
