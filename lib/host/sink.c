/*
 * Where a stream goes; see sink.h. A pipe is opened a second time by its name in /proc: that is a
 * description of our own, so that O_NONBLOCK is nobody else's. A socket can be asked not to wait
 * call by call. Of the rest, what waits does so shortly (files, /dev/null).
 */
#include <p2p/host/sink.h>

#include <p2p/base/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20) /* what a pipe may hold: 64 KiB are a switch of context each */
#define SLICES 64

struct sink {
    int fd;
    bool own, socket;
};

static int reopen(int fd)
{
    char *name = mem_fmt("/proc/self/fd/%d", fd);
    int own = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    free(name);
    return own;
}

struct sink *sink_new(int fd, struct err *e)
{
    struct stat st;
    struct sink *s;

    if (fstat(fd, &st) != 0) {
        err_os(e, errno, "standard output");
        return NULL;
    }
    s = mem_zero(sizeof *s);
    s->fd = fd;
    s->socket = S_ISSOCK(st.st_mode);
    if (S_ISFIFO(st.st_mode)) {
        int own = reopen(fd);

        s->own = own >= 0;
        s->fd = s->own ? own : fd;
        (void)fcntl(s->fd, F_SETPIPE_SZ, PIPE_BYTES); /* not allowed: it stays small */
    }
    return s;
}

void sink_free(struct sink *s)
{
    if (!s)
        return;
    if (s->own)
        close(s->fd);
    free(s);
}

int sink_fd(const struct sink *s)
{
    return s->fd;
}

static ssize_t write_once(const struct sink *s, struct iovec *v, size_t n)
{
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    ssize_t got;

    do
        got =
            s->socket ? sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) : writev(s->fd, v, (int)n);
    while (got < 0 && errno == EINTR);
    return got;
}

static struct iovec part_of(struct bytes b, size_t skip)
{
    union { /* writev takes what it does not change as if it did */
        const uint8_t *in;
        void *out;
    } p = {.in = b.p + skip};

    return (struct iovec){p.out, b.n - skip};
}

/* The next slices behind the first `skip` bytes. */
static size_t slices(struct iovec *to, const struct bytes *v, size_t n, uint64_t skip)
{
    size_t k = 0;

    for (size_t i = 0; i < n && k < SLICES; i++) {
        if (skip >= v[i].n) {
            skip -= v[i].n;
            continue;
        }
        to[k++] = part_of(v[i], (size_t)skip);
        skip = 0;
    }
    return k;
}

int64_t sink_write(struct sink *s, const struct bytes *v, size_t n, struct err *e)
{
    struct iovec to[SLICES];
    int64_t sum = 0;
    size_t k;

    while ((k = slices(to, v, n, (uint64_t)sum)) > 0) {
        ssize_t got = write_once(s, to, k);

        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got < 0)
            return err_os(e, errno, "standard output");
        sum += got;
    }
    return sum;
}
