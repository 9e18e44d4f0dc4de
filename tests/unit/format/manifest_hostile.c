/* Manifests as strangers make them: every refusal and every limit of HOSTILE.md, on both sides. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/bencode.h>
#include <p2p/format/manifest.h>

#include "torrents.h"

/* A v1 folder and a v2 folder around what is being tried. */
#define V1(files) "d 'files' l " files " e 'name' 'n' 'piece length' i16384e 'pieces' " H20 " e"
#define V2(tree) "d 'file tree' d " tree " e 'meta version' i2e 'name' 'n' 'piece length' i16384e e"
#define F1(path) "d 'length' i1e 'path' l " path " e e"
#define F0(path) "d 'length' i0e 'path' l " path " e e"
#define LINK(path, to) "d 'attr' 'l' 'length' i0e 'path' l " path " e 'symlink path' l " to " e e"
#define LEAF "d '' d 'length' i1e 'pieces root' " H32 " e e"
/* A hybrid of two files of one byte; the middle is what the v1 half says. */
#define HYBRID(files, pieces) "d 'file tree' d 'a' " LEAF " 'b' " LEAF " e 'files' l " files \
    " e 'meta version' i2e 'name' 'n' 'piece length' i16384e 'pieces' " pieces " e"
#define PAD(n) "d 'attr' 'p' 'length' i" n "e 'path' l '.pad' 'x' e e"

struct attempt {
    const char *what, *info;
    int code; /* 0: is taken */
};

static void try_all(const struct attempt *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err e = {0};
        struct manifest *m = manifest_of(a[i].info, &e);
        if (e.code != a[i].code || !m != (a[i].code != 0))
            fail_msg("%s: got %d (%s)", a[i].what, e.code, e.msg);
        manifest_free(m);
    }
}
#define TRY(list) try_all(list, sizeof list / sizeof *list)

static void shape(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"info that is a string", "'x'", ERR_INVALID},
        {"empty info", "de", ERR_INVALID},
        {"no pieces", "d 'length' i1e 'name' 'n' 'piece length' i1e e", ERR_INVALID},
        {"no length", "d 'name' 'n' 'piece length' i1e 'pieces' " H20 " e", ERR_INVALID},
        {"no name", "d 'length' i1e 'piece length' i1e 'pieces' " H20 " e", ERR_INVALID},
        {"no piece length", "d 'length' i1e 'name' 'n' 'pieces' " H20 " e", ERR_INVALID},
        {"pieces that are a list", "d 'length' i1e 'name' 'n' 'piece length' i1e 'pieces' le e",
         ERR_INVALID},
        {"files that are a dictionary", "d 'files' de 'name' 'n' 'piece length' i1e 'pieces' '' e",
         ERR_INVALID},
        {"no files", "d 'files' le 'name' 'n' 'piece length' i1e 'pieces' '' e", ERR_INVALID},
        {"only padding",
         "d 'files' l " PAD("1") " e 'name' 'n' 'piece length' i1e 'pieces' " H20 " e",
         ERR_INVALID},
        {"a file that is a string", V1("'x'"), ERR_INVALID},
        {"a file without length", V1("d 'path' l 'a' e e"), ERR_INVALID},
        {"a file without path", V1("d 'length' i1e e"), ERR_INVALID},
        {"a negative length", V1("d 'length' i-1e 'path' l 'a' e e"), ERR_INVALID},
        {"a length that is a string", V1("d 'length' '1' 'path' l 'a' e e"), ERR_INVALID},
        {"a key twice in info",
         "d 'length' i1e 'name' 'n' 'name' 'n' 'piece length' i1e 'pieces' " H20 " e", ERR_INVALID},
        {"a key twice, apart",
         "d 'name' 'n' 'length' i1e 'piece length' i1e 'pieces' " H20 " 'name' 'm' e", ERR_INVALID},
        {"a key twice deep in info", V1("d 'length' i1e 'length' i1e 'path' l 'a' e e"),
         ERR_INVALID},
        {"a key twice in what nobody reads",
         "d 'length' i1e 'name' 'n' 'piece length' i1e 'pieces' " H20
         " 'x' l d 'q' i1e 'q' i1e e e e",
         ERR_INVALID},
    };
    TRY(list);
}

