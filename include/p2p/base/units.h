/*
 * Sizes, rates and durations as people write them (CLI.md): `k M G T` are powers of 1000,
 * `Ki Mi Gi Ti` of 1024 (letter case of the multiple does not matter, a trailing `B` is allowed),
 * a fraction too ("1.5G"). Durations take `s m h d`, also in a row ("1h30m"); a bare number is
 * seconds. Parsers return false for anything else, for overflow and for negative values.
 */
#ifndef P2P_BASE_UNITS_H
#define P2P_BASE_UNITS_H

#include <p2p/base/bytes.h>
#include <p2p/base/usec.h>

bool units_parse_size(const char *s, uint64_t *bytes);
bool units_parse_rate(const char *s, uint64_t *bytes_per_second); /* a size, "/s" allowed behind */
bool units_parse_duration(const char *s, usec *us);
/* "1.4 GiB", "812 KiB", "17 B": at most 9 characters. */
void units_format_size(char out[16], uint64_t bytes);
/* "3:07", "2:14:09", "5 d 3 h"; "-" for USEC_NEVER. */
void units_format_duration(char out[24], usec us);

#endif
