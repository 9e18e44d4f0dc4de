/*
 * A download that is killed at random moments, as the engine does it: write, sync, then record.
 * What is recorded must be in the files whenever it is looked at, and in the end all of it is there
 * under its final names.
 */
#include "scratch.h"

#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/host/catalogue.h>
#include <p2p/host/tree.h>
#include <signal.h>

enum { FILES = 6, FILE_LEN = 512 * 1024, BLOCK = 4096, BLOCKS = FILES * FILE_LEN / BLOCK };

struct world {
    struct catalogue *c;
    struct fdcache *cache;
    struct tree *t;
    struct catalogue_item it;
    uint8_t have[BLOCKS];
    unsigned n;
};

static void content(uint8_t *p, unsigned block)
{
    for (unsigned i = 0; i < BLOCK; i++)
        p[i] = (uint8_t)(block * 7 + i * 13 + (i >> 8));
}

static struct tree *tree_of(struct fdcache *cache)
{
    struct tree_file f[FILES];
    char names[FILES][32];
    for (size_t i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "name/d%zu/f%zu", i % 2, i);
        f[i] = (struct tree_file){names[i], FILE_LEN, 0};
    }
    return tree_new(cache, at("data"), f, FILES, ".part", NULL);
}

/* What of it lies under its final name is known from the disk and the record together. */
static bool find_final(struct world *w)
{
    for (size_t i = 0; i < FILES; i++) {
        struct tree_stat final, part;
        if (tree_stat(w->t, i, &final, &part, NULL) != 0)
            return false;
        if (final.there && !part.there)
            tree_set_flags(w->t, i, TREE_FINAL | TREE_OURS, 0);
    }
    return true;
}

static bool begin_world(struct world *w)
{
    struct bytes none = {0}, record = {0};
    memset(w, 0, sizeof *w);
    w->it = (struct catalogue_item){.has_v1 = true, .v1 = "the hash of the item",
                                    .state = CATALOGUE_PARTIAL, .piece_size = BLOCK,
                                    .size = FILES * FILE_LEN, .name = bytes_str("name"),
                                    .path = bytes_str("/data")};
    if (catalogue_open(&w->c, scratch_dir, NULL) != 0 || catalogue_notice(w->c))
        return false;
    struct catalogue_item old;
    if (catalogue_get(w->c, BYTES(w->it.v1, 20), &old, NULL) == 0) {
        w->it.id = old.id;
        catalogue_item_fini(&old);
    } else if (catalogue_put(w->c, &w->it, none, none, &w->it.id, NULL) != 0) {
        return false;
    }
    int rc = catalogue_record_get(w->c, w->it.id, &record, NULL);
    if (rc == 0 && record.n == BLOCKS)
        memcpy(w->have, record.p, BLOCKS);
    else if (rc != ERR_NOTFOUND)
        return false;
    free((void *)(uintptr_t)record.p);
    for (unsigned i = 0; i < BLOCKS; i++)
        w->n += w->have[i];
    w->cache = fdcache_new(3);
    w->t = tree_of(w->cache);
    return find_final(w);
}

static void end_world(struct world *w)
{
    tree_free(w->t);
    fdcache_free(w->cache);
    catalogue_free(w->c);
}

static bool holds(struct world *w, unsigned block)
{
    uint8_t want[BLOCK], got[BLOCK];
    content(want, block);
    return tree_pread(w->t, block * BLOCK / FILE_LEN, block * BLOCK % FILE_LEN,
                      (struct span){got, BLOCK}, NULL) == BLOCK &&
           memcmp(got, want, BLOCK) == 0;
}

static bool get_block(struct world *w, unsigned block)
{
    uint8_t mem[BLOCK];
    content(mem, block);
    struct bytes halves[2] = {BYTES(mem, 1000), BYTES(mem + 1000, BLOCK - 1000)};
    return tree_pwrite(w->t, block * BLOCK / FILE_LEN, block * BLOCK % FILE_LEN, halves, 2, NULL) ==
           0;
}

static bool record(struct world *w, enum catalogue_state state)
{
    return tree_sync(w->t, NULL) == 0 &&
           catalogue_record_put(w->c, w->it.id, state, (uint64_t)w->n * BLOCK,
                                BYTES(w->have, BLOCKS), 1, NULL) == 0;
}

static int download(uint64_t seed)
{
    struct world w;
    struct rng r;
    rng_seed(&r, seed);
    if (!begin_world(&w))
        return 1;
    while (w.n < BLOCKS) {
        for (int i = 0; i < 3 && w.n < BLOCKS; i++) {
            unsigned block = (unsigned)rng_below(&r, BLOCKS);
            while (w.have[block])
                block = (block + 1) % BLOCKS;
            if (!get_block(&w, block))
                return 2;
            w.have[block] = 1;
            w.n++;
        }
        if (!record(&w, CATALOGUE_PARTIAL))
            return 3;
    }
    for (size_t i = 0; i < FILES; i++)
        if (tree_finish_file(w.t, i, NULL) != 0)
            return 4;
    if (!record(&w, CATALOGUE_COMPLETE))
        return 5;
    end_world(&w);
    return 0;
}

#define MAX_KILLS 300u

static void killed_at_random_moments(void **state)
{
    (void)state;
    struct rng r;
    unsigned kills = 0, before = 0;
    int end = -1;
    rng_seed(&r, 42);
    assert_int_equal(mkdir(at("data"), 0777), 0);
    for (int round = 0; round < 2000 && end != 0; round++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(download((uint64_t)round));
        /* However slow the machine is: in the end it is let go to its end. */
        if (kills < MAX_KILLS) {
            usleep((useconds_t)rng_below(&r, 8000));
            kill(pid, SIGKILL);
        }
        end = reap(pid);
        if (end != 0)
            assert_int_equal(end, -SIGKILL);
        kills += end != 0;
        struct world w;
        assert_true(begin_world(&w));
        assert_true(w.n >= before);
        before = w.n;
        for (unsigned i = 0; i < BLOCKS; i++)
            if (w.have[i])
                assert_true(holds(&w, i));
        end_world(&w);
    }
    assert_int_equal(end, 0);
    print_message("killed %u times\n", kills);
    struct world w;
    struct catalogue_item it;
    assert_true(begin_world(&w));
    assert_int_equal(w.n, BLOCKS);
    assert_int_equal(catalogue_get_id(w.c, w.it.id, &it, NULL), 0);
    assert_int_equal(it.state, CATALOGUE_COMPLETE);
    catalogue_item_fini(&it);
    for (size_t i = 0; i < FILES; i++)
        assert_true(tree_flags(w.t, i) & TREE_FINAL);
    assert_int_equal(tree_delete(w.t, NULL), 0);
    assert_int_equal(entries_in(at("data")), 0);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(killed_at_random_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
