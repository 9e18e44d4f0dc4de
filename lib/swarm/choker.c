/*
 * A round: find the number of slots, order the peers, unchoke from the top until the slots are
 * taken.
 *
 * Slots under a rate limit are its square root in proportion, so that each gets a share worth
 * having. Without a limit the link's width is unknown and is found by trial: one slot is added now
 * and then, some when each is fast, and they stay if the whole became faster by a good part of
 * their share. Slots that only divide a full link are harmful: every piece takes the longer to
 * arrive anywhere, and nobody can give on a piece before it is whole. What a leech sends grows by
 * itself while it comes to have something to give, and would seem to prove each trial right: none
 * begins before it stands still.
 *
 * Order when leeching: half of the slots by how much each gave; the other half, but for one slot,
 * to those that ever gave and have least, however little that was: a crowd is done when its last
 * is, and who has a narrow uplink would be that one, or who fell behind and has nothing left that
 * others lack. That one slot goes to whom we owe most: who gives each of many a little is the best
 * giver of none, and would wait for all of them, giving, until they are done. The slots that no
 * giver takes are spare, and go as when seeding, so a swarm of beginners comes off the ground and
 * upload is not left idle; while givers fill the slots, who gives nothing has the optimistic slot
 * alone to hope for. A slot that comes free between rounds goes to a giver, or to one that has
 * nothing yet and so could not give; who has least first, and of equals any: all leeches would
 * choose the same few otherwise, and these would have everything and the rest of a crowd nothing
 * for its first seconds.
 * Order when seeding: first who has been served for less than HOLD, then who waits, the longest
 * first, then who has been served for longer. Only a quarter of the slots change hands in a round,
 * those of the slowest takers; so the fast keep theirs somewhat longer, but not for ever.
 */
#include <p2p/swarm/choker.h>

#include <p2p/base/mem.h>

#include <stdlib.h>

#define HOLD CHOKER_OPTIMISTIC
#define HOLD_SLOW (2 * HOLD / 3) /* for who takes less than half of what others do */
#define HOLD_FAST (4 * HOLD)     /* then the fastest yields like the slowest */
#define NEWCOMER USEC_MIN
#define NEWCOMER_WEIGHT 3u
#define DEBTOR_ODDS 4u   /* against one */
#define SLOT_FAST 65536u /* bytes a second and slot: surely room for more */
#define TRIAL_ROUNDS 2u
#define REST_ROUNDS 6u
#define STILL 8u /* a rate that grew by less than one part in so many stands still */
#define SOON USEC_SEC

void choker_init(struct choker *c, usec now)
{
    *c = (struct choker){
        .slots = CHOKER_MIN_SLOTS, .optimistic = CHOKER_NONE, .optimistic_since = now, .next = now};
}

struct seat {
    struct choker_peer *peer;
    uint64_t key[3]; /* higher first; each breaks the ties of the one before */
    bool taken;
};

static int seat_cmp(const void *a, const void *b)
{
    const struct seat *x = a, *y = b;
    for (int i = 0; i < 3; i++)
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i] ? 1 : -1;
    return (x->peer->id > y->peer->id) - (x->peer->id < y->peer->id);
}

static uint64_t age(usec since, usec now)
{
    return now > since ? (uint64_t)(now - since) : 0;
}

static uint32_t root(uint64_t v)
{
    uint32_t r = 0;
    while ((uint64_t)(r + 1) * (r + 1) <= v)
        r++;
    return r;
}

static uint32_t slots_for_limit(uint64_t limit)
{
    uint64_t units = limit / 2000; /* 5 slots at 50 kB/s, 22 at 1 MB/s */
    if (units >= (uint64_t)CHOKER_MAX_SLOTS * CHOKER_MAX_SLOTS)
        return CHOKER_MAX_SLOTS;
    uint32_t n = root(units);
    return n < CHOKER_MIN_SLOTS ? CHOKER_MIN_SLOTS : n;
}

struct load {
    uint64_t rate; /* of all that goes out */
    uint32_t served, waiting;
};

static struct load measure(const struct choker_peer *v, size_t n)
{
    struct load l = {0};
    for (size_t i = 0; i < n; i++) {
        if (v[i].near)
            continue; /* near ones sit elsewhere, and say nothing of the line */
        l.rate += v[i].took;
        l.served += v[i].interested && v[i].unchoked && !v[i].idle;
        l.waiting += v[i].interested && !v[i].unchoked && !v[i].upload_only;
    }
    return l;
}