static void names(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"dots within", V1(F1("'foo... bar' '...' '..a'")), 0},
        {"dot dot", V1(F1("'a' '..' 'b'")), ERR_INVALID},
        {"dot", V1(F1("'.'")), ERR_INVALID},
        {"empty component", V1(F1("'a' ''")), ERR_INVALID},
        {"slash", V1(F1("'a/b'")), ERR_INVALID},
        {"NUL", V1(F1("'a~b'")), ERR_INVALID},
        {"no component", V1(F1("")), ERR_INVALID},
        {"a number", V1(F1("i1e")), ERR_INVALID},
        {"a name of dots", "d 'length' i1e 'name' '..' 'piece length' i1e 'pieces' " H20 " e",
         ERR_INVALID},
        {"an empty name", "d 'length' i1e 'name' '' 'piece length' i1e 'pieces' " H20 " e",
         ERR_INVALID},
        {"a name with a slash",
         "d 'length' i1e 'name' '/etc/passwd' 'piece length' i1e 'pieces' " H20 " e", ERR_INVALID},
        {"a name with NUL", "d 'length' i1e 'name' 'a~' 'piece length' i1e 'pieces' " H20 " e",
         ERR_INVALID},
        {"a tree with dots", V2("'..' " LEAF), ERR_INVALID},
        {"a tree with a slash", V2("'a/b' " LEAF), ERR_INVALID},
        {"a tree with NUL", V2("'d' d 'a~' " LEAF " e"), ERR_INVALID},
    };
    TRY(list);
}

static void paths(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"twice", V1(F1("'a'") F0("'a'")), ERR_INVALID},
        {"twice, apart", V1(F1("'a' 'b'") F0("'c'") F0("'a' 'b'")), ERR_INVALID},
        {"a file, then a folder", V1(F1("'a'") F0("'a' 'b'")), ERR_INVALID},
        {"a folder, then a file", V1(F1("'a' 'b' 'c'") F0("'x'") F0("'a' 'b'")), ERR_INVALID},
        {"what sorts between is no excuse", V1(F1("'a'") F0("'a-b'") F0("'a.b'") F0("'a' 'c'")),
         ERR_INVALID},
        {"only alike", V1(F1("'a'") F0("'a-b'") F0("'a.b' 'a'") F0("'ab'") F0("'A'")), 0},
        {"through a link", V1(F1("'d' 'f'") LINK("'l'", "'d'") F0("'l' 'g'")), ERR_INVALID},
        {"padding may repeat itself", V1(F1("'a'") PAD("1") PAD("1") F0("'.pad' 'x'")), 0},
        {"in a tree, a file and a folder", V2("'a' d '' d 'length' i0e e 'b' " LEAF " e"),
         ERR_INVALID},
        {"in a tree, twice", V2("'a' " LEAF " 'b' " LEAF " 'a' " LEAF), ERR_INVALID},
    };
    TRY(list);
}

static void links(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"to an entry", V1(F1("'a'") LINK("'l'", "'a'")), 0},
        {"to a folder above an entry", V1(F1("'d' 'e' 'a'") LINK("'l'", "'d' 'e'")), 0},
        {"to a link", V1(F1("'a'") LINK("'l'", "'m'") LINK("'m'", "'a'")), 0},
        {"relative, as libtorrent wrote it", V1(F1("'d' 'a'") LINK("'d' 'e' 'l'", "'..' '.' 'a'")),
         0},
        {"to nothing", V1(F1("'a'") LINK("'l'", "'b'")), ERR_INVALID},
        {"to half a name", V1(F1("'abc'") LINK("'l'", "'ab'")), ERR_INVALID},
        {"to itself", V1(F1("'a'") LINK("'l'", "'l'")), ERR_INVALID},
        {"up and out", V1(F1("'a'") LINK("'l'", "'..' 'a'")), ERR_INVALID},
        {"far out and back in", V1(F1("'d' 'a'") LINK("'d' 'l'", "'..' '..' 'n' 'd' 'a'")),
         ERR_INVALID},
        {"to the root", V1(F1("'a'") LINK("'d' 'l'", "'..'")), ERR_INVALID},
        {"through a link", V1(F1("'d' 'a'") LINK("'l'", "'d'") LINK("'m'", "'l' 'a'")),
         ERR_INVALID},
        {"absolute", V1(F1("'a'") LINK("'l'", "'/etc'")), ERR_INVALID},
        {"with an empty component", V1(F1("'a'") LINK("'l'", "'' 'a'")), ERR_INVALID},
        {"to padding", V1(F1("'a'") PAD("1") LINK("'l'", "'.pad' 'x'")), ERR_INVALID},
        {"without a target", V1(F1("'a'") "d 'attr' 'l' 'length' i0e 'path' l 'l' e e"),
         ERR_INVALID},
        {"with an empty target", V1(F1("'a'") LINK("'l'", "")), ERR_INVALID},
        {"with a length",
         V1(F0("'a'") "d 'attr' 'l' 'length' i1e 'path' l 'l' e 'symlink path' l 'a' e e"),
         ERR_INVALID},
        {"in a tree, to nothing",
         V2("'a' " LEAF " 'l' d '' d 'attr' 'l' 'symlink path' l 'b' e e e"), ERR_INVALID},
        {"in a tree, to an entry",
         V2("'a' " LEAF " 'l' d '' d 'attr' 'l' 'symlink path' l 'a' e e e"), 0},
    };
    TRY(list);
}

