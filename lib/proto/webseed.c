/* Web seeds (BEP 19): pure arithmetic over the layout, and percent escapes. */
#include <p2p/base/text.h>
#include <p2p/proto/webseed.h>

#include <strings.h>

bool webseed_spoken(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Manifests have addresses as people write them, with spaces. */
static void put_base(struct buf *out, const char *base)
{
    text_percent(out, bytes_str(base), TEXT_URL);
}

void webseed_url(struct buf *out, const char *base, const struct manifest *m, uint32_t file)
{
    size_t n = strlen(base);
    bool folder = n > 0 && base[n - 1] == '/';
    put_base(out, base);
    if (!m->multi && !folder)
        return;
    if (!folder)
        buf_put_u8(out, '/');
    text_percent(out, bytes_str(m->name), NULL);
    if (!m->multi)
        return;
    buf_put_u8(out, '/');
    text_percent(out, bytes_str(m->files[file].path), "/"); /* no component holds one itself */
}

size_t webseed_plan(const struct manifest *m, uint64_t at, uint64_t length,
                    struct webseed_part *out, size_t max, uint64_t *covered)
{
    struct layout_iter it;
    struct layout_seg seg;
    size_t n = 0;
    uint64_t done = 0;
    layout_iter_init(&it, m, at, length); /* cut at the end of content */
    while (layout_iter_next(&it, &seg)) {
        if (!seg.pad && seg.length) {
            if (n == max)
                break;
            out[n++] = (struct webseed_part){seg.file, seg.offset, seg.length, at + done};
        }
        done += seg.length;
    }
    *covered = done;
    return n;
}
