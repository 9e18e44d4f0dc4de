/* Content from a stream, in a file that has no name before all of it is there. */
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

int intake_stream_new(struct intake_stream *s, const char *folder, struct err *e)
{
    *s = (struct intake_stream){.fd = -1};
    s->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        s->temp = mem_fmt("%s/.p2p-add-XXXXXX", folder);
        s->fd = mkostemp(s->temp, O_CLOEXEC);
    }
    if (s->fd < 0)
        return err_os(e, errno, "%s", folder);
    s->folder = mem_str(folder);
    s->path = mem_fmt("/proc/self/fd/%d", s->fd);
    return 0;
}

int intake_stream_put(struct intake_stream *s, struct bytes b, struct err *e)
{
    int rc = fileio_write_all(s->fd, s->folder, b, e);

    s->size += rc == 0 ? b.n : 0;
    return rc;
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

int intake_stream(struct intake_stream *s, int in, struct bytes head, const char *folder,
                  bool (*tick)(void *arg, uint64_t bytes), void *arg, struct err *e)
{
    int rc = intake_stream_new(s, folder, e);
    uint8_t *mem = mem_alloc(CHUNK);
    int64_t n = 1;

    if (rc == 0)
        rc = intake_stream_put(s, head, e);
    while (rc == 0 && n > 0) {
        n = intake_read(in, "standard input", (struct span){mem, CHUNK}, tick, arg, s->size, e);
        rc = n < 0 ? (int)n : intake_stream_put(s, BYTES(mem, (size_t)n), e);
    }
    free(mem);
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
    free(s->folder);
    *s = (struct intake_stream){.fd = -1};
}