#define SIZED(length, piece, pieces) \
    "d 'length' i" length "e 'name' 'n' 'piece length' i" piece "e 'pieces' " pieces " e"

static void sizes(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"two pieces", SIZED("2", "1", H40), 0},
        {"one too few", SIZED("2", "1", H20), ERR_INVALID},
        {"one too many", SIZED("1", "1", H40), ERR_INVALID},
        {"a hash cut short", SIZED("1", "1", "'aaaaaaaaaaaaaaaaaaa'"), ERR_INVALID},
        {"odd piece length", SIZED("2000", "1001", H40), 0},
        {"no piece length", SIZED("1", "0", H20), ERR_INVALID},
        {"negative", SIZED("1", "-1", H20), ERR_INVALID},
        {"at the limit", SIZED("1", "536870912", H20), 0},
        {"past it", SIZED("1", "536870913", H20), ERR_LIMIT},
        {"huge", SIZED("1", "18446744073709551615", H20), ERR_LIMIT},
        {"beyond 64 bits", SIZED("1", "18446744073709551616", H20), ERR_INVALID},
        {"one piece too many", SIZED("2097153", "1", H20), ERR_LIMIT},
        {"2^64-1 bytes", SIZED("18446744073709551615", "536870912", H20), ERR_LIMIT},
        {"a length beyond 64 bits", SIZED("18446744073709551616", "1", H20), ERR_INVALID},
        {"a sum beyond 64 bits",
         V1("d 'length' i18446744073709551615e 'path' l 'a' e e"
            "d 'length' i2e 'path' l 'b' e e"),
         ERR_INVALID},
        {"a sum with padding beyond 64 bits", V1(F1("'a'") PAD("18446744073709551615")),
         ERR_INVALID},
        {"nothing", SIZED("0", "1", "''"), 0},
    };
    TRY(list);
}

#define TREE(length, piece) \
    "d 'file tree' d 'n' d '' d 'length' i" length "e 'pieces root' " H32 " e e e" \
    " 'meta version' i2e 'name' 'n' 'piece length' i" piece "e e"

