/*
 * The limit on what comes in, shared among connections and web seeds.
 *
 * What was asked for comes as fast as the peer sends it, and is on the line whether we read it or
 * not: the kernel has room for seconds of a low limit. So asking is what the limit holds back. A
 * request is paid for when it is sent, with its answer's header, and given back if the answer will
 * not come. Of a low limit a whole block would be a burst, and its end a step in any mean: there a
 * request is for a part of one (slices.c).
 *
 * What was not asked for (all other messages) is paid for as it comes, and who sends such waits to
 * be read while nothing is left. What is paid for is read at once, so long as the debt that others
 * make is small.
 *
 * Who finds the limit spent waits in a queue, for reading, for asking or as a web seed, and goes to
 * its end each time it is served; who comes while others wait waits behind them. The three queues
 * share what is in hand alike. It is handed out in portions worth a system call.
 */
#include "node/inlet.h"

#include <limits.h>

#define LEAST_WAIT (2 * USEC_MS) /* between two rounds while some still wait */
#define LEAST_UNIT 1024u
#define UNITS 16u        /* a second, at least */
#define ROOMS 40u        /* a second */
#define LEAST_ROOM 2560u /* doubled, two whole packets with what the kernel adds to each */
#define PORTION 4096u    /* to one receiver, when many wait */
#define WEB_HEAD 250u    /* of an answer by HTTP, more or less */

static uint64_t limit(const struct node *n)
{
    return n->cfg.limit_down;
}

uint32_t inlet_unit(const struct node *n)
{
    uint32_t unit = LAYOUT_BLOCK;
    while (limit(n) > 0 && unit > LEAST_UNIT && unit > limit(n) / UNITS)
        unit /= 2;
    return unit;
}

/* What must be in hand before somebody is served: what comes in 5 ms, but one request at least. (No
 * more than what gathers is ever waited for.) Of web seeds alone it is less: what fills a small
 * room and is not looked at is acknowledged late, and then sent twice. */
static uint64_t quantum(const struct node *n)
{
    bool is_web = n->web_wait.count > 0 && n->ask_wait.count == 0;
    uint64_t q = limit(n) / 200, unit = is_web ? LEAST_UNIT : inlet_unit(n);
    q = q < unit ? unit : q;
    return q < n->down.burst ? q : n->down.burst;
}

static bool is_crowded(const struct node *n)
{
    return n->recv_wait.count + n->ask_wait.count + n->web_wait.count > 0;
}

bool inlet_is_spent(struct node *n, usec now)
{
    return limit(n) > 0 && (is_crowded(n) || bucket_avail(&n->down, now) <= 0);
}

static void arm(struct node *n, usec now)
{
    usec soon = now + LEAST_WAIT, at = bucket_when(&n->down, quantum(n), now);
    if (limit(n) > 0 && is_crowded(n) && !n->paused_disk)
        flow_arm(n, at > soon ? at : soon);
}

/* ---- asking ---- */

void inlet_begin(struct node *n, uint64_t rate, usec now)
{
    bucket_init(&n->down, rate, 0, now);
    uint64_t half = n->down.burst / 2, most = n->down.burst - quantum(n);
    bucket_take(&n->down, half < most ? half : most, now);
}

unsigned inlet_may_ask(const struct conn *c, usec now)
{
    struct node *n = c->node;
    if (limit(n) == 0)
        return UINT_MAX;
    uint64_t avail = c->ask_share;
    if (avail == 0) {
        avail = (uint64_t)bucket_avail(&n->down, now);
        if (is_crowded(n) || avail < quantum(n))
            return 0;
    }
    uint64_t units = avail / inlet_unit(n);
    return units == 0 ? 1 : units < UINT_MAX ? (unsigned)units : UINT_MAX;
}

void inlet_wait(struct conn *c, usec now)
{
    if (!list_linked(&c->ask_wait))
        list_push(&c->node->ask_wait, &c->ask_wait);
    arm(c->node, now);
}

void inlet_asked(struct conn *c, uint32_t length, usec now)
{
    if (limit(c->node) == 0)
        return;
    c->due += length + WIRE_PIECE_HEAD;
    bucket_take(&c->node->down, length + WIRE_PIECE_HEAD, now);
}

/* What was asked for before there was a limit is not owed. */
static uint64_t due_no_more(struct conn *c, uint32_t length)
{
    uint64_t bytes = length + WIRE_PIECE_HEAD < c->due ? length + WIRE_PIECE_HEAD : c->due;
    c->due -= bytes;
    return bytes;
}

