/* p2p-get -x: what does not go with it. Nothing is kept of the archive but what it unpacks to. */
#include "extract.h"

#include <stddef.h>
#include <string.h>

int extract_check(const struct get_options *o, struct err *e)
{
    const struct {
        bool given;
        const char *what, *why;
    } others[] = {
        {o->output && strcmp(o->output, "-") == 0, "-o -",
         "unpacked files do not fit into a stream; leave out -x and pipe it to tar"},
        {o->manifest_only, "--manifest-only", "a manifest is no archive"},
        {o->format >= 0, "--format", "is for -o - only"},
        {o->ranges.n > 0, "--range", "an archive is unpacked whole"},
        {o->reuse.n > 0, "--reuse", "the archive is not put together here"},
        {o->preallocate, "--preallocate", "the size of what comes out is not known before"},
        {o->seed_for != USEC_NEVER, "--seed-for", "the archive is not kept, to be shared"},
        {o->seed_ratio > 0, "--seed-ratio", "the archive is not kept, to be shared"},
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].given)
            return err_set(e, ERR_USAGE, "-x: does not go with %s: %s", others[i].what,
                           others[i].why);
    return 0;
}
