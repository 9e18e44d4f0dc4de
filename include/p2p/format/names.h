/*
 * Names from strangers as paths (HOSTILE.md, Refusals). One function decides what a component may
 * be, one turns a manifest's path into the path on disk.
 */
#ifndef P2P_FORMAT_NAMES_H
#define P2P_FORMAT_NAMES_H

#include <p2p/base/bytes.h>

#define NAMES_MAX_COMPONENT 255u /* bytes that file systems take */

/* Not empty, not "." or "..", no '/', no NUL. Components are checked, not substrings. */
bool names_component_ok(struct bytes c);
/*
 * A component as it goes to disk: itself, or if longer than max (NAMES_MAX_COMPONENT less room for
 * ".part"): cut at a UTF-8 boundary, then "~" and 16 hex digits of the SHA-256 of the whole, then
 * the extension (8 bytes at most). Moved string.
 */
char *names_on_disk(struct bytes component);
/* The same for a path of components joined by '/'. */
char *names_path_on_disk(const char *path);

#endif