static void v2(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"16 KiB", TREE("1", "16384"), 0},
        {"8 KiB", TREE("1", "8192"), ERR_INVALID},
        {"no power of two", TREE("1", "49152"), ERR_INVALID},
        {"512 MiB", TREE("1", "536870912"), 0},
        {"1 GiB", TREE("1", "1073741824"), ERR_LIMIT},
        {"a layer is missing", TREE("16385", "16384"), ERR_INVALID},
        {"too many pieces", TREE("34359738369", "16384"), ERR_LIMIT},
        {"2^64-1 bytes", TREE("18446744073709551615", "16384"), ERR_LIMIT},
        {"no tree", "d 'meta version' i2e 'name' 'n' 'piece length' i16384e e", ERR_INVALID},
        {"a tree that is a list",
         "d 'file tree' le 'meta version' i2e 'name' 'n' 'piece length' i16384e e", ERR_INVALID},
        {"an empty tree", V2(""), ERR_INVALID},
        {"only empty folders", V2("'a' d 'b' de e"), ERR_INVALID},
        {"a tree that is a file", V2("'' d 'length' i0e e"), ERR_INVALID},
        {"an entry that is a string", V2("'a' 'b'"), ERR_INVALID},
        {"a leaf that is a string", V2("'a' d '' 'b' e"), ERR_INVALID},
        {"no root", V2("'a' d '' d 'length' i1e e e"), ERR_INVALID},
        {"a root of 20 bytes", V2("'a' d '' d 'length' i1e 'pieces root' " H20 " e e"),
         ERR_INVALID},
        {"no length", V2("'a' d '' d 'pieces root' " H32 " e e"), ERR_INVALID},
        {"padding", V2("'a' d '' d 'attr' 'p' 'length' i1e 'pieces root' " H32 " e e"),
         ERR_INVALID},
        {"version 3", "d 'file tree' de 'meta version' i3e 'name' 'n' 'piece length' i16384e e",
         ERR_INVALID},
        {"version 1", "d 'file tree' de 'meta version' i1e 'name' 'n' 'piece length' i16384e e",
         ERR_INVALID},
        {"version 2^64",
         "d 'file tree' de 'meta version' i18446744073709551615e 'name' 'n' 'piece length' i16384e "
         "e",
         ERR_INVALID},
        {"no version", "d 'file tree' d 'n' " LEAF " e 'name' 'n' 'piece length' i16384e e",
         ERR_INVALID},
        {"half a v1 half",
         "d 'file tree' d 'n' " LEAF " e 'length' i1e 'meta version' i2e 'name' 'n'"
         " 'piece length' i16384e e",
         ERR_INVALID},
        {"the other half of it",
         "d 'file tree' d 'n' " LEAF " e 'meta version' i2e 'name' 'n'"
         " 'piece length' i16384e 'pieces' " H20 " e",
         ERR_INVALID},
    };
    TRY(list);
}

static void halves(void **state)
{
    (void)state;
    static const struct attempt list[] = {
        {"agree", HYBRID(F1("'a'") PAD("16383") F1("'b'"), H40), 0},
        {"agree, padded to the end", HYBRID(F1("'a'") PAD("16383") F1("'b'") PAD("16383"), H40), 0},
        {"agree, padding in two", HYBRID(F1("'a'") PAD("16382") PAD("1") F1("'b'"), H40), 0},
        {"no padding", HYBRID(F1("'a'") F1("'b'"), H20), ERR_INVALID},
        {"too little", HYBRID(F1("'a'") PAD("16382") F1("'b'"), H40), ERR_INVALID},
        {"a piece too much",
         HYBRID(F1("'a'") PAD("32767") F1("'b'"),
                "'aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbcccccccccccccccccccc'"),
         ERR_INVALID},
        {"a piece of padding at the end",
         HYBRID(F1("'a'") PAD("16383") F1("'b'") PAD("16384"),
                "'aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbcccccccccccccccccccc'"),
         ERR_INVALID},
        {"another order", HYBRID(F1("'b'") PAD("16383") F1("'a'"), H40), ERR_INVALID},
        {"another name", HYBRID(F1("'a'") PAD("16383") F1("'c'"), H40), ERR_INVALID},
        {"another length", HYBRID(F1("'a'") PAD("16383") "d 'length' i2e 'path' l 'b' e e", H40),
         ERR_INVALID},
        {"another attribute",
         HYBRID(F1("'a'") PAD("16383") "d 'attr' 'x' 'length' i1e 'path' l 'b' e e", H40), 0},
        {"a file less", HYBRID(F1("'a'"), H20), ERR_INVALID},
        {"a file more", HYBRID(F1("'a'") PAD("16383") F1("'b'") F0("'c'"), H40), ERR_INVALID},
        {"a link for a file", HYBRID(F1("'a'") PAD("16383") LINK("'b'", "'a'"), H20), ERR_INVALID},
        {"another name of a single file",
         "d 'file tree' d 'm' " LEAF " e 'length' i1e 'meta version' i2e 'name' 'n'"
         " 'piece length' i16384e 'pieces' " H20 " e",
         ERR_INVALID},
        {"a single file and a folder",
         "d 'file tree' d 'n' d 'n' " LEAF " e e 'length' i1e 'meta version' i2e 'name' 'n'"
         " 'piece length' i16384e 'pieces' " H20 " e",
         ERR_INVALID},
        {"a layer missing is no matter",
         "d 'file tree' d 'n' d '' d 'length' i16385e 'pieces root' " H32 " e e e"
         " 'length' i16385e 'meta version' i2e 'name' 'n' 'piece length' i16384e"
         " 'pieces' " H40 " e",
         0},
        {"links to different things",
         "d 'file tree' d 'a' " LEAF " 'l' d '' d 'attr' 'l' 'symlink path' l 'a' e e e"
         " 'm' d '' d 'length' i0e e e e 'files' l " F1("'a'") LINK("'l'", "'m'")
             F0("'m'") " e 'meta version' i2e 'name' 'n' 'piece length' i16384e 'pieces' " H20 " e",
         ERR_INVALID},
    };
    TRY(list);
}

