/* p2p-get --member: what goes with it, and what is told. */
#include "inside.h"

#include <p2p/cli/output.h>

#include <string.h>

int inside_check(const struct get_options *o, struct err *e)
{
    bool out = o->output && strcmp(o->output, "-") == 0;
    const struct {
        bool given;
        const char *what, *why;
    } others[] = {
        {o->manifest_only, "--manifest-only", "a manifest is no archive"},
        {o->ranges.n > 0, "--range", "the bytes of a member are not those of its archive"},
        {o->format >= 0, "--format", "a member goes as it is"},
        {o->extract, "-x", "it unpacks all of it"},
        {o->reuse.n > 0, "--reuse", "nothing is kept that could be put together"},
        {o->preallocate, "--preallocate", "it is for what is fetched whole"},
        {o->seed_for != USEC_NEVER, "--seed-for", "the archive is not kept, to be shared"},
        {o->seed_ratio > 0, "--seed-ratio", "the archive is not kept, to be shared"},
        {out && o->members.n > 1, "-o -", "several members would run into one another"},
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].given)
            return err_set(e, ERR_USAGE, "--member: does not go with %s: %s", others[i].what,
                           others[i].why);
    for (size_t i = 0; i < o->members.n; i++)
        if (!*o->members.v[i])
            return err_set(e, ERR_USAGE, "--member: names nothing");
    return 0;
}

void inside_member(struct events *v, const struct engine_event *ev, const char *path)
{
    if (events_wanted(v)) {
        struct json *j = event_new("member", ev->item);

        json_set_str(j, "member", ev->text);
        json_set_str(j, "path", path);
        events_emit(v, j);
    }
    if (v->out->json || strcmp(path, "-") == 0)
        return;
    output_str(v->out, path);
    output_line(v->out);
}
