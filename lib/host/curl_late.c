/* libcurl, loaded at its first use. */
#include "host/curl_late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4" /* the interface that the header is of */

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

static const struct {
    const char *name;
    void *at; /* the pointer to set */
} places[] = {
#define PLACE(call) {"curl_" #call, &curl.call},
    CURL_CALLS(PLACE)
#undef PLACE
        {"curl_easy_setopt", &any.easy_setopt},
    {"curl_easy_getinfo", &any.easy_getinfo},
    {"curl_multi_setopt", &any.multi_setopt},
};

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static int missing(struct err *e)
{
    const char *why = dlerror();

    return err_set(e, ERR_FAIL, "cannot load libcurl, which HTTP needs: %s", why ? why : LIBRARY);
}

static int load(struct err *e)
{
    void *lib = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);

    if (!lib)
        return missing(e);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        void *found = dlsym(lib, places[i].name);

        if (!found)
            return missing(e);
        memcpy(places[i].at, &found, sizeof found); /* C has no cast from data to a function */
    }
    loaded = true;
    return 0;
}

int curl_late(struct err *e)
{
    int rc = 0;

    pthread_mutex_lock(&loading);
    if (!loaded)
        rc = load(e);
    pthread_mutex_unlock(&loading);
    return rc;
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