/* Changes one byte of a good manifest's piece layers, or their form. */
static int with_layers(const char *vector,
                       void (*change)(struct buf *out, const struct manifest *m))
{
    struct err e = {0};
    struct buf b = {0};
    struct bytes raw = read_vector(vector);
    struct manifest *m = manifest_parse(raw, NULL), *again;
    assert_non_null(m);
    buf_put_str(&b, "d4:info");
    buf_put_bytes(&b, m->info);
    bencode_put_lit(&b, "piece layers");
    change(&b, m);
    buf_put_str(&b, "e");
    again = manifest_parse(buf_bytes(&b), &e);
    assert_true(!again == (e.code != 0));
    manifest_free(again);
    manifest_free(m);
    bytes_free(raw);
    buf_fini(&b);
    return e.code;
}

/* pack-*: file 1 (v2) or 2 (hybrid) is dir/b.bin with 2 hashes, the last one has 4. */
static void put_layer(struct buf *out, const struct manifest_file *f, size_t n, uint8_t flip)
{
    bencode_put_str(out, BYTES(f->root, SHA256_LEN));
    bencode_put_str(out, BYTES(f->layer, n * SHA256_LEN));
    buf_room(out, 0)[-1] ^= flip;
}

static const struct manifest_file *two(const struct manifest *m)
{
    return &m->files[m->has_v1 ? 2 : 1];
}

static const struct manifest_file *four(const struct manifest *m)
{
    return &m->files[m->has_v1 ? 9 : 5];
}

static void all(struct buf *out, const struct manifest *m)
{
    buf_put_str(out, "d");
    put_layer(out, four(m), 4, 0);
    put_layer(out, two(m), 2, 0);
    bentext(out, "'unknown' 'x'" H32 " '' e"); /* extra ones are not looked at */
}

static void flipped(struct buf *out, const struct manifest *m)
{
    buf_put_str(out, "d");
    put_layer(out, four(m), 4, 1);
    put_layer(out, two(m), 2, 0);
    buf_put_str(out, "e");
}

static void short_layer(struct buf *out, const struct manifest *m)
{
    buf_put_str(out, "d");
    put_layer(out, four(m), 3, 0);
    put_layer(out, two(m), 2, 0);
    buf_put_str(out, "e");
}

static void one_missing(struct buf *out, const struct manifest *m)
{
    buf_put_str(out, "d");
    put_layer(out, two(m), 2, 0);
    buf_put_str(out, "e");
}

static void twice(struct buf *out, const struct manifest *m)
{
    buf_put_str(out, "d");
    put_layer(out, four(m), 4, 0);
    put_layer(out, two(m), 2, 0);
    put_layer(out, two(m), 2, 0);
    buf_put_str(out, "e");
}

static void no_dict(struct buf *out, const struct manifest *m)
{
    (void)m;
    buf_put_str(out, "le");
}

static void exchanged(struct buf *out, const struct manifest *m)
{
    buf_put_str(out, "d");
    bencode_put_str(out, BYTES(two(m)->root, SHA256_LEN));
    bencode_put_str(out, BYTES(four(m)->layer, 4 * SHA256_LEN));
    buf_put_str(out, "e");
}

static void layers(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct buf *out, const struct manifest *m);
        int v2, hybrid;
    } list[] = {
        {all, 0, 0},
        {flipped, ERR_INVALID, ERR_INVALID},
        {short_layer, ERR_INVALID, ERR_INVALID},
        {one_missing, ERR_INVALID, 0},
        {twice, ERR_INVALID, ERR_INVALID},
        {no_dict, ERR_INVALID, ERR_INVALID},
        {exchanged, ERR_INVALID, ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        assert_int_equal(with_layers("pack-v2.torrent", list[i].change), list[i].v2);
        assert_int_equal(with_layers("pack-hybrid.torrent", list[i].change), list[i].hybrid);
    }
}

