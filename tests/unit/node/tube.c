/* The test tube itself, its datagrams and NATs: a simulation that is wrong proves nothing. */
#include "../../sim/tube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

/* ---- puppets ---- */

struct heard {
    unsigned n;
    struct addr from;
    size_t length;
    usec at;
    struct tube *t;
};

static void hear(struct host *h, const struct addr *from, struct bytes b, void *arg)
{
    struct heard *e = arg;
    (void)h;
    e->n++;
    e->from = *from;
    e->length = b.n;
    e->at = tube_now(e->t);
}

static struct host *puppet(struct tube *t, struct heard *e, struct host_config c)
{
    e->t = t;
    c.udp = true;
    c.puppet = hear;
    c.puppet_arg = e;
    return tube_host(t, &c);
}

/* Does what `from` says to `to` reach the ear? */
static bool reaches(struct host *from, const struct addr *to, struct heard *ear)
{
    unsigned before = ear->n;
    host_say(from, to, BYTES("hello", 5));
    tube_run(ear->t, USEC_SEC, NULL, NULL);
    return ear->n > before;
}

/* ---- datagrams ---- */

static void delays_are_kept(void **state)
{
    struct tube *t = tube_new(1);
    struct heard a, b = {0};
    (void)state;
    struct host *x = puppet(t, &a, (struct host_config){.delay = 30 * USEC_MS});
    unsigned far = tube_site(t, &(struct site_config){.delay = 40 * USEC_MS});
    struct host *y = puppet(t, &b, (struct host_config){.delay = 5 * USEC_MS, .site = far});
    struct addr to = host_addr(y);
    usec begun = tube_now(t);
    assert_true(reaches(x, &to, &b));
    assert_in_range(b.at - begun, 75 * USEC_MS, 76 * USEC_MS);
    struct addr from = host_addr(x);
    assert_true(addr_eq(&b.from, &from));
    tube_free(t);
}

static void rates_delay_datagrams(void **state)
{
    struct tube *t = tube_new(2);
    struct heard a, b = {0};
    uint8_t big[1400] = {0};
    (void)state;
    struct host *x = puppet(t, &a, (struct host_config){.up = 14280}); /* ten a second */
    struct host *y = puppet(t, &b, (struct host_config){0});
    struct addr to = host_addr(y);
    usec begun = tube_now(t);
    for (int i = 0; i < 5; i++)
        host_say(x, &to, BYTES(big, sizeof big));
    tube_run(t, 5 * USEC_SEC, NULL, NULL);
    assert_int_equal(b.n, 5);
    assert_in_range(b.at - begun, 500 * USEC_MS, 502 * USEC_MS);
    for (int i = 0; i < 100; i++) /* more than the queue holds */
        host_say(x, &to, BYTES(big, sizeof big));
    tube_run(t, 60 * USEC_SEC, NULL, NULL);
    assert_in_range(b.n - 5, 10, 12);
    tube_free(t);
}

static void too_long_is_dropped(void **state)
{
    struct tube *t = tube_new(3);
    struct heard a, b = {0}, c = {0};
    uint8_t big[2000] = {0};
    (void)state;
    struct host *x = puppet(t, &a, (struct host_config){.v6 = true});
    struct host *y = puppet(t, &b, (struct host_config){.v6 = true});
    struct host *z = puppet(t, &c, (struct host_config){.mtu = 1280});
    const struct {
        struct addr to;
        struct heard *ear;
        size_t most;
    } v[] = {{host_addr(y), &b, 1472}, {host_addr6(y), &b, 1452}, {host_addr(z), &c, 1252}};
    for (size_t i = 0; i < 3; i++) {
        unsigned before = v[i].ear->n;
        host_say(x, &v[i].to, BYTES(big, v[i].most));
        tube_run(t, USEC_SEC, NULL, NULL);
        assert_int_equal(v[i].ear->n, before + 1);
        assert_int_equal(v[i].ear->length, v[i].most);
        host_say(x, &v[i].to, BYTES(big, v[i].most + 1));
        tube_run(t, USEC_SEC, NULL, NULL);
        assert_int_equal(v[i].ear->n, before + 1);
    }
    assert_int_equal(tube_datagrams(t).too_long, 3);
    tube_free(t);
}

static void some_are_lost(void **state)
{
    struct tube *t = tube_new(4);
    struct heard a, b = {0};
    (void)state;
    struct host *x = puppet(t, &a, (struct host_config){.loss = 0.05});
    struct host *y = puppet(t, &b, (struct host_config){.loss = 0.05});
    struct addr to = host_addr(y);
    for (int i = 0; i < 10000; i++)
        host_say(x, &to, BYTES("hello", 5));
    tube_run(t, USEC_SEC, NULL, NULL);
    assert_in_range(b.n, 8850, 9150);
    assert_int_equal(tube_datagrams(t).lost, 10000 - b.n);
    tube_free(t);
}

