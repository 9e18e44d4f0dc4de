/*
 * A long road between two network namespaces: a rate, a delay and a queue, for kernels without
 * netem. In each namespace there is a tun device `road`; what goes into one comes out of the other.
 *
 *      road SPACE SPACE MBIT MS [QUEUE_MS]
 *
 * SPACE is a name of `ip netns`, or a path as in /proc/PID/ns/net. MS is one way. The queue (100 ms
 * by default) is what waits for the line; more is lost. Segments pass as large as the kernel makes
 * them, so that a gigabit costs little, and take the time of the Ethernet frames that they would be
 * on the line: of 1538 bytes 1448 are payload. It says `ready` when the devices are there, and runs
 * until it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HEAD sizeof(struct virtio_net_hdr)
#define PACKET_MAX (HEAD + 65536)
#define FRAME 38 /* preamble, header, checksum and gap of Ethernet */
#define NSEC INT64_C(1000000000)
#define MSEC INT64_C(1000000)

struct packet {
    struct packet *next;
    int64_t due;
    size_t n;
    uint8_t bytes[];
};

struct lane { /* one way */
    int in, out;
    int64_t free_at; /* when the line has sent all that waits for it */
    struct packet *first, **end;
};

static int64_t line_rate, delay, queue; /* bytes a second, nanoseconds */

static void die(const char *what)
{
    fprintf(stderr, "road: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NSEC + t.tv_nsec;
}

/* The descriptor belongs to the namespace in which it was opened, wherever the process is. */
static int device(const char *space)
{
    char path[256];
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    snprintf(path, sizeof path, "%s%s", strchr(space, '/') ? "" : "/run/netns/", space);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET))
        die(path);
    close(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    strcpy(r.ifr_name, "road");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4))
        die("tun device");
    return fd;
}

/* Bytes on the line: the kernel would have cut a large segment, with headers before each part. */
static int64_t on_line(const uint8_t *packet, size_t n)
{
    struct virtio_net_hdr h;
    memcpy(&h, packet, HEAD);
    const uint8_t *ip = packet + HEAD;
    size_t whole = n - HEAD, ip_head = (ip[0] & 15u) * 4, frames = 1, heads = 0;
    if (h.gso_size && whole > ip_head + 20) {
        heads = ip_head + (ip[ip_head + 12] >> 4) * 4u;
        frames = (whole - heads + h.gso_size - 1) / h.gso_size;
    }
    return (int64_t)(whole + (frames - 1) * heads + frames * FRAME);
}

static void take(struct lane *l)
{
    static uint8_t room[PACKET_MAX];
    ssize_t n;
    while ((n = read(l->in, room, sizeof room)) > 0) {
        int64_t t = now(), start = l->free_at > t ? l->free_at : t;
        if (start - t > queue)
            continue;
        l->free_at = start + on_line(room, (size_t)n) * NSEC / line_rate;
        struct packet *p = malloc(sizeof *p + (size_t)n);
        if (!p)
            die("memory");
        *p = (struct packet){.due = l->free_at + delay, .n = (size_t)n};
        memcpy(p->bytes, room, (size_t)n);
        *l->end = p;
        l->end = &p->next;
    }
}

/* Nanoseconds until the next is due; -1: none. */
static int64_t give(struct lane *l)
{
    int64_t t = now();
    while (l->first && l->first->due <= t) {
        struct packet *p = l->first;
        if (write(l->out, p->bytes, p->n) < 0 && errno == EAGAIN)
            return MSEC;
        l->first = p->next;
        if (!l->first)
            l->end = &l->first;
        free(p);
    }
    return l->first ? l->first->due - t : -1;
}

static void run(struct lane l[2])
{
    for (;;) {
        struct pollfd p[2] = {{.fd = l[0].in, .events = POLLIN}, {.fd = l[1].in, .events = POLLIN}};
        int64_t a = give(&l[0]), b = give(&l[1]);
        int64_t wait = a < 0 || (b >= 0 && b < a) ? b : a;
        struct timespec t = {.tv_sec = wait / NSEC, .tv_nsec = wait % NSEC};
        if (ppoll(p, 2, wait < 0 ? NULL : &t, NULL) < 0 && errno != EINTR)
            die("poll");
        take(&l[0]);
        take(&l[1]);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("usage: road SPACE SPACE MBIT MS [QUEUE_MS]\n", stderr);
        return 2;
    }
    int a = device(argv[1]), b = device(argv[2]);
    struct lane l[2] = {{.in = a, .out = b}, {.in = b, .out = a}};
    l[0].end = &l[0].first;
    l[1].end = &l[1].first;
    line_rate = atoll(argv[3]) * 125000;
    delay = atoll(argv[4]) * MSEC;
    queue = (argc > 5 ? atoll(argv[5]) : 100) * MSEC;
    puts("ready");
    fflush(stdout);
    run(l);
    return 0;
}
