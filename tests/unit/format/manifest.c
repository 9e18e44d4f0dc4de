/* Manifests as they should be, and as real ones are: vectors, what is read, added, written. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/text.h>
#include <p2p/format/manifest.h>

#include "torrents.h"

static struct manifest *vector(const char *name)
{
    struct err e = {0};
    struct bytes raw = read_vector(name);
    struct manifest *m = manifest_parse(raw, &e);
    if (!m)
        fail_msg("%s: %s", name, e.msg);
    bytes_free(raw);
    return m;
}

static void check_hash(const char *want, bool has, const uint8_t *hash, size_t n)
{
    char hex[2 * SHA256_LEN + 1];
    text_hex(hex, BYTES(hash, n));
    assert_string_equal(has ? hex : "-", want);
}

/* Every vector has the hashes listed, and survives being written and read again. */
static void vectors(void **state)
{
    (void)state;
    struct bytes list = read_vector("expected");
    char *text = mem_strn((const char *)list.p, list.n), *line = text;
    int seen = 0;
    for (char *next; (next = strchr(line, '\n')); line = next + 1, seen++) {
        char name[64], v1[64], v2[80];
        assert_int_equal(sscanf(line, "%63s %63s %79s", name, v1, v2), 3);
        char *file = mem_fmt("%s.torrent", name);
        struct manifest *m = vector(file);
        struct buf out = {0};
        check_hash(v1, m->has_v1, m->hash_v1, SHA1_LEN);
        check_hash(v2, m->has_v2, m->hash_v2, SHA256_LEN);
        manifest_write(m, &out);
        struct manifest *again = manifest_parse(buf_bytes(&out), NULL);
        assert_non_null(again);
        assert_true(bytes_eq(again->info, m->info));
        assert_int_equal(manifest_layers_missing(again, NULL), 0);
        manifest_free(again);
        manifest_free(m);
        buf_fini(&out);
        free(file);
    }
    assert_int_equal(seen, 9);
    free(text);
    bytes_free(list);
}

static void v1_words(void **state)
{
    (void)state;
    struct manifest *m = vector("pack-v1.torrent");
    assert_string_equal(m->name, "pack");
    assert_true(m->multi);
    assert_int_equal(m->n_files, 6);
    assert_string_equal(m->files[1].path, "dir/b.bin");
    assert_int_equal(m->files[1].attr, FILE_EXEC);
    assert_string_equal(m->files[3].path, "dir-x/c");
    assert_int_equal(m->files[3].offset, 40005);
    assert_int_equal(m->size, 256389);
    assert_int_equal(m->space, m->size);
    assert_int_equal(m->n_pieces, 8);
    assert_int_equal(m->n_tiers, 2);
    assert_int_equal(m->tiers[0].n, 2);
    assert_string_equal(m->tiers[0].urls[1], "udp://one.example:6969");
    assert_string_equal(m->tiers[1].urls[0], "udp://two.example:6969/announce");
    assert_int_equal(m->n_web_seeds, 1);
    assert_string_equal(m->web_seeds[0], "http://seed.example/files/");
    assert_int_equal(m->n_nodes, 2);
    assert_string_equal(m->nodes[0], "192.0.2.1:6881");
    assert_string_equal(m->nodes[1], "[2001:db8::1]:6882");
    assert_string_equal(m->comment, "four files");
    assert_int_equal(m->creation_date, 1700000000);
    assert_null(m->created_by);
    assert_ptr_equal(manifest_wire_hash(m, false), m->hash_v1);
    manifest_free(m);
}

/* What is canonical is written as it was, to the byte. */
static void written_as_read(void **state)
{
    (void)state;
    struct bytes raw = read_vector("pack-hybrid.torrent");
    struct manifest *m = manifest_parse(raw, NULL);
    struct buf out = {0};
    manifest_write(m, &out);
    assert_true(bytes_eq(buf_bytes(&out), raw));
    buf_fini(&out);
    manifest_free(m);
    bytes_free(raw);
}

static void v2_layout(void **state)
{
    (void)state;
    struct manifest *m = vector("pack-v2.torrent");
    assert_false(m->has_v1);
    assert_null(m->pieces);
    assert_int_equal(m->n_files, 6);
    /* a.txt 5, dir/b.bin 40000, dir/empty 0, dir-x/c 16384, twin and z 100000 */
    static const uint64_t offsets[] = {0, 32768, 72768, 98304, 131072, 262144};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(m->files[i].offset, offsets[i]);
    assert_int_equal(m->n_pieces, 12);
    assert_int_equal(m->space, 362144);
    assert_int_equal(m->files[1].layer_n, 2);
    assert_null(m->files[3].layer);
    assert_null(m->files[2].root);
    assert_int_equal(m->files[5].layer_n, 4);
    assert_ptr_equal(m->files[4].layer, m->files[5].layer); /* twins share one */
    assert_int_equal(manifest_find_root(m, m->files[5].root), 4);
    assert_int_equal(manifest_find_root(m, m->hash_v2), UINT32_MAX);
    assert_ptr_equal(manifest_wire_hash(m, true), m->hash_v2);
    manifest_free(m);
}

