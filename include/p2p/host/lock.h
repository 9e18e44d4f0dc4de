/*
 * Locks between programs of one home: a file in DIR/locks, locked as long as it is open, so that
 * a crash releases it. Kept over fork (so --daemon keeps what it has), not over exec.
 */
#ifndef P2P_HOST_LOCK_H
#define P2P_HOST_LOCK_H

#include <p2p/base/err.h>

#include <stdbool.h>

struct lock;

#define LOCK_SEED "seed" /* the one p2p-seed of a home */

/*
 * Does not wait: ERR_LOCKED, with the holder's process number in the message if it is known. `dir`
 * is the home folder; `name` is one component, such as LOCK_SEED or an info-hash in hex.
 */
int lock_take(struct lock **out, const char *dir, const char *name, struct err *e);
/* As lock_take, but waits up to `ms` milliseconds for it. */
int lock_wait(struct lock **out, const char *dir, const char *name, unsigned ms, struct err *e);
void lock_free(struct lock *l); /* releases; NULL is fine */
/* Writes the process number again: after fork. */
void lock_renew(struct lock *l);
/* Process number of the holder; 0 if nobody holds it, -1 if it is not known. Takes nothing. */
long lock_holder(const char *dir, const char *name);
bool lock_is_ours(const char *dir, const char *name); /* this process holds it */

#endif
