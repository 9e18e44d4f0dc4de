/*
 * What programs print. Both streams are written with write(2): results must be known to have left,
 * and a line on stderr must leave in one piece even if several programs share the terminal.
 */
#include "cli/redact.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/cli/output.h>
#include <p2p/cli/status.h>
#include <p2p/cli/suite.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BATCH 65536u
#define REDRAW (USEC_SEC / 5)
#define REPEAT USEC_SEC /* off the terminal */
#define ERASE "\r\033[K"

/* 0 or errno. A descriptor that another program made non-blocking is waited for. */
static int write_all(int fd, struct bytes b)
{
    while (b.n > 0) {
        ssize_t n = write(fd, b.p, b.n);

        if (n >= 0) {
            b = BYTES(b.p + n, b.n - (size_t)n);
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void output_init(struct output *o, const char *program, const struct common_options *c)
{
    *o = (struct output){.program = program, .out = STDOUT_FILENO, .err = STDERR_FILENO};
    o->out_tty = isatty(o->out);
    o->err_tty = isatty(o->err);
    if (!c)
        return;
    o->quiet = c->quiet;
    o->verbose = c->verbose;
    o->json = c->json;
    o->nul = c->nul;
    o->progress = !c->quiet &&
                  (c->progress == PROGRESS_ALWAYS || (c->progress == PROGRESS_AUTO && o->err_tty));
}

int output_end(struct output *o, int status)
{
    output_flush(o);
    output_erase(o);
    if (o->failed == EPIPE) {
        status = status_worst(status, STATUS_PIPE);
    } else if (o->failed) {
        output_error(o, "standard output: %s", strerror(o->failed));
        status = status_worst(status, STATUS_IO);
    }
    buf_fini(&o->pending);
    return status;
}

/* --- results ------------------------------------------------------------------------------ */

bool output_flush(struct output *o)
{
    if (!o->failed && buf_len(&o->pending) > 0) {
        if (o->out_tty)
            output_erase(o);
        o->failed = write_all(o->out, buf_bytes(&o->pending));
    }
    buf_clear(&o->pending);
    return !o->failed;
}

static bool record_done(struct output *o)
{
    if (o->batch && buf_len(&o->pending) < BATCH)
        return !o->failed;
    return output_flush(o);
}

static void begin_field(struct output *o)
{
    if (o->in_record)
        buf_put_u8(&o->pending, '\t');
    o->in_record = true;
}

void output_field(struct output *o, struct bytes s)
{
    begin_field(o);
    if (o->out_tty)
        text_show(&o->pending, s);
    else if (o->nul)
        buf_put_bytes(&o->pending, s);
    else
        text_plain(&o->pending, s);
}

void output_str(struct output *o, const char *s)
{
    output_field(o, bytes_str(s ? s : ""));
}

/* mem_fmt for a va_list; moved string. */
static char *format(const char *fmt, va_list ap)
{
    char *s = NULL;

    if (vasprintf(&s, fmt, ap) < 0)
        abort();
    return s;
}

void output_fmt(struct output *o, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *s = format(fmt, ap);
    va_end(ap);
    output_str(o, s);
    free(s);
}

void output_hex(struct output *o, struct bytes s)
{
    char *hex = mem_alloc(2 * s.n + 1);

    text_hex(hex, s);
    output_str(o, hex);
    free(hex);
}

bool output_line(struct output *o)
{
    buf_put_u8(&o->pending, o->nul ? '\0' : '\n');
    o->in_record = false;
    return record_done(o);
}

bool output_json(struct output *o, struct json *j)
{
    char *line = json_line(j);

    buf_put_str(&o->pending, line);
    buf_put_u8(&o->pending, '\n');
    free(line);
    json_free(j);
    return record_done(o);
}

bool output_raw(struct output *o, struct bytes b)
{
    buf_put_bytes(&o->pending, b);
    return record_done(o);
}

/* --- stderr ------------------------------------------------------------------------------- */

static void say(struct output *o, const char *text)
{
    struct buf safe = {0}, line = {0};

    redact_text(&safe, bytes_str(text));
    buf_putf(&line, "%s: ", o->program);
    text_show(&line, buf_bytes(&safe));
    buf_put_u8(&line, '\n');
    output_erase(o);
    write_all(o->err, buf_bytes(&line)); /* where should a failure be told? */
    buf_fini(&safe);
    buf_fini(&line);
}

static void say_fmt(struct output *o, const char *fmt, va_list ap)
{
    char *s = format(fmt, ap);

    say(o, s);
    free(s);
}

void output_error(struct output *o, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say_fmt(o, fmt, ap);
    va_end(ap);
}

void output_err(struct output *o, const struct err *e)
{
    if (e->code)
        say(o, e->msg);
}

void output_notice(struct output *o, const char *fmt, ...)
{
    va_list ap;

    if (o->quiet)
        return;
    va_start(ap, fmt);
    say_fmt(o, fmt, ap);
    va_end(ap);
}

void output_verbose(struct output *o, const char *fmt, ...)
{
    va_list ap;

    if (!o->verbose)
        return;
    va_start(ap, fmt);
    say_fmt(o, fmt, ap);
    va_end(ap);
}

/* --- progress ----------------------------------------------------------------------------- */

static unsigned terminal_width(int fd)
{
    struct winsize w;

    if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return 80;
}

bool output_progress_due(const struct output *o, usec now)
{
    return o->progress && now >= o->redraw_at;
}

bool output_progress(struct output *o, const struct progress *p, usec now)
{
    struct buf line = {0};

    if (!output_progress_due(o, now))
        return false;
    o->redraw_at = now + (o->err_tty ? REDRAW : REPEAT);
    if (o->err_tty) {
        buf_put_str(&line, ERASE);
        progress_format(p, terminal_width(o->err) - 1, &line); /* the last column would wrap */
        o->drawn = true;
    } else {
        buf_putf(&line, "%s: ", o->program);
        progress_format(p, 160, &line);
        buf_put_u8(&line, '\n');
    }
    write_all(o->err, buf_bytes(&line));
    buf_fini(&line);
    return true;
}

void output_erase(struct output *o)
{
    if (!o->drawn)
        return;
    write_all(o->err, BYTES_LIT(ERASE));
    o->drawn = false;
    o->redraw_at = 0; /* what stood there comes back with the next figures */
}
