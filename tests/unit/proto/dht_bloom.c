/* The filter of BEP 33, against its vector. */
#include "proto/dht_bloom.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/text.h>

static const char vector[] =
    "F6C3F5EAA07FFD91BDE89F777F26FB2BFF37BDB8FB2BBAA2FD3DDDE7BACFFF75EE7CCBAE"
    "FE5EEDB1FBFAFF67F6ABFF5E43DDBCA3FD9B9FFDF4FFD3E9DFF12D1BDF59DB53DBE9FA5B"
    "7FF3B8FDFCDE1AFB8BEDD7BE2F3EE71EBBBFE93BCDEEFE148246C2BC5DBFF7E7EFDCF24F"
    "D8DC7ADFFD8FFFDFDDFFF7A4BBEEDF5CB95CE81FC7FCFF1FF4FFFFDFE5F7FDCBB7FD79B3"
    "FA1FC77BFE07FFF905B7B7FFC7FEFEFFE0B8370BB0CD3F5B7F2BD93FEB4386CFDD6F7FD5"
    "BFAF2E9EBFFFFEECD67ADBF7C67F17EFD5D75EBA6FFEBA7FFF47A91EB1BFBB53E8ABFB57"
    "62ABE8FF237279BFEFBFEEF5FFC5FEBFDFE5ADFFADFEE1FB737FFFFBFD9F6AEFFEEE76B6"
    "FD8F72EF";

static void bep33(void **state)
{
    (void)state;
    struct dht_bloom b = {{0}}, joined = {{0}};
    uint8_t want[DHT_BLOOM];
    struct addr a;
    assert_true(dht_bloom_size(&b) == 0);
    for (int i = 0; i < 256; i++) {
        assert_true(addr_parse_ip(&a, "192.0.2.0", 1));
        a.ip[3] = (uint8_t)i;
        dht_bloom_add(&b, &a);
        assert_true(dht_bloom_has(&b, &a));
    }
    for (int i = 0; i <= 0x3e7; i++) {
        assert_true(addr_parse_ip(&a, "2001:db8::", (uint16_t)i)); /* the port does not count */
        put_be16(a.ip + 14, (uint16_t)i);
        dht_bloom_add(&joined, &a);
    }
    dht_bloom_join(&b, joined.v);
    assert_true(text_unhex(want, sizeof want, bytes_str(vector)));
    assert_memory_equal(b.v, want, sizeof want);
    assert_true(dht_bloom_size(&b) > 1224.930 && dht_bloom_size(&b) < 1224.9315);
    memset(b.v, 0xff, sizeof b.v); /* full: no estimate, but no infinity either */
    assert_true(dht_bloom_size(&b) > 6000 && dht_bloom_size(&b) < 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bep33),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
