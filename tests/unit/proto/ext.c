/* The extension protocol: what we say, what others say, and what they should not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/ext.h>

#include <stdlib.h>

static struct ext_handshake parsed(struct bytes body)
{
    struct ext_handshake h = {0};
    struct err e = {0};
    assert_int_equal(ext_parse_handshake(&h, body, &e), 0);
    assert_int_equal(e.code, 0);
    return h;
}

#define PARSED(lit) parsed(BYTES_LIT(lit))

static void says_nothing_by_default(void **state)
{
    (void)state;
    struct buf b = {0};
    struct ext_hello none = {0};
    ext_put_handshake(&b, &none);
    assert_true(bytes_is(buf_bytes(&b), "d1:mdee"));
    struct ext_handshake h = parsed(buf_bytes(&b)), zero = {0};
    assert_memory_equal(&h, &zero, sizeof h);
    buf_fini(&b);
}

static void says_all(void **state)
{
    (void)state;
    struct buf b = {0};
    struct ext_hello all = {
        .metadata = true,
        .pex = true,
        .donthave = true,
        .upload_only_msg = true,
        .metadata_size = 31235,
        .reqq = 500,
        .port = 6881,
        .upload_only = true,
        .client = "p2p 0.1.0",
    };
    addr_parse_ip(&all.yourip, "2001:db8::1", 0);
    ext_put_handshake(&b, &all);
    struct bencode *doc = bencode_parse(buf_bytes(&b), BENCODE_STRICT, 0, NULL, NULL);
    assert_non_null(doc); /* canonical: its keys are in order */
    bencode_free(doc);
    struct ext_handshake h = parsed(buf_bytes(&b));
    for (size_t k = 1; k < EXT_KINDS; k++) {
        assert_true(h.has_m[k]);
        assert_int_equal(h.id[k], k);
    }
    assert_int_equal(h.metadata_size, 31235);
    assert_int_equal(h.reqq, 500);
    assert_int_equal(h.port, 6881);
    assert_true(h.upload_only);
    assert_true(addr_eq(&h.yourip, &all.yourip));
    assert_string_equal(h.client, "p2p 0.1.0");
    buf_clear(&b);
    struct ext_hello v4 = {.metadata = true};
    addr_parse_ip(&v4.yourip, "1.2.3.4", 0);
    ext_put_handshake(&b, &v4);
    assert_true(bytes_is(buf_bytes(&b), "d1:md11:ut_metadatai1ee6:yourip4:\x01\x02\x03\x04"
                                        "e"));
    buf_fini(&b);
}

/* The example of BEP 10, its length of the name put right, and that of BEP 9. */
static void examples(void **state)
{
    (void)state;
    struct ext_handshake h =
        PARSED("d1:md11:LT_metadatai1e7:\xc2\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e");
    assert_int_equal(h.port, 6881);
    assert_string_equal(h.client, "\xc2\xb5Torrent 1.2");
    assert_false(h.has_m[EXT_METADATA] || h.has_m[EXT_PEX]);
    h = PARSED("d1:md11:ut_metadatai3ee13:metadata_sizei31235ee");
    assert_int_equal(h.id[EXT_METADATA], 3);
    assert_int_equal(h.metadata_size, 31235);
}

static void ids(void **state)
{
    (void)state;
    struct ext_handshake h = PARSED("d1:md11:ut_metadatai0e6:ut_pexi255eee");
    assert_true(h.has_m[EXT_METADATA]); /* switched off is not the same as not named */
    assert_int_equal(h.id[EXT_METADATA], 0);
    assert_int_equal(h.id[EXT_PEX], 255);
    assert_false(h.has_m[EXT_DONTHAVE]);
    h = PARSED("d1:md11:lt_donthave1:711:ut_metadatai256e6:ut_pexi-1eee");
    assert_false(h.has_m[EXT_METADATA] || h.has_m[EXT_PEX] || h.has_m[EXT_DONTHAVE]);
    h = PARSED("d1:mli1eee");
    assert_false(h.has_m[EXT_METADATA]);
}

/* A later handshake tells changes only: BEP 10, and rtorrent switches peer exchange off so. */
static void later_ones_add(void **state)
{
    (void)state;
    struct ext_handshake h =
        PARSED("d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei9e1:pi7e4:reqqi5e"
               "11:upload_onlyi1e1:v1:a6:yourip4:\x01\x02\x03\x04"
               "e");
    const struct ext_handshake first = h;
    assert_int_equal(ext_parse_handshake(&h, bytes_str("d1:md6:ut_pexi0eee"), NULL), 0);
    assert_int_equal(h.id[EXT_PEX], 0);
    assert_int_equal(h.id[EXT_METADATA], 3);
    assert_int_equal(h.metadata_size, 9);
    assert_int_equal(h.port, 7);
    assert_int_equal(h.reqq, 5);
    assert_true(h.upload_only);
    assert_string_equal(h.client, "a");
    assert_true(addr_eq(&h.yourip, &first.yourip));
    assert_int_equal(
        ext_parse_handshake(&h, bytes_str("d13:metadata_sizei0e11:upload_onlyi0ee"), NULL), 0);
    assert_int_equal(h.metadata_size, 9); /* what it does not have yet is not told */
    assert_false(h.upload_only);
}

