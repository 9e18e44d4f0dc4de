/* What a SOURCE is as far as this machine knows. */
#include <p2p/engine/known.h>

#include <p2p/base/mem.h>
#include <p2p/format/source.h>
#include <p2p/host/fileio.h>
#include <p2p/host/oldfile.h>

#include <errno.h>
#include <stdlib.h>

/* ---- the catalogue's view ---- */

static void take_stored(struct known *k, struct catalogue *c)
{
    struct bytes raw = {0};

    if (!k->m && catalogue_manifest(c, k->item.id, &raw, NULL) == 0) {
        k->m = manifest_parse(raw, NULL);
        bytes_free(raw);
    }
    if (!k->m && !k->has_link && catalogue_link(c, k->item.id, &raw, NULL) == 0) {
        char *text = mem_strn((const char *)raw.p, raw.n);

        k->has_link = magnet_parse(&k->link, text, NULL) == 0;
        free(text);
        bytes_free(raw);
    }
}

int known_item(struct known *k, struct catalogue_item *it, struct catalogue *c, struct err *e)
{
    *k = (struct known){.item = *it};
    *it = (struct catalogue_item){0};
    take_stored(k, c);
    if (k->m || k->has_link)
        return 0;
    return err_set(e, ERR_INVALID, "%.*s: its manifest in the catalogue cannot be read",
                   (int)k->item.name.n, (const char *)k->item.name.p);
}

int known_no_name(const char *word, struct err *e)
{
    return err_set(e, ERR_NOTFOUND,
                   oldfile_is_folder(word)
                       ? "%s: is a folder, and no item is called so; p2p-add makes a link of it"
                       : "%s: neither a file nor anything in the catalogue",
                   word);
}

int known_no_torrent(const char *word, struct bytes raw, const struct err *why, struct err *e)
{
    if (raw.n > 0 && *raw.p == 'd')
        return err_set(e, why->code, "%s: %s", word, why->msg);
    return err_set(e, why->code, "%s: is no .torrent; p2p-add makes a link of it", word);
}

static int by_name(struct known *k, const char *word, struct catalogue *c, struct err *e)
{
    struct catalogue_item it = {0};
    struct err here = {0};
    int rc = c ? catalogue_find(c, word, &it, &here) : ERR_NOTFOUND;

    if (rc == ERR_NOTFOUND)
        return known_no_name(word, e);
    if (rc < 0) {
        *e = here;
        return rc;
    }
    return known_item(k, &it, c, e);
}

static int look_up(struct known *k, struct bytes hash, struct catalogue *c, struct err *e)
{
    struct err here = {0};
    int rc = catalogue_get(c, hash, &k->item, &here);

    if (rc == ERR_NOTFOUND)
        return 0;
    if (rc < 0)
        *e = here;
    else
        take_stored(k, c);
    return rc;
}

static int look_up_hashes(struct known *k, struct catalogue *c, struct err *e)
{
    const struct manifest *m = k->m;
    uint8_t v1[SHA1_LEN], v2[SHA256_LEN];
    bool has_v1 = m ? m->has_v1 : k->link.has_v1, has_v2 = m ? m->has_v2 : k->link.has_v2;
    int rc = 0;

    if (has_v1)
        memcpy(v1, m ? m->hash_v1 : k->link.hash_v1, sizeof v1);
    if (has_v2)
        memcpy(v2, m ? m->hash_v2 : k->link.hash_v2, sizeof v2);
    if (has_v1)
        rc = look_up(k, BYTES(v1, sizeof v1), c, e);
    if (rc == 0 && k->item.id == 0 && has_v2)
        rc = look_up(k, BYTES(v2, sizeof v2), c, e);
    return rc;
}

/* ---- forms of SOURCE ---- */

static int parse(struct known *k, struct bytes raw, const char *what, struct err *e)
{
    struct err here = {0};

    k->m = manifest_parse(raw, &here);
    return k->m ? 0 : err_set(e, here.code, "%s: %s", what, here.msg);
}

