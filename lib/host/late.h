/*
 * Libraries that are loaded at their first use, since bringing them in takes longer, or more
 * address space, than most programs work or have.
 */
#ifndef P2P_HOST_LATE_H
#define P2P_HOST_LATE_H

#include <p2p/base/err.h>
#include <stdbool.h>
#include <stddef.h>

struct late {
    const char *library; /* with the number of the interface that its header is of */
    const char *what;    /* "libx, which Y needs" */
    const struct late_place {
        const char *name;
        void *at; /* the pointer to a function, to be set */
    } *places;
    size_t n;
    bool loaded;
};

/* Any thread. 0, or ERR_FAIL with what is missing. */
int late_load(struct late *l, struct err *e);

#endif
