/* Members of an archive: of one that lies here, and of one afar, of which little comes. */
#include "../host/scratch.h"
#include "told.h"

#include <p2p/base/mem.h>
#include <p2p/engine/engine.h>
#include <p2p/engine/scan.h>
#include <p2p/host/inside.h>

#include <archive.h>
#include <archive_entry.h>
#include <signal.h>

#define PIECE 16384u
#define BIG (40 * PIECE)
#define SMALL 20000u

static struct bytes torrent;      /* of x.tar */
static struct item_status status; /* at the end */
static pid_t seed;
static char where[ADDR_TEXT]; /* it listens */
static int ready[2];          /* a pipe that says so */

/* ---- x.tar, in a catalogue ---- */

static uint8_t byte_at(unsigned file, size_t i)
{
    return (uint8_t)(i * 7 + i / 251 + file * 31);
}

static void put(struct archive *w, const char *name, unsigned file, size_t size)
{
    struct archive_entry *n = archive_entry_new();
    uint8_t *mem = mem_alloc(size);

    for (size_t i = 0; i < size; i++)
        mem[i] = byte_at(file, i);
    archive_entry_set_pathname(n, name);
    archive_entry_set_filetype(n, AE_IFREG);
    archive_entry_set_size(n, (la_int64_t)size);
    assert_int_equal(archive_write_header(w, n), ARCHIVE_OK);
    assert_int_equal(archive_write_data(w, mem, size), size);
    archive_entry_free(n);
    free(mem);
}

static void make_tar(void)
{
    struct archive *w = archive_write_new();

    archive_write_set_format_ustar(w);
    assert_int_equal(archive_write_open_filename(w, at("x.tar")), ARCHIVE_OK);
    put(w, "a", 0, SMALL);
    put(w, "d/big", 1, BIG);
    put(w, "d/z", 2, SMALL);
    assert_int_equal(archive_write_close(w), ARCHIVE_OK);
    archive_write_free(w);
}

static void add_to(const char *home)
{
    struct catalogue *c = NULL;
    struct scan_options o = {
        .author = {.format = AUTHOR_V2, .piece_length = PIECE, .creation_date = -1}, .home = home};
    struct scan_result r;
    struct err e = {0};
    int64_t id;

    mkdir(home, 0700);
    assert_int_equal(catalogue_open(&c, home, &e), 0);
    o.catalogue = c;
    assert_int_equal(scan_add(&r, at("x.tar"), &o, &id, &e), 0);
    scan_result_fini(&r);
    bytes_free(torrent);
    assert_int_equal(catalogue_manifest(c, id, &torrent, &e), 0);
    catalogue_free(c);
}

static int begin(void **state)
{
    if (scratch_begin(state) < 0)
        return -1;
    seed = 0;
    make_tar();
    add_to(at("home"));
    return 0;
}

static int end(void **state)
{
    if (seed > 0 && kill(seed, SIGKILL) == 0)
        waitpid(seed, NULL, 0);
    bytes_free(torrent);
    torrent = (struct bytes){0};
    return scratch_end(state);
}

/* ---- engines ---- */

static void on_event(void *arg, const struct engine_event *ev)
{
    (void)arg;
    if (ev->kind == ENGINE_ENTRY)
        told_put("%s:%u ", ev->entry->path, (unsigned)ev->entry->size);
    if (ev->kind == ENGINE_MEMBER)
        told_put("%s at %s, ", ev->text, ev->path);
    if (ev->kind == ENGINE_COMPLETE)
        told_put("complete: %s", ev->path);
    if (ev->kind == ENGINE_ENDED && ev->code < 0)
        told_put("%d %s", ev->code, ev->text);
    if (ev->kind == ENGINE_ENDED)
        item_status(ev->item, &status);
}

static void on_seed_event(void *arg, const struct engine_event *ev)
{
    struct engine **g = arg;
    struct addr a;

    if (ev->kind != ENGINE_READY)
        return;
    engine_listening(*g, &a);
    addr_text(&a, where);
    if (write(ready[1], where, sizeof where) < 0)
        _exit(1);
}

/* Alone but for whom it is told of. */
static struct engine *engine(const char *home, void (*event)(void *, const struct engine_event *),
                             void *arg)
{
    struct addr here;
    struct engine_options o = {.home = home,
                               .bind = &here,
                               .no_trackers = true,
                               .no_web_seeds = true,
                               .no_dht = true,
                               .no_pex = true,
                               .no_lsd = true,
                               .stay = event == on_seed_event,
                               .version = "0",
                               .event = event,
                               .arg = arg};
    struct err e = {0};

    addr_parse_ip(&here, "127.0.0.1", 0);
    struct engine *g = engine_new(&o, &e);
    if (!g)
        fail_msg("%s", e.msg);
    return g;
}

