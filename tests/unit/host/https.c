/* HTTPS: whom it trusts, and that it never leads to http. Needs the openssl program; without it
 * there is nothing to talk to, and the tests say that they were skipped. */
#include "httpd.h"

#include <fcntl.h>
#include <p2p/host/http.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct server { /* openssl's own, in a folder whose files it serves as whole answers */
    pid_t pid;
    FILE *out;
    unsigned port;
};

static char folder[] = "/tmp/p2p-https-XXXXXX";
static char ca[64];

static void put_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int make_certificate(void **state)
{
    char cmd[600];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(ca, sizeof ca, "%s/cert.pem", folder);
    snprintf(cmd, sizeof cmd,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 "
             "-keyout %s/key.pem -out %s >/dev/null 2>&1",
             folder, ca);
    if (system(cmd))
        *ca = 0;
    return 0;
}

static int remove_folder(void **state)
{
    char cmd[100];
    (void)state;
    snprintf(cmd, sizeof cmd, "rm -r %s", folder);
    return system(cmd);
}

static void start(struct server *s, const char *version)
{
    int fd[2];
    char line[200];
    if (!*ca)
        skip();
    assert_int_equal(pipe(fd), 0);
    s->pid = fork();
    if (s->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(fd[1], 1);
        dup2(null, 2);
        if (chdir(folder))
            _exit(1);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem",
               "-key", "key.pem", "-HTTP", "-cipher", "ALL:@SECLEVEL=0", version, (char *)NULL);
        _exit(1);
    }
    close(fd[1]);
    s->out = fdopen(fd[0], "r");
    s->port = 0;
    while (!s->port && fgets(line, sizeof line, s->out))
        sscanf(line, "ACCEPT 127.0.0.1:%u", &s->port);
    assert_true(s->port > 0);
}

static void stop(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    fclose(s->out);
}

struct got {
    struct looptest *t;
    int code, status;
    char body[100], why[500];
};

static void on_done(void *owner, int code, const struct http_head *h, struct bytes body,
                    const struct err *e)
{
    struct got *g = owner;
    g->code = code;
    g->status = h->status;
    snprintf(g->body, sizeof g->body, "%.*s", (int)body.n, (const char *)body.p);
    snprintf(g->why, sizeof g->why, "%s", e->msg);
    loop_stop(g->t->l);
}

static struct got fetch(const char *url, bool trusting)
{
    struct looptest t;
    looptest_open(&t);
    struct http *h = http_new(t.l, "test/1");
    if (trusting)
        http_set_ca(h, ca);
    struct got g = {.t = &t};
    struct http_request r = {.url = url};
    http_fetch(h, &r, on_done, &g);
    looptest_run(&t);
    http_free(h);
    looptest_close(&t);
    return g;
}

static struct got fetch_from(struct server *s, const char *host, const char *path, bool trusting)
{
    char url[300];
    snprintf(url, sizeof url, "https://%s:%u%s", host, s->port, path);
    return fetch(url, trusting);
}

static void test_verified(void **state)
{
    (void)state;
    struct server s;
    put_file("page", "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsecure");
    start(&s, "-tls1_2");
    struct got g = fetch_from(&s, "127.0.0.1", "/page", true);
    assert_int_equal(g.code, 0);
    assert_string_equal(g.body, "secure");
    g = fetch_from(&s, "127.0.0.1", "/page", false); /* an authority nobody knows */
    assert_int_equal(g.code, ERR_NET);
    assert_string_equal(g.body, "");
    g = fetch_from(&s, "localhost", "/page", true); /* a name that it is not for */
    assert_int_equal(g.code, ERR_NET);
    stop(&s);
}

static void test_old_tls_is_refused(void **state)
{
    (void)state;
    struct server s;
    put_file("page", "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsecure");
    start(&s, "-tls1_1");
    struct got g = fetch_from(&s, "127.0.0.1", "/page", true);
    assert_int_equal(g.code, ERR_NET);
    stop(&s);
}

static void test_never_down_to_http(void **state)
{
    (void)state;
    struct server s;
    struct got g;
    put_file("down", "HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                     "Content-Length: 0\r\n\r\n");
    start(&s, "-tls1_3");
    g = fetch_from(&s, "127.0.0.1", "/down", true);
    assert_int_equal(g.code, ERR_INVALID);
    assert_non_null(strstr(g.why, "https to http"));
    put_file("page", "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsecure");
    put_file("side", "HTTP/1.0 302 Found\r\nLocation: /page\r\nContent-Length: 0\r\n\r\n");
    g = fetch_from(&s, "127.0.0.1", "/side", true);
    assert_int_equal(g.code, 0);
    assert_string_equal(g.body, "secure");
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_old_tls_is_refused),
        cmocka_unit_test(test_never_down_to_http),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_folder);
}
