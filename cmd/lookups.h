/* Look-ups in the DHT from a shell: a result is a line or a JSON object. */
#ifndef P2P_CMD_LOOKUPS_H
#define P2P_CMD_LOOKUPS_H

#include <p2p/cli/program.h>

/* `name` is one of get-peers, put, get, ping, sample; `operand` NULL: none was given. Returns the
 * status to exit with. */
int lookups_run(struct program *p, const struct node_options *o, const char *name,
                const char *operand);
/* Makes a secret key in a new file, and prints the public one. */
int lookups_make_key(struct program *p, const char *path);

#endif
