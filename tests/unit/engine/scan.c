/* Hashing what lies on the disk: a manifest is that of the content, and verdicts name bytes. */
#include "../host/scratch.h"
#include "engine/places.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/engine/scan.h>
#include <p2p/format/layout.h>
#include <p2p/host/lock.h>
#include <sys/time.h>

#define NOW 1800000000

static const enum author_format formats[] = {AUTHOR_V1, AUTHOR_V2, AUTHOR_HYBRID};
#define EACH_FORMAT(f) for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)

static struct scan_options options(enum author_format format, uint32_t piece)
{
    return (struct scan_options){
        .author = {.format = format, .piece_length = piece, .creation_date = -1}, .now = NOW};
}

/* Bytes that depend on their place and on the file. */
static void put_pattern(const char *rel, size_t n)
{
    uint8_t *p = mem_alloc(n ? n : 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 2654435761u >> 13 ^ (unsigned char)rel[strlen(rel) - 1]);
    put_file(at(rel), p, n);
    free(p);
}

static void age(const char *rel)
{
    struct timeval past[2] = {{1700000000, 0}, {1700000000, 0}};
    assert_int_equal(utimes(at(rel), past), 0);
}

static void make_sample(void)
{
    static const struct {
        const char *rel;
        size_t n;
    } files[] = {{"d/one", 100000}, {"d/sub/two", 16384}, {"d/sub/three", 1}, {"d/empty", 0},
                 {"d/zz", 40000}};
    mkdir(at("d"), 0755);
    mkdir(at("d/sub"), 0755);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        put_pattern(files[i].rel, files[i].n);
        age(files[i].rel);
    }
}

static struct manifest *scan(struct scan_result *r, const char *rel, const struct scan_options *o)
{
    struct err e = {0};
    int rc = scan_path(r, at(rel), o, &e);
    assert_string_equal(e.msg, "");
    assert_int_equal(rc, 0);
    return r->m;
}

static struct scan_place place_of(const struct scan_result *r)
{
    return (struct scan_place){.m = r->m, .path = r->path, .where = r->where, .whole = true};
}

static void judge(struct scan_verdict *v, const struct scan_place *p)
{
    struct err e = {0};
    int rc = scan_verify(v, p, NULL, &e);
    assert_string_equal(e.msg, "");
    assert_int_equal(rc, 0);
}

/* ---- making ---- */

/* v1 the plain way: all bytes one behind the other, cut into pieces. */
static void pieces_are_those_of_the_bytes(void **state)
{
    struct scan_options o = options(AUTHOR_V1, 16384);
    struct scan_result r;
    (void)state;
    make_sample();
    const struct manifest *m = scan(&r, "d", &o);
    uint8_t *all = mem_zero((size_t)m->space), hash[SHA1_LEN];
    for (uint32_t i = 0; i < m->n_files; i++) {
        char *rel = mem_fmt("d/%s", m->files[i].path);
        get_file(at(rel), all + m->files[i].offset, (size_t)m->files[i].length);
        free(rel);
    }
    assert_int_equal(m->n_pieces, 10);
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        digest_sha1(hash, BYTES(all + (size_t)i * 16384, layout_piece_len(m, i)));
        assert_memory_equal(hash, m->pieces + (size_t)i * SHA1_LEN, SHA1_LEN);
    }
    assert_string_equal(m->name, "d");
    assert_string_equal(r.path, at("d"));
    free(all);
    scan_result_fini(&r);
}

static void every_format_and_piece_length_holds_against_itself(void **state)
{
    static const uint32_t lengths[] = {0, 16384, 65536, 1u << 20};
    (void)state;
    make_sample();
    EACH_FORMAT(f)
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        struct scan_options o = options(formats[f], lengths[l]);
        struct scan_result r;
        struct scan_verdict v;
        scan(&r, "d", &o);
        struct scan_place p = place_of(&r);
        judge(&v, &p);
        assert_true(bits_full(&v.good));
        assert_int_equal(v.n_bad, 0);
        assert_int_equal(v.have, r.m->size);
        assert_memory_equal(v.record.content, r.record.content, SHA256_LEN);
        assert_memory_equal(v.record.files, r.record.files,
                            r.record.n_files * sizeof *r.record.files);
        scan_verdict_fini(&v);
        scan_result_fini(&r);
    }
}