/* Cut anywhere, or with any byte changed, a manifest is refused or still one to be trusted. */
static void damaged(void **state)
{
    (void)state;
    static const char *const names[] = {"links-hybrid.torrent", "pack-v1.torrent",
                                        "solo-v2.torrent"};
    for (size_t k = 0; k < 3; k++) {
        struct bytes raw = read_vector(names[k]);
        uint8_t *copy = malloc(raw.n);
        memcpy(copy, raw.p, raw.n);
        for (size_t n = 0; n < raw.n; n++) {
            uint8_t *cut = mem_dup(raw.p, n);
            assert_null(manifest_parse(BYTES(cut, n), NULL));
            free(cut);
            for (unsigned bit = 0; bit < 8; bit += 3) {
                copy[n] ^= (uint8_t)(1u << bit);
                manifest_free(manifest_parse(BYTES(copy, raw.n), NULL));
                copy[n] ^= (uint8_t)(1u << bit);
            }
        }
        free(copy);
        bytes_free(raw);
    }
}

static int parse_code(const struct buf *b, bool bare)
{
    struct err e = {0};
    struct manifest *m =
        bare ? manifest_parse_info(buf_bytes(b), &e) : manifest_parse(buf_bytes(b), &e);
    assert_true(!m == (e.code != 0));
    manifest_free(m);
    return e.code;
}

/* A single file, and a string of padding so that the whole has `size` bytes. */
static int sized(size_t size, bool bare)
{
    struct buf b = {0};
    char *frame = mem_fmt("d6:lengthi0e4:name1:n12:piece lengthi1e6:pieces0:1:x");
    size_t outer = bare ? 0 : strlen("d4:infoe"), digits = 8;
    buf_put_str(&b, bare ? "" : "d4:info");
    buf_put_str(&b, frame);
    size_t rest = size - strlen(frame) - outer - digits - 2;
    buf_putf(&b, "%0*zu:", (int)digits, rest);
    memset(buf_room(&b, rest), 'x', rest);
    buf_added(&b, rest);
    buf_put_str(&b, bare ? "e" : "ee");
    assert_int_equal(buf_len(&b), size);
    int rc = parse_code(&b, bare);
    buf_fini(&b);
    free(frame);
    return rc;
}

static void bytes(void **state)
{
    (void)state;
    assert_int_equal(sized(MANIFEST_MAX_BYTES, false), 0);
    assert_int_equal(sized(MANIFEST_MAX_BYTES + 1, false), ERR_LIMIT);
    assert_int_equal(sized(MANIFEST_MAX_INFO, true), 0);
    assert_int_equal(sized(MANIFEST_MAX_INFO + 1, true), ERR_LIMIT);
}

/* Metadata that closes the dictionary it is put into, to be taken for another. */
static void metadata_that_breaks_out(void **state)
{
    (void)state;
    struct buf b = {0};
    bentext(&b, SIZED("1", "1", H20) " 'x' i1e");
    assert_int_equal(parse_code(&b, true), ERR_INVALID);
    buf_clear(&b);
    bentext(&b, SIZED("1", "1", H20) " e");
    assert_int_equal(parse_code(&b, true), ERR_INVALID);
    buf_clear(&b);
    bentext(&b, SIZED("1", "1", H20));
    assert_int_equal(parse_code(&b, true), 0);
    buf_fini(&b);
}

static int pieces(size_t n)
{
    struct buf b = {0};
    buf_putf(&b, "d4:infod6:lengthi%zue4:name1:n12:piece lengthi3e6:pieces%zu:", n * 3 - 1, n * 20);
    memset(buf_room(&b, n * 20), 'h', n * 20);
    buf_added(&b, n * 20);
    buf_put_str(&b, "ee");
    int rc = parse_code(&b, false);
    buf_fini(&b);
    return rc;
}

static void piece_count(void **state)
{
    (void)state;
    assert_int_equal(pieces(MANIFEST_MAX_PIECES), 0);
    assert_int_equal(pieces(MANIFEST_MAX_PIECES + 1), ERR_LIMIT);
}

static int v1_depth(size_t depth)
{
    struct buf b = {0};
    buf_put_str(&b, "d4:infod5:filesld6:lengthi0e4:pathl");
    for (size_t i = 0; i < depth; i++)
        buf_put_str(&b, "1:d");
    buf_put_str(&b, "eee4:name1:n12:piece lengthi1e6:pieces0:ee");
    int rc = parse_code(&b, false);
    buf_fini(&b);
    return rc;
}

