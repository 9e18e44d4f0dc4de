/* What HTTP and UDP answers have in common. */
#include "proto/tracker_answer.h"

#include <p2p/base/text.h>

void tracker_answer_init(struct tracker_answer *a)
{
    memset(a, 0, sizeof *a);
    a->seeds = a->leechers = a->downloaded = -1;
}

usec tracker_interval(uint64_t seconds)
{
    if (seconds > (uint64_t)(TRACKER_MAX_INTERVAL / USEC_SEC))
        return TRACKER_MAX_INTERVAL;
    usec us = (usec)seconds * USEC_SEC;
    return us < TRACKER_MIN_INTERVAL ? TRACKER_MIN_INTERVAL : us;
}

void tracker_add_compact(struct tracker_answer *a, struct bytes list, size_t stride, size_t most)
{
    for (; list.n >= stride && a->n_peers < most; list.p += stride, list.n -= stride) {
        struct addr *to = &a->peers[a->n_peers];
        if (addr_get_compact(to, BYTES(list.p, stride)) && to->port)
            a->n_peers++;
    }
}

void tracker_show(char *out, size_t size, struct bytes text)
{
    struct buf shown = {0};
    text.n = text_utf8_cut(text, size - 1);
    text_show(&shown, text);
    struct bytes all = buf_bytes(&shown);
    size_t n = text_utf8_cut(all, size - 1);
    memcpy(out, all.p, n);
    out[n] = '\0';
    buf_fini(&shown);
}