static void many_small_files(void **state)
{
    (void)state;
    mkdir(at("m"), 0755);
    for (int i = 0; i < 1500; i++) {
        char rel[32];
        snprintf(rel, sizeof rel, "m/%d", i);
        put_pattern(rel, (size_t)i % 700);
    }
    EACH_FORMAT(f)
    {
        struct scan_options o = options(formats[f], 16384);
        struct scan_result r;
        struct scan_verdict v;
        scan(&r, "m", &o);
        struct scan_place p = place_of(&r);
        judge(&v, &p);
        assert_true(bits_full(&v.good));
        scan_verdict_fini(&v);
        scan_result_fini(&r);
    }
}

static void a_file_larger_than_any_buffer(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID, 1u << 20);
    struct scan_result r;
    struct scan_verdict v;
    (void)state;
    put_pattern("big", (20u << 20) + 12345);
    scan(&r, "big", &o);
    assert_false(r.m->multi);
    struct scan_place p = place_of(&r);
    judge(&v, &p);
    assert_true(bits_full(&v.good));
    assert_int_equal(v.checked, (20u << 20) + 12345);
    scan_verdict_fini(&v);
    scan_result_fini(&r);
}

static void wrong_options_are_refused(void **state)
{
    char *const bad_url[] = {(char[]){"example"}}, *const bad_tier[] = {
        (char[]){"http://a.example/announce,nonsense"}};
    struct err e;
    struct scan_options o[] = {options(AUTHOR_V1, 8192),
                               options(AUTHOR_V1, 256u << 20),
                               options(AUTHOR_V1, 48u << 10),
                               options(AUTHOR_V1, 0),
                               options(AUTHOR_V1, 0),
                               options(AUTHOR_V1, 0),
                               options(AUTHOR_V1, 0)};
    (void)state;
    o[3].author.name = "a/b";
    o[4].author.name = "..";
    o[5].trackers = (struct scan_words){bad_tier, 1};
    o[6].web_seeds = (struct scan_words){bad_url, 1};
    for (size_t i = 0; i < sizeof o / sizeof *o; i++) {
        err_clear(&e);
        assert_int_equal(scan_check(&o[i], &e), ERR_USAGE);
        assert_true(strlen(e.msg) > 0);
    }
}

static void what_cannot_be_shared(void **state)
{
    static const struct {
        const char *rel;
        int code;
    } cases[] = {{"nothing", ERR_IO}, {"fifo", ERR_IO}, {"empty", ERR_INVALID}};
    struct scan_options o = options(AUTHOR_HYBRID, 0);
    (void)state;
    mkfifo(at("fifo"), 0644);
    mkdir(at("empty"), 0755);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scan_result r;
        struct err e = {0};
        assert_int_equal(scan_path(&r, at(cases[i].rel), &o, &e), cases[i].code);
        assert_non_null(strstr(e.msg, cases[i].rel));
        scan_result_fini(&r);
    }
}

/* ---- watching ---- */

struct watcher {
    uint64_t last, total;
    unsigned calls, stop_after;
};

static void watch_progress(void *arg, uint64_t done, uint64_t total)
{
    struct watcher *w = arg;
    assert_true(done >= w->last && done <= total);
    w->last = done;
    w->total = total;
}

static bool watch_stop(void *arg)
{
    struct watcher *w = arg;
    return w->stop_after && ++w->calls >= w->stop_after;
}

