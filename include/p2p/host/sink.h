/*
 * Where a stream of bytes goes: a pipe, a socket, a file, a device; whatever descriptor a program
 * was started with. Writing never waits for a reader, and the descriptor's own flags, which others
 * may share, stay as they are wherever the kernel allows it.
 */
#ifndef P2P_HOST_SINK_H
#define P2P_HOST_SINK_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

struct sink;

/* `fd` stays the caller's and open until sink_free. */
struct sink *sink_new(int fd, struct err *e);
void sink_free(struct sink *s);    /* NULL is fine */
int sink_fd(const struct sink *s); /* to wait for, when it takes no more */
/* From any thread, one at a time. Bytes written: fewer than there are when it takes no more now.
 * ERR_IO with errno in e->os: EPIPE if the reader is gone. */
int64_t sink_write(struct sink *s, const struct bytes *v, size_t n, struct err *e);

#endif
