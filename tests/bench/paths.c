/*
 * The hot paths by themselves, for counting instructions (tests/bench/count): `paths hash` has the
 * hash engine digest 16 MiB as pieces and as leaves, `paths wire` has a node fetch 16 MiB from
 * another in the test tube. Lanes are those that every processor has, so that all machines count
 * alike.
 */
#include "../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/format/lanes.h>
#include <p2p/format/layout.h>
#include <p2p/swarm/pool.h>

#include <stdio.h>
#include <stdlib.h>

#define SIZE (16u << 20)
#define PIECE (256u << 10)

static void digest(enum digest_kind k, const uint8_t *content, size_t message)
{
    static struct lanes_job jobs[SIZE / LAYOUT_BLOCK];
    static uint8_t out[SIZE / LAYOUT_BLOCK][32];
    size_t n = SIZE / message;
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct lanes_job){.b = {content + i * message, message}, .out = out[i]};
    lanes_run(k, jobs, n);
}

static int hash(void)
{
    uint8_t *content = mem_zero(SIZE);
    digest(DIGEST_SHA1, content, PIECE);
    digest(DIGEST_SHA256, content, LAYOUT_BLOCK);
    free(content);
    return 0;
}

static bool complete(void *arg)
{
    const struct item *it = arg;
    return it->complete;
}

static struct item *add(struct tube *t, const struct manifest *m, const uint8_t *content,
                        struct host **h)
{
    const struct host_config c = {.up = 10000000, .down = 10000000, .delay = 10 * USEC_MS};
    struct bits have;
    bits_init(&have, m->n_pieces);
    for (uint32_t p = 0; content && p < m->n_pieces; p++)
        bits_set(&have, p);
    struct node_task_config tc = {.manifest = tube_copy(m), .have = &have};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    *h = tube_host(t, &c);
    struct item *it = host_add(*h, &tc, content);
    bits_fini(&have);
    return it;
}

static int wire(void)
{
    const struct tube_file one = {NULL, SIZE};
    uint8_t *content;
    struct tube *t = tube_new(1);
    struct manifest *m = tube_manifest(tube_rng(t), "thing", &one, 1, 3, PIECE, &content);
    struct host *seed, *leech;
    add(t, m, content, &seed);
    struct item *it = add(t, m, NULL, &leech);
    struct addr a = host_addr(seed);
    node_add_peer(host_node(leech), it->task, &a, POOL_USER, tube_now(t));
    bool done = tube_run(t, USEC_MIN, complete, it);
    tube_free(t);
    manifest_free(m);
    free(content);
    return done ? 0 : 1;
}

int main(int argc, char **argv)
{
    lanes_only("plain");
    if (argc == 2 && strcmp(argv[1], "hash") == 0)
        return hash();
    if (argc == 2 && strcmp(argv[1], "wire") == 0)
        return wire();
    fputs("paths hash|wire\n", stderr);
    return 2;
}
