/*
 * Fuzzes the reader of PCP and NAT-PMP answers. floor: host
 * Holds: what is said of a mapping, asked for again, is told again; nothing longer than the limit
 * is read.
 */
#include "host/pcp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pcp_answer a, again;
    struct pcp_epoch e = {0};
    uint8_t b[PCP_MAP_LEN];

    if (!pcp_read(&a, BYTES(data, size)))
        return 0;
    must(size <= PCP_MESSAGE_MAX && pcp_result_text(a.result));
    must(pcp_epoch_step(&e, a.epoch, 0) && pcp_epoch_step(&e, a.epoch, 0));
    if (a.old || a.opcode != PCP_MAP)
        return 0;
    must(pcp_answers(&a, &a.map));
    pcp_put_map(b, &a.map, &a.map.external, a.lifetime);
    b[1] |= 0x80;
    must(pcp_read(&again, BYTES(b, sizeof b)) && pcp_answers(&again, &a.map));
    must(addr_eq(&again.map.external, &a.map.external) && again.lifetime == a.lifetime);
    return 0;
}
