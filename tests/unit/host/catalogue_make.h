/* Items that differ in everything and can be told by their number. For tests of the catalogue. */
#ifndef TESTS_UNIT_HOST_CATALOGUE_MAKE_H
#define TESTS_UNIT_HOST_CATALOGUE_MAKE_H

#include "scratch.h"

#include <p2p/base/text.h>
#include <p2p/host/catalogue.h>
#include <sqlite3.h>

static inline struct catalogue *open_catalogue(void)
{
    struct catalogue *c = NULL;
    struct err e = {0};
    if (catalogue_open(&c, scratch_dir, &e) != 0)
        fail_msg("%s", e.msg);
    return c;
}

/* Its texts are valid until the eighth item after it. */
static inline struct catalogue_item item(unsigned n)
{
    static char text[8][2][64];
    static unsigned next;
    char *name = text[next % 8][0], *path = text[next++ % 8][1];
    struct catalogue_item it = {
        .has_v1 = true,
        .has_v2 = true,
        .state = n % 2 ? CATALOGUE_COMPLETE : CATALOGUE_PARTIAL,
        .format = n % 3,
        .where = n % 4,
        .size = 1000003ull * n + 1,
        .piece_size = 16384,
        .pieces = n + 1,
        .have = n,
        .added = 1700000000 + n,
        .updated = 1700000000 + n,
    };
    for (unsigned i = 0; i < 32; i++) {
        uint8_t byte =
            (uint8_t)((n + 1) * 2654435761u >> (i % 4 * 8) ^ i * 37 ^ (n >> (i % 3 * 4)));
        it.v2[i] = byte;
        if (i < 20)
            it.v1[i] = (uint8_t)~byte;
    }
    snprintf(name, sizeof text[0][0], "item-%u", n);
    snprintf(path, sizeof text[0][0], "/data/item-%u", n);
    it.name = bytes_str(name);
    it.path = bytes_str(path);
    it.selection = BYTES_LIT("a\0b");
    return it;
}

static inline bool same_item(const struct catalogue_item *a, const struct catalogue_item *b)
{
    return a->has_v1 == b->has_v1 && a->has_v2 == b->has_v2 && !memcmp(a->v1, b->v1, 20) &&
           !memcmp(a->v2, b->v2, 32) && bytes_eq(a->name, b->name) && bytes_eq(a->path, b->path) &&
           bytes_eq(a->selection, b->selection) && a->state == b->state && a->format == b->format &&
           a->where == b->where && a->is_private == b->is_private && a->size == b->size &&
           a->piece_size == b->piece_size && a->pieces == b->pieces && a->have == b->have &&
           a->added == b->added && a->updated == b->updated;
}

static inline void expect_same(const struct catalogue_item *a, const struct catalogue_item *b)
{
    assert_true(same_item(a, b));
    assert_int_equal(a->uploaded, b->uploaded);
}

#endif