static bool is_absent(const struct err *e)
{
    return e->code == ERR_IO && (e->os == ENOENT || e->os == ENAMETOOLONG || e->os == EISDIR);
}

static int by_word(struct known *k, const char *word, struct catalogue *c, struct err *e)
{
    struct bytes raw = {0};
    struct err here = {0}, none = {0};
    int rc = fileio_read(word, MANIFEST_MAX_BYTES, &raw, &here);

    if (rc == 0) {
        struct err why = {0};

        k->m = manifest_parse(raw, &why);
        if (!k->m)
            known_no_torrent(word, raw, &why, &here);
        bytes_free(raw);
        if (k->m)
            return 0;
    }
    /* A path that is not there is a path mistyped; a word may be a name. */
    if (here.os == ENOENT && strchr(word, '/')) {
        *e = here;
        return rc;
    }
    if (is_absent(&here))
        return by_name(k, word, c, e);
    rc = by_name(k, word, c, &none);
    if (rc != ERR_NOTFOUND) {
        *e = none;
        return rc;
    }
    *e = here;
    return here.code;
}

static int by_url(struct known *k, const char *url, struct err *e)
{
    struct bytes raw = {0};
    int rc = known_fetch(url, &raw, e);

    if (rc == 0)
        rc = parse(k, raw, url, e);
    bytes_free(raw);
    return rc;
}

static bool halves_agree(const struct known *k)
{
    const struct magnet *l = &k->link;
    const struct manifest *m = k->m;

    return (!l->has_v1 || (m->has_v1 && memcmp(l->hash_v1, m->hash_v1, SHA1_LEN) == 0)) &&
           (!l->has_v2 || (m->has_v2 && memcmp(l->hash_v2, m->hash_v2, SHA256_LEN) == 0));
}

int known_find(struct known *k, const char *source, struct catalogue *c, struct err *e)
{
    struct source s;
    int rc;

    *k = (struct known){0};
    rc = source_parse(&s, source, e);
    if (rc < 0)
        return rc;
    switch (s.kind) {
    case SOURCE_MAGNET:
    case SOURCE_HASH:
        k->link = s.magnet; /* moved: s is not finished */
        k->has_link = true;
        break;
    case SOURCE_URL:
        rc = by_url(k, source, e);
        break;
    case SOURCE_STDIN:
        rc = err_set(e, ERR_USAGE, "-: a list on standard input is for the program to read");
        break;
    case SOURCE_WORD:
        rc = by_word(k, source, c, e);
        break;
    }
    if (rc == 0 && c && k->item.id == 0)
        rc = look_up_hashes(k, c, e);
    if (rc == 0 && k->m && k->has_link && !halves_agree(k))
        rc = err_set(e, ERR_INVALID, "%s: its two hashes name different items", source);
    return rc;
}

int known_torrent(struct known *k, struct bytes raw, const char *what, struct catalogue *c,
                  struct err *e)
{
    *k = (struct known){0};
    int rc = parse(k, raw, what, e);

    return rc == 0 && c ? look_up_hashes(k, c, e) : rc;
}

void known_fini(struct known *k)
{
    manifest_free(k->m);
    magnet_fini(&k->link);
    catalogue_item_fini(&k->item);
    *k = (struct known){0};
}

/* ---- what is shown ---- */

struct bytes known_hash(const struct known *k)
{
    if (k->m)
        return k->m->has_v1 ? BYTES(k->m->hash_v1, SHA1_LEN) : BYTES(k->m->hash_v2, SHA256_LEN);
    if (k->has_link)
        return k->link.has_v1 ? BYTES(k->link.hash_v1, SHA1_LEN)
                              : BYTES(k->link.hash_v2, SHA256_LEN);
    return k->item.has_v1 ? BYTES(k->item.v1, SHA1_LEN) : BYTES(k->item.v2, SHA256_LEN);
}

const char *known_name(const struct known *k)
{
    return k->m ? k->m->name : k->has_link ? k->link.name : NULL;
}
