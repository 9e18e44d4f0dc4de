/* What p2p-get, p2p-seed and p2p-node make of their network options, and tell of the network. */
#ifndef P2P_CMD_NET_H
#define P2P_CMD_NET_H

#include <p2p/cli/suite.h>
#include <p2p/engine/engine.h>
#include <p2p/format/json.h>

/* Opens the session that eo describes, and that the options (d may be NULL) complete. */
int net_open(struct engine **out, struct engine_options *eo, const struct net_options *n,
             const struct dht_options *d, struct err *e);

/* Bytes from and to neighbours and others, as members of an item's object. */
void net_set_locality(struct json *j, const struct item_status *s);

/* How the DHT of a session is, for `p2p-node status`: lines, or an object on a line. */
void net_status(struct engine *g, const char *program, bool as_json, struct buf *out);
#define NET_ASK "dht" /* the requests for it at a control socket */
#define NET_ASK_JSON "dht json"

#endif
