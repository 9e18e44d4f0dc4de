/* What a SOURCE is as far as this machine knows, and deleting what an item's data is. */
#include "../host/scratch.h"
#include "engine/places.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/engine/known.h>

#define NOW 1800000000

static struct scan_options options(enum author_format format)
{
    return (struct scan_options){.author = {.format = format, .creation_date = -1}, .now = NOW};
}

static void make_sample(void)
{
    mkdir(at("d"), 0755);
    mkdir(at("d/sub"), 0755);
    put_text(at("d/one"), "first");
    put_text(at("d/sub/two"), "second");
    put_text(at("d/empty"), "");
    put_text(at("d/zz"), "last");
}

static void open_home(struct scan_options *o)
{
    struct err e = {0};
    mkdir(at("home"), 0700);
    assert_int_equal(catalogue_open(&o->catalogue, at("home"), &e), 0);
    o->home = mem_str(at("home"));
}

static void close_home(struct scan_options *o)
{
    catalogue_free(o->catalogue);
    bytes_free(bytes_str(o->home));
    o->home = NULL;
}

/* ---- deleting ---- */

static void put_item(struct scan_options *o, const char *rel, struct known *k)
{
    struct scan_result r;
    struct err e = {0};
    int64_t id;
    assert_int_equal(scan_add(&r, at(rel), o, &id, &e), 0);
    scan_result_fini(&r);
    struct catalogue_item it;
    assert_int_equal(catalogue_get_id(o->catalogue, id, &it, &e), 0);
    assert_int_equal(known_item(k, &it, o->catalogue, &e), 0);
}

static void only_listed_files_are_deleted(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID);
    struct known_place p;
    struct known k;
    struct err e = {0};
    (void)state;
    make_sample();
    open_home(&o);
    put_item(&o, "d", &k);
    put_text(at("d/sub/mine"), "mine");
    put_text(at("d/one.part"), "mine too");
    assert_int_equal(known_place(&p, &k, o.catalogue, o.home, &e), 0);
    assert_int_equal(known_delete(&k, &p, &e), 0);
    assert_false(exists(at("d/one")));
    assert_false(exists(at("d/sub/two")));
    assert_false(exists(at("d/empty")));
    assert_true(exists(at("d/sub/mine")));
    assert_true(exists(at("d/one.part")));
    known_place_fini(&p);
    known_fini(&k);
    close_home(&o);
}

/* A download whose record knows one file: the other name is somebody else's file. */
static void a_foreign_file_of_the_same_name_stays(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID);
    struct known_place p;
    struct known k;
    struct err e = {0};
    (void)state;
    make_sample();
    open_home(&o);
    put_item(&o, "d", &k);
    assert_int_equal(known_place(&p, &k, o.catalogue, o.home, &e), 0);
    for (uint32_t i = 0; i < k.m->n_files; i++)
        if (strcmp(k.m->files[i].path, "one") == 0)
            p.record.files[i].present = false;
    assert_int_equal(known_delete(&k, &p, &e), 0);
    assert_true(exists(at("d/one")));
    assert_false(exists(at("d/zz")));
    known_place_fini(&p);
    known_fini(&k);
    close_home(&o);
}

/* ---- finding ---- */

static void put_torrent(const struct manifest *m, const char *rel)
{
    struct buf b = {0};
    manifest_write(m, &b);
    put_file(at(rel), buf_bytes(&b).p, buf_len(&b));
    buf_fini(&b);
}

