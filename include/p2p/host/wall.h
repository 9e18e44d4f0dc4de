/* The clock on the wall. It may jump: for records and for people, never for measuring. */
#ifndef P2P_HOST_WALL_H
#define P2P_HOST_WALL_H

#include <stdint.h>

#define WALL_TEXT 32

int64_t wall_now(void); /* seconds since 1970, UTC */
/* "2024-05-06T07:08:09Z" (RFC 3339). Years 0 to 9999; others give "". */
void wall_text(char out[WALL_TEXT], int64_t unix_seconds);

#endif
