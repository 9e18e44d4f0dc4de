/*
 * The control socket's two ends. The server is turned by the loop; the client blocks, because the
 * programs that ask have nothing else to do.
 */
#include <p2p/host/control.h>

#include <errno.h>
#include <fcntl.h>
#include <p2p/base/mem.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_CHUNK 16384
#define ACCEPT_PAUSE (USEC_SEC / 4) /* when there is no descriptor for another client */

struct control {
    struct loop *l;
    struct loop_watch *watch;
    int fd, folder;
    char *name; /* in the folder */
    void (*asked)(void *arg, struct bytes request, struct buf *answer);
    void *arg;
    struct list clients;
    struct loop_timer rest;
};

struct client {
    struct list_node node;
    struct control *of;
    struct loop_watch *watch;
    struct loop_timer stall;
    int fd;
    struct buf in, out;
    bool answering;
};

/* ---- where it is ---- */

/* The folder, opened; its descriptor lends the socket a short name. */
static int open_folder(const char *path, bool make, char **name, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_strn(path, slash > path ? (size_t)(slash - path) : 1) : mem_str(".");
    *name = mem_str(slash ? slash + 1 : path);
    if (make && mkdir(folder, 0700) && errno != EEXIST)
        err_os(e, errno, "cannot make %s", folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int os = errno;
        int code = err_os(e, os, "cannot open %s", folder);
        if (os == ENOENT && e)
            e->code = ERR_NOTFOUND;
        fd = os == ENOENT ? ERR_NOTFOUND : code;
    }
    free(folder);
    if (fd < 0) {
        free(*name);
        *name = NULL;
    }
    return fd;
}

static socklen_t name_in(struct sockaddr_un *un, int folder, const char *name)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/%s", folder, name);
    return n > 0 && (size_t)n < sizeof un->sun_path ? sizeof *un : 0;
}

/* Ours alone: other users could otherwise put a socket of theirs in its place. */
static int check_folder(int folder, const char *path, struct err *e)
{
    struct stat st;
    if (fstat(folder, &st))
        return err_os(e, errno, "cannot look at the folder of %s", path);
    if (st.st_uid != geteuid())
        return err_set(e, ERR_IO, "%s: its folder belongs to another user", path);
    if ((st.st_mode & 077) && fchmod(folder, 0700))
        return err_os(e, errno, "cannot close the folder of %s to others", path);
    return 0;
}

static int bind_in(int folder, const char *name, struct err *e)
{
    struct sockaddr_un un;
    char fresh[64];
    int fd = -1;
    snprintf(fresh, sizeof fresh, ".%s.new", name);
    socklen_t len = name_in(&un, folder, fresh);
    if (!len || strlen(name) + 6 > sizeof fresh)
        return err_set(e, ERR_IO, "%s: too long for the name of a socket", name);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(e, errno, "cannot make a control socket");
    unlinkat(folder, fresh, 0); /* of one that died between the two steps */
    if (fchmod(fd, 0600) /* the mode the name is born with */ ||
        bind(fd, (struct sockaddr *)&un, len) || listen(fd, CONTROL_CLIENTS) ||
        renameat(folder, fresh, folder, name)) {
        int code = err_os(e, errno, "cannot make the control socket %s", name);
        unlinkat(folder, fresh, 0);
        close(fd);
        return code;
    }
    return fd;
}

/* ---- server ---- */

static void watch_door(struct control *c)
{
    bool open = c->clients.count < CONTROL_CLIENTS && !loop_timer_is_set(&c->rest);
    loop_watch_want(c->watch, open, false);
}

static void on_rested(void *arg)
{
    watch_door(arg);
}

static void drop(struct client *k)
{
    struct control *c = k->of;
    loop_watch_free(k->watch);
    loop_timer_cancel(c->l, &k->stall);
    close(k->fd);
    buf_fini(&k->in);
    buf_fini(&k->out);
    list_remove(&c->clients, &k->node);
    free(k);
    watch_door(c);
}

static void on_stall(void *arg)
{
    drop(arg);
}

