/*
 * Asking others about one item, for programs that look and end: peers for its manifest, trackers
 * and the DHT for who has it. Each call is a session of its own, and stops at a signal
 * (term_stopped).
 */
#ifndef P2P_ENGINE_ASK_H
#define P2P_ENGINE_ASK_H

#include <p2p/base/usec.h>
#include <p2p/engine/engine.h>
#include <p2p/engine/known.h>

struct ask_options {
    const char *home;   /* value of --home, or its folder */
    const char *source; /* SOURCE of CLI.md */
    usec timeout;       /* USEC_NEVER: none */
    bool no_dht;
    struct engine_words bootstrap; /* as in engine_options */
    const char *version;
};

/* Fills in k->m. ERR_NOTFOUND: nobody had it, or not in time. */
int ask_manifest(struct known *k, const struct ask_options *o, struct err *e);

struct ask_answer {
    int64_t seeds, peers; /* the best that a tracker or the DHT told; -1: none did */
};
/* ERR_NOTFOUND: there is nobody to ask, or none of them answered. */
int ask_peers(const struct known *k, const struct ask_options *o, struct ask_answer *out,
              struct err *e);

/* What is inside the archives of an item whose manifest is known (as ENGINE_ENTRY): no more of it
 * is fetched than that takes. */
typedef void ask_entry_fn(void *arg, const char *archive, const struct inside_entry *n);
int ask_entries(const struct known *k, const struct ask_options *o, ask_entry_fn *entry, void *arg,
                struct err *e);

#endif