static void progress_is_told_and_a_stop_obeyed(void **state)
{
    struct watcher w = {0};
    struct scan_options o = options(AUTHOR_HYBRID, 1u << 20);
    struct scan_result r;
    struct err e = {0};
    (void)state;
    put_pattern("big", 30u << 20);
    o.watch = (struct scan_watch){watch_progress, watch_stop, &w};
    scan(&r, "big", &o);
    assert_int_equal(w.last, 30u << 20);
    assert_int_equal(w.total, 30u << 20);
    scan_result_fini(&r);
    w = (struct watcher){.stop_after = 1};
    assert_int_equal(scan_path(&r, at("big"), &o, &e), ERR_CANCELED);
    assert_null(r.m);
    assert_true(w.last < 30u << 20);
    scan_result_fini(&r);
}

struct meddler {
    const char *rel;
    bool done;
};

static void meddle(void *arg, uint64_t done, uint64_t total)
{
    struct meddler *m = arg;
    if (!m->done && done < total) {
        int fd = open(at(m->rel), O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
        m->done = true;
    }
}

static void a_file_that_grows_while_it_is_read(void **state)
{
    struct meddler w = {.rel = "big"};
    struct scan_options o = options(AUTHOR_HYBRID, 1u << 20);
    struct scan_result r;
    struct err e = {0};
    (void)state;
    put_pattern("big", 30u << 20);
    age("big");
    o.watch = (struct scan_watch){.progress = meddle, .arg = &w};
    assert_int_equal(scan_path(&r, at("big"), &o, &e), ERR_IO);
    assert_non_null(strstr(e.msg, "big: it changed"));
    scan_result_fini(&r);
}

/* ---- verdicts ---- */

static void overwrite(const char *rel, off_t off, const char *text)
{
    int fd = open(at(rel), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, text, strlen(text), off), (ssize_t)strlen(text));
    close(fd);
}

static void expect_bad(const struct scan_verdict *v, const struct manifest *m, size_t i,
                       enum scan_fault fault, const char *path, uint64_t first, uint64_t last)
{
    assert_true(i < v->n_bad);
    assert_string_equal(m->files[v->bad[i].file].path, path);
    assert_int_equal(v->bad[i].fault, fault);
    assert_int_equal(v->bad[i].first, first);
    assert_int_equal(v->bad[i].last, last);
}

/* In v1 a piece reaches from file to file; where the tree begins each anew, the blame does not. */
static void bad_bytes_are_named(void **state)
{
    (void)state;
    for (size_t f = 1; f < 3; f++) {
        struct scan_options o = options(formats[f], 16384);
        struct scan_result r;
        struct scan_verdict v;
        make_sample();
        scan(&r, "d", &o);
        overwrite("d/one", 20000, "wrong");
        overwrite("d/one", 40000, "wrong");
        overwrite("d/zz", 16384, "wrong");
        assert_int_equal(truncate(at("d/sub/two"), 1000), 0);
        unlink(at("d/sub/three"));
        unlink(at("d/empty"));
        struct scan_place p = place_of(&r);
        judge(&v, &p);
        assert_int_equal(v.n_bad, 5);
        expect_bad(&v, r.m, 0, SCAN_MISSING, "empty", 0, 0);
        expect_bad(&v, r.m, 1, SCAN_DIFFERS, "one", 16384, 49151);
        expect_bad(&v, r.m, 2, SCAN_MISSING, "sub/three", 0, 0);
        expect_bad(&v, r.m, 3, SCAN_MISSING, "sub/two", 1000, 16383);
        expect_bad(&v, r.m, 4, SCAN_DIFFERS, "zz", 16384, 32767);
        assert_int_equal(v.have, 100000 - 32768 + 40000 - 16384);
        scan_verdict_fini(&v);
        scan_result_fini(&r);
    }
}