static void answer(struct client *k)
{
    while (buf_len(&k->out)) {
        struct bytes b = buf_bytes(&k->out);
        ssize_t r = send(k->fd, b.p, b.n, MSG_NOSIGNAL);
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
            loop_watch_want(k->watch, false, true);
            return;
        }
        if (r < 0)
            break;
        buf_eat(&k->out, (size_t)r);
        loop_timer_set(k->of->l, &k->stall, loop_now(k->of->l) + CONTROL_STALL);
    }
    drop(k);
}

static bool has(struct bytes b, int c)
{
    return b.n && memchr(b.p, c, b.n);
}

/* A whole line makes a request; a byte that no line has, or one byte too many, ends the talk. */
static void take_request(struct client *k)
{
    struct control *c = k->of;
    struct bytes b = buf_bytes(&k->in);
    const uint8_t *end = b.n ? memchr(b.p, '\n', b.n) : NULL;
    size_t n = end ? (size_t)(end - b.p) : b.n;
    struct bytes line = BYTES(b.p, n);
    if (has(line, 0) || has(line, '\r') || (!end && n >= CONTROL_REQUEST_MAX)) {
        drop(k);
    } else if (end) {
        k->answering = true;
        c->asked(c->arg, line, &k->out);
        buf_put_u8(&k->out, 0);
        answer(k);
    }
}

static void on_client(void *arg, bool in, bool out)
{
    struct client *k = arg;
    (void)in, (void)out;
    if (k->answering) {
        answer(k);
        return;
    }
    size_t room = CONTROL_REQUEST_MAX - buf_len(&k->in);
    room = room < READ_CHUNK ? room : READ_CHUNK;
    ssize_t r = recv(k->fd, buf_room(&k->in, room), room, 0);
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (r <= 0) {
        drop(k);
        return;
    }
    buf_added(&k->in, (size_t)r);
    take_request(k);
}

static bool is_ours(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
           (cred.uid == geteuid() || cred.uid == 0);
}

static void on_door(void *arg, bool in, bool out)
{
    struct control *c = arg;
    (void)in, (void)out;
    int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            loop_timer_set(c->l, &c->rest, loop_now(c->l) + ACCEPT_PAUSE);
            watch_door(c);
        }
        return;
    }
    struct client *k = mem_zero(sizeof *k);
    k->watch = is_ours(fd) ? loop_watch(c->l, fd, on_client, k, NULL) : NULL;
    if (!k->watch) {
        close(fd);
        free(k);
        return;
    }
    k->of = c;
    k->fd = fd;
    k->stall = (struct loop_timer){.fn = on_stall, .arg = k};
    list_push(&c->clients, &k->node);
    loop_timer_set(c->l, &k->stall, loop_now(c->l) + CONTROL_STALL);
    loop_watch_want(k->watch, true, false);
    watch_door(c);
}

struct control *control_listen(struct loop *l, const char *path,
                               void (*asked)(void *arg, struct bytes request, struct buf *answer),
                               void *arg, struct err *e)
{
    struct control *c = mem_zero(sizeof *c);
    *c = (struct control){.l = l, .fd = -1, .folder = -1, .asked = asked, .arg = arg};
    list_init(&c->clients);
    c->rest = (struct loop_timer){.fn = on_rested, .arg = c};
    c->folder = open_folder(path, true, &c->name, e);
    if (c->folder < 0 || check_folder(c->folder, path, e))
        goto failed;
    c->fd = bind_in(c->folder, c->name, e);
    if (c->fd < 0)
        goto failed;
    c->watch = loop_watch(l, c->fd, on_door, c, e);
    if (!c->watch)
        goto failed;
    watch_door(c);
    return c;
failed:
    control_free(c);
    return NULL;
}

void control_free(struct control *c)
{
    struct list_node *n;
    if (!c)
        return;
    while (c->watch && (n = list_first(&c->clients)))
        drop(LIST_OF(n, struct client, node));
    loop_timer_cancel(c->l, &c->rest);
    loop_watch_free(c->watch);
    if (c->fd >= 0) {
        unlinkat(c->folder, c->name, 0);
        close(c->fd);
    }
    if (c->folder >= 0)
        close(c->folder);
    free(c->name);
    free(c);
}

