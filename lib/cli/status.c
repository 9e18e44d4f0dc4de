/* Exit statuses and their order of badness, both as tables. */
#include <p2p/base/err.h>
#include <p2p/cli/status.h>

#include <stddef.h>

int status_of(int code)
{
    static const struct {
        int code, status;
    } table[] = {
        {ERR_OK, STATUS_DONE},        {ERR_FAIL, STATUS_FAIL},     {ERR_USAGE, STATUS_USAGE},
        {ERR_NOTFOUND, STATUS_NOTFOUND}, {ERR_INVALID, STATUS_INVALID}, {ERR_IO, STATUS_IO},
        {ERR_LOCKED, STATUS_LOCKED},  {ERR_NET, STATUS_NOTFOUND},  {ERR_LIMIT, STATUS_INVALID},
        {ERR_CANCELED, STATUS_INT},
    };

    if (code > 0)
        return STATUS_DONE; /* a count */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].status;
    return STATUS_FAIL;
}

static size_t badness(int status)
{
    static const int order[] = {
        STATUS_DONE, STATUS_NOTFOUND, STATUS_LOCKED, STATUS_FAIL, STATUS_IO,
        STATUS_INVALID, STATUS_USAGE, STATUS_PIPE, STATUS_INT, STATUS_TERM,
    };
    size_t i = 0;

    while (i < sizeof order / sizeof *order && order[i] != status)
        i++;
    return i;
}

int status_worst(int a, int b)
{
    return badness(b) > badness(a) ? b : a;
}
