/* Text: hex, base32, UTF-8, globs, percent escapes, and what may be shown on a terminal. */
#ifndef P2P_BASE_TEXT_H
#define P2P_BASE_TEXT_H

#include <p2p/base/buf.h>

void text_hex(char *out, struct bytes b); /* 2n lower-case characters and a NUL */
bool text_unhex(uint8_t *out, size_t n, struct bytes hex); /* exactly 2n characters, any case */
/* RFC 4648 base32 without padding, any case; exactly the characters that n bytes need. */
bool text_unbase32(uint8_t *out, size_t n, struct bytes s);

bool text_utf8_valid(struct bytes b); /* no surrogates, no overlong forms, none past U+10FFFF */
/* Length of the longest prefix of b, at most max bytes, that does not cut a UTF-8 sequence. */
size_t text_utf8_cut(struct bytes b, size_t max);

/*
 * Shell-style pattern over a path: `*` and `?` do not match `/`, `**` does, `[a-z]` and `[!a-z]`
 * are sets, `\` quotes. A pattern without `/` is matched against the last component, and against
 * every folder above it (so `docs` selects what is below docs/); one that ends in `/` selects what
 * is below the folders it matches. Two stars and a slash at the start of a component stand for no
 * folder too. Linear time in practice: no exponential backtracking, whatever the pattern.
 */
bool text_glob(const char *pattern, const char *path);

/* Percent-escapes all but unreserved characters (RFC 3986) and those in `keep` (may be NULL). */
void text_percent(struct buf *out, struct bytes s, const char *keep);
/* To keep in a URL that somebody wrote: what is escaped in it must not be escaped twice. */
#define TEXT_URL "%:/?#[]@!$&'()*+,;=|"
/* Undoes it; `plus` also turns + into a space. False on a broken escape; what
 * came before it is in `out` then. */
bool text_unpercent(struct buf *out, struct bytes s, bool plus);

/*
 * Appends what is safe on a terminal: control characters (tab and newline too), bidi controls and
 * invalid UTF-8 as \xNN. For one field of a line: never contains tab, newline or ESC.
 */
void text_show(struct buf *out, struct bytes s);
/* Appends a field of a line that a program reads: tab and newline as \x09 and \x0a, all else as it
 * is. */
void text_plain(struct buf *out, struct bytes s);

#endif