/* ---- client ---- */

static usec clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (usec)ts.tv_sec * USEC_SEC + ts.tv_nsec / 1000;
}

/* Waits for `events` until `end`. 0, or an errno. */
static int wait_for(int fd, short events, usec end)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        usec left = end - clock_now();
        if (left <= 0)
            return ETIMEDOUT;
        int ms = left / 1000 >= 60000 ? 60000 : (int)(left / 1000) + 1;
        int r = poll(&p, 1, ms);
        if (r > 0)
            return 0;
        if (r < 0 && errno != EINTR)
            return errno;
    }
}

static int connect_to(int fd, const char *path, usec end, struct err *e)
{
    struct sockaddr_un un;
    char *name;
    int os = 0, folder = open_folder(path, false, &name, e);
    if (folder < 0)
        return folder;
    socklen_t len = name_in(&un, folder, name);
    if (!len)
        os = ENAMETOOLONG;
    /* A full backlog says EAGAIN, and there is nothing to poll for. */
    while (len && connect(fd, (struct sockaddr *)&un, len) && (os = errno) == EAGAIN) {
        struct timespec pause = {.tv_nsec = 5000000};
        if (clock_now() >= end)
            break;
        nanosleep(&pause, NULL);
        os = 0;
    }
    close(folder);
    free(name);
    if (os == ENOENT || os == ECONNREFUSED)
        return err_set(e, ERR_NOTFOUND, "%s: nobody listens there", path);
    if (os == EAGAIN)
        return err_set(e, ERR_NET, "%s: no answer in time", path);
    return os ? err_os(e, os, "cannot connect to %s", path) : 0;
}

static int say(int fd, struct bytes b, usec end)
{
    while (b.n) {
        ssize_t r = send(fd, b.p, b.n, MSG_NOSIGNAL);
        int os = r >= 0 ? 0 : errno == EAGAIN ? wait_for(fd, POLLOUT, end) : errno;
        if (os && os != EINTR)
            return os;
        if (r > 0)
            b = BYTES(b.p + r, b.n - (size_t)r);
    }
    return 0;
}

/* Up to the other side's end. EPIPE if the answer was not whole. */
static int hear(int fd, struct buf *answer, usec end)
{
    for (;;) {
        uint8_t *to = buf_room(answer, READ_CHUNK);
        if (!to)
            return EMSGSIZE;
        ssize_t r = recv(fd, to, READ_CHUNK, 0);
        int os = r >= 0 ? 0 : errno == EAGAIN ? wait_for(fd, POLLIN, end) : errno;
        if (os && os != EINTR)
            return os;
        if (r > 0)
            buf_added(answer, (size_t)r);
        if (r == 0)
            break;
    }
    struct bytes b = buf_bytes(answer);
    if (!b.n || b.p[b.n - 1])
        return EPIPE;
    answer->tail--;
    return 0;
}

int control_ask(const char *path, struct bytes request, usec timeout, struct buf *answer,
                struct err *e)
{
    usec end = clock_now() + timeout;
    if (request.n >= CONTROL_REQUEST_MAX || has(request, '\n') || has(request, '\r') ||
        has(request, 0))
        return err_set(e, ERR_USAGE, "a request is one line of %u bytes at most",
                       CONTROL_REQUEST_MAX);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(e, errno, "cannot make a socket");
    buf_init(answer, CONTROL_ANSWER_MAX);
    int os = 0, code = connect_to(fd, path, end, e);
    if (!code)
        os = say(fd, request, end);
    if (!code && !os)
        os = say(fd, BYTES_LIT("\n"), end);
    if (!code && !os)
        os = hear(fd, answer, end);
    close(fd);
    if (os == EMSGSIZE)
        code = err_set(e, ERR_LIMIT, "%s: the answer is too long", path);
    else if (os)
        code = err_set(e, ERR_NET, "%s: %s", path,
                       os == ETIMEDOUT ? "no answer in time" : "the answer was cut short");
    if (code)
        buf_fini(answer);
    return code;
}
