/*
 * Bencode for tests, written so that it can be read: blanks mean nothing, 'text' is a string with
 * its length put before it ('~' stands for a NUL in it), everything else is taken as it is.
 *     d 'length' i5e 'name' 'a' e   ->   d6:lengthi5e4:name1:ae
 */
#ifndef TESTS_UNIT_FORMAT_BENTEXT_H
#define TESTS_UNIT_FORMAT_BENTEXT_H

#include <p2p/base/buf.h>

static inline void bentext(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == ' ' || *p == '\n')
            continue;
        if (*p != '\'') {
            buf_put_u8(out, (uint8_t)*p);
            continue;
        }
        const char *end = strchr(++p, '\'');
        buf_putf(out, "%zu:", (size_t)(end - p));
        for (; p < end; p++)
            buf_put_u8(out, *p == '~' ? 0 : (uint8_t)*p);
    }
}

/* 20 and 32 bytes to stand for hashes. */
#define H20 "'aaaaaaaaaaaaaaaaaaaa'"
#define H40 "'aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb'"
#define H32 "'cccccccccccccccccccccccccccccccc'"

#endif
