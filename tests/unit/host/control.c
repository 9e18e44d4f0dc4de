/* The control socket: one question and its answer; who may ask; where it may lie. */
#include "looptest.h"

#include <errno.h>
#include <fcntl.h>
#include <p2p/base/mem.h>
#include <p2p/host/control.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
    struct looptest t;
    char folder[64], path[400];
    struct control *c;
    int asked;
    size_t long_answer;
};

static void on_asked(void *arg, struct bytes request, struct buf *answer)
{
    struct place *p = arg;
    p->asked++;
    buf_putf(answer, "you said %.*s\n", (int)request.n, (const char *)request.p);
    for (size_t i = 0; i < p->long_answer; i++)
        buf_putf(answer, "line %zu\n", i);
}

static void place_open(struct place *p)
{
    struct err e = {0};
    *p = (struct place){0};
    looptest_open(&p->t);
    strcpy(p->folder, "/tmp/p2p-control-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof p->path, "%s/run/control", p->folder);
    p->c = control_listen(p->t.l, p->path, on_asked, p, &e);
    assert_non_null(p->c);
}

static void place_close(struct place *p)
{
    char cmd[100];
    control_free(p->c);
    looptest_close(&p->t);
    snprintf(cmd, sizeof cmd, "rm -r %s", p->folder);
    assert_int_equal(system(cmd), 0);
}

struct question {
    struct looptest *t;
    const char *path;
    struct bytes text;
    usec timeout;
    struct buf answer;
    struct err e;
    int code, *left;
};

static void do_ask(void *arg)
{
    struct question *q = arg;
    q->code = control_ask(q->path, q->text, q->timeout, &q->answer, &q->e);
}

static void on_answered(void *arg)
{
    struct question *q = arg;
    if (!q->left || --*q->left == 0)
        loop_stop(q->t->l);
}

static struct question ask(struct place *p, const char *text)
{
    struct question q = {.t = &p->t, .path = p->path, .text = bytes_str(text)};
    q.timeout = 5 * USEC_SEC;
    loop_work(p->t.l, do_ask, on_answered, &q);
    looptest_run(&p->t);
    return q;
}

static void test_question_and_answer(void **state)
{
    (void)state;
    struct place p;
    place_open(&p);
    struct question q = ask(&p, "status now");
    assert_int_equal(q.code, 0);
    assert_true(bytes_is(buf_bytes(&q.answer), "you said status now\n"));
    buf_fini(&q.answer);
    q = ask(&p, "");
    assert_int_equal(q.code, 0);
    assert_true(bytes_is(buf_bytes(&q.answer), "you said \n"));
    buf_fini(&q.answer);
    place_close(&p);
}

static void test_modes(void **state)
{
    (void)state;
    struct place p;
    struct stat st;
    char run[100];
    mode_t was = umask(0);
    place_open(&p);
    umask(was);
    assert_int_equal(stat(p.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(run, sizeof run, "%s/run", p.folder);
    assert_int_equal(stat(run, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    control_free(p.c);
    assert_int_equal(stat(p.path, &st), -1); /* it takes its name along */
    assert_int_equal(chmod(run, 0755), 0);
    struct err e = {0};
    p.c = control_listen(p.t.l, p.path, on_asked, &p, &e);
    assert_non_null(p.c);
    assert_int_equal(stat(run, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700); /* closed to others again */
    place_close(&p);
}

static void test_long_path(void **state)
{
    (void)state;
    struct place p;
    struct err e = {0};
    char folder[300];
    place_open(&p);
    control_free(p.c);
    snprintf(folder, sizeof folder, "%s/%0150d", p.folder, 7);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(p.path, sizeof p.path, "%s/run/control", folder);
    assert_true(strlen(p.path) > sizeof((struct sockaddr_un *)0)->sun_path);
    p.c = control_listen(p.t.l, p.path, on_asked, &p, &e);
    assert_non_null(p.c);
    struct question q = ask(&p, "far away");
    assert_int_equal(q.code, 0);
    buf_fini(&q.answer);
    snprintf(folder, sizeof folder, "%s/run/%0120d", p.folder, 7);
    assert_null(control_listen(p.t.l, folder, on_asked, &p, &e)); /* the name itself */
    assert_int_equal(e.code, ERR_IO);
    place_close(&p);
}

static void test_stale_socket_is_replaced(void **state)
{
    (void)state;
    struct place p;
    struct err e = {0};
    place_open(&p);
    struct control *first = p.c; /* as if it had been killed: its name stays */
    p.c = control_listen(p.t.l, p.path, on_asked, &p, &e);
    assert_non_null(p.c);
    struct question q = ask(&p, "who is there");
    assert_int_equal(q.code, 0);
    buf_fini(&q.answer);
    assert_int_equal(p.asked, 1);
    struct control *second = p.c;
    p.c = NULL;
    control_free(second);
    control_free(first);
    control_free(NULL);
    place_close(&p);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct place p;
    char kept[420];
    place_open(&p);
    snprintf(kept, sizeof kept, "%s.kept", p.path);
    assert_int_equal(link(p.path, kept), 0); /* a name without anyone behind it */
    control_free(p.c);
    p.c = NULL;
    struct question q = ask(&p, "hello");
    assert_int_equal(q.code, ERR_NOTFOUND);
    strcpy(p.path, kept);
    q = ask(&p, "hello");
    assert_int_equal(q.code, ERR_NOTFOUND);
    strcpy(p.path, "/nonexistent/run/control");
    q = ask(&p, "hello");
    assert_int_equal(q.code, ERR_NOTFOUND);
    struct err e = {0};
    assert_null(control_listen(p.t.l, p.path, on_asked, &p, &e));
    assert_int_not_equal(e.code, 0);
    place_close(&p);
}

static void test_bad_requests_are_not_sent(void **state)
{
    (void)state;
    struct place p;
    struct buf answer;
    struct err e = {0};
    char *longest = mem_alloc(CONTROL_REQUEST_MAX);
    memset(longest, 'x', CONTROL_REQUEST_MAX);
    place_open(&p);
    struct bytes bad[] = {BYTES_LIT("a\nb"), BYTES_LIT("a\0b"), BYTES_LIT("a\rb"),
                          BYTES(longest, CONTROL_REQUEST_MAX)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(control_ask(p.path, bad[i], USEC_SEC, &answer, &e), ERR_USAGE);
    struct question q = {.t = &p.t, .path = p.path, .timeout = 5 * USEC_SEC};
    q.text = BYTES(longest, CONTROL_REQUEST_MAX - 1);
    loop_work(p.t.l, do_ask, on_answered, &q);
    looptest_run(&p.t);
    assert_int_equal(q.code, 0);
    assert_int_equal(buf_len(&q.answer), CONTROL_REQUEST_MAX - 1 + 10);
    buf_fini(&q.answer);
    place_close(&p);
    free(longest);
}

static int dial(const struct place *p)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path, p->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

/* What a client that breaks the rules gets: the end of the connection, and no answer. */
static void cut_off(struct place *p, const void *text, size_t n)
{
    char c;
    int fd = dial(p);
    while (n) {
        ssize_t r = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r < 0 && errno != EAGAIN)
            break;
        text = (const char *)text + (r > 0 ? r : 0);
        n -= r > 0 ? (size_t)r : 0;
        looptest_run_for(&p->t, USEC_MS);
    }
    looptest_run_for(&p->t, 10 * USEC_MS);
    assert_true(recv(fd, &c, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
    close(fd);
}

static void test_clients_that_break_the_rules(void **state)
{
    (void)state;
    struct place p;
    char *longest = mem_alloc(CONTROL_REQUEST_MAX + 1);
    memset(longest, 'x', CONTROL_REQUEST_MAX + 1);
    place_open(&p);
    cut_off(&p, "a\0b\n", 4);
    cut_off(&p, "GET / HTTP/1.1\r\n", 16);
    cut_off(&p, longest, CONTROL_REQUEST_MAX + 1);
    assert_int_equal(p.asked, 0);
    int fd = dial(&p); /* hangs up in the middle */
    assert_int_equal(send(fd, "ha", 2, 0), 2);
    looptest_run_for(&p.t, 5 * USEC_MS);
    close(fd);
    looptest_run_for(&p.t, 5 * USEC_MS);
    place_close(&p);
    free(longest);
}

static void test_silent_client_is_cut(void **state)
{
    (void)state;
    struct place p;
    char c;
    place_open(&p);
    int fd = dial(&p);
    looptest_run_for(&p.t, CONTROL_STALL - USEC_SEC);
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    looptest_run_for(&p.t, USEC_SEC + 100 * USEC_MS);
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 0);
    close(fd);
    place_close(&p);
}

static void test_long_answers_to_many(void **state)
{
    (void)state;
    static struct question q[3 * CONTROL_CLIENTS];
    struct place p;
    int left = 3 * CONTROL_CLIENTS;
    place_open(&p);
    p.long_answer = 100000;
    for (int i = 0; i < 3 * CONTROL_CLIENTS; i++) {
        q[i] = (struct question){.t = &p.t, .path = p.path, .text = BYTES_LIT("all")};
        q[i].timeout = 20 * USEC_SEC;
        q[i].left = &left;
        loop_work(p.t.l, do_ask, on_answered, &q[i]);
    }
    looptest_run(&p.t);
    for (int i = 0; i < 3 * CONTROL_CLIENTS; i++) {
        struct bytes b = buf_bytes(&q[i].answer);
        assert_int_equal(q[i].code, 0);
        assert_memory_equal(b.p + b.n - 12, "\nline 99999\n", 12);
        buf_fini(&q[i].answer);
    }
    place_close(&p);
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct place p;
    struct buf answer;
    struct err e = {0};
    place_open(&p);
    /* The loop does not turn while we ask. */
    assert_int_equal(control_ask(p.path, BYTES_LIT("x"), 50 * USEC_MS, &answer, &e), ERR_NET);
    int fd[CONTROL_CLIENTS + 1];
    for (int i = 0; i <= CONTROL_CLIENTS; i++) {
        fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        strcpy(un.sun_path, p.path);
        int r = connect(fd[i], (struct sockaddr *)&un, sizeof un); /* fills the backlog */
        assert_true(r == 0 || errno == EAGAIN);
    }
    assert_int_equal(control_ask(p.path, BYTES_LIT("x"), 50 * USEC_MS, &answer, &e), ERR_NET);
    for (int i = 0; i <= CONTROL_CLIENTS; i++)
        close(fd[i]);
    looptest_run_for(&p.t, 20 * USEC_MS);
    place_close(&p);
}

static void count_turn(void *arg)
{
    ++*(int *)arg;
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct place p;
    struct rlimit was, low;
    int turns = 0;
    struct loop_hook hook = {.fn = count_turn, .arg = &turns};
    place_open(&p);
    loop_hook_add(p.t.l, &hook, false);
    int fd = dial(&p);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    low = was;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    looptest_run_for(&p.t, 600 * USEC_MS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_true(turns < 30);
    assert_int_equal(send(fd, "later\n", 6, 0), 6);
    looptest_run_for(&p.t, 600 * USEC_MS);
    assert_int_equal(p.asked, 1);
    close(fd);
    loop_hook_remove(p.t.l, &hook);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question_and_answer),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_stale_socket_is_replaced),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_bad_requests_are_not_sent),
        cmocka_unit_test(test_clients_that_break_the_rules),
        cmocka_unit_test(test_silent_client_is_cut),
        cmocka_unit_test(test_long_answers_to_many),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_out_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
