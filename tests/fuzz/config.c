/*
 * Fuzzes what people write: configuration, ranges, and text that may hold secrets. floor: cli
 * Holds: the user info of a URL never survives, whatever stands before it.
 */
#include "cli/redact.h"

#include <p2p/base/mem.h>
#include <p2p/cli/config.h>
#include <p2p/cli/range.h>
#include <p2p/cli/suite.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void configure(struct bytes in)
{
    struct options o;
    struct get_options values;
    struct err e = {0};

    options_init(&o, &suite_get, &values);
    must(config_apply(&o, in, "conf", &e) == e.code);
    must(values.common.progress <= PROGRESS_NEVER && values.events_fd >= -1);
    options_fini(&o);
}

static void ranges(const char *text)
{
    struct range r;

    if (range_parse(&r, text, NULL) < 0)
        return;
    must(r.first <= r.last && (!r.from_end || r.first > 0));
    range_fini(&r);
}

static void secrets(struct bytes in)
{
    struct buf once = {0}, known = {0};

    buf_put_bytes(&known, in);
    buf_put_str(&known, " http://user:SECRET@host/ ");
    redact_text(&once, buf_bytes(&known));
    struct bytes out = buf_bytes(&once);
    must((in.n > 0 && memmem(in.p, in.n, "SECRET", 6)) || !memmem(out.p, out.n, "SECRET", 6));
    buf_fini(&once);
    buf_fini(&known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strn((const char *)data, size);

    configure(BYTES(data, size));
    ranges(text);
    secrets(BYTES(data, size));
    free(text);
    return 0;
}