static void every_name_of_an_item_finds_it(void **state)
{
    struct scan_options o = options(AUTHOR_HYBRID);
    struct known k, found;
    char v1[2 * SHA1_LEN + 1], v2[2 * SHA256_LEN + 1], part[9];
    (void)state;
    make_sample();
    open_home(&o);
    put_item(&o, "d", &k);
    put_torrent(k.m, "t.torrent");
    text_hex(v1, BYTES(k.m->hash_v1, SHA1_LEN));
    text_hex(v2, BYTES(k.m->hash_v2, SHA256_LEN));
    memcpy(part, v2, 8);
    part[8] = 0;
    char *magnet = mem_fmt("magnet:?xt=urn:btih:%s&dn=x", v1), *file = mem_str(at("t.torrent"));
    const char *names[] = {"d", v1, v2, part, magnet, file};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct err e = {0};
        assert_int_equal(known_find(&found, names[i], o.catalogue, &e), 0);
        assert_true(found.item.id == k.item.id);
        assert_non_null(found.m);
        assert_true(bytes_eq(found.m->info, k.m->info));
        assert_true(bytes_eq(known_hash(&found), BYTES(k.m->hash_v1, SHA1_LEN)));
        known_fini(&found);
    }
    struct err e = {0};
    assert_int_equal(known_find(&found, file, NULL, &e), 0); /* without a catalogue */
    assert_true(found.item.id == 0);
    known_fini(&found);
    free(magnet);
    free(file);
    known_fini(&k);
    close_home(&o);
}

static void what_nobody_knows(void **state)
{
    static const struct {
        const char *source;
        int code;
    } cases[] = {
        {"nothing", ERR_NOTFOUND},
        {"no/such/file.torrent", ERR_IO},
        {"", ERR_INVALID},
        {"magnet:?dn=x", ERR_INVALID},
        {"-", ERR_USAGE},
        {"1111111111111111111111111111111111111111", 0},
    };
    struct scan_options o = options(AUTHOR_HYBRID);
    (void)state;
    open_home(&o);
    for (int with = 0; with < 2; with++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct known k;
            struct err e = {0};
            int rc = known_find(&k, cases[i].source, with ? o.catalogue : NULL, &e);
            assert_int_equal(rc, cases[i].code);
            assert_int_equal(e.code, cases[i].code);
            assert_null(k.m);
            known_fini(&k);
        }
    close_home(&o);
}

/* Two hashes of which each belongs to another item. */
static void a_link_of_two_items_is_refused(void **state)
{
    struct scan_options o = options(AUTHOR_V1);
    struct known one, two, k;
    struct err e = {0};
    char v1[2 * SHA1_LEN + 1];
    (void)state;
    make_sample();
    open_home(&o);
    put_item(&o, "d/one", &one);
    o.author.format = AUTHOR_V2;
    put_item(&o, "d/zz", &two);
    text_hex(v1, BYTES(one.m->hash_v1, SHA1_LEN));
    char *link = mem_fmt("magnet:?xt=urn:btih:%s&xt=urn:btmh:1220%064d", v1, 7);
    assert_int_equal(known_find(&k, link, o.catalogue, &e), ERR_INVALID);
    known_fini(&k);
    free(link);
    known_fini(&one);
    known_fini(&two);
    close_home(&o);
}

static void selections_are_read(void **state)
{
    static const struct {
        const char *text;
        const char *wanted; /* of five files, pads among them or not */
    } cases[] = {{"", "1111"}, {"0", "1000"}, {"1-2", "0110"}, {"0,3", "1001"}, {"2-900", "0011"},
                 {"x", "0000"}, {"1-", "0000"}};
    struct scan_options o = options(AUTHOR_V2);
    struct known k;
    (void)state;
    make_sample();
    open_home(&o);
    put_item(&o, "d", &k);
    assert_int_equal(k.m->n_files, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct known_place p;
        struct err e = {0};
        k.item.selection = bytes_str(cases[i].text);
        assert_int_equal(known_place(&p, &k, o.catalogue, o.home, &e), 0);
        for (uint32_t f = 0; f < 4; f++)
            assert_int_equal(bits_get(&p.wanted, f), cases[i].wanted[f] == '1');
        known_place_fini(&p);
    }
    known_fini(&k);
    close_home(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(only_listed_files_are_deleted),
        SCRATCH_TEST(a_foreign_file_of_the_same_name_stays),
        SCRATCH_TEST(every_name_of_an_item_finds_it),
        SCRATCH_TEST(what_nobody_knows),
        SCRATCH_TEST(a_link_of_two_items_is_refused),
        SCRATCH_TEST(selections_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