/* As KTorrent writes them. */
static void in_any_order(void **state)
{
    (void)state;
    struct ext_handshake h =
        PARSED("d1:md6:ut_pexi1e11:ut_metadatai2ee1:pi6881e4:reqqi250e13:metadata_sizei7e"
               "11:upload_onlyi0e1:v8:KTorrente");
    assert_int_equal(h.id[EXT_PEX], 1);
    assert_int_equal(h.id[EXT_METADATA], 2);
    assert_int_equal(h.metadata_size, 7);
    assert_string_equal(h.client, "KTorrent");
    struct ext_meta m;
    assert_int_equal(ext_parse_meta(&m, bytes_str("d5:piecei3e8:msg_typei0ee"), NULL), 1);
    assert_int_equal(m.piece, 3);
}

static void numbers(void **state)
{
    (void)state;
    assert_int_equal(PARSED("d13:metadata_sizei4294967295ee").metadata_size, UINT32_MAX);
    assert_int_equal(PARSED("d13:metadata_sizei4294967296ee").metadata_size, UINT32_MAX);
    assert_int_equal(PARSED("d13:metadata_sizei9223372036854775807ee").metadata_size, UINT32_MAX);
    assert_int_equal(PARSED("d13:metadata_sizei-1ee").metadata_size, 0);
    assert_int_equal(PARSED("d13:metadata_size3:100e").metadata_size, 0);
    assert_int_equal(PARSED("d4:reqqi2048ee").reqq, 2048);
    assert_int_equal(PARSED("d4:reqqi2049ee").reqq, 2048);
    assert_int_equal(PARSED("d4:reqqi-5ee").reqq, 0);
    assert_int_equal(PARSED("d1:pi65535ee").port, 65535);
    assert_int_equal(PARSED("d1:pi65536ee").port, 0);
    assert_int_equal(PARSED("d1:pi-1ee").port, 0);
    assert_true(PARSED("d11:upload_onlyi1ee").upload_only);
    assert_false(PARSED("d11:upload_onlyi0ee").upload_only);
    assert_false(PARSED("d11:upload_onlyi-1ee").upload_only);
}

static void yourip(void **state)
{
    (void)state;
    struct addr want;
    addr_parse_ip(&want, "1.2.3.4", 0);
    struct ext_handshake h = PARSED("d6:yourip4:\x01\x02\x03\x04"
                                    "e");
    assert_true(addr_eq(&h.yourip, &want));
    h = PARSED("d6:yourip16:\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04"
               "e");
    assert_true(addr_eq(&h.yourip, &want));
    assert_int_equal(PARSED("d6:yourip5:\x01\x02\x03\x04\x05"
                            "e")
                         .yourip.family,
                     0);
    assert_int_equal(PARSED("d6:yourip0:e").yourip.family, 0);
}

static void client_name_is_safe(void **state)
{
    (void)state;
    assert_string_equal(PARSED("d1:v7:a\x1b[31mbe").client, "a\\x1b[31mb");
    assert_string_equal(PARSED("d1:v3:a\xff"
                               "be")
                            .client,
                        "a\\xffb");
    assert_string_equal(PARSED("d1:v0:e").client, "");
    struct buf b = {0};
    buf_put_str(&b, "d1:v100:");
    for (size_t i = 0; i < 100; i++)
        buf_put_u8(&b, i == 63 ? 0xc3 : i == 64 ? 0xa9 : 'a'); /* a character across the limit */
    buf_put_u8(&b, 'e');
    assert_int_equal(strlen(parsed(buf_bytes(&b)).client), 63);
    buf_clear(&b);
    buf_put_str(&b, "d1:v64:");
    for (size_t i = 0; i < 64; i++)
        buf_put_u8(&b, 0x07); /* escaped it would be four times as long */
    buf_put_u8(&b, 'e');
    assert_int_equal(strlen(parsed(buf_bytes(&b)).client), EXT_MAX_CLIENT);
    buf_fini(&b);
}

