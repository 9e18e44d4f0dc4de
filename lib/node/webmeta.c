/*
 * The manifest from a web seed. A link with `ws=` and no peer on earth names the content and where
 * its bytes are, but not the info dictionary. So, beside asking peers, the .torrent is looked for
 * where a publisher puts it: beside the content, as its address with ".torrent" behind. Nothing
 * but the servers that the link names is asked, once each, and what comes counts only if its
 * info-hashes are the link's.
 */
#include "node/node_int.h"

#include <p2p/base/text.h>

static bool is_ours(const struct task *t, const struct manifest *m)
{
    if (t->link->has_v1 && (!m->has_v1 || memcmp(m->hash_v1, t->link->hash_v1, SHA1_LEN) != 0))
        return false;
    return !t->link->has_v2 ||
           (m->has_v2 && memcmp(m->hash_v2, t->link->hash_v2, SHA256_LEN) == 0);
}

static void fetched(struct node *n, struct job *j, int err, const struct err *why, int status,
                    struct bytes body, usec now)
{
    struct task *t = task_get(n, j->task);
    struct err e = {0};
    t->resolving--;
    if (!t->meta || t->halted || t->stopping)
        return; /* peers were quicker */
    struct manifest *m = err < 0 || status != 200 ? NULL : manifest_parse(body, &e);
    if (m && is_ours(t, m)) {
        metadata_end(t);
        t->m = m;
        task_manifest_here(t, now);
        return;
    }
    node_notice(n, t, "web seed: no manifest beside the content: %s",
                err < 0 && why ? why->msg
                : m            ? "another item's"
                : e.msg[0]     ? e.msg
                               : "not there");
    manifest_free(m);
}

/* SEED.torrent, or for a folder's address SEED/NAME.torrent. */
static bool address(struct buf *out, const char *seed, const char *name)
{
    size_t n = strlen(seed);
    buf_put_str(out, seed);
    if (n > 0 && seed[n - 1] == '/') {
        if (!name || !*name)
            return false;
        text_percent(out, bytes_str(name), NULL);
    }
    return buf_put_str(out, ".torrent");
}

void webmeta_begin(struct task *t)
{
    for (size_t i = 0; i < t->link->n_web_seeds && !t->node->cfg.no_web_seeds; i++) {
        struct buf url = {0};
        if (strpbrk(t->link->web_seeds[i], "?#") ||
            !address(&url, t->link->web_seeds[i], t->link->name)) {
            buf_fini(&url);
            continue;
        }
        struct job *j = job_new(t->node, t, NODE_HTTP);
        struct node_op *op = node_last_op(t->node);
        op->length = MANIFEST_MAX_BYTES;
        op->trusted = t->trusted;
        op->local = true; /* no query: a web seed's address may be local if written out */
        node_op_text(t->node, buf_take_str(&url));
        j->u.http = fetched;
        t->resolving++;
    }
}
