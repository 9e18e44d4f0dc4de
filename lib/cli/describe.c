/* An item as JSON. An absent value is left out; hashes are lower-case hex. */
#include <p2p/cli/describe.h>

#include <stdlib.h>

const char *describe_format(bool v1, bool v2)
{
    return v1 && v2 ? "hybrid" : v2 ? "v2" : "v1";
}

void describe_attr(char out[8], uint8_t attr)
{
    size_t n = 0;

    if (attr & FILE_EXEC)
        out[n++] = 'x';
    if (attr & FILE_HIDDEN)
        out[n++] = 'h';
    if (attr & FILE_SYMLINK)
        out[n++] = 'l';
    out[n] = 0;
}

static void set_hashes(struct json *o, const uint8_t *v1, const uint8_t *v2)
{
    if (v1)
        json_set_hex(o, "infohash_v1", BYTES(v1, SHA1_LEN));
    if (v2)
        json_set_hex(o, "infohash_v2", BYTES(v2, SHA256_LEN));
}

static void set_list(struct json *o, const char *key, char *const *v, size_t n)
{
    if (n == 0)
        return;
    struct json *a = json_new_array();
    for (size_t i = 0; i < n; i++)
        json_add_str(a, v[i]);
    json_set(o, key, a);
}

static struct json *describe_file(const struct manifest_file *f)
{
    struct json *o = json_new_object();
    char attr[8];

    json_set_str(o, "path", f->path);
    json_set_int(o, "size", (int64_t)f->length);
    if (f->root)
        json_set_hex(o, "root", BYTES(f->root, SHA256_LEN));
    describe_attr(attr, f->attr);
    if (*attr)
        json_set_str(o, "attr", attr);
    json_set_str(o, "target", f->target);
    return o;
}

static void set_files(struct json *o, const struct manifest *m)
{
    struct json *a = json_new_array();

    for (uint32_t i = 0; i < m->n_files; i++)
        if (!(m->files[i].attr & FILE_PAD))
            json_add(a, describe_file(&m->files[i]));
    json_set(o, "files", a);
}

static void set_trackers(struct json *o, const struct manifest *m)
{
    if (m->n_tiers == 0)
        return;
    struct json *tiers = json_new_array();
    for (size_t t = 0; t < m->n_tiers; t++) {
        struct json *a = json_new_array();
        for (size_t i = 0; i < m->tiers[t].n; i++)
            json_add_str(a, m->tiers[t].urls[i]);
        json_add(tiers, a);
    }
    json_set(o, "trackers", tiers);
}

struct json *describe_manifest(const struct manifest *m, const char *link)
{
    struct json *o = json_new_object();

    json_set_str(o, "name", m->name);
    set_hashes(o, m->has_v1 ? m->hash_v1 : NULL, m->has_v2 ? m->hash_v2 : NULL);
    json_set_str(o, "format", describe_format(m->has_v1, m->has_v2));
    json_set_int(o, "size", (int64_t)m->size);
    json_set_int(o, "piece_size", m->piece_length);
    json_set_int(o, "pieces", m->n_pieces);
    json_set_bool(o, "private", m->private_flag);
    set_files(o, m);
    set_trackers(o, m);
    set_list(o, "web_seeds", m->web_seeds, m->n_web_seeds);
    set_list(o, "nodes", m->nodes, m->n_nodes);
    json_set_str(o, "link", link);
    json_set_str(o, "comment", m->comment);
    json_set_str(o, "source", m->source);
    json_set_str(o, "created_by", m->created_by);
    if (m->creation_date >= 0)
        json_set_time(o, "creation_date", m->creation_date);
    return o;
}

static char *write_link(const struct magnet *k)
{
    struct buf out = {0};

    magnet_write(k, &out);
    return buf_take_str(&out);
}

struct json *describe_link(const struct magnet *k)
{
    struct json *o = json_new_object();
    char *link = write_link(k);

    json_set_str(o, "name", k->name);
    set_hashes(o, k->has_v1 ? k->hash_v1 : NULL, k->has_v2 ? k->hash_v2 : NULL);
    if (k->has_v1 && k->has_v2)
        json_set_str(o, "format", "hybrid"); /* one hash alone does not tell */
    if (k->size > 0)
        json_set_int(o, "size", (int64_t)k->size);
    if (k->n_trackers > 0) {
        struct json *tiers = json_new_array();
        for (size_t i = 0; i < k->n_trackers; i++) {
            struct json *tier = json_new_array();
            json_add_str(tier, k->trackers[i]);
            json_add(tiers, tier);
        }
        json_set(o, "trackers", tiers);
    }
    set_list(o, "web_seeds", k->web_seeds, k->n_web_seeds);
    set_list(o, "nodes", k->nodes, k->n_nodes);
    set_list(o, "addresses", k->peers, k->n_peers);
    json_set_str(o, "link", link);
    free(link);
    return o;
}

char *describe_link_of(const struct manifest *m, char *const *peers, size_t n_peers)
{
    struct magnet k = {0};
    char *link;

    magnet_from_manifest(&k, m);
    for (size_t i = 0; i < n_peers; i++)
        magnet_list_add(&k.peers, &k.n_peers, peers[i]);
    link = write_link(&k);
    magnet_fini(&k);
    return link;
}
