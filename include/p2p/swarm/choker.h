/*
 * Whom to serve. Leeching: every ten seconds, half of them the peers that gave most in the last 20
 * s (tit for tat) and half those that ever gave something and have least, with one of these slots
 * for whom we owe most of the last 20 s, snubbers left out, and one optimistic slot that rotates
 * every 30 s, newcomers three times as likely. Seeding: those that take fastest, but each unchoked
 * peer keeps its slot for a while and then yields to whoever has waited longest, so that the
 * seed's copies spread. The number of slots follows the upload rate: as few as fill the link, for
 * each more makes every piece later whole. Peers that are not interested hold no slot but may be
 * unchoked ahead of interest when they give well; nor does one hold a slot that is unchoked and
 * asks for nothing: another that waits is unchoked at once, and the next round judges them all. A
 * debtor, who has had a good deal and gave nothing back, or to whom a seed gave pieces that did
 * not come up elsewhere, waits behind all others.
 * Some neighbours have seats beyond the slots: what goes to them does not leave the house.
 */
#ifndef P2P_SWARM_CHOKER_H
#define P2P_SWARM_CHOKER_H

#include <p2p/base/rng.h>
#include <p2p/base/usec.h>
#include <stdbool.h>
#include <stddef.h>

#define CHOKER_PERIOD (10 * USEC_SEC)
#define CHOKER_OPTIMISTIC (30 * USEC_SEC)
#define CHOKER_MIN_SLOTS 4u
#define CHOKER_MAX_SLOTS 20u
#define CHOKER_NEAR_SEATS 16u /* at full strength of preferring neighbours, less in proportion */
#define CHOKER_NONE UINT32_MAX

struct choker_peer { /* one per connected peer of the item, filled by the owner for each round */
    uint32_t id;
    bool interested;   /* it wants our data */
    bool unchoked;     /* in: now; out: the verdict */
    bool snubbed;      /* it has not sent although it should */
    bool upload_only;  /* needs nothing */
    bool idle;         /* unchoked, and yet it has asked for nothing lately */
    bool given;        /* it gave something, if not lately */
    bool debtor;       /* it has had a good deal and gives nothing on, as far as can be seen */
    uint8_t near;      /* a neighbour, preferred with this strength, 1 to 100; 0: it is none */
    uint32_t has;      /* of the content, in pieces */
    uint64_t gave;     /* bytes a second from it, lately */
    uint64_t took;     /* bytes a second to it, lately */
    usec since;        /* when the present choke state began */
    usec connected;    /* when it connected */
};

struct choker {
    uint32_t slots;
    uint32_t optimistic; /* peer id of the slot, CHOKER_NONE: none */
    usec optimistic_since, next;
    /* Finding the number of slots when upload is unlimited: how it was before some were added. */
    uint64_t rate_before;
    uint32_t slots_before;
    uint64_t rate_last; /* in the last round */
    unsigned trial; /* rounds that the added slots have had; 0: none is on trial */
    unsigned rest;  /* rounds to wait before the next trial */
};

void choker_init(struct choker *c, usec now);
/* Sets `unchoked` of each; returns how many changed. up_rate_limit: bytes a second, 0 unlimited. */
size_t choker_run(struct choker *c, struct choker_peer *v, size_t n, bool seeding,
                  uint64_t up_rate_limit, struct rng *r, usec now);
/*
 * Between rounds: unchokes those that wait, in place of those that are gone, have lost interest or
 * are idle: leeching, those that ever gave or have nothing yet, who has least first; seeding, who
 * waits longest; debtors only while the line stands idle. Nobody loses a slot by it but a seed's
 * debtors when others wait. Returns how many were unchoked.
 */
size_t choker_fill(const struct choker *c, struct choker_peer *v, size_t n, bool seeding,
                   bool idle_line, struct rng *r, usec now);
uint32_t choker_near_seats(unsigned strength);
/* A peer became interested between rounds: may it be unchoked at once (a slot is free)? */
bool choker_admit(const struct choker *c, size_t unchoked_interested);
/* The peer left. A free slot is filled at the next run, which is made due soon. */
void choker_gone(struct choker *c, uint32_t id, usec now);
usec choker_deadline(const struct choker *c);

#endif
