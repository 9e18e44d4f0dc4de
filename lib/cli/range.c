/* The text of --range. */
#include <p2p/base/mem.h>
#include <p2p/base/units.h>
#include <p2p/cli/range.h>

#include <stdlib.h>
#include <string.h>

static int read_numbers(struct range *r, char *text)
{
    char *dash = strchr(text, '-');

    if (!dash)
        return -1;
    *dash++ = 0;
    r->last = UINT64_MAX;
    if (!*text) {
        r->from_end = true;
        return units_parse_size(dash, &r->first) && r->first > 0 ? 0 : -1;
    }
    if (!units_parse_size(text, &r->first))
        return -1;
    if (*dash && !units_parse_size(dash, &r->last))
        return -1;
    return r->first <= r->last ? 0 : -1;
}

int range_parse(struct range *r, const char *text, struct err *e)
{
    const char *colon = strrchr(text, ':');
    char *numbers = mem_str(colon ? colon + 1 : text);

    *r = (struct range){0};
    int rc = read_numbers(r, numbers);
    free(numbers);
    if (rc < 0 || colon == text)
        return err_set(e, ERR_USAGE,
                       "--range: '%.200s' is not a range (try 0-999, 1Mi-, -500 or FILE:0-999)",
                       text);
    if (colon)
        r->file = mem_strn(text, (size_t)(colon - text));
    return 0;
}

void range_fini(struct range *r)
{
    free(r->file);
    *r = (struct range){0};
}
