/*
 * JSON values to print, over libjansson. Strings are bytes: what is not UTF-8 is replaced by
 * U+FFFD, as JSON cannot carry it. Keys keep the order they were set in.
 */
#ifndef P2P_FORMAT_JSON_H
#define P2P_FORMAT_JSON_H

#include <p2p/base/bytes.h>

struct json; /* one value; owned by whoever holds it until it is moved into another */

struct json *json_new_object(void); /* jansson owns the shorter names */
struct json *json_new_array(void);
void json_free(struct json *j);
void json_set_str(struct json *o, const char *key, const char *s);   /* nothing if s is NULL */
void json_set_bytes(struct json *o, const char *key, struct bytes s);
void json_set_hex(struct json *o, const char *key, struct bytes s);  /* lower case */
void json_set_int(struct json *o, const char *key, int64_t v);
void json_set_real(struct json *o, const char *key, double v);
void json_set_bool(struct json *o, const char *key, bool v);
void json_set_time(struct json *o, const char *key, int64_t unix_seconds); /* RFC 3339, UTC */
void json_set(struct json *o, const char *key, struct json *value);  /* value is moved in */
void json_add(struct json *array, struct json *value);               /* value is moved in */
void json_add_str(struct json *array, const char *s);
char *json_line(const struct json *j); /* one line, no newline; free() it */

#endif
