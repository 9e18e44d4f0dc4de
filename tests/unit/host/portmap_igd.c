/*
 * Port mapping by UPnP, against devices that are made here: a small web server on loopback, in a
 * thread of its own, that knows as much of UPnP as a test wants it to, or far too much.
 */
#include "looptest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <p2p/base/mem.h>
#include <p2p/host/portmap.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OURS 6881
#define IGD (1u << PORTMAP_IGD)
#define REQUEST_MAX 8192
#define SERVICE "urn:schemas-upnp-org:service:WANIPConnection:1"

enum description {
    GOOD,
    ENDLESS,
    DRIPPING,
    TOO_LONG,
    GARBAGE,
    NO_SERVICE,
    EMPTY,
    MOVED,
    ELSEWHERE,
    UNCONNECTED
};

struct device {
    int fd, bell[2];
    uint16_t port;
    pthread_t thread;
    /* how it is; set before it starts */
    enum description description;
    int refusal;       /* error of AddPortMapping, */
    unsigned refusals; /* for so many of them */
    bool permanent;    /* knows no leases */
    bool foreign;      /* its mappings lead to somebody else */
    const char *external;
    bool neighbour; /* not on the gateway, but beside it */
    /* what happened; read after it has stopped */
    unsigned asked, added, removed, described;
    int map[4][2]; /* external port, 1 for UDP */
    char lease[16], client[64];
};

/* ---- the device ---- */

