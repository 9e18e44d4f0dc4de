/* libcurl, loaded at its first use. */
#include "host/curl_late.h"
#include "host/late.h"

#include <stdarg.h>
#include <stddef.h>

/* Macros of the header, which would check our definitions as if they were calls. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

struct curl_calls curl;

static struct {
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_multi_setopt) *multi_setopt;
} any;

static const struct late_place places[] = {
#define PLACE(call) {"curl_" #call, &curl.call},
    CURL_CALLS(PLACE)
#undef PLACE
        {"curl_easy_setopt", &any.easy_setopt},
    {"curl_easy_getinfo", &any.easy_getinfo},
    {"curl_multi_setopt", &any.multi_setopt},
};

static struct late late = {
    .library = "libcurl.so.4",
    .what = "libcurl, which HTTP needs",
    .places = places,
    .n = sizeof places / sizeof *places,
};

int curl_late(struct err *e)
{
    return late_load(&late, e);
}

/* Not for the library's own calls. */
#define OURS __attribute__((visibility("hidden")))

/* An option's number says what is given with it. */
OURS CURLcode curl_easy_setopt(CURL *c, CURLoption o, ...)
{
    CURLcode rc;
    va_list v;

    va_start(v, o);
    if (o < CURLOPTTYPE_OBJECTPOINT)
        rc = any.easy_setopt(c, o, va_arg(v, long));
    else if (o >= CURLOPTTYPE_OFF_T && o < CURLOPTTYPE_BLOB)
        rc = any.easy_setopt(c, o, va_arg(v, curl_off_t));
    else
        rc = any.easy_setopt(c, o, va_arg(v, void *));
    va_end(v);
    return rc;
}

OURS CURLMcode curl_multi_setopt(CURLM *m, CURLMoption o, ...)
{
    CURLMcode rc;
    va_list v;

    va_start(v, o);
    if ((int)o < CURLOPTTYPE_OBJECTPOINT)
        rc = any.multi_setopt(m, o, va_arg(v, long));
    else
        rc = any.multi_setopt(m, o, va_arg(v, void *)); /* there is no wider one */
    va_end(v);
    return rc;
}

/* Always the address of a variable. */
OURS CURLcode curl_easy_getinfo(CURL *c, CURLINFO what, ...)
{
    va_list v;

    va_start(v, what);
    CURLcode rc = any.easy_getinfo(c, what, va_arg(v, void *));
    va_end(v);
    return rc;
}
