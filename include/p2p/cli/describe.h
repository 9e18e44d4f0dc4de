/* An item as JSON, the way p2p-ls --json and p2p-add --json print it (CLI.md). */
#ifndef P2P_CLI_DESCRIBE_H
#define P2P_CLI_DESCRIBE_H

#include <p2p/format/json.h>
#include <p2p/format/magnet.h>
#include <p2p/format/manifest.h>

/* `link` is printed with it; NULL leaves it out. Whoever gets it may set more keys. */
struct json *describe_manifest(const struct manifest *m, const char *link);
/* What a link itself says. */
struct json *describe_link(const struct magnet *k);
/* The magnet link of a manifest, with peers (x.pe). Moved string. */
char *describe_link_of(const struct manifest *m, char *const *peers, size_t n_peers);
/* "v1", "v2", "hybrid". */
const char *describe_format(bool v1, bool v2);
/* The letters of BEP 47: "x", "l", "h", in a row; "" for none. */
void describe_attr(char out[8], uint8_t attr);

#endif