static void hybrid_layout(void **state)
{
    (void)state;
    struct manifest *m = vector("pack-hybrid.torrent");
    assert_true(m->has_v1 && m->has_v2);
    assert_int_equal(m->n_pieces, 12);
    assert_int_equal(m->space, 12 * 32768);
    assert_int_equal(m->size, 256389);
    assert_int_equal(m->n_files, 11);
    assert_int_equal(m->files[1].attr, FILE_PAD);
    assert_null(m->files[1].root);
    assert_non_null(m->files[2].layer);
    manifest_free(m);
}

/* BEP 47 counts link targets from the root; libtorrent 2.0 wrote ["..", "a.txt"] for the same. */
static void links(void **state)
{
    (void)state;
    static const char *const names[] = {"links-v1.torrent", "links-hybrid.torrent"};
    for (int k = 0; k < 2; k++) {
        struct manifest *m = vector(names[k]);
        uint32_t links = 0;
        for (uint32_t i = 0; i < m->n_files; i++) {
            if (!(m->files[i].attr & FILE_SYMLINK))
                continue;
            assert_string_equal(m->files[i].path, "dir/link");
            assert_string_equal(m->files[i].target, "a.txt");
            links++;
        }
        assert_int_equal(links, 1);
        manifest_free(m);
    }
    struct err e = {0};
    struct manifest *m =
        manifest_of("d 'files' l d 'length' i5e 'path' l 'd' 'f' e e"
                    " d 'attr' 'lx' 'path' l 'd' 'to' e 'symlink path' l 'd' e e"
                    " d 'attr' 'l' 'length' i0e 'path' l 'z' 'to' e 'symlink path' l 'd' 'f' e e e"
                    " 'name' 'n' 'piece length' i5e 'pieces' " H20 " e",
                    &e);
    assert_non_null(m);
    assert_string_equal(m->files[1].target, "d");
    assert_int_equal(m->files[1].attr, FILE_SYMLINK | FILE_EXEC);
    assert_string_equal(m->files[2].target, "d/f");
    manifest_free(m);
}

/* Unsorted keys, leading zeros, blanks, bytes behind: the hash is of the original. */
static void untidy(void **state)
{
    (void)state;
    struct manifest *m = vector("untidy-v1.torrent");
    assert_int_equal(m->files[0].length, 5);
    assert_string_equal(m->files[0].path, "a.txt");
    assert_string_equal(m->tiers[0].urls[0], "http://tracker.example/announce");
    manifest_free(m);
}

static void utf8_twins(void **state)
{
    (void)state;
    struct manifest *m = manifest_of(
        "d 'files' l d 'length' i5e 'path' l 'a\xe4' e 'path.utf-8' l 'a\xc3\xa4' e e"
        " d 'length' i0e 'path' l 'b' e 'path.utf-8' l '..' e e"
        " d 'length' i0e 'path' l 'c' e 'path.utf-8' l '\xff' e e e"
        " 'name' 'n\xe4' 'name.utf-8' 'n\xc3\xa4' 'piece length' i5e 'pieces' " H20 " e",
        NULL);
    assert_non_null(m);
    assert_string_equal(m->name, "n\xc3\xa4");
    assert_string_equal(m->files[0].path, "a\xc3\xa4");
    assert_string_equal(m->files[1].path, "b");
    assert_string_equal(m->files[2].path, "c");
    manifest_free(m);
}

static void padding(void **state)
{
    (void)state;
    struct manifest *m =
        manifest_of("d 'files' l d 'length' i5e 'path' l 'a' e e"
                    " d 'attr' 'p' 'length' i3e e"
                    " d 'attr' 'xp' 'length' i3e 'path' l '..' 'b' e e"
                    " d 'length' i2e 'path' l '_____padding_file_0_if you see this' e e e"
                    " 'name' 'n' 'piece length' i100e 'pieces' " H20 " e",
                    NULL);
    assert_non_null(m);
    assert_int_equal(m->size, 5);
    assert_int_equal(m->space, 13);
    assert_string_equal(m->files[1].path, ".pad/3");
    assert_string_equal(m->files[2].path, ".pad/3");
    assert_int_equal(m->files[2].attr, FILE_PAD);
    assert_int_equal(m->files[3].attr, FILE_PAD);
    manifest_free(m);
}

