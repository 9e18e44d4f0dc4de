/*
 * Errors. A function that can fail returns 0 (or a count) or a negative code from this page, and
 * where the reason is worth words takes a `struct err *` that is filled once, at the place where
 * it happened. Callers further up pass it on untouched. lib/cli alone turns codes into exit
 * statuses; the library never exits and never prints.
 */
#ifndef P2P_BASE_ERR_H
#define P2P_BASE_ERR_H

enum err_code {
    ERR_OK = 0,
    ERR_FAIL = -1,     /* another reason (exit 1) */
    ERR_USAGE = -2,    /* wrong usage (exit 2) */
    ERR_NOTFOUND = -3, /* not to be had: nothing found, nobody has it (exit 3) */
    ERR_INVALID = -4,  /* data does not match its hash; manifest, link, message invalid (exit 4) */
    ERR_IO = -5,       /* local input/output: space, permission, path (exit 5) */
    ERR_LOCKED = -6,   /* another instance holds the lock (exit 6) */
    ERR_NET = -7,      /* a remote host failed us; tried again elsewhere (exit 3 at the end) */
    ERR_LIMIT = -8,    /* a named limit was passed (exit 4) */
    ERR_CANCELED = -9, /* stopped by request (exit 130 or 143) */
};

struct err {
    int code;      /* an err_code, 0 while nothing happened */
    int os;        /* errno of the moment, 0 if none; keeps ENOSPC apart from EACCES */
    char msg[500]; /* "WHAT: WHY", one line, no newline, no program name */
};

/* Fills `e` (may be NULL) unless it is filled already, and returns `code`. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_IO, and ": " strerror(errnum) behind the text; remembers errnum. */
int err_os(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Makes `e` as new. */
void err_clear(struct err *e);

#endif