void inlet_comes(struct conn *c, uint32_t length)
{
    c->paid += due_no_more(c, length);
}

void inlet_unasked(struct conn *c, uint32_t length, usec now)
{
    bucket_give(&c->node->down, due_no_more(c, length), now);
}

/* ---- receiving ---- */

/* More than the last taker of each kind overdraws: somebody sends what nobody asked for. */
static bool is_deep_in_debt(struct node *n, usec now)
{
    return bucket_debt(&n->down, now) > limit(n) / 4 + 2 * LAYOUT_BLOCK;
}

size_t inlet_may_receive(struct conn *c, usec now)
{
    struct node *n = c->node;
    uint64_t may = 0;
    if (limit(n) == 0) {
        may = SIZE_MAX;
    } else {
        /* Its turn is its own, though others have asked for the rest since. */
        uint64_t free = is_crowded(n) ? c->recv_share : (uint64_t)bucket_avail(&n->down, now);
        may = c->paid + (is_deep_in_debt(n, now) ? 0 : free + c->due);
    }
    if (may > 0 && !n->paused_disk)
        return may < SIZE_MAX ? (size_t)may : SIZE_MAX;
    if (!list_linked(&c->recv_wait))
        list_push(&n->recv_wait, &c->recv_wait);
    arm(n, now);
    return 0;
}

void inlet_received(struct conn *c, size_t bytes, usec now)
{
    if (limit(c->node) == 0)
        return;
    uint64_t paid = bytes < c->paid ? bytes : c->paid;
    c->paid -= paid;
    bytes -= (size_t)paid;
    c->recv_share -= bytes < c->recv_share ? bytes : c->recv_share;
    bucket_take(&c->node->down, bytes, now);
}

/*
 * Web seeds are paused when the limit is spent, and the kernel is given room for 25 ms of it, which
 * it doubles: a path of a fifth of a second is still filled by the few transfers that there are.
 * Of a high limit that would be more than a kernel can be told: there the kernel does as it likes,
 * and ranges are short instead. And it is never less than whole packets, for what does not fit is
 * thrown away, until hardly anything comes any more.
 */
size_t node_web_room(const struct node *n)
{
    uint64_t room = limit(n) / ROOMS;
    if (limit(n) == 0 || room > NODE_WEB_ROOM)
        return NODE_WEB_ROOM;
    return room < LEAST_ROOM ? LEAST_ROOM : (size_t)room;
}

/* What comes in 5 ms: so the room is empty, and filled again by the server, when the limit has it.
 */
size_t node_web_portion(const struct node *n)
{
    uint64_t portion = limit(n) / 200;
    if (limit(n) == 0 || portion > NODE_WEB_ROOM)
        return NODE_WEB_ROOM;
    return portion < LEAST_UNIT ? LEAST_UNIT : (size_t)portion;
}

static bool has_room(const struct node *n)
{
    return node_web_room(n) < NODE_WEB_ROOM;
}

/* Each has a room that its server fills at once when it may: so no more of them than it takes to
 * have a limit's worth under way for as long as an answer is in coming. */
unsigned inlet_web_lanes(const struct node *n, unsigned most, usec answer)
{
    if (!has_room(n))
        return most;
    uint64_t ms = answer > 0 && answer < USEC_SEC ? (uint64_t)(answer / USEC_MS) : 0;
    uint64_t more = answer >= USEC_SEC ? most : limit(n) * ms / 1000 / node_web_room(n);
    return more < most ? (unsigned)more + 1 : most;
}

uint32_t inlet_web_run(const struct node *n, uint32_t blocks)
{
    uint64_t most = limit(n) / UNITS / LAYOUT_BLOCK;
    return limit(n) > 0 && !has_room(n) && most < blocks ? (uint32_t)most : blocks;
}

/* Who waits in the midst of its turn has the next one, too: of lanes that took turns by portions
 * all rooms would be empty at once. */
static bool wait_web(struct node *n, struct inlet_web *w, usec now)
{
    bool is_amid = w->turn > 0 && w->turn < 4 * node_web_room(n);
    if (!list_linked(&w->wait) && is_amid) {
        list_unshift(&n->web_wait, &w->wait);
    } else if (!list_linked(&w->wait)) {
        list_push(&n->web_wait, &w->wait);
        w->turn = 0;
    }
    arm(n, now);
    return true;
}

bool inlet_web_may_begin(struct node *n, struct inlet_web *w, usec now)
{
    return bucket_debt(&n->down, now) == 0 || !wait_web(n, w, now);
}