static void details(void **state)
{
    (void)state;
    struct manifest *m =
        manifest_of("d 'length' i0e 'name' 'empty' 'piece length' i1e 'pieces' '' 'private' i1e"
                    " 'source' 'S' e",
                    NULL);
    assert_non_null(m);
    assert_true(m->private_flag);
    assert_string_equal(m->source, "S");
    assert_int_equal(m->n_pieces, 0);
    assert_int_equal(m->creation_date, -1);
    manifest_free(m);
    m = manifest_of("d 'attr' 'xh' 'length' i1e 'name' 'n' 'piece length' i1e 'pieces' " H20
                    " 'private' i0e e",
                    NULL);
    assert_false(m->private_flag);
    assert_int_equal(m->files[0].attr, FILE_EXEC | FILE_HIDDEN);
    manifest_free(m);
}

/* A later meta version is good only for the v1 half beside it. */
static void later_version(void **state)
{
    (void)state;
    struct manifest *m =
        manifest_of("d 'file tree' 'who knows' 'length' i1e 'meta version' i3e 'name' 'n'"
                    " 'piece length' i1e 'pieces' " H20 " e",
                    NULL);
    assert_non_null(m);
    assert_true(m->has_v1 && !m->has_v2);
    manifest_free(m);
}

/* One leaf of the manifest's name is a file; of another name, a file in a folder. */
static void v2_single(void **state)
{
    (void)state;
    struct manifest *m =
        manifest_of("d 'file tree' d 'n' d '' d 'length' i0e e e e 'meta version' i2e 'name' 'n'"
                    " 'piece length' i16384e e",
                    NULL);
    assert_false(m->multi);
    assert_string_equal(m->files[0].path, "n");
    manifest_free(m);
    m = manifest_of("d 'file tree' d 'f' d '' d 'length' i0e e e e 'meta version' i2e 'name' 'n'"
                    " 'piece length' i16384e e", NULL);
    assert_true(m->multi);
    manifest_free(m);
}

/* Siblings of a link keep their folder; an empty folder says nothing; order is as it stands. */
static void v2_tree(void **state)
{
    (void)state;
    struct manifest *m =
        manifest_of("d 'file tree' d 'z' d 'e' de 'l' d '' d 'attr' 'l' 'symlink path' l 'b' e e e"
                    " 'm' d '' d 'length' i7e 'pieces root' " H32 " e e e"
                    " 'b' d '' d 'attr' 'hx' 'length' i1e 'pieces root' " H32 " e e e"
                    " 'meta version' i2e 'name' 'n' 'piece length' i16384e e",
                    NULL);
    assert_non_null(m);
    assert_int_equal(m->n_files, 3);
    assert_string_equal(m->files[0].path, "z/l");
    assert_string_equal(m->files[0].target, "b");
    assert_string_equal(m->files[1].path, "z/m");
    assert_string_equal(m->files[2].path, "b");
    assert_int_equal(m->files[2].attr, FILE_HIDDEN | FILE_EXEC);
    assert_int_equal(m->files[2].offset, 16384);
    manifest_free(m);
}

/* From peers comes info alone; layers follow, each proved. */
static void layers_later(void **state)
{
    (void)state;
    struct manifest *whole = vector("pack-v2.torrent");
    struct err e = {0};
    struct manifest *m = manifest_parse_info(whole->info, &e);
    uint32_t file = 0;
    assert_non_null(m);
    assert_memory_equal(m->hash_v2, whole->hash_v2, SHA256_LEN);
    assert_int_equal(manifest_layers_missing(m, &file), 3);
    assert_int_equal(file, 1);
    struct bytes layer = BYTES(whole->files[1].layer, 2 * SHA256_LEN);
    assert_int_equal(manifest_set_layer(m, 5, layer, &e), ERR_INVALID);
    assert_int_equal(manifest_set_layer(m, 0, layer, NULL), ERR_INVALID);
    assert_int_equal(manifest_set_layer(m, 99, layer, NULL), ERR_INVALID);
    assert_int_equal(manifest_set_layer(m, 1, BYTES(layer.p, SHA256_LEN), NULL), ERR_INVALID);
    assert_int_equal(manifest_set_layer(m, 1, BYTES(layer.p, 0), NULL), ERR_INVALID);
    assert_int_equal(manifest_set_layer(m, 1, layer, NULL), 0);
    assert_int_equal(manifest_set_layer(m, 1, layer, NULL), 0);
    assert_int_equal(manifest_layers_missing(m, NULL), 2);
    for (uint32_t i = 4; i < 6; i++)
        assert_int_equal(
            manifest_set_layer(m, i, BYTES(whole->files[i].layer, 4 * SHA256_LEN), NULL), 0);
    assert_int_equal(manifest_layers_missing(m, NULL), 0);
    struct buf out = {0};
    manifest_write(m, &out); /* now a .torrent that stands by itself */
    struct manifest *again = manifest_parse(buf_bytes(&out), &e);
    assert_non_null(again);
    manifest_free(again);
    buf_fini(&out);
    manifest_free(m);
    manifest_free(whole);
}

