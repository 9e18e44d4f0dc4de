/*
 * Fuzzes magnet links, and operands. floor: format
 * Holds: a link that was read has a hash; written and read again it is the same link.
 */
#include <p2p/base/mem.h>
#include <p2p/format/source.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void there_and_back(const struct magnet *m)
{
    struct magnet again;
    struct buf first = {0}, second = {0};

    magnet_write(m, &first);
    char *link = buf_take_str(&first);
    int rc = magnet_parse(&again, link, NULL);
    if (rc < 0) { /* escapes made it too long */
        must(rc == ERR_LIMIT && strlen(link) > MAGNET_MAX_LEN);
    } else {
        must(again.has_v1 == m->has_v1 && again.has_v2 == m->has_v2);
        must(again.n_trackers == m->n_trackers && again.n_peers == m->n_peers);
        must(again.n_nodes == m->n_nodes && again.n_select == m->n_select);
        magnet_write(&again, &second);
        must(bytes_eq(buf_bytes(&second), bytes_str(link)));
    }
    magnet_fini(&again);
    buf_fini(&second);
    free(link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strn((const char *)data, size);
    struct source s;
    int rc = source_parse(&s, text, NULL);

    if (rc == 0 && s.kind == SOURCE_MAGNET) {
        must(s.magnet.has_v1 || s.magnet.has_v2);
        for (size_t i = 1; i < s.magnet.n_select; i++)
            must(s.magnet.select[i].first > s.magnet.select[i - 1].last);
        there_and_back(&s.magnet);
    }
    source_fini(&s);
    free(text);
    return 0;
}
