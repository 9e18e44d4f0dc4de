/*
 * Port mapping by itself, for the tests of this folder: mapper WAYS TCP UDP LEASE [LOOK]. WAYS is a
 * sum of 1 (PCP), 2 (NAT-PMP) and 4 (UPnP); LOOK is how often the route is looked at, in seconds.
 * Prints a line for whatever happens: "mapped", the way, the external address, its ports; "notice"
 * and words; "closed". SIGTERM closes; then it ends.
 */
#include <p2p/host/portmap.h>
#include <p2p/host/term.h>

#include <stdio.h>
#include <stdlib.h>

static const char *const way_name[PORTMAP_WAYS] = {
    [PORTMAP_PCP] = "PCP", [PORTMAP_NATPMP] = "NAT-PMP", [PORTMAP_IGD] = "UPnP"};
static struct portmap *map;
static struct loop *loop;
static struct loop_watch *stopping;

static void mapped(void *arg, const struct portmap_at *at)
{
    char text[ADDR_TEXT] = "-";

    (void)arg;
    if (at->external.family)
        addr_ip_text(&at->external, text);
    printf("mapped %s %s %u %u\n", way_name[at->way], text, at->external.port, at->udp);
}

static void notice(void *arg, const char *text)
{
    (void)arg;
    printf("notice %s\n", text);
}

static void closed(void *arg)
{
    (void)arg;
    puts("closed");
    loop_stop(loop);
}

static void stop(void *arg, bool in, bool out)
{
    (void)arg, (void)in, (void)out;
    loop_watch_want(stopping, false, false); /* it stays readable */
    if (!portmap_close(map, 5 * USEC_SEC))
        loop_stop(loop);
}

int main(int argc, char **argv)
{
    static const struct portmap_events events = {mapped, notice, closed};
    struct portmap_config c = {.name = "p2p test"};
    struct err e = {0};

    if (argc < 5 || argc > 6)
        return 2;
    c.ways = (unsigned)atoi(argv[1]);
    c.tcp = (uint16_t)atoi(argv[2]);
    c.udp = (uint16_t)atoi(argv[3]);
    c.lease = (uint32_t)atoi(argv[4]);
    if (argc == 6)
        c.look = atoi(argv[5]) * USEC_SEC;
    setvbuf(stdout, NULL, _IOLBF, 0);
    term_signals();
    loop = loop_new(&e);
    stopping = loop ? loop_watch(loop, term_stop_fd(), stop, NULL, &e) : NULL;
    if (!stopping) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    loop_watch_want(stopping, true, false);
    map = portmap_new(loop, &c, &events, NULL);
    loop_run(loop);
    portmap_free(map);
    loop_watch_free(stopping);
    loop_free(loop);
    return 0;
}