static void adding(void **state)
{
    (void)state;
    struct manifest *m = vector("solo-v1.torrent");
    manifest_add_tracker(m, 0, "http://a.example/announce");
    manifest_add_tracker(m, 7, "http://b.example/announce");
    manifest_add_tracker(m, 1, "http://c.example/announce");
    manifest_add_tracker(m, 0, "http://c.example/announce");
    manifest_add_tracker(m, 0, "http://bad.example/\n");
    manifest_add_tracker(m, 0, "http://bad.example/\x01x");
    manifest_add_tracker(m, 0, "");
    assert_int_equal(m->n_tiers, 2);
    assert_int_equal(m->tiers[0].n, 2); /* the one with a newline behind it is itself without */
    assert_int_equal(m->tiers[1].n, 2);
    manifest_add_web_seed(m, "http://w.example/");
    manifest_add_web_seed(m, "http://w.example/");
    assert_int_equal(m->n_web_seeds, 1);
    manifest_add_node(m, "[2001:db8::2]:1");
    manifest_add_node(m, "no port");
    struct buf out = {0};
    manifest_write(m, &out);
    struct manifest *again = manifest_parse(buf_bytes(&out), NULL);
    assert_int_equal(again->n_nodes, 1);
    assert_string_equal(again->nodes[0], "[2001:db8::2]:1");
    assert_int_equal(again->n_tiers, 2);
    manifest_free(again);
    manifest_free(m);
    buf_fini(&out);
}

/* Around info nothing can go wrong enough to refuse the rest. */
static void odd_outside(void **state)
{
    (void)state;
    struct buf b = {0};
    bentext(
        &b,
        "d 'announce' i5e 'announce-list' l 'x' l i1e '' e l 'http://t.example/announce' e e "
        "'comment' le"
        " 'creation date' i-5e 'info' d 'length' i1e 'name' 'n' 'piece length' i1e 'pieces' " H20
        " e"
        " 'nodes' l 'x' l 'h' e l 'h' i0e e l 'h' i65536e e l 'h~' i1e e l i1e i1e e e"
        " 'piece layers' i1e 'url-list' d 'a' 'b' e e");
    struct manifest *m = manifest_parse(buf_bytes(&b), NULL);
    assert_non_null(m);
    assert_int_equal(m->n_tiers, 1);
    assert_string_equal(m->tiers[0].urls[0], "http://t.example/announce");
    assert_int_equal(m->n_nodes + m->n_web_seeds, 0);
    assert_null(m->comment);
    assert_int_equal(m->creation_date, -1);
    manifest_free(m);
    buf_fini(&b);
}

static void url_limits(void **state)
{
    (void)state;
    struct buf b = {0};
    char url[32];
    bentext(&b, "d 'announce-list' l l");
    for (unsigned i = 0; i < 3 * MANIFEST_MAX_URLS; i++) {
        snprintf(url, sizeof url, "http://t.example/%u", i);
        buf_putf(&b, "%zu:%s", strlen(url), url);
    }
    bentext(&b, "ee 'info' d 'length' i1e 'name' 'n' 'piece length' i1e 'pieces' " H20
                " e 'url-list' ");
    buf_putf(&b, "%u:", MANIFEST_MAX_URL + 1);
    for (unsigned i = 0; i <= MANIFEST_MAX_URL; i++)
        buf_put_u8(&b, 'u');
    buf_put_u8(&b, 'e');
    struct manifest *m = manifest_parse(buf_bytes(&b), NULL);
    assert_int_equal(m->tiers[0].n, MANIFEST_MAX_URLS);
    manifest_add_tracker(m, 0, "http://one.more.example/");
    assert_int_equal(m->tiers[0].n, MANIFEST_MAX_URLS);
    assert_int_equal(m->n_web_seeds, 0);
    manifest_free(m);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),         cmocka_unit_test(v1_words),
        cmocka_unit_test(written_as_read), cmocka_unit_test(v2_layout),
        cmocka_unit_test(hybrid_layout),   cmocka_unit_test(links),
        cmocka_unit_test(untidy),          cmocka_unit_test(utf8_twins),
        cmocka_unit_test(padding),         cmocka_unit_test(details),
        cmocka_unit_test(later_version),   cmocka_unit_test(v2_single),
        cmocka_unit_test(v2_tree),         cmocka_unit_test(layers_later),
        cmocka_unit_test(adding),          cmocka_unit_test(odd_outside),
        cmocka_unit_test(url_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
