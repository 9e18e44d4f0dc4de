/* The list: order, and nodes that know whether they are in one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/list.h>

struct thing {
    int id;
    struct list_node node;
};

static int id(struct list_node *n)
{
    return LIST_OF(n, struct thing, node)->id;
}

static void empty(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    assert_null(list_first(&l));
    assert_null(list_last(&l));
    assert_null(list_pop(&l));
    assert_int_equal(l.count, 0);
}

static void order(void **state)
{
    (void)state;
    struct thing t[5] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    struct list l;
    list_init(&l);
    assert_false(list_linked(&t[0].node));
    list_push(&l, &t[2].node);
    list_push(&l, &t[3].node);
    list_unshift(&l, &t[1].node);
    list_push(&l, &t[4].node);
    list_unshift(&l, &t[0].node);
    assert_int_equal(l.count, 5);
    int want = 0;
    for (struct list_node *n = list_first(&l); n; n = list_next(&l, n))
        assert_int_equal(id(n), want++);
    assert_int_equal(want, 5);
    assert_int_equal(id(list_last(&l)), 4);
    for (int i = 0; i < 5; i++)
        assert_int_equal(id(list_pop(&l)), i);
    assert_int_equal(l.count, 0);
    assert_null(list_first(&l));
}

static void removes(void **state)
{
    (void)state;
    struct thing t[3] = {{.id = 0}, {.id = 1}, {.id = 2}};
    struct list l;
    list_init(&l);
    list_remove(&l, &t[0].node); /* in no list: nothing happens */
    assert_int_equal(l.count, 0);
    for (int i = 0; i < 3; i++)
        list_push(&l, &t[i].node);
    list_remove(&l, &t[1].node);
    assert_false(list_linked(&t[1].node));
    list_remove(&l, &t[1].node);
    assert_int_equal(l.count, 2);
    assert_ptr_equal(list_next(&l, &t[0].node), &t[2].node);
    list_remove(&l, &t[0].node);
    list_remove(&l, &t[2].node);
    assert_int_equal(l.count, 0);
    list_push(&l, &t[1].node);
    assert_true(list_linked(&t[1].node));
    assert_ptr_equal(list_first(&l), list_last(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty), cmocka_unit_test(order), cmocka_unit_test(removes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
