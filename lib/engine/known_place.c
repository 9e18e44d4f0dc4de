/* Where the data of a known item lies, and taking it away. */
#include "engine/places.h"

#include <p2p/engine/known.h>

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/host/home.h>

#include <stdlib.h>

static bool number(struct bytes *s, uint64_t *out)
{
    size_t n = 0;

    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    if (!num_parse_u64(BYTES(s->p, n), out))
        return false;
    *s = BYTES(s->p + n, s->n - n);
    return true;
}

/* "0,3-7", as p2p-get wrote it; nothing means all. */
static void read_selection(struct bits *wanted, struct bytes text, uint32_t n_files)
{
    bits_init(wanted, n_files);
    if (text.n == 0)
        bits_fill(wanted, true);
    while (text.n > 0) {
        uint64_t first, last;

        if (!number(&text, &first))
            return;
        last = first;
        if (text.n > 0 && *text.p == '-') {
            text = BYTES(text.p + 1, text.n - 1);
            if (!number(&text, &last))
                return;
        }
        for (uint64_t i = first; i <= last && i < n_files; i++)
            bits_set(wanted, (size_t)i);
        if (text.n > 0)
            text = BYTES(text.p + 1, text.n - 1);
    }
}

static void read_record(struct known_place *p, const struct known *k, struct catalogue *c)
{
    uint8_t content[SHA256_LEN];
    struct bytes raw = {0};

    if (catalogue_record_get(c, k->item.id, &raw, NULL) < 0)
        return;
    digest_sha256(content, k->m->info);
    p->has_record = record_parse(&p->record, raw, NULL) == 0 &&
                    p->record.n_files == k->m->n_files && p->record.have.n == k->m->n_pieces &&
                    memcmp(content, p->record.content, sizeof content) == 0;
    bytes_free(raw);
}

static char *side_of(const struct manifest *m, const char *home)
{
    char hex[2 * SHA256_LEN + 1];

    text_hex(hex, m->has_v1 ? BYTES(m->hash_v1, SHA1_LEN) : BYTES(m->hash_v2, SHA256_LEN));
    return mem_fmt("%s/%s/%s", home, HOME_SIDE, hex);
}

int known_place(struct known_place *p, const struct known *k, struct catalogue *c, const char *home,
                struct err *e)
{
    const struct catalogue_item *it = &k->item;

    *p = (struct known_place){0};
    if (!k->m)
        return err_set(e, ERR_NOTFOUND, "its manifest is not here, nor any data");
    if (it->id == 0 || it->path.n == 0)
        return err_set(e, ERR_NOTFOUND, "%s: its data is not here", k->m->name);
    p->path = mem_strn((const char *)it->path.p, it->path.n);
    p->side = side_of(k->m, home);
    record_init(&p->record);
    read_record(p, k, c);
    read_selection(&p->wanted, it->selection, k->m->n_files);
    p->place = (struct scan_place){
        .m = k->m,
        .path = p->path,
        .where = it->where & PLACES_FOUND,
        .side = p->side,
        .wanted = bits_full(&p->wanted) ? NULL : &p->wanted,
        /* What p2p-add found was whole then, whatever was found out about it since. */
        .whole = it->state == CATALOGUE_COMPLETE || (it->where & PLACES_RAW),
        .recorded = p->has_record ? &p->record.have : NULL,
    };
    return 0;
}

void known_place_fini(struct known_place *p)
{
    free(p->path);
    free(p->side);
    bits_fini(&p->wanted);
    record_fini(&p->record);
    *p = (struct known_place){0};
}

/* ---- deleting ---- */

/*
 * The final name is ours if the record saw a file there, and it has not moved to the other name. A
 * download without a record never came to give one; of what was complete, all names are final.
 */
static bool is_final(const struct known *k, const struct known_place *p, uint32_t file,
                     const struct tree_stat *final, const struct tree_stat *part)
{
    const struct record_file *r = p->has_record ? &p->record.files[file] : NULL;

    if (!final->regular)
        return false;
    if (!r)
        return k->item.state == CATALOGUE_COMPLETE;
    if (r->present && part->regular && part->inode == r->inode)
        return false;
    return r->present || k->m->files[file].length == 0;
}

int known_delete(const struct known *k, const struct known_place *p, struct err *e)
{
    struct fdcache *files = fdcache_new(FDCACHE_USUAL);
    struct places where = {.m = k->m, .path = p->path, .where = p->place.where, .side = p->side};
    struct tree *t = places_tree(files, &where);
    int rc = tree_check_root(t, e);

    for (uint32_t i = 0; i < k->m->n_files && rc == 0; i++) {
        struct tree_stat final = {0}, part = {0};

        if (k->m->files[i].attr & (FILE_PAD | FILE_SYMLINK))
            continue;
        rc = tree_stat(t, i, &final, &part, e);
        if (rc == 0 && is_final(k, p, i, &final, &part))
            tree_set_flags(t, i, TREE_FINAL, 0);
    }
    if (rc == 0)
        rc = tree_delete(t, e);
    tree_free(t);
    fdcache_free(files);
    return rc;
}