static void a_missing_neighbour_is_not_the_others_fault(void **state)
{
    struct scan_options o = options(AUTHOR_V1, 65536);
    struct scan_result r;
    struct scan_verdict v;
    (void)state;
    make_sample();
    scan(&r, "d", &o);
    unlink(at("d/sub/two"));
    put_text(at("d/sub/three"), "xyz");
    struct scan_place p = place_of(&r);
    judge(&v, &p);
    assert_int_equal(v.n_bad, 2);
    expect_bad(&v, r.m, 0, SCAN_TOO_LONG, "sub/three", 1, 2);
    expect_bad(&v, r.m, 1, SCAN_MISSING, "sub/two", 0, 16383);
    scan_verdict_fini(&v);
    scan_result_fini(&r);
}

static void of_a_download_only_what_was_had_is_expected(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID, 16384);
    struct scan_result r;
    struct scan_verdict v;
    struct bits had;
    (void)state;
    put_pattern("f", 100000);
    scan(&r, "f", &o);
    assert_int_equal(rename(at("f"), at("f.part")), 0);
    overwrite("f.part", 0, "wrong");
    overwrite("f.part", 50000, "wrong");
    bits_init(&had, r.m->n_pieces);
    bits_set(&had, 0);
    bits_set(&had, 1);
    struct scan_place p = {.m = r.m, .path = r.path, .recorded = &had};
    judge(&v, &p);
    assert_int_equal(v.n_bad, 1);
    expect_bad(&v, r.m, 0, SCAN_DIFFERS, "f", 0, 16383);
    assert_int_equal(v.good.ones, 1);
    assert_int_equal(v.have, 16384);
    scan_verdict_fini(&v);
    p.recorded = NULL; /* nobody knows: what is there and good counts, nothing is bad */
    judge(&v, &p);
    assert_int_equal(v.n_bad, 0);
    assert_int_equal(v.good.ones, 5);
    scan_verdict_fini(&v);
    bits_fini(&had);
    scan_result_fini(&r);
}

static void a_folder_that_is_not_there(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID, 0);
    struct scan_result r;
    struct scan_verdict v;
    struct err e = {0};
    (void)state;
    mkdir(at("mnt"), 0755);
    put_pattern("mnt/f", 1000);
    scan(&r, "mnt/f", &o);
    assert_int_equal(rename(at("mnt"), at("gone")), 0);
    struct scan_place p = place_of(&r);
    assert_int_equal(scan_verify(&v, &p, NULL, &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    scan_verdict_fini(&v);
    scan_result_fini(&r);
}

/* ---- links ---- */

static const char *target_of(const struct manifest *m, const char *path)
{
    for (uint32_t i = 0; i < m->n_files; i++)
        if (strcmp(m->files[i].path, path) == 0)
            return m->files[i].target ? m->files[i].target : "";
    return NULL;
}

static void links_are_kept_if_they_lead_inside(void **state)
{
    static const struct {
        const char *at, *text, *target; /* target NULL: left out */
    } links[] = {
        {"d/a1", "one", "one"},
        {"d/sub/a2", "../one", "one"},
        {"d/sub/a3", "./two", "sub/two"},
        {"d/a4", "sub", "sub"},
        {"d/a5", "a4/two", "sub/two"},
        {"d/a6", "sub/../sub//three", "sub/three"},
        {"d/a7", "a1", "a1"},
        {"d/sub/a8", "../a4/../one", "one"}, /* by way of a link: up from where it leads */
        {"d/b1", "/etc/passwd", NULL},
        {"d/b2", "../outside", NULL},
        {"d/sub/b3", "../../d/one", NULL},
        {"d/b4", "nothing", NULL},
        {"d/b5", "b4", NULL},
        {"d/b6", "b7", NULL},
        {"d/b7", "b7", NULL},
        {"d/b8", ".", NULL},
        {"d/sub/b9", "..", NULL},
    };
    struct scan_options o = options(AUTHOR_HYBRID, 0);
    struct scan_result r;
    size_t left_out = 0;
    (void)state;
    make_sample();
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        assert_int_equal(symlink(links[i].text, at(links[i].at)), 0);
    const struct manifest *m = scan(&r, "d", &o);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        const char *got = target_of(m, links[i].at + 2);
        left_out += !links[i].target;
        if (links[i].target)
            assert_string_equal(got, links[i].target);
        else
            assert_null(got);
    }
    assert_int_equal(r.n_notices, left_out);
    scan_result_fini(&r);
}

