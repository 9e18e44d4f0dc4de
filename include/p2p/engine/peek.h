/*
 * What is inside the archives of an item whose content is here: read where it lies, each piece held
 * against its hash first. Touches no network; for what is not here there is ask_entries.
 */
#ifndef P2P_ENGINE_PEEK_H
#define P2P_ENGINE_PEEK_H

#include <p2p/engine/known.h>
#include <p2p/host/inside.h>

struct peek {
    /* An entry; in a folder, of the archive at this path of it, else NULL. */
    void (*entry)(void *arg, const char *archive, const struct inside_entry *n);
    bool (*stopped)(void *arg); /* true ends it with ERR_CANCELED */
    void *arg;
};

/* 1: all were told; 0: not all of its archives are here (`at` NULL: nothing is). ERR_NOTFOUND: it
 * has none; ERR_INVALID: one is broken, or is not what it was. */
int peek(const struct known *k, const struct known_place *at, const struct peek *o, struct err *e);

#endif
