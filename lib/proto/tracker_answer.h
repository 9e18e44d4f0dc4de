/* Between the tracker codecs: what HTTP and UDP answers have in common. */
#ifndef P2P_LIB_PROTO_TRACKER_ANSWER_H
#define P2P_LIB_PROTO_TRACKER_ANSWER_H

#include <p2p/proto/tracker.h>

void tracker_answer_init(struct tracker_answer *a);
/* Seconds as told, inside TRACKER_MIN_INTERVAL and TRACKER_MAX_INTERVAL. */
usec tracker_interval(uint64_t seconds);
/* Adds compact peers of `stride` 6 or 18 bytes until there are `most`; port 0 is nobody. */
void tracker_add_compact(struct tracker_answer *a, struct bytes list, size_t stride, size_t most);
/* Copies text of a stranger, made safe and cut to fit. */
void tracker_show(char *out, size_t size, struct bytes text);

#endif