/* ---- the catalogue ---- */

static struct catalogue *open_home(struct scan_options *o)
{
    struct catalogue *c;
    struct err e = {0};
    mkdir(at("home"), 0700);
    assert_int_equal(catalogue_open(&c, at("home"), &e), 0);
    o->catalogue = c;
    o->home = mem_str(at("home"));
    return c;
}

static void close_home(struct scan_options *o)
{
    catalogue_free(o->catalogue);
    bytes_free(bytes_str(o->home));
    o->home = NULL;
}

static void added_once_not_hashed_again(void **state)
{
    (void)state;
    make_sample();
    put_pattern("d/as long as zz", 40000); /* two pads of one length */
    age("d/as long as zz");
    EACH_FORMAT(f)
    {
        struct scan_options o = options(formats[f], 0);
        struct scan_result first, again;
        struct err e = {0};
        int64_t id = 0, id2 = 0;
        open_home(&o);
        assert_int_equal(scan_add(&first, at("d"), &o, &id, &e), 0);
        assert_false(first.known);
        assert_int_equal(scan_add(&again, at("d"), &o, &id2, &e), 0);
        assert_true(again.known);
        assert_int_equal(id, id2);
        assert_true(bytes_eq(first.m->info, again.m->info));
        assert_memory_equal(first.record.files, again.record.files,
                            first.record.n_files * sizeof *first.record.files);
        scan_result_fini(&again);
        o.author.name = "other"; /* hashes do not hang on the name */
        assert_int_equal(scan_path(&again, at("d"), &o, &e), 0);
        assert_true(again.known);
        struct scan_options plain = o;
        plain.catalogue = NULL;
        scan_result_fini(&first);
        assert_int_equal(scan_path(&first, at("d"), &plain, &e), 0);
        assert_false(first.known);
        assert_true(bytes_eq(first.m->info, again.m->info));
        scan_result_fini(&first);
        scan_result_fini(&again);
        close_home(&o);
    }
}

static void what_changed_is_hashed_again(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID, 0);
    struct scan_result r;
    struct err e = {0};
    (void)state;
    make_sample();
    open_home(&o);
    assert_int_equal(scan_add(&r, at("d"), &o, NULL, &e), 0);
    scan_result_fini(&r);
    overwrite("d/one", 0, "!");
    scan(&r, "d", &o);
    assert_false(r.known);
    scan_result_fini(&r);
    age("d/one"); /* all as before, but its bytes: whoever does that wants to be believed */
    scan(&r, "d", &o);
    assert_true(r.known);
    scan_result_fini(&r);
    o.author.piece_length = 1u << 20;
    assert_int_equal(scan_add(&r, at("d"), &o, NULL, &e), 0);
    assert_false(r.known);
    scan_result_fini(&r);
    o.author.piece_length = 0; /* several items lie at one place */
    scan(&r, "d", &o);
    assert_true(r.known);
    scan_result_fini(&r);
    close_home(&o);
}

static void a_fresh_file_is_not_believed(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID, 0);
    struct scan_result r;
    struct err e = {0};
    (void)state;
    put_pattern("f", 1000);
    struct timeval stamp[2] = {{NOW - 1, 0}, {NOW - 1, 0}};
    assert_int_equal(utimes(at("f"), stamp), 0);
    open_home(&o);
    assert_int_equal(scan_add(&r, at("f"), &o, NULL, &e), 0);
    scan_result_fini(&r);
    scan(&r, "f", &o);
    assert_false(r.known);
    scan_result_fini(&r);
    close_home(&o);
}

