/* Where web seeds' files have moved to; see moved.h. */
#include "engine/moved.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>

#include <stdlib.h>

struct moved {
    struct map *to; /* url → owned string */
};

struct moved *moved_new(void)
{
    struct moved *m = mem_zero(sizeof *m);

    m->to = map_new(0x6d6f766564);
    return m;
}

void moved_free(struct moved *m)
{
    size_t it = 0;
    void *s;

    if (!m)
        return;
    while (map_walk(m->to, &it, NULL, &s))
        free(s);
    map_free(m->to);
    free(m);
}

const char *moved_to(const struct moved *m, const char *url)
{
    const char *to = map_get(m->to, bytes_str(url));

    return to ? to : url;
}

void moved_set(struct moved *m, const char *url, const char *to)
{
    if (!to)
        free(map_remove(m->to, bytes_str(url)));
    else if (map_count(m->to) < MOVED_MAX)
        free(map_put(m->to, bytes_str(url), mem_str(to)));
}
