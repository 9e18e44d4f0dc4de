/* Libraries loaded at their first use; see late.h. */
#include "host/late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static int missing(const struct late *l, struct err *e)
{
    const char *why = dlerror();

    return err_set(e, ERR_FAIL, "cannot load %s: %s", l->what, why ? why : l->library);
}

static int load(struct late *l, struct err *e)
{
    void *lib = dlopen(l->library, RTLD_LAZY | RTLD_LOCAL);

    if (!lib)
        return missing(l, e);
    for (size_t i = 0; i < l->n; i++) {
        void *found = dlsym(lib, l->places[i].name);

        if (!found)
            return missing(l, e);
        memcpy(l->places[i].at, &found, sizeof found); /* C has no cast from data to a function */
    }
    l->loaded = true;
    return 0;
}

int late_load(struct late *l, struct err *e)
{
    int rc = 0;

    pthread_mutex_lock(&loading);
    if (!l->loaded)
        rc = load(l, e);
    pthread_mutex_unlock(&loading);
    return rc;
}
