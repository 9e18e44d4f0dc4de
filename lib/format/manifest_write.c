/*
 * Writing a .torrent: info byte for byte as it was, everything around it in canonical bencode.
 */
#include "manifest_int.h"

#include <p2p/base/num.h>

#define ROOM_AROUND 4096u /* for what is beside info, most of the time */

static void write_trackers(const struct manifest *m, struct buf *out)
{
    if (m->n_tiers == 0)
        return;
    bencode_put_key_str(out, "announce", bytes_str(m->tiers[0].urls[0]));
    if (m->n_tiers == 1 && m->tiers[0].n == 1)
        return;
    bencode_put_lit(out, "announce-list");
    bencode_put_list(out);
    for (size_t i = 0; i < m->n_tiers; i++) {
        bencode_put_list(out);
        for (size_t k = 0; k < m->tiers[i].n; k++)
            bencode_put_lit(out, m->tiers[i].urls[k]);
        bencode_put_end(out);
    }
    bencode_put_end(out);
}

/* "HOST:PORT" as BEP 5 wants it: two things, no brackets. */
static void write_node(struct buf *out, const char *node)
{
    struct bytes host = bytes_str(node);
    const char *colon = strrchr(node, ':');
    uint64_t port = 0;
    if (!colon || !num_parse_u64(bytes_str(colon + 1), &port) || port > 65535)
        return;
    host.n = (size_t)(colon - node);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = BYTES(host.p + 1, host.n - 2);
    bencode_put_list(out);
    bencode_put_str(out, host);
    bencode_put_int(out, (int64_t)port);
    bencode_put_end(out);
}

static void write_nodes(const struct manifest *m, struct buf *out)
{
    if (m->n_nodes == 0)
        return;
    bencode_put_lit(out, "nodes");
    bencode_put_list(out);
    for (size_t i = 0; i < m->n_nodes; i++)
        write_node(out, m->nodes[i]);
    bencode_put_end(out);
}

/* BEP 52 wants the dictionary even when no file needs a layer. Equal files share one. */
static void write_layers(const struct manifest *m, struct buf *out)
{
    uint32_t n;
    const uint32_t *order = manifest_root_order(m, &n);
    const uint8_t *last = NULL;
    if (!m->has_v2)
        return;
    bencode_put_lit(out, "piece layers");
    bencode_put_dict(out);
    for (uint32_t i = 0; i < n; i++) {
        const struct manifest_file *f = &m->files[order[i]];
        if (!f->layer || (last && memcmp(last, f->root, SHA256_LEN) == 0))
            continue;
        last = f->root;
        bencode_put_str(out, BYTES(f->root, SHA256_LEN));
        bencode_put_str(out, BYTES(f->layer, (size_t)f->layer_n * SHA256_LEN));
    }
    bencode_put_end(out);
}

static void write_web_seeds(const struct manifest *m, struct buf *out)
{
    if (m->n_web_seeds == 0)
        return;
    bencode_put_lit(out, "url-list");
    bencode_put_list(out);
    for (size_t i = 0; i < m->n_web_seeds; i++)
        bencode_put_lit(out, m->web_seeds[i]);
    bencode_put_end(out);
}

void manifest_write(const struct manifest *m, struct buf *out)
{
    buf_room(out, m->info.n + ROOM_AROUND);
    bencode_put_dict(out);
    write_trackers(m, out);
    if (m->comment)
        bencode_put_key_str(out, "comment", bytes_str(m->comment));
    if (m->created_by)
        bencode_put_key_str(out, "created by", bytes_str(m->created_by));
    if (m->creation_date >= 0)
        bencode_put_key_int(out, "creation date", m->creation_date);
    bencode_put_lit(out, "info");
    buf_put_bytes(out, m->info);
    write_nodes(m, out);
    write_layers(m, out);
    write_web_seeds(m, out);
    bencode_put_end(out);
}
