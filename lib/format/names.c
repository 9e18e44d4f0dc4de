/*
 * Names from strangers as names on disk. The mapping is one to one (but for a collision of 64 bits
 * of SHA-256), so that two entries that differ in the manifest differ on disk: a name that only
 * looks like a shortened one is shortened as well.
 */
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/digest.h>
#include <p2p/format/names.h>
#include <stdlib.h>

#define MAX_ON_DISK (NAMES_MAX_COMPONENT - (sizeof ".part" - 1))
#define MAX_EXTENSION 8u /* with its dot */
#define MARK_HASH 8u     /* bytes of hash shown in the mark */
#define MARK_LEN (1 + 2 * MARK_HASH)
#define CUT_SLACK 3u /* a UTF-8 sequence that is left out whole */

bool names_component_ok(struct bytes c)
{
    if (c.n == 0 || bytes_is(c, ".") || bytes_is(c, ".."))
        return false;
    return !memchr(c.p, '/', c.n) && !memchr(c.p, '\0', c.n);
}

/* Length of ".ext" at the end; 0 if there is none, it is long, or it is the whole name. */
static size_t extension_len(struct bytes c)
{
    for (size_t n = 2; n <= MAX_EXTENSION && n < c.n; n++)
        if (c.p[c.n - n] == '.')
            return n;
    return 0;
}

static bool looks_shortened(struct bytes c)
{
    uint8_t hash[MARK_HASH];
    size_t ext = extension_len(c);

    if (c.n < MAX_ON_DISK - CUT_SLACK)
        return false;
    const uint8_t *mark = c.p + c.n - ext - MARK_LEN;
    return *mark == '~' && text_unhex(hash, sizeof hash, BYTES(mark + 1, 2 * MARK_HASH));
}

static char *shorten(struct bytes c)
{
    uint8_t hash[SHA256_LEN];
    char hex[2 * MARK_HASH + 1];
    struct buf out = {0};
    size_t ext = extension_len(c);

    digest_sha256(hash, c);
    text_hex(hex, BYTES(hash, MARK_HASH));
    buf_put(&out, c.p, text_utf8_cut(c, MAX_ON_DISK - MARK_LEN - ext));
    buf_put_u8(&out, '~');
    buf_put_str(&out, hex);
    buf_put(&out, c.p + c.n - ext, ext);
    return buf_take_str(&out);
}

char *names_on_disk(struct bytes component)
{
    if (component.n > MAX_ON_DISK || looks_shortened(component))
        return shorten(component);
    return mem_strn((const char *)component.p, component.n);
}

char *names_path_on_disk(const char *path)
{
    struct buf out = {0};

    for (;;) {
        size_t n = strcspn(path, "/");
        char *name = names_on_disk(BYTES(path, n));

        buf_put_str(&out, name);
        free(name);
        path += n;
        if (!*path)
            return buf_take_str(&out);
        buf_put_u8(&out, '/');
        path++;
    }
}
