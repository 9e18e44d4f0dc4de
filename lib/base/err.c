/* Errors: the first report wins, and what stands in it is one line of whole characters. */
#include <p2p/base/err.h>
#include <p2p/base/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Names and answers of strangers end up in messages: a newline among them would forge a second
 * line of output, and half a character at the cut would not be UTF-8.
 */
static void fill(struct err *e, const char *tail, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void fill(struct err *e, const char *tail, const char *fmt, va_list ap)
{
    char text[sizeof e->msg + 4]; /* longer, so that the cut sees what follows it */
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (n < 0)
        text[0] = '\0';
    if (tail && len < sizeof text)
        snprintf(text + len, sizeof text - len, ": %s", tail);
    struct bytes all = BYTES(text, strlen(text));
    size_t keep = text_utf8_cut(all, sizeof e->msg - 1);
    memcpy(e->msg, text, keep);
    e->msg[keep] = '\0';
    for (char *p = e->msg; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f)
            *p = ' ';
    }
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e && !e->code) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, NULL, fmt, ap);
        va_end(ap);
        e->code = code;
        e->os = 0;
    }
    return code;
}

int err_os(struct err *e, int errnum, const char *fmt, ...)
{
    if (e && !e->code) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, strerror(errnum), fmt, ap);
        va_end(ap);
        e->code = ERR_IO;
        e->os = errnum;
    }
    return ERR_IO;
}

void err_clear(struct err *e)
{
    memset(e, 0, sizeof *e);
}