static void trackers_of_before_are_kept(void **state)
{
    char *const urls[] = {(char[]){"http://a.example/announce"}};
    struct scan_options o = options(AUTHOR_HYBRID, 0), plain;
    struct scan_result r;
    struct err e = {0};
    struct bytes raw;
    int64_t id;
    (void)state;
    put_pattern("f", 1000);
    open_home(&o);
    plain = o;
    o.trackers = (struct scan_words){urls, 1};
    assert_int_equal(scan_add(&r, at("f"), &o, &id, &e), 0);
    assert_int_equal(r.m->n_tiers, 1);
    scan_result_fini(&r);
    assert_int_equal(scan_add(&r, at("f"), &plain, &id, &e), 0);
    assert_int_equal(r.m->n_tiers, 0);
    scan_result_fini(&r);
    assert_int_equal(catalogue_manifest(o.catalogue, id, &raw, &e), 0);
    struct manifest *m = manifest_parse(raw, &e);
    assert_int_equal(m->n_tiers, 1);
    manifest_free(m);
    bytes_free(raw);
    close_home(&o);
}

static void a_locked_item_is_left_alone(void **state)
{
    struct scan_options o = options(AUTHOR_V1, 0);
    struct scan_result r;
    struct lock *l = NULL;
    struct err e = {0};
    char hex[2 * SHA1_LEN + 1];
    (void)state;
    put_pattern("f", 1000);
    open_home(&o);
    scan(&r, "f", &o);
    text_hex(hex, BYTES(r.m->hash_v1, SHA1_LEN));
    assert_int_equal(lock_take(&l, o.home, hex, &e), 0);
    assert_int_equal(scan_record(&r, &o, NULL, &e), ERR_LOCKED);
    assert_int_equal(catalogue_count(o.catalogue, &e), 0);
    lock_free(l);
    err_clear(&e);
    assert_int_equal(scan_record(&r, &o, NULL, &e), 0);
    scan_result_fini(&r);
    close_home(&o);
}

static void a_stream_lies_in_the_store(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID, 0);
    struct scan_result r, file;
    struct err e = {0};
    (void)state;
    put_pattern("f", 300000);
    open_home(&o);
    int in = open(at("f"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(scan_stream(&r, in, &o, &e), ERR_USAGE);
    scan_result_fini(&r);
    err_clear(&e);
    o.author.name = "f";
    assert_int_equal(scan_stream(&r, in, &o, &e), 0);
    scan(&file, "f", &o);
    assert_true(bytes_eq(r.m->info, file.m->info));
    assert_non_null(strstr(r.path, "/home/store/"));
    struct scan_place p = place_of(&r);
    struct scan_verdict v;
    judge(&v, &p);
    assert_int_equal(v.n_bad, 0);
    scan_verdict_fini(&v);
    scan_result_fini(&file);
    scan_result_fini(&r);
    close(in);
    close_home(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(pieces_are_those_of_the_bytes),
        SCRATCH_TEST(every_format_and_piece_length_holds_against_itself),
        SCRATCH_TEST(many_small_files),
        SCRATCH_TEST(a_file_larger_than_any_buffer),
        SCRATCH_TEST(wrong_options_are_refused),
        SCRATCH_TEST(what_cannot_be_shared),
        SCRATCH_TEST(progress_is_told_and_a_stop_obeyed),
        SCRATCH_TEST(a_file_that_grows_while_it_is_read),
        SCRATCH_TEST(bad_bytes_are_named),
        SCRATCH_TEST(a_missing_neighbour_is_not_the_others_fault),
        SCRATCH_TEST(of_a_download_only_what_was_had_is_expected),
        SCRATCH_TEST(a_folder_that_is_not_there),
        SCRATCH_TEST(links_are_kept_if_they_lead_inside),
        SCRATCH_TEST(added_once_not_hashed_again),
        SCRATCH_TEST(what_changed_is_hashed_again),
        SCRATCH_TEST(a_fresh_file_is_not_believed),
        SCRATCH_TEST(trackers_of_before_are_kept),
        SCRATCH_TEST(a_locked_item_is_left_alone),
        SCRATCH_TEST(a_stream_lies_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
