/* Names in UTF-8 for the time of a call; see utf8.h. */
#include "host/utf8.h"

locale_t utf8_new(void)
{
    return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void utf8_free(locale_t names)
{
    if (names)
        freelocale(names);
}

locale_t utf8_enter(locale_t names)
{
    return names ? uselocale(names) : (locale_t)0;
}

void utf8_leave(locale_t before)
{
    if (before)
        uselocale(before);
}