/* Ends a trial: true if the slots earned their place. */
static bool trial_won(const struct choker *c, const struct load *l)
{
    uint64_t added = c->slots - c->slots_before;
    return l->rate > c->rate_before && (l->rate - c->rate_before) * c->slots * 2 > l->rate * added;
}

static void climb(struct choker *c, const struct load *l, bool seeding)
{
    bool still = seeding || l->rate <= c->rate_last + c->rate_last / STILL;
    c->rate_last = l->rate;
    if (c->trial && c->trial++ >= TRIAL_ROUNDS) {
        c->trial = 0;
        if (!trial_won(c, l) && c->slots > CHOKER_MIN_SLOTS) {
            c->slots = c->slots_before;
            c->rest = REST_ROUNDS;
        }
    }
    if (c->rest)
        c->rest--;
    if (!still || c->trial || c->rest || l->waiting == 0 || l->served < c->slots ||
        c->slots >= CHOKER_MAX_SLOTS)
        return;
    uint32_t more = c->slots + (l->rate / c->slots >= SLOT_FAST ? c->slots / 2 : 1);
    c->slots_before = c->slots;
    c->slots = more < CHOKER_MAX_SLOTS ? more : CHOKER_MAX_SLOTS;
    c->rate_before = l->rate;
    c->trial = 1;
}

static void find_slots(struct choker *c, const struct choker_peer *v, size_t n, bool seeding,
                       uint64_t limit)
{
    if (limit) {
        c->slots = slots_for_limit(limit);
        c->trial = c->rest = 0;
        return;
    }
    struct load l = measure(v, n);
    climb(c, &l, seeding);
}

/* Gives up to `slots` seats; peers without interest are unchoked on the way and cost nothing. */
static void seat_givers(struct seat *s, size_t n, uint32_t *slots)
{
    for (size_t i = 0; i < n && *slots; i++) {
        struct choker_peer *p = s[i].peer;
        if (s[i].taken || p->gave == 0 || p->snubbed || p->upload_only)
            continue; /* near ones sit already */
        s[i].taken = true;
        *slots -= p->interested;
    }
}

static bool may_sit(const struct seat *s)
{
    return !s->taken && s->peer->interested && !s->peer->upload_only;
}

struct rotation {
    uint32_t slots;
    bool seeding;
    uint64_t mean; /* taken by a served peer */
    usec now;
};

static uint64_t mean_taken(const struct seat *s, size_t n)
{
    uint64_t sum = 0, served = 0;
    for (size_t i = 0; i < n; i++) {
        if (!may_sit(&s[i]) || !s[i].peer->unchoked)
            continue;
        sum += s[i].peer->took;
        served++;
    }
    return served ? sum / served : 0;
}

static bool may_yield(const struct rotation *r, const struct choker_peer *p)
{
    usec hold = p->took < r->mean / 2 ? HOLD_SLOW : HOLD;
    return p->unchoked && age(p->since, r->now) >= (uint64_t)hold;
}

/* How many of those that may yield must, for those that wait. */
static uint32_t yields(const struct rotation *r, const struct seat *s, size_t n)
{
    uint32_t served = 0, past = 0, waiting = 0;
    for (size_t i = 0; i < n; i++) {
        if (!may_sit(&s[i]))
            continue;
        served += s[i].peer->unchoked;
        waiting += !s[i].peer->unchoked;
        past += may_yield(r, s[i].peer);
    }
    uint32_t spare = served < r->slots ? r->slots - served : 0;
    uint32_t want = waiting > spare ? waiting - spare : 0;
    uint32_t most = r->slots / 4 ? r->slots / 4 : 1;
    want = want < most ? want : most;
    return want < past ? want : past;
}

