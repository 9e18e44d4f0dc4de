/* What goes out in which order: messages, blocks, and what may not wait for those. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "node/outq.h"

#include <stdio.h>
#include <string.h>

#define LENGTH 5u /* of a block's content; shown as its offset's digit */
#define ALL UINT64_MAX
#define MAX_TEXT 400

static void words(struct outq *q, const char *s)
{
    buf_put(&q->bytes, s, strlen(s));
    outq_note(q);
}

static void soon(struct outq *q, const char *s)
{
    buf_put(&q->soon, s, strlen(s));
    outq_note(q);
}

/* "[0000]", the bracket at its end as words that are part of its message. */
static void block(struct outq *q, unsigned i)
{
    outq_note(q);
    buf_put(&q->bytes, "[", 1);
    outq_block(q, (uint64_t)i * LENGTH, LENGTH);
    words(q, "]");
}

/* Sends up to n bytes, and appends them to the text. */
static size_t sends(struct outq *q, size_t n, uint64_t may, char *text)
{
    struct node_out v[3];
    size_t sent = 0, k = outq_peek(q, 1, may, v, 3);
    for (size_t i = 0; i < k && sent < n; i++) {
        size_t len = v[i].length < n - sent ? v[i].length : n - sent;
        char *end = text + strlen(text);
        if (v[i].b.p)
            memcpy(end, v[i].b.p, len);
        for (size_t j = 0; !v[i].b.p && j < len; j++)
            end[j] = (char)('0' + (v[i].offset + j) / LENGTH);
        end[len] = '\0';
        sent += len;
    }
    outq_sent(q, sent);
    return sent;
}

static void sends_all(struct outq *q, char *text)
{
    while (sends(q, 7, ALL, text) > 0)
        ;
    assert_true(outq_empty(q));
    assert_int_equal(q->content_left, 0);
    outq_fini(q);
}

static void in_order(void **state)
{
    struct outq q = {0};
    char text[MAX_TEXT] = "";
    (void)state;
    words(&q, "ab");
    block(&q, 0);
    words(&q, "c");
    words(&q, "d");
    block(&q, 1);
    assert_int_equal(q.content_left, 2 * LENGTH);
    sends_all(&q, text);
    assert_string_equal(text, "ab[00000]cd[11111]");
}

/* But behind what was said before, which it may depend on. */
static void before_the_next_block(void **state)
{
    struct outq q = {0};
    char text[MAX_TEXT] = "";
    (void)state;
    words(&q, "ab");
    block(&q, 0);
    block(&q, 1);
    soon(&q, "x");
    soon(&q, "y");
    words(&q, "c");
    assert_int_equal(outq_words(&q), 9);
    sends_all(&q, text);
    assert_string_equal(text, "abxy[00000][11111]c");
}

/* Wherever the last call stopped. */
static void never_inside_one(void **state)
{
    static const char whole[] = "ab[00000]c[11111][22222]d";
    (void)state;
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        struct outq q = {0};
        char text[MAX_TEXT] = "", want[MAX_TEXT] = "";
        size_t place = cut <= 2 ? 2 : cut <= 10 ? 10 : cut <= 17 ? 17 : sizeof whole - 1;
        words(&q, "ab");
        block(&q, 0);
        words(&q, "c");
        block(&q, 1);
        block(&q, 2);
        words(&q, "d");
        for (size_t sent = 0; sent < cut && sent < sizeof whole - 1;)
            sent += sends(&q, cut - sent, ALL, text);
        soon(&q, "x");
        sends_all(&q, text);
        snprintf(want, sizeof want, "%.*sx%s", (int)place, whole, whole + place);
        assert_string_equal(text, want);
    }
}

/* Who asks all the time gets its blocks all the same. */
static void blocks_have_their_turn(void **state)
{
    struct outq q = {0};
    char text[MAX_TEXT] = "";
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        block(&q, i);
    for (unsigned i = 0; i < 30; i++) {
        soon(&q, "xy");
        sends(&q, 1, ALL, text);
    }
    sends_all(&q, text);
    const char *second = strstr(text, "[1");
    assert_non_null(second);
    assert_true(second - text < 30);
    assert_int_equal(strlen(text), 4 * (LENGTH + 2) + 60);
}

static void big(struct outq *q, size_t n)
{
    memset(buf_room(&q->soon, n), 'x', n);
    buf_added(&q->soon, n);
    outq_note(q);
}

/* And who asks for a lot at once does. */
static void so_much_between_two(void **state)
{
    struct outq q = {0};
    struct node_out v[8];
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        block(&q, i);
    big(&q, OUTQ_BATCH - 1);
    big(&q, 3 * OUTQ_BATCH); /* whole, though it is more */
    big(&q, 7);
    assert_int_equal(outq_peek(&q, 1, ALL, v, 8), 8);
    assert_int_equal(v[0].length, 4 * OUTQ_BATCH - 1);
    assert_int_equal(v[1].length, 1);
    assert_int_equal(v[2].length, LENGTH);
    assert_int_equal(v[3].length, 1);
    assert_int_equal(v[4].length, 7);
    assert_int_equal(v[5].length, 1);
    outq_fini(&q);
}

/* Under a limit, what is said is not; a header would be a block begun. */
static void when_no_block_may_go(void **state)
{
    struct outq q = {0};
    char text[MAX_TEXT] = "";
    (void)state;
    words(&q, "a");
    block(&q, 0);
    block(&q, 1);
    while (sends(&q, 100, 0, text) > 0)
        ;
    assert_string_equal(text, "a");
    soon(&q, "x");
    while (sends(&q, 100, 0, text) > 0)
        ;
    assert_string_equal(text, "ax");
    sends(&q, 100, 2, text);
    assert_string_equal(text, "ax[00");
    outq_fini(&q);
}

/* What is to be forgotten is kept, with what goes between. */
static void kept(void **state)
{
    struct outq q = {0};
    char text[MAX_TEXT] = "";
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        block(&q, i);
    soon(&q, "x");
    sends(&q, 4, ALL, text);
    outq_keep(&q, 2, BYTES("01234567", 2 * LENGTH - 2));
    sends_all(&q, text);
    assert_string_equal(text, "x[00012][34567][22222]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(before_the_next_block),
        cmocka_unit_test(never_inside_one),
        cmocka_unit_test(blocks_have_their_turn),
        cmocka_unit_test(so_much_between_two),
        cmocka_unit_test(when_no_block_may_go),
        cmocka_unit_test(kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