static void broken_handshakes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "d",
        "le",
        "i1e",
        "3:abc",
        "d1:pi1e",
        "d1:pi1eee",
        "d1:pi01ee",
        "d1:pi1e1:pi1ee",
        "d1:v99999999999:e",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ext_handshake h = {0};
        struct err e = {0};
        assert_int_equal(ext_parse_handshake(&h, bytes_str(bad[i]), &e), ERR_INVALID);
        assert_true(e.msg[0] != 0);
        assert_int_equal(ext_parse_handshake(&h, bytes_str(bad[i]), NULL), ERR_INVALID);
    }
    struct buf b = {0};
    buf_put_u8(&b, 'l');
    for (size_t i = 0; i < 100000; i++)
        buf_put_str(&b, "i1e");
    buf_put_u8(&b, 'e');
    struct ext_handshake h = {0};
    assert_int_equal(ext_parse_handshake(&h, buf_bytes(&b), NULL), ERR_INVALID);
    buf_fini(&b);
}

static int meta(struct ext_meta *m, const char *body)
{
    return ext_parse_meta(m, bytes_str(body), NULL);
}

static void metadata_messages(void **state)
{
    (void)state;
    struct ext_meta m;
    assert_int_equal(meta(&m, "d8:msg_typei0e5:piecei0ee"), 1);
    assert_int_equal(m.type, EXT_META_REQUEST);
    assert_int_equal(m.piece, 0);
    assert_int_equal(meta(&m, "d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx"), 1);
    assert_int_equal(m.type, EXT_META_DATA);
    assert_int_equal(m.total_size, 34256);
    assert_true(bytes_is(m.data, "xxxxxxxx"));
    assert_int_equal(meta(&m, "d8:msg_typei2e5:piecei4294967295ee"), 1);
    assert_int_equal(m.type, EXT_META_REJECT);
    assert_int_equal(m.piece, UINT32_MAX);
    assert_int_equal(meta(&m, "d8:msg_typei3ee"), 0);
    assert_int_equal(meta(&m, "d8:msg_typei-1e5:piecei0ee"), 0);
    assert_int_equal(meta(&m, "d8:msg_typei4294967296e5:piecei0ee"), 0);
    static const char *const bad[] = {
        "",
        "de",
        "le",
        "d8:msg_typei0ee",
        "d5:piecei0ee",
        "d8:msg_typei0e5:piecei-1ee",
        "d8:msg_typei0e5:piecei4294967296ee",
        "d8:msg_type1:05:piecei0ee",
        "d8:msg_typei1e5:piecei0e10:total_sizei4294967296ee",
        "d8:msg_typei0e5:piecei0e",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(meta(&m, bad[i]), ERR_INVALID);
}

static void metadata_written(void **state)
{
    (void)state;
    struct buf b = {0};
    struct ext_meta m = {.type = EXT_META_REQUEST, .piece = 7};
    ext_put_meta(&b, &m);
    assert_true(bytes_is(buf_bytes(&b), "d8:msg_typei0e5:piecei7ee"));
    buf_clear(&b);
    m.type = EXT_META_REJECT;
    ext_put_meta(&b, &m);
    assert_true(bytes_is(buf_bytes(&b), "d8:msg_typei2e5:piecei7ee"));
    uint8_t *block = mem_zero(EXT_META_BLOCK + 1);
    for (size_t n = EXT_META_BLOCK - 1; n <= EXT_META_BLOCK + 1; n++) {
        struct ext_meta got, data = {EXT_META_DATA, 1, 99999, BYTES(block, n)};
        buf_clear(&b);
        ext_put_meta(&b, &data);
        int r = ext_parse_meta(&got, buf_bytes(&b), NULL);
        assert_int_equal(r, n <= EXT_META_BLOCK ? 1 : ERR_INVALID);
        if (r > 0) {
            assert_int_equal(got.piece, 1);
            assert_int_equal(got.total_size, 99999);
            assert_true(bytes_eq(got.data, data.data));
        }
    }
    free(block);
    buf_fini(&b);
}

static void donthave(void **state)
{
    (void)state;
    struct buf b = {0};
    uint32_t index;
    ext_put_donthave(&b, 0xfeedbeef);
    assert_int_equal(ext_parse_donthave(&index, buf_bytes(&b)), 0);
    assert_int_equal(index, 0xfeedbeef);
    assert_int_equal(ext_parse_donthave(&index, BYTES_LIT("\0\0\0")), ERR_INVALID);
    assert_int_equal(ext_parse_donthave(&index, BYTES_LIT("\0\0\0\0\0")), ERR_INVALID);
    assert_int_equal(ext_parse_donthave(&index, BYTES(NULL, 0)), ERR_INVALID);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_by_default),
        cmocka_unit_test(says_all),
        cmocka_unit_test(examples),
        cmocka_unit_test(ids),
        cmocka_unit_test(later_ones_add),
        cmocka_unit_test(in_any_order),
        cmocka_unit_test(numbers),
        cmocka_unit_test(yourip),
        cmocka_unit_test(client_name_is_safe),
        cmocka_unit_test(broken_handshakes),
        cmocka_unit_test(metadata_messages),
        cmocka_unit_test(metadata_written),
        cmocka_unit_test(donthave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
