/*
 * Events of p2p-get: a JSON object a line, to standard output with --json and to a descriptor with
 * --events-fd. What stands in them is in p2p-events(5), which a test holds them to.
 */
#ifndef P2P_CMD_EVENTS_H
#define P2P_CMD_EVENTS_H

#include <p2p/cli/sources.h>
#include <p2p/engine/engine.h>

struct events {
    struct output *out;
    int fd; /* of --events-fd, or -1 */
    struct engine *engine;
};

bool events_wanted(const struct events *v);
/* Takes j. */
void events_emit(struct events *v, struct json *j);
struct json *event_new(const char *what, const struct item *it);
void event_metadata(struct events *v, struct item *it);
void event_progress(struct events *v, struct item *it);
void event_done(struct events *v, struct item *it, const char *path);
void event_reuse(struct events *v, const struct item *it, const char *path, uint64_t bytes);
void event_error(struct events *v, const char *source, const struct source_entry *n, int status,
                 const char *text);

#endif