/* Serving order; key[0]: 3 keeps its slot, 2 waits, 1 yields, 0 is a snubber or debtor. */
static void order_rotation(const struct rotation *r, struct seat *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct choker_peer *p = s[i].peer;
        uint64_t t = age(p->since, r->now);
        bool late = p->debtor || (!r->seeding && p->snubbed);
        s[i].key[0] = late ? 0 : p->unchoked ? 3 : 2;
        s[i].key[1] = !p->unchoked ? t : t >= HOLD_FAST ? 0 : p->took;
        s[i].key[2] = UINT64_MAX - t; /* of equals the oldest yields */
    }
    qsort(s, n, sizeof *s, seat_cmp);
    uint32_t left = yields(r, s, n);
    for (size_t i = n; i-- > 0 && left;) {
        if (!may_sit(&s[i]) || !may_yield(r, s[i].peer))
            continue;
        s[i].key[0] = 1;
        left--;
    }
    qsort(s, n, sizeof *s, seat_cmp);
}

static void seat_rotation(struct seat *s, size_t n, uint32_t slots, bool seeding, usec now)
{
    struct rotation r = {slots, seeding, mean_taken(s, n), now};
    order_rotation(&r, s, n);
    for (size_t i = 0; i < n && slots; i++) {
        if (!may_sit(&s[i]))
            continue;
        s[i].taken = true;
        slots--;
    }
}

static bool is_needy_giver(const struct seat *s)
{
    const struct choker_peer *p = s->peer;
    return may_sit(s) && p->given && !p->snubbed && !p->debtor;
}

static uint64_t owed(const struct choker_peer *p)
{
    return p->gave > p->took ? p->gave - p->took : 0;
}

/* Gives a seat, if there is one, to that giver to whom we owe most. */
static void seat_creditor(struct seat *s, size_t n, uint32_t *slots)
{
    struct seat *most = NULL;
    for (size_t i = 0; i < n && *slots; i++)
        if (is_needy_giver(&s[i]) && owed(s[i].peer) > (most ? owed(most->peer) : 0))
            most = &s[i];
    if (!most)
        return;
    most->taken = true;
    --*slots;
}

/* Gives up to *slots seats to those givers that have least. */
static void seat_needy(struct seat *s, size_t n, uint32_t *slots)
{
    for (size_t i = 0; i < n; i++)
        s[i].key[0] = UINT32_MAX - s[i].peer->has;
    qsort(s, n, sizeof *s, seat_cmp);
    for (size_t i = 0; i < n && *slots; i++) {
        if (!is_needy_giver(&s[i]))
            continue;
        s[i].taken = true;
        --*slots;
    }
}

static void order_givers(struct seat *s, size_t n, usec now)
{
    for (size_t i = 0; i < n; i++) {
        const struct choker_peer *p = s[i].peer;
        s[i].key[0] = p->gave;
        s[i].key[1] = p->unchoked;
        s[i].key[2] = age(p->since, now);
    }
    qsort(s, n, sizeof *s, seat_cmp);
}

uint32_t choker_near_seats(unsigned strength)
{
    return (CHOKER_NEAR_SEATS * strength + 99) / 100;
}

/* Those neighbours that give most, then those that are served, then those that wait longest. What
 * is left of them is treated as anybody. The seats are in the order of the givers. */
static void seat_near(struct seat *s, size_t n)
{
    uint32_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        struct choker_peer *p = s[i].peer;
        if (!p->near || !may_sit(&s[i]) || taken >= choker_near_seats(p->near))
            continue;
        s[i].taken = true;
        taken++;
    }
}

static unsigned weight(const struct choker *c, const struct seat *s, usec now)
{
    if (!may_sit(s) || s->peer->id == c->optimistic)
        return 0;
    if (s->peer->debtor)
        return 1;
    return age(s->peer->connected, now) < NEWCOMER ? NEWCOMER_WEIGHT * DEBTOR_ODDS : DEBTOR_ODDS;
}

static struct seat *draw(const struct choker *c, struct seat *s, size_t n, struct rng *r, usec now)
{
    uint64_t total = 0, at;
    for (size_t i = 0; i < n; i++)
        total += weight(c, &s[i], now);
    if (total == 0)
        return NULL;
    at = rng_below(r, total);
    for (size_t i = 0; i < n; i++) {
        unsigned w = weight(c, &s[i], now);
        if (at < w)
            return &s[i];
        at -= w;
    }
    return NULL;
}

static struct seat *find_seat(struct seat *s, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (s[i].peer->id == id)
            return &s[i];
    return NULL;
}