static int v2_depth(size_t depth)
{
    struct buf b = {0};
    buf_put_str(&b, "d4:infod9:file treed");
    for (size_t i = 0; i < depth; i++)
        buf_put_str(&b, "1:dd");
    buf_put_str(&b, "0:d6:lengthi0ee");
    for (size_t i = 0; i < depth; i++)
        buf_put_str(&b, "e");
    buf_put_str(&b, "e12:meta versioni2e4:name1:n12:piece lengthi16384eee");
    int rc = parse_code(&b, false);
    buf_fini(&b);
    return rc;
}

static void path_depth(void **state)
{
    (void)state;
    assert_int_equal(v1_depth(MANIFEST_MAX_PATH_DEPTH), 0);
    assert_int_equal(v1_depth(MANIFEST_MAX_PATH_DEPTH + 1), ERR_LIMIT);
    assert_int_equal(v1_depth(2000000), ERR_LIMIT);
    /* The tree's own nesting comes to bencode's limit first: root, info, tree and leaf count too.
     */
    assert_int_equal(v2_depth(BENCODE_MAX_DEPTH - 4), 0);
    assert_int_equal(v2_depth(BENCODE_MAX_DEPTH - 3), ERR_LIMIT);
}

static int path_length(size_t n)
{
    struct buf b = {0};
    buf_putf(&b, "d4:infod5:filesld6:lengthi0e4:pathl1:d%zu:", n - 2);
    memset(buf_room(&b, n), 'p', n - 2);
    buf_added(&b, n - 2);
    buf_put_str(&b, "eee4:name1:n12:piece lengthi1e6:pieces0:ee");
    int rc = parse_code(&b, false);
    buf_fini(&b);
    return rc;
}

static void path_bytes(void **state)
{
    (void)state;
    assert_int_equal(path_length(MANIFEST_MAX_PATH), 0);
    assert_int_equal(path_length(MANIFEST_MAX_PATH + 1), ERR_LIMIT);
    assert_int_equal(path_length(20u << 20), ERR_LIMIT);
}

/* A folder named once whose name stands in the path of each of many files: memory has an end. */
static void long_folder_of_many(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_str(&b, "d4:infod9:file treed16000:");
    memset(buf_room(&b, 16000), 'f', 16000);
    buf_added(&b, 16000);
    buf_put_str(&b, "d");
    for (int i = 0; i < 20000; i++)
        buf_putf(&b, "5:%05dd0:d6:lengthi0eee", i);
    buf_put_str(&b, "ee12:meta versioni2e4:name1:n12:piece lengthi16384eee");
    assert_int_equal(parse_code(&b, false), ERR_LIMIT);
    buf_fini(&b);
}

/*
 * Tokens end before MANIFEST_MAX_FILES does: a v1 file takes six of them at least. As many files as
 * that leaves room for, in an order that has to be sorted.
 */
static int many_files(unsigned n)
{
    struct buf b = {0};
    buf_put_str(&b, "d4:infod5:filesl");
    for (unsigned i = 0; i < n; i++)
        buf_putf(&b, "d6:lengthi0e4:pathl8:%08xee", (i * 2654435761u) & 0xffffffff);
    buf_put_str(&b, "e4:name1:n12:piece lengthi1e6:pieces0:ee");
    int rc = parse_code(&b, false);
    buf_fini(&b);
    return rc;
}

static void file_count(void **state)
{
    (void)state;
    assert_int_equal(many_files((BENCODE_MAX_TOKENS - 11) / 6),
                     0); /* eleven go to what is around them */
    assert_int_equal(many_files((BENCODE_MAX_TOKENS - 11) / 6 + 1), ERR_LIMIT);
    assert_int_equal(many_files(MANIFEST_MAX_FILES + 1), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape),       cmocka_unit_test(names),       cmocka_unit_test(paths),
        cmocka_unit_test(links),       cmocka_unit_test(sizes),       cmocka_unit_test(v2),
        cmocka_unit_test(halves),      cmocka_unit_test(layers),      cmocka_unit_test(damaged),
        cmocka_unit_test(bytes),       cmocka_unit_test(metadata_that_breaks_out),
        cmocka_unit_test(piece_count), cmocka_unit_test(path_depth),  cmocka_unit_test(path_bytes),
        cmocka_unit_test(long_folder_of_many),                        cmocka_unit_test(file_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
