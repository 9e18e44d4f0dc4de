/*
 * Time as the pure wing knows it: microseconds of a monotonic clock that the caller samples once a
 * loop turn. Only differences mean anything. USEC_NEVER is "no deadline".
 */
#ifndef P2P_BASE_USEC_H
#define P2P_BASE_USEC_H

#include <stdint.h>

typedef int64_t usec;

#define USEC_MS ((usec)1000)
#define USEC_SEC ((usec)1000000)
#define USEC_MIN (60 * USEC_SEC)
#define USEC_NEVER INT64_MAX

static inline usec usec_min(usec a, usec b) { return a < b ? a : b; }

#endif