static void put(int fd, const char *s)
{
    size_t n = strlen(s);
    while (n > 0) {
        ssize_t k = send(fd, s, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        s += k;
        n -= (size_t)k;
    }
}

static void put_body(int fd, const char *status, const char *body)
{
    char *head = mem_fmt("HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %zu\r\n"
                         "Connection: close\r\n\r\n",
                         status, strlen(body));
    put(fd, head);
    put(fd, body);
    free(head);
}

static bool stopping(const struct device *d, int ms)
{
    struct pollfd p = {.fd = d->bell[0], .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

static void put_service(char *out, size_t size, const char *type, const char *control)
{
    snprintf(out, size,
             "<service><serviceType>%s</serviceType><serviceId>x</serviceId>"
             "<controlURL>%s</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/s</SCPDURL>"
             "</service>",
             type, control);
}

static char *description(const struct device *d)
{
    char ppp[1024] = "", ip[1024] = "", control[64] = "/ctl";
    if (d->description == ELSEWHERE)
        snprintf(control, sizeof control, "http://127.0.0.2:%u/ctl", d->port);
    if (d->description == UNCONNECTED)
        put_service(ppp, sizeof ppp, "urn:schemas-upnp-org:service:WANPPPConnection:1", "/off");
    if (d->description != NO_SERVICE)
        put_service(ip, sizeof ip, SERVICE, control);
    return mem_fmt("<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>"
                   "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>"
                   "<serviceList><service><serviceType>"
                   "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>"
                   "<controlURL>/cif</controlURL></service>%s%s</serviceList></device></root>",
                   ppp, ip);
}

static void describe(struct device *d, int fd)
{
    char *text;
    d->described++;
    switch (d->description) {
    case ENDLESS:
        put(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<root>");
        for (char b[4097] = ""; !stopping(d, 0); b[4096] = 0) {
            memset(b, 'x', 4096);
            if (send(fd, b, 4096, MSG_NOSIGNAL) <= 0)
                break;
        }
        return;
    case DRIPPING:
        put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (!stopping(d, 100) && send(fd, "x", 1, MSG_NOSIGNAL) == 1)
            continue;
        return;
    case TOO_LONG:
        put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2147483647\r\n\r\n<root>");
        return;
    case GARBAGE:
        put_body(fd, "200 OK", "<root><serviceType>\"<<>&&%s%n</controlURL></root><service>");
        return;
    case EMPTY:
        return;
    case MOVED:
        put(fd, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/x\r\nContent-Length: 0\r\n\r\n");
        return;
    default:
        text = description(d);
        put_body(fd, "200 OK", text);
        free(text);
    }
}

static void fault(int fd, int code)
{
    char *body = mem_fmt("<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>%d</errorCode>"
                         "<errorDescription>x</errorDescription></UPnPError></detail></s:Fault>"
                         "</s:Body></s:Envelope>",
                         code);
    put_body(fd, "500 Internal Server Error", body);
    free(body);
}

static void answer(int fd, const char *action, const char *values)
{
    char *body =
        mem_fmt("<?xml version=\"1.0\"?><s:Envelope><s:Body><u:%sResponse xmlns:u=\"" SERVICE
                "\">%s</u:%sResponse></s:Body></s:Envelope>",
                action, values, action);
    put_body(fd, "200 OK", body);
    free(body);
}

/* The text of an element of the request. */
static void value(const char *request, const char *element, char *out, size_t size)
{
    char open[64];
    snprintf(open, sizeof open, "<%s>", element);
    const char *p = strstr(request, open);
    size_t n = p ? strcspn(p + strlen(open), "<") : 0;
    snprintf(out, size, "%.*s", (int)n, p ? p + strlen(open) : "");
}

static int *find(struct device *d, const char *request)
{
    char port[16], proto[8];
    value(request, "NewExternalPort", port, sizeof port);
    value(request, "NewProtocol", proto, sizeof proto);
    for (size_t i = 0; i < 4; i++)
        if (d->map[i][0] == atoi(port) && d->map[i][1] == !strcmp(proto, "UDP"))
            return d->map[i];
    return NULL;
}

static void add(struct device *d, int fd, const char *request)
{
    char port[16], proto[8];
    value(request, "NewLeaseDuration", d->lease, sizeof d->lease);
    value(request, "NewInternalClient", d->client, sizeof d->client);
    value(request, "NewExternalPort", port, sizeof port);
    value(request, "NewProtocol", proto, sizeof proto);
    d->asked++;
    if (d->refusals > 0) {
        d->refusals--;
        fault(fd, d->refusal);
        return;
    }
    if (d->permanent && atoi(d->lease)) {
        fault(fd, 725);
        return;
    }
    d->map[d->added % 4][0] = atoi(port);
    d->map[d->added % 4][1] = !strcmp(proto, "UDP");
    d->added++;
    answer(fd, "AddPortMapping", "");
}

static void tell_entry(const struct device *d, int fd)
{
    char *v = mem_fmt("<NewInternalPort>%u</NewInternalPort><NewInternalClient>%s"
                      "</NewInternalClient><NewEnabled>1</NewEnabled>"
                      "<NewPortMappingDescription>x</NewPortMappingDescription>"
                      "<NewLeaseDuration>1</NewLeaseDuration>",
                      OURS, d->foreign ? "10.0.0.77" : "127.0.0.1");
    answer(fd, "GetSpecificPortMappingEntry", v);
    free(v);
}

static void control(struct device *d, int fd, const char *request)
{
    int *m;
    if (strstr(request, "#GetStatusInfo")) {
        answer(fd, "GetStatusInfo",
               strstr(request, "POST /off")
                   ? "<NewConnectionStatus>Disconnected</NewConnectionStatus>"
                   : "<NewConnectionStatus>Connected</NewConnectionStatus>");
    } else if (!strncmp(request, "POST /off", 9)) {
        fault(fd, 501);
    } else if (strstr(request, "#AddPortMapping")) {
        add(d, fd, request);
    } else if (strstr(request, "#GetExternalIPAddress")) {
        char *v = mem_fmt("<NewExternalIPAddress>%s</NewExternalIPAddress>", d->external);
        answer(fd, "GetExternalIPAddress", v);
        free(v);
    } else if (strstr(request, "#GetSpecificPortMappingEntry") && find(d, request)) {
        tell_entry(d, fd);
    } else if (strstr(request, "#DeletePortMapping") && (m = find(d, request)) != NULL) {
        m[0] = 0;
        d->removed++;
        answer(fd, "DeletePortMapping", "");
    } else {
        fault(fd, 714);
    }
}

static void serve(struct device *d, int fd)
{
    static char b[REQUEST_MAX];
    size_t n = 0, want = SIZE_MAX;
    struct timeval patience = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (n < want && n < sizeof b - 1) {
        ssize_t k = recv(fd, b + n, sizeof b - 1 - n, 0);
        if (k <= 0)
            break;
        b[n += (size_t)k] = 0;
        const char *end = strstr(b, "\r\n\r\n"), *length = strcasestr(b, "content-length:");
        if (end)
            want = (size_t)(end + 4 - b) + (length ? (size_t)atoi(length + 15) : 0);
    }
    if (n < want) /* whoever asked was ended meanwhile */
        return;
    if (!strncmp(b, "GET", 3))
        describe(d, fd);
    else
        control(d, fd, b);
}

static void *device_runs(void *arg)
{
    struct device *d = arg;
    struct pollfd p[2] = {{.fd = d->fd, .events = POLLIN}, {.fd = d->bell[0], .events = POLLIN}};
    while (poll(p, 2, -1) > 0 && !p[1].revents) {
        int fd = accept(d->fd, NULL, NULL);
        if (fd >= 0) {
            serve(d, fd);
            close(fd);
        }
    }
    return NULL;
}

static void device_start(struct device *d)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(d->description == ELSEWHERE ? INADDR_ANY
                               : d->neighbour              ? 0x7f000003
                                                           : INADDR_LOOPBACK);
    if (!d->external)
        d->external = "11.0.0.1";
    d->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(d->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(d->fd, 8), 0);
    assert_int_equal(getsockname(d->fd, (struct sockaddr *)&at, &len), 0);
    d->port = ntohs(at.sin_port);
    assert_int_equal(pipe(d->bell), 0);
    assert_int_equal(pthread_create(&d->thread, NULL, device_runs, d), 0);
}

static void device_stop(struct device *d)
{
    assert_int_equal(write(d->bell[1], "x", 1), 1);
    pthread_join(d->thread, NULL);
    close(d->fd);
    close(d->bell[0]);
    close(d->bell[1]);
}

/* ---- what we make of it ---- */

struct outcome {
    struct looptest t;
    struct portmap *map;
    unsigned told, closed;
    struct portmap_at last;
    char notice[500];
    char url[64];
};

static void on_mapped(void *arg, const struct portmap_at *at)
{
    struct outcome *o = arg;
    o->told++;
    o->last = *at;
    loop_stop(o->t.l);
}

static void on_notice(void *arg, const char *text)
{
    struct outcome *o = arg;
    strcpy(o->notice, text);
    if (strstr(text, "maps no port"))
        loop_stop(o->t.l);
}

static void on_closed(void *arg)
{
    struct outcome *o = arg;
    o->closed++;
    loop_stop(o->t.l);
}

static void begin(struct outcome *o, struct device *d)
{
    static const struct portmap_events events = {on_mapped, on_notice, on_closed};
    struct portmap_config c = {.tcp = OURS, .udp = OURS, .name = "test", .ways = IGD};
    *o = (struct outcome){0};
    looptest_open(&o->t);
    device_start(d);
    assert_true(addr_parse_ip(&c.gateway, "127.0.0.1", 0));
    snprintf(o->url, sizeof o->url, "http://127.0.0.%d:%u/root.xml", d->neighbour ? 3 : 1, d->port);
    c.igd = o->url;
    o->map = portmap_new(o->t.l, &c, &events, o);
}

static void end(struct outcome *o, struct device *d)
{
    portmap_free(o->map);
    looptest_close(&o->t);
    device_stop(d);
}

static void expect_mapped(const struct outcome *o)
{
    assert_int_equal(o->told, 1);
    assert_int_equal(o->last.way, PORTMAP_IGD);
    assert_int_equal(o->last.external.family, 4);
    assert_memory_equal(o->last.external.ip, "\x0b\0\0\1", 4);
    assert_int_equal(o->last.external.port, o->last.udp);
}

static void close_it(struct outcome *o)
{
    assert_true(portmap_close(o->map, 10 * USEC_SEC));
    looptest_run(&o->t);
    assert_int_equal(o->closed, 1);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct device d = {0};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    expect_mapped(&o);
    assert_int_equal(o.last.udp, OURS);
    close_it(&o);
    end(&o, &d);
    assert_int_equal(d.added, 2);
    assert_int_equal(d.removed, 2);
    assert_string_equal(d.client, "127.0.0.1");
    assert_int_equal(atoi(d.lease), PORTMAP_LEASE);
}

/* The second of its services is the one that is connected. */
static void test_second_service(void **state)
{
    (void)state;
    struct device d = {.description = UNCONNECTED};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    expect_mapped(&o);
    end(&o, &d);
}

static void test_taken(void **state)
{
    (void)state;
    struct device d = {.refusal = 718, .refusals = PORTMAP_PORT_TRIES - 1};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    expect_mapped(&o);
    assert_int_not_equal(o.last.udp, OURS);
    close_it(&o);
    end(&o, &d);
    assert_int_equal(d.removed, 2);
}

static void test_all_taken(void **state)
{
    (void)state;
    struct device d = {.refusal = 718, .refusals = 1000};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    assert_int_equal(o.told, 0);
    assert_non_null(strstr(o.notice, "UPnP: error 718"));
    end(&o, &d);
    assert_int_equal(d.asked, PORTMAP_PORT_TRIES);
}

static void test_refused(void **state)
{
    (void)state;
    static const int codes[] = {402, 501, 606, 724, 728, 99999};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct device d = {.refusal = codes[i], .refusals = 1000};
        struct outcome o;
        begin(&o, &d);
        looptest_run(&o.t);
        assert_int_equal(o.told, 0);
        assert_non_null(strstr(o.notice, codes[i] == 724 ? "our port is taken" : "UPnP: error"));
        end(&o, &d);
        assert_int_equal(d.asked, 1); /* another port would not help */
    }
}

/* Mapped for good, as it knows nothing else, and removed at the end all the same. */
static void test_permanent(void **state)
{
    (void)state;
    struct device d = {.permanent = true};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    expect_mapped(&o);
    close_it(&o);
    end(&o, &d);
    assert_int_equal(d.added, 2);
    assert_int_equal(d.removed, 2);
    assert_string_equal(d.lease, "0");
}

/* What leads to another host by now is not ours to remove. */
static void test_foreign(void **state)
{
    (void)state;
    struct device d = {.foreign = true};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    expect_mapped(&o);
    close_it(&o);
    end(&o, &d);
    assert_int_equal(d.removed, 0);
}

static void test_odd_external(void **state)
{
    (void)state;
    static const char *const external[] = {
        "",
        "0.0.0.0",
        "10.0.0.1",
        "router.example",
        "11.0.0.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
        "\x1b[31m",
        "127.0.0.1",
    };
    for (size_t i = 0; i < sizeof external / sizeof *external; i++) {
        struct device d = {.external = external[i]};
        struct outcome o;
        begin(&o, &d);
        looptest_run(&o.t);
        assert_int_equal(o.told, 1);
        assert_int_equal(o.last.external.family, 0);
        assert_int_equal(o.last.external.port, OURS);
        assert_null(strchr(o.notice, 0x1b));
        end(&o, &d);
    }
}

/* Whoever is not the gateway may hand on a port, but does not know our address. */
static void test_neighbour(void **state)
{
    (void)state;
    struct device d = {.neighbour = true};
    struct outcome o;
    begin(&o, &d);
    looptest_run(&o.t);
    assert_int_equal(o.told, 1);
    assert_int_equal(o.last.external.family, 0);
    assert_int_equal(o.last.external.port, OURS);
    end(&o, &d);
}

/* Descriptions that do not end, or lead elsewhere. What is bounded is time and memory. */
static void test_bad_descriptions(void **state)
{
    (void)state;
    static const enum description bad[] = {ENDLESS,    DRIPPING, TOO_LONG, GARBAGE,
                                           NO_SERVICE, EMPTY,    MOVED,    ELSEWHERE};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct device d = {.description = bad[i]};
        struct outcome o;
        begin(&o, &d);
        usec from = loop_now(o.t.l);
        looptest_run(&o.t);
        assert_true(loop_now(o.t.l) - from < PORTMAP_FIND_TIME + 4 * USEC_SEC);
        assert_int_equal(o.told, 0);
        assert_non_null(strstr(o.notice, "UPnP: no gateway in time"));
        end(&o, &d);
        assert_int_equal(d.described, 1);
        assert_int_equal(d.asked, 0);
    }
}

/* Ended at any moment, it leaves no process, and if it is asked to close, no mapping. */
static void test_ended_early(void **state)
{
    (void)state;
    for (usec us = 0; us < 16 * USEC_MS; us += USEC_MS) {
        struct device d = {0};
        struct outcome o;
        begin(&o, &d);
        looptest_run_for(&o.t, us);
        if (us % (2 * USEC_MS) && portmap_close(o.map, 10 * USEC_SEC)) {
            looptest_run(&o.t);
            assert_int_equal(o.closed, 1);
            device_stop(&d);
            assert_int_equal(d.removed, d.added);
            portmap_free(o.map);
            looptest_close(&o.t);
        } else {
            end(&o, &d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_second_service),
        cmocka_unit_test(test_taken),          cmocka_unit_test(test_all_taken),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_permanent),
        cmocka_unit_test(test_foreign),        cmocka_unit_test(test_odd_external),
        cmocka_unit_test(test_neighbour),      cmocka_unit_test(test_bad_descriptions),
        cmocka_unit_test(test_ended_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
