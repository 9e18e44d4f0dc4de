/*
 * A film of a swarm: how much of their items the hosts of a tube hold over time, and what they
 * sent, drawn as one SVG picture.
 */
#ifndef P2P_SIM_FILM_H
#define P2P_SIM_FILM_H

#include "tube.h"

struct film;

struct film *film_new(void);
void film_free(struct film *f);
void film_watch(struct film *f, struct tube *t); /* before the tube runs */
/* False, with a word on standard error, when the file cannot be written. */
bool film_write(const struct film *f, const char *path, const char *title, uint64_t seed);

#endif