static void seat_optimistic(struct choker *c, struct seat *s, size_t n, struct rng *r, usec now)
{
    struct seat *holder = c->optimistic == CHOKER_NONE ? NULL : find_seat(s, n, c->optimistic);
    bool stays = holder && may_sit(holder);
    if (!stays || now - c->optimistic_since >= CHOKER_OPTIMISTIC) {
        struct seat *next = draw(c, s, n, r, now);
        if (next || !stays) {
            holder = next;
            c->optimistic = next ? next->peer->id : CHOKER_NONE;
        }
        c->optimistic_since = now;
    }
    if (holder)
        holder->taken = true;
}

static size_t apply(const struct seat *s, size_t n)
{
    size_t changed = 0;
    for (size_t i = 0; i < n; i++) {
        changed += s[i].peer->unchoked != s[i].taken;
        s[i].peer->unchoked = s[i].taken;
    }
    return changed;
}

size_t choker_run(struct choker *c, struct choker_peer *v, size_t n, bool seeding,
                  uint64_t up_rate_limit, struct rng *r, usec now)
{
    struct seat *s = mem_array(n, sizeof *s);
    for (size_t i = 0; i < n; i++)
        s[i].peer = &v[i];
    find_slots(c, v, n, seeding, up_rate_limit);
    c->next = now + CHOKER_PERIOD;
    order_givers(s, n, now);
    seat_near(s, n);
    if (seeding) {
        c->optimistic = CHOKER_NONE;
        seat_rotation(s, n, c->slots, true, now);
    } else {
        uint32_t needy = c->slots / 2, slots = c->slots - needy - 1; /* one is optimistic */
        seat_givers(s, n, &slots);
        seat_creditor(s, n, &needy);
        slots += needy;
        seat_needy(s, n, &slots);
        seat_optimistic(c, s, n, r, now);
        seat_rotation(s, n, slots, false, now);
    }
    size_t changed = apply(s, n);
    free(s);
    return changed;
}

/* Best first; debtors last. */
static void order_waiting(struct seat *s, size_t n, bool seeding, bool debtors, struct rng *r,
                          usec now)
{
    for (size_t i = 0; i < n; i++) {
        const struct choker_peer *p = s[i].peer;
        bool waits = may_sit(&s[i]) && !p->unchoked && (seeding || !p->snubbed);
        bool first = !seeding && (p->given || p->has == 0);
        s[i].key[0] = !waits ? 0 : !p->debtor ? 2u + first : debtors;
        s[i].key[1] = seeding ? age(p->since, now) : UINT32_MAX - p->has;
        s[i].key[2] = seeding ? 0 : rng_u64(r);
    }
    qsort(s, n, sizeof *s, seat_cmp);
}

/* What a debtor has of a seed is lost to those that wait and would give it on. */
static void make_room(struct choker_peer *v, size_t n)
{
    size_t waiting = 0;
    for (size_t i = 0; i < n; i++)
        waiting += v[i].interested && !v[i].unchoked && !v[i].upload_only && !v[i].debtor;
    for (size_t i = 0; i < n && waiting > 0; i++) {
        if (!v[i].debtor || !v[i].unchoked || !v[i].interested || v[i].near)
            continue;
        v[i].unchoked = false;
        waiting--;
    }
}

size_t choker_fill(const struct choker *c, struct choker_peer *v, size_t n, bool seeding,
                   bool idle_line, struct rng *r, usec now)
{
    if (seeding)
        make_room(v, n);
    struct load l = measure(v, n);
    if (l.served >= c->slots || l.waiting == 0)
        return 0;
    struct seat *s = mem_zero(n * sizeof *s);
    for (size_t i = 0; i < n; i++)
        s[i].peer = &v[i];
    order_waiting(s, n, seeding, idle_line, r, now);
    size_t filled = 0;
    while (filled < n && l.served + filled < c->slots && s[filled].key[0])
        s[filled++].peer->unchoked = true;
    free(s);
    return filled;
}

bool choker_admit(const struct choker *c, size_t unchoked_interested)
{
    return unchoked_interested < c->slots;
}

void choker_gone(struct choker *c, uint32_t id, usec now)
{
    if (c->optimistic == id)
        c->optimistic = CHOKER_NONE;
    c->next = usec_min(c->next, now + SOON);
}

usec choker_deadline(const struct choker *c)
{
    return c->next;
}