static void begin_seed(void)
{
    struct engine *g = NULL;
    struct engine_spec s = {.serve = true};

    assert_int_equal(pipe(ready), 0);
    seed = fork();
    if (seed == 0) {
        goals_init(&s.goals);
        s.goals.stay = true;
        g = engine(at("home"), on_seed_event, &g);
        engine_follow(g, &s);
        engine_run(g);
        _exit(0);
    }
    assert_true(seed > 0);
    close(ready[1]); /* should it die, that is the end */
    assert_int_equal(read(ready[0], where, sizeof where), sizeof where);
    close(ready[0]);
}

/* What becomes of it; of `n` members, or of the entries. */
static const char *look(const char *home, int fd, size_t n, char *const *names)
{
    char *peer = where;
    struct engine *g = engine(at(home), on_event, NULL);
    struct engine_spec s = {.torrent = torrent,
                            .source = "x",
                            .output = at("out/"),
                            .inside = true,
                            .members = {names, n},
                            .stream = fd >= 0,
                            .stream_fd = fd,
                            .window = 3 * PIECE,
                            .peers = {&peer, seed > 0}};

    goals_init(&s.goals);
    s.goals.timeout = 20 * USEC_SEC;
    told_clear();
    status = (struct item_status){0};
    engine_add(g, &s);
    engine_run(g);
    engine_free(g);
    return told_text;
}

static void assert_member(const char *rel, unsigned file, size_t size)
{
    uint8_t *mem = mem_alloc(size + 1);

    assert_int_equal(get_file(at(rel), mem, size + 1), size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(mem[i], byte_at(file, i));
    free(mem);
}

static char big[] = "d/big", small[] = "d/z", none[] = "d/zz";

static void out_of_what_is_here(void **state)
{
    char *const two[] = {small, big}, *const wrong[] = {none};
    char want[9000];
    (void)state;
    snprintf(want, sizeof want, "d/big at %s, d/z at %s, complete: %s", at("out/big"), at("out/z"),
             at("out/z"));
    mkdir(at("out"), 0700);
    assert_string_equal(look("home", -1, 2, two), want);
    assert_member("out/big", 1, BIG);
    assert_member("out/z", 2, SMALL);
    assert_int_equal(status.wanted, BIG + SMALL);
    assert_int_equal(status.done, BIG + SMALL);
    assert_int_equal(status.from_peers, 0);
    assert_string_equal(look("home", -1, 0, NULL), "a:20000 d/big:655360 d/z:20000 complete: -");
    look("home", -1, 1, wrong);
    assert_memory_equal(told_text, "-3 ", 3);
    assert_non_null(strstr(told_text, "called 'd/zz'"));
}

static void what_is_here_differs(void **state)
{
    char *const one[] = {big};
    (void)state;
    int fd = open(at("x.tar"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "??", 2, 10 * PIECE), 2);
    close(fd);
    mkdir(at("out"), 0700);
    look("home", -1, 1, one);
    assert_memory_equal(told_text, "-4 ", 3);
    assert_non_null(strstr(told_text, "is not what it was"));
    assert_int_equal(entries_in(at("out")), 0);
}

/* Of the big one before it no more than stands around its ends. */
static void from_another(void **state)
{
    char *const one[] = {small}, *const two[] = {big};
    (void)state;
    begin_seed();
    mkdir(at("out"), 0700);
    look("elsewhere", -1, 1, one);
    assert_non_null(strstr(told_text, "complete: "));
    assert_member("out/z", 2, SMALL);
    assert_in_range(status.from_peers, SMALL, BIG / 2);
    assert_string_equal(look("elsewhere", -1, 0, NULL),
                        "a:20000 d/big:655360 d/z:20000 complete: -");
    look("elsewhere", -1, 1, two); /* which is far more than the window */
    assert_non_null(strstr(told_text, "complete: "));
    assert_member("out/big", 1, BIG);
}

static void into_a_stream(void **state)
{
    char *const two[] = {big, small};
    (void)state;
    int fd = open(at("all"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_string_equal(look("home", fd, 2, two), "d/big at -, d/z at -, complete: -");
    close(fd);
    uint8_t *mem = mem_alloc(BIG + SMALL + 1);
    assert_int_equal(get_file(at("all"), mem, BIG + SMALL + 1), BIG + SMALL);
    assert_int_equal(mem[BIG - 1], byte_at(1, BIG - 1));
    assert_int_equal(mem[BIG], byte_at(2, 0));
    free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* the first one forks, before there are threads */
        cmocka_unit_test_setup_teardown(from_another, begin, end),
        cmocka_unit_test_setup_teardown(out_of_what_is_here, begin, end),
        cmocka_unit_test_setup_teardown(what_is_here_differs, begin, end),
        cmocka_unit_test_setup_teardown(into_a_stream, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
