/*
 * libarchive takes names to be in the character set of the locale. Ours are UTF-8, whatever the
 * user's are in: for the time of a call, and on this thread alone.
 */
#ifndef LIB_HOST_UTF8_H
#define LIB_HOST_UTF8_H

#include <locale.h>

locale_t utf8_new(void);        /* 0: there is none here, and nothing is changed */
void utf8_free(locale_t names); /* 0 is fine */
locale_t utf8_enter(locale_t names);
void utf8_leave(locale_t before); /* what utf8_enter returned */

#endif