/* What waits in the room is paid for once, when it first fills: at the end of an answer it is read
 * as the limit has it, like all before it, and then the next answer fills the room. Where there is
 * no room an answer comes at once, and is paid for when it is asked for. */
void inlet_web_begins(struct node *n, struct inlet_web *w, uint64_t length, usec now)
{
    uint64_t most = has_room(n) ? 2 * node_web_room(n) : limit(n) / UNITS;
    most = has_room(n) || most < length ? most : length;
    uint64_t more = most > w->ahead ? most - w->ahead : 0;
    w->ahead += more;
    bucket_take(&n->down, more + WEB_HEAD, now);
}

void inlet_web_woken(struct node *n, struct inlet_web *w)
{
    if (list_linked(&w->wait))
        list_remove(&n->web_wait, &w->wait);
}

void inlet_web_rests(struct node *n, struct inlet_web *w, usec now)
{
    inlet_web_woken(n, w);
    bucket_give(&n->down, w->ahead, now);
    w->ahead = w->turn = 0;
}

bool inlet_web_got(struct node *n, struct inlet_web *w, size_t bytes, usec now)
{
    uint64_t paid = has_room(n) ? 0 : w->ahead < bytes ? w->ahead : bytes;
    w->ahead -= paid;
    w->turn += bytes;
    bucket_take(&n->down, bytes - paid, now);
    bool spent = bytes > paid && inlet_is_spent(n, now);
    return (spent || n->paused_disk) && wait_web(n, w, now);
}

/* ---- turns ---- */

/* They are put down again by whoever finds that it is not enough. */
static void wake_receivers(struct node *n, uint64_t bytes)
{
    size_t k = n->recv_wait.count, most = bytes > PORTION ? (size_t)(bytes / PORTION) : 1;
    k = k < most ? k : most;
    for (size_t i = 0; i < k; i++) {
        struct conn *c = LIST_OF(list_pop(&n->recv_wait), struct conn, recv_wait);
        c->recv_share = (size_t)(bytes / k);
        node_op(n, NODE_RECV)->conn = c->id;
    }
}

static void wake_askers(struct node *n, uint64_t bytes, usec now)
{
    uint32_t unit = inlet_unit(n);
    size_t k = n->ask_wait.count, most = bytes > unit ? (size_t)(bytes / unit) : 1;
    k = k < most ? k : most;
    for (size_t i = 0; i < k; i++) {
        struct conn *c = LIST_OF(list_pop(&n->ask_wait), struct conn, ask_wait);
        c->ask_share = (size_t)(bytes / k);
        if (c->phase == CONN_OPEN)
            fetch_more(c, now);
        c->ask_share = 0;
    }
}

static void wake_all(struct node *n, usec now)
{
    struct list_node *l;
    while ((l = list_pop(&n->recv_wait)) != NULL)
        node_op(n, NODE_RECV)->conn = LIST_OF(l, struct conn, recv_wait)->id;
    while ((l = list_pop(&n->ask_wait)) != NULL)
        fetch_more(LIST_OF(l, struct conn, ask_wait), now);
    web_wake(n, SIZE_MAX, now);
}

void inlet_late(struct node *n, usec by, usec now)
{
    if (is_crowded(n))
        bucket_late(&n->down, by, now);
}

void inlet_turn(struct node *n, usec now)
{
    uint64_t avail = limit(n) > 0 ? (uint64_t)bucket_avail(&n->down, now) : 0;
    if (n->paused_disk)
        return;
    if (limit(n) == 0) {
        wake_all(n, now);
    } else if (avail >= quantum(n)) {
        bool recv = n->recv_wait.count > 0, ask = n->ask_wait.count > 0,
             web = n->web_wait.count > 0;
        unsigned kinds = recv + ask + web;
        uint64_t each = avail / (kinds > 0 ? kinds : 1);
        wake_receivers(n, each);
        size_t portions = (size_t)(each / node_web_portion(n));
        web_wake(n, portions > 0 ? portions : 1, now);
        wake_askers(n, each, now);
    }
    arm(n, now);
}

void inlet_gone(struct conn *c, usec now)
{
    struct node *n = c->node;
    if (list_linked(&c->recv_wait))
        list_remove(&n->recv_wait, &c->recv_wait);
    if (list_linked(&c->ask_wait))
        list_remove(&n->ask_wait, &c->ask_wait);
    bucket_give(&n->down, c->due + c->paid, now);
    c->due = c->paid = 0;
}
