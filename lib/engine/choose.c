/* Which files are wanted, by name or by what the link says, and which pieces follow from that. */
#include "engine/engine_int.h"
#include "engine/named.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

static bool is_content(const struct manifest_file *f)
{
    return !(f->attr & FILE_PAD);
}

/* ---- patterns ---- */

static bool matches(const struct manifest *m, const char *path, char *const *v, size_t n)
{
    char *whole = n ? named_whole(m->multi ? m->name : NULL, path) : NULL;
    bool yes = false;

    for (size_t i = 0; i < n && !yes; i++)
        yes = text_glob(v[i], path) || (whole && text_glob(v[i], whole));
    free(whole);
    return yes;
}

/* ---- names ---- */

static const char *content_path(const void *ctx, size_t file)
{
    const struct manifest *m = ctx;

    return is_content(&m->files[file]) ? m->files[file].path : NULL;
}

static struct named_files files_of(const struct item *it)
{
    return (struct named_files){
        .label = it->label,
        .top = it->m->multi ? it->m->name : NULL,
        .n = it->m->n_files,
        .path = content_path,
        .ctx = it->m,
    };
}

static bool in_link(const struct magnet *k, uint32_t file)
{
    for (size_t i = 0; i < k->n_select; i++)
        if (file >= k->select[i].first && file <= k->select[i].last)
            return true;
    return false;
}

/* What is selected by name or pattern, or else by the link, and not left out. */
static bool wanted(const struct item *it, const struct bits *listed, uint32_t i)
{
    const struct item_spec *s = &it->spec;
    const char *path = it->m->files[i].path;

    if (matches(it->m, path, s->exclude, s->n_exclude))
        return false;
    if (s->n_select || s->n_files)
        return bits_get(listed, i) || matches(it->m, path, s->select, s->n_select);
    return !it->has_link || it->link.n_select == 0 || in_link(&it->link, i);
}

/* Whoever asks for a pattern expects something of it. */
static int all_match(const struct item *it, struct err *e)
{
    const struct named_files f = files_of(it);

    for (size_t k = 0; k < it->spec.n_select; k++) {
        bool found = false;

        for (uint32_t i = 0; i < it->m->n_files && !found; i++)
            found = is_content(&it->m->files[i]) &&
                    matches(it->m, it->m->files[i].path, &it->spec.select[k], 1);
        if (!found)
            return named_not_there(&f, it->spec.select[k], e);
    }
    return 0;
}

int choose_files(struct item *it, struct err *e)
{
    const struct manifest *m = it->m;
    const struct named_files f = files_of(it);
    struct bits listed = {0};
    uint32_t content = 0;

    bits_init(&listed, m->n_files);
    int rc = named_find(&f, it->spec.files, it->spec.n_files, &listed, e);
    if (rc == 0)
        rc = all_match(it, e);
    if (rc < 0) {
        bits_fini(&listed);
        return rc;
    }
    bits_init(&it->wanted, m->n_files);
    for (uint32_t i = 0; i < m->n_files; i++) {
        if (!is_content(&m->files[i]))
            continue;
        content++;
        if (wanted(it, &listed, i))
            bits_set(&it->wanted, i);
    }
    bits_fini(&listed);
    it->all_wanted = it->wanted.ones == content;
    if (it->wanted.ones == 0)
        return err_set(e, ERR_NOTFOUND, "%s: no file of it matches what was selected", it->label);
    return 0;
}

char *choose_text(const struct item *it)
{
    struct buf out = {0};

    if (it->all_wanted)
        return NULL;
    for (size_t i = bits_next(&it->wanted, 0, true); i < it->wanted.n;) {
        size_t end = bits_next(&it->wanted, i, false);

        buf_putf(&out, "%s%zu", buf_len(&out) ? "," : "", i);
        if (end - i > 1)
            buf_putf(&out, "-%zu", end - 1);
        i = bits_next(&it->wanted, end, true);
    }
    return buf_take_str(&out);
}

void choose_read(struct bits *files, const char *text)
{
    while (*text) {
        char *end;
        unsigned long long first = strtoull(text, &end, 10), last = first;

        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        for (unsigned long long i = first; i <= last && i < files->n; i++)
            bits_set(files, (size_t)i);
        if (*end != ',')
            return;
        text = end + 1;
    }
}

/*
 * A piece is wanted if it has bytes of a wanted file. One that also has bytes of a file that is not
 * is had as "unstored": those bytes are kept aside only until the item is complete.
 */
void choose_pieces(struct item *it)
{
    const struct manifest *m = it->m;

    it->priority = mem_zero(m->n_pieces ? m->n_pieces : 1);
    it->unstored = mem_zero(m->n_pieces ? m->n_pieces : 1);
    for (uint32_t i = 0; i < m->n_files; i++) {
        bool want = bits_get(&it->wanted, i);
        uint32_t first, end;

        if (!is_content(&m->files[i]) || m->files[i].length == 0)
            continue;
        layout_file_pieces(m, i, &first, &end);
        for (uint32_t p = first; p < end; p++) {
            if (want)
                it->priority[p] = 1;
            else
                it->unstored[p] = 1;
        }
    }
    if (it->spec.serve)
        memset(it->priority, 0, m->n_pieces);
    if (it->ranged)
        ranges_priority(it);
}
