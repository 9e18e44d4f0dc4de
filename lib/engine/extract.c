/* Archives, unpacked while they come; see extract.h. */
#include "engine/extract.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/digest.h>
#include <p2p/format/names.h>
#include <p2p/host/fileio.h>
#include <p2p/host/hatch.h>
#include <p2p/host/unpacker.h>

#include <stdlib.h>
#include <strings.h>

#define KEY_BYTES 8 /* of a hash: tells hidden folders beside one name apart */

struct extract {
    struct item *it;
    void (*wants)(struct item *it, uint64_t at, uint64_t n);
    struct hatch *hatch;
    struct unpacker *unpacker;
    char *path, *stem;
    bool stopped, inner;
    int code; /* of the rename */
    struct err e;
};

/* ---- what it is called ---- */

static size_t without(const char *name, size_t n, const char *const *suffixes)
{
    for (; *suffixes; suffixes++) {
        size_t k = strlen(*suffixes);

        if (n > k && strncasecmp(name + n - k, *suffixes, k) == 0)
            return n - k;
    }
    return n;
}

/* The name of an archive without what tells that it is one; all of it where that leaves no name. */
static char *stem_of(const char *name)
{
    static const char *const packed[] = {".gz", ".bz2", ".xz",   ".zst", ".lz4",
                                         ".lz", ".Z",   ".lzma", NULL};
    static const char *const streams[] = {".tar", ".cpio", ".iso", NULL};
    static const char *const others[] = {".tgz", ".tbz",  ".tbz2", ".tb2", ".txz", ".tlz",
                                         ".taz", ".tzst", ".zip",  ".7z",  NULL};
    size_t all = strlen(name), n = without(name, without(name, all, packed), streams);

    if (n == without(name, all, packed)) /* foo.gz is not known to be an archive */
        n = without(name, all, others);
    return names_component_ok(BYTES(name, n)) ? names_on_disk(BYTES(name, n))
                                              : names_on_disk(bytes_str(name));
}

static const char *file_name(const struct item *it)
{
    const char *path = it->m->files[it->stretches[0].file].path, *slash = strrchr(path, '/');

    return !it->m->multi ? it->m->name : slash ? slash + 1 : path;
}

/* As for a single file: a folder to put it in, or else its name. */
static char *path_of(const struct item *it, const char *stem)
{
    const char *o = it->spec.output ? it->spec.output : ".";
    size_t n = strlen(o);

    if (n > 0 && o[n - 1] != '/' && !survey_is_folder(o))
        return fileio_absolute(o);
    char *joined = mem_fmt("%s/%s", n ? o : ".", stem);
    char *path = fileio_absolute(joined);
    free(joined);
    return path;
}

static char *key_of(const struct item *it)
{
    const struct manifest *m = it->m;
    uint8_t hash[SHA256_LEN];
    char hex[2 * KEY_BYTES + 1];
    struct buf b = {0};

    buf_put_bytes(&b, m->has_v2 ? BYTES(m->hash_v2, SHA256_LEN) : BYTES(m->hash_v1, SHA1_LEN));
    buf_put_str(&b, m->files[it->stretches[0].file].path);
    digest_sha256(hash, buf_bytes(&b));
    buf_fini(&b);
    text_hex(hex, BYTES(hash, KEY_BYTES));
    return mem_str(hex);
}

/* ---- its end ---- */

/* It was a job of the item, which may have waited for that to begin its end. */
static void back(struct item *it)
{
    bool waits = it->phase == ITEM_SETTLING && it->dropped;

    item_job_back(it);
    if (waits)
        item_end(it);
}

static void named(void *arg)
{
    struct extract *x = arg;
    struct item *it = x->it;

    engine_job_done(it->g);
    it->g->now = loop_now(it->g->loop);
    if (x->code < 0) {
        item_fail(it, x->code, &x->e);
    } else {
        it->complete = it->finished = true;
        engine_tell(it->g,
                    &(struct engine_event){.kind = ENGINE_COMPLETE, .item = it, .path = x->path});
        item_finished(it);
    }
    back(it);
}

static void name_work(void *arg)
{
    struct extract *x = arg;

    x->code = hatch_open(x->hatch, x->inner ? x->stem : NULL, &x->e);
    hatch_free(x->hatch);
    x->hatch = NULL;
}

static void ended(void *arg, int code, bool inner, const struct err *e)
{
    struct extract *x = arg;
    struct item *it = x->it;

    it->g->now = loop_now(it->g->loop);
    if (code == 0 && !x->stopped) {
        x->inner = inner;
        engine_work(it->g, name_work, named, x);
        return;
    }
    hatch_free(x->hatch);
    x->hatch = NULL;
    if (!x->stopped && !it->dropped)
        item_fail(it, code, e);
    back(it);
}

static void wants(void *arg, uint64_t at, uint64_t n)
{
    const struct extract *x = arg;

    x->wants(x->it, at, n);
}

/* ---- its life ---- */

static int begin(struct extract *x, struct err *e)
{
    struct item *it = x->it;
    struct unpacker_spec s = {
        .what = item_name(it), .top = x->stem, .size = it->m->files[it->stretches[0].file].length};
    char *key = key_of(it);
    int rc = hatch_new(&x->hatch, x->path, key, e);

    free(key);
    if (rc < 0)
        return rc;
    s.folder = hatch_folder(x->hatch);
    x->unpacker = unpacker_new(it->g->loop, &s, &(struct unpacker_calls){wants, ended, x}, e);
    return x->unpacker ? 0 : e->code;
}

struct extract *extract_new(struct item *it,
                            void (*on_wants)(struct item *it, uint64_t at, uint64_t n),
                            struct err *e)
{
    struct extract *x = mem_zero(sizeof *x);

    x->it = it;
    x->wants = on_wants;
    x->stem = stem_of(file_name(it));
    x->path = path_of(it, x->stem);
    if (begin(x, e) < 0) {
        extract_free(x);
        return NULL;
    }
    return x;
}

int extract_fd(const struct extract *x)
{
    return unpacker_fd(x->unpacker);
}

void extract_stop(struct extract *x)
{
    if (!x->stopped)
        unpacker_stop(x->unpacker);
    x->stopped = true;
}

void extract_end(struct extract *x)
{
    x->stopped = true;
    unpacker_free(x->unpacker);
    x->unpacker = NULL;
}

void extract_free(struct extract *x)
{
    if (!x)
        return;
    unpacker_free(x->unpacker);
    hatch_free(x->hatch);
    free(x->path);
    free(x->stem);
    free(x);
}