static void cuts_and_healing(void **state)
{
    struct tube *t = tube_new(5);
    struct heard a = {0}, b = {0}, c = {0};
    (void)state;
    struct host *x = puppet(t, &a, (struct host_config){0});
    struct host *y = puppet(t, &b, (struct host_config){0});
    struct host *z = puppet(t, &c, (struct host_config){0});
    struct addr to_x = host_addr(x), to_y = host_addr(y), to_z = host_addr(z);
    host_island(x, 1);
    host_island(y, 1);
    assert_true(reaches(x, &to_y, &b));
    assert_false(reaches(x, &to_z, &c));
    assert_false(reaches(z, &to_x, &a));
    tube_heal(t);
    assert_true(reaches(x, &to_z, &c));
    assert_true(reaches(z, &to_x, &a));
    tube_free(t);
}

/* ---- address translation (RFC 3489, section 5) ---- */

struct nat_world {
    struct tube *t;
    struct heard in, one, two, twin1, twin2;
    struct host *inside, *first, *second, *pair1, *pair2;
    struct addr seen; /* how `first` sees the one inside */
};

/* pair1 and pair2 share one address under two ports. */
static void nat_world(struct nat_world *w, enum nat_kind kind)
{
    *w = (struct nat_world){.t = tube_new(6)};
    unsigned site = tube_site(w->t, &(struct site_config){.nat = NAT_FULL_CONE});
    struct host_config open = {.delay = 10 * USEC_MS};
    w->inside = puppet(w->t, &w->in, (struct host_config){.nat = kind});
    w->first = puppet(w->t, &w->one, open);
    w->second = puppet(w->t, &w->two, open);
    open.site = site;
    w->pair1 = puppet(w->t, &w->twin1, open);
    w->pair2 = puppet(w->t, &w->twin2, open);
    struct addr to = host_addr(w->first);
    assert_true(reaches(w->inside, &to, &w->one));
    w->seen = w->one.from;
    struct addr outside = host_public(w->inside), own = host_addr(w->inside);
    assert_true(addr_same_ip(&w->seen, &outside));
    assert_int_equal(addr_scope(&own), ADDR_PRIVATE);
    assert_int_equal(addr_scope(&outside), ADDR_PUBLIC);
}

static void nat_kind(enum nat_kind kind, bool stranger, bool other_port, bool same_mapping)
{
    struct nat_world w;
    nat_world(&w, kind);
    assert_true(reaches(w.first, &w.seen, &w.in)); /* who was spoken to may always answer */
    assert_int_equal(reaches(w.second, &w.seen, &w.in), stranger);
    struct addr to = host_addr(w.second);
    assert_true(reaches(w.inside, &to, &w.two));
    assert_int_equal(addr_eq(&w.two.from, &w.seen), same_mapping);
    /* what one of a pair was told is no word to the other, who has its address */
    struct addr a = host_addr(w.first);
    assert_true(reaches(w.pair1, &a, &w.one));
    struct addr pair1 = w.one.from;
    assert_true(reaches(w.pair2, &a, &w.one));
    assert_true(addr_same_ip(&pair1, &w.one.from) && pair1.port != w.one.from.port);
    assert_true(reaches(w.inside, &pair1, &w.twin1));
    struct addr mapping = w.twin1.from;
    assert_true(reaches(w.pair1, &mapping, &w.in));
    assert_int_equal(reaches(w.pair2, &mapping, &w.in), other_port);
    /* two minutes of silence end it */
    tube_run(w.t, 121 * USEC_SEC, NULL, NULL);
    assert_false(reaches(w.first, &w.seen, &w.in));
    tube_free(w.t);
}

static void nat_kinds(void **state)
{
    (void)state;
    nat_kind(NAT_FULL_CONE, true, true, true);
    nat_kind(NAT_RESTRICTED, false, true, true);
    nat_kind(NAT_PORT_RESTRICTED, false, false, true);
    nat_kind(NAT_SYMMETRIC, false, false, false);
}

static void private_addresses_lead_nowhere(void **state)
{
    struct nat_world w;
    (void)state;
    nat_world(&w, NAT_FULL_CONE);
    struct addr own = host_addr(w.inside);
    assert_false(reaches(w.first, &own, &w.in));
    struct addr next = host_addr(w.pair2); /* on its own link it does lead there */
    assert_true(reaches(w.pair1, &next, &w.twin2));
    tube_free(w.t);
}

static void hairpins(bool turns)
{
    struct tube *t = tube_new(7);
    struct heard a = {0}, b = {0}, c = {0};
    struct site_config sc = {.nat = NAT_FULL_CONE, .hairpin = turns};
    struct host_config in = {.site = tube_site(t, &sc)};
    struct host *x = puppet(t, &a, in), *y = puppet(t, &b, in);
    struct host *out = puppet(t, &c, (struct host_config){0});
    struct addr to = host_addr(out);
    assert_true(reaches(x, &to, &c));
    assert_int_equal(reaches(y, &c.from, &a), turns);
    tube_free(t);
}

static void hairpin(void **state)
{
    (void)state;
    hairpins(false);
    hairpins(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_kept),
        cmocka_unit_test(rates_delay_datagrams),
        cmocka_unit_test(too_long_is_dropped),
        cmocka_unit_test(some_are_lost),
        cmocka_unit_test(cuts_and_healing),
        cmocka_unit_test(nat_kinds),
        cmocka_unit_test(private_addresses_lead_nowhere),
        cmocka_unit_test(hairpin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
