/*
 * Content from a stream. How long it will be nobody knows, and the piece length hangs on that, so
 * it is written first and hashed afterwards, out of the page cache as far as that reaches.
 */
#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>
#include <p2p/host/intake.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)
#define TICK_MS 100

static int make_file(struct intake_stream *s, const char *folder, struct err *e)
{
    s->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        s->temp = mem_fmt("%s/.p2p-add-XXXXXX", folder);
        s->fd = mkostemp(s->temp, O_CLOEXEC);
    }
    if (s->fd < 0)
        return err_os(e, errno, "%s", folder);
    s->path = mem_fmt("/proc/self/fd/%d", s->fd);
    return 0;
}

/* A silent pipe must not keep Ctrl-C waiting. */
int64_t intake_read(int in, const char *what, struct span to, bool (*tick)(void *, uint64_t),
                    void *arg, uint64_t bytes, struct err *e)
{
    for (;;) {
        struct pollfd p = {.fd = in, .events = POLLIN};
        int ready = poll(&p, 1, tick ? TICK_MS : -1);
        if (tick && !tick(arg, bytes))
            return err_set(e, ERR_CANCELED, "%s: stopped", what);
        if (ready <= 0)
            continue;
        ssize_t n = read(in, to.p, to.n);
        if (n >= 0)
            return n;
        if (errno != EINTR && errno != EAGAIN)
            return err_os(e, errno, "%s", what);
    }
}

int64_t intake_seek(int in, int64_t off, int whence)
{
    return lseek(in, off, whence);
}

static int copy_all(struct intake_stream *s, int in, const char *folder,
                    bool (*tick)(void *, uint64_t), void *arg, struct err *e)
{
    uint8_t *mem = mem_alloc(CHUNK);
    int64_t n;
    int rc = 0;
    while (rc == 0 && (n = intake_read(in, "standard input", (struct span){mem, CHUNK}, tick, arg,
                                        s->size, e)) != 0) {
        rc = n < 0 ? (int)n : fileio_write_all(s->fd, folder, BYTES(mem, (size_t)n), e);
        s->size += n < 0 ? 0 : (uint64_t)n;
    }
    free(mem);
    return rc;
}

int intake_stream(struct intake_stream *s, int in, struct bytes head, const char *folder,
                  bool (*tick)(void *arg, uint64_t bytes), void *arg, struct err *e)
{
    *s = (struct intake_stream){.fd = -1};
    int rc = make_file(s, folder, e);
    if (rc == 0)
        rc = fileio_write_all(s->fd, folder, head, e);
    s->size = head.n;
    if (rc == 0)
        rc = copy_all(s, in, folder, tick, arg, e);
    if (rc != 0)
        intake_stream_fini(s);
    return rc;
}

static int give_name(struct intake_stream *s, const char *path)
{
    if (s->temp)
        return rename(s->temp, path);
    if (unlink(path) != 0 && errno != ENOENT)
        return -1;
    return linkat(AT_FDCWD, s->path, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

int intake_stream_name(struct intake_stream *s, const char *path, struct err *e)
{
    char *folder = mem_strn(path, (size_t)(strrchr(path, '/') - path));
    int rc = fsync(s->fd) == 0 ? 0 : err_os(e, errno, "%s", path);
    if (rc == 0)
        rc = fileio_mkdirs(folder, 0700, e);
    if (rc == 0 && give_name(s, path) != 0)
        rc = err_os(e, errno, "%s", path);
    if (rc == 0) {
        free(s->temp);
        s->temp = NULL;
        rc = fileio_sync_folder(folder, e);
    }
    free(folder);
    return rc;
}

void intake_stream_fini(struct intake_stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    if (s->temp)
        unlink(s->temp);
    free(s->temp);
    free(s->path);
    *s = (struct intake_stream){.fd = -1};
}
