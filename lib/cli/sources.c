/* Operands, and lists of them on standard input or in files. */
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/cli/sources.h>
#include <p2p/format/manifest.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536u
#define STDIN "standard input"

/* One list while it is read. */
struct reader {
    const char *what;
    size_t line;
    bool nul, names;
    struct buf in;
    int (*take)(void *arg, struct reader *r, struct bytes line, const char *bad, struct err *e);
    void *arg;
};

/* ---- lines ---- */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without the blanks around it; empty if it is a comment. */
static struct bytes trim(struct bytes line)
{
    while (line.n > 0 && blank(line.p[line.n - 1]))
        line.n--;
    while (line.n > 0 && blank(*line.p))
        line = BYTES(line.p + 1, line.n - 1);
    if (line.n > 0 && *line.p == '#')
        line.n = 0;
    return line;
}

/* As p2p-ls prints it: digits and a tab before the name. */
static bool is_row(struct bytes line)
{
    size_t i = 0;

    while (i < line.n && line.p[i] >= '0' && line.p[i] <= '9')
        i++;
    return i > 0 && i < line.n && line.p[i] == '\t';
}

/* A name that was printed may end with a blank; what an editor has put behind it may not. */
static struct bytes tidy(const struct reader *r, struct bytes line)
{
    if (!r->names || !is_row(line))
        return trim(line);
    return line.p[line.n - 1] == '\r' ? BYTES(line.p, line.n - 1) : line;
}

static int take_line(struct reader *r, struct bytes line, bool whole, struct err *e)
{
    const char *bad = NULL;

    r->line++;
    if (r->line == 1 && !r->nul && line.n >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0)
        line = BYTES(line.p + 3, line.n - 3); /* the mark that some editors put before UTF-8 */
    if (!whole)
        bad = "the line is too long";
    else if (!r->nul)
        line = tidy(r, line);
    if (line.n > 0 && !bad && memchr(line.p, 0, line.n))
        bad = "there is a NUL in the line";
    return line.n == 0 ? 0 : r->take(r->arg, r, line, bad, e);
}

/*
 * Takes the whole lines out of what is there; at the end of input the rest is a line too. Of one
 * that is too long the first bytes stay until its end is there: it is one line, not many.
 */
static int take_lines(struct reader *r, bool end, struct err *e)
{
    for (;;) {
        struct bytes b = buf_bytes(&r->in);
        const uint8_t *stop = b.n ? memchr(b.p, r->nul ? 0 : '\n', b.n) : NULL;

        if (!stop && !end) {
            if (b.n > 2 * SOURCES_MAX_LINE)
                buf_eat(&r->in, b.n - SOURCES_MAX_LINE - 1);
            return 0;
        }
        size_t n = stop ? (size_t)(stop - b.p) : b.n;
        if (b.n > 0 && take_line(r, BYTES(b.p, n), n <= SOURCES_MAX_LINE, e) < 0)
            return ERR_USAGE;
        buf_eat(&r->in, stop ? n + 1 : n);
        if (!stop)
            return 0;
    }
}

/* Bytes read, 0 at the end, or a code. */
static ssize_t read_some(struct reader *r, int fd, struct err *e)
{
    ssize_t n;

    do
        n = read(fd, buf_room(&r->in, CHUNK), CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_os(e, errno, "%s", r->what);
    buf_added(&r->in, (size_t)n);
    return n;
}

static int read_lines(struct reader *r, int fd, struct err *e)
{
    ssize_t n;
    int rc = take_lines(r, false, e);

    while (rc == 0) {
        n = read_some(r, fd, e);
        rc = n < 0 ? (int)n : take_lines(r, n == 0, e);
        if (n <= 0)
            break;
    }
    return rc;
}

static int check_stdin(int in, const char *asked, struct err *e)
{
    if (isatty(in))
        return err_set(e, ERR_USAGE, "%s: standard input is a terminal; give it a file or a pipe",
                       asked);
    return 0;
}

static int read_file(struct reader *r, const char *file, int in, struct err *e)
{
    if (strcmp(file, "-") == 0) {
        r->what = STDIN;
        int rc = check_stdin(in, file, e);
        return rc < 0 ? rc : read_lines(r, in, e);
    }
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_os(e, errno, "%s", file);
    int rc = read_lines(r, fd, e);
    close(fd);
    return rc;
}

/* ---- sources ---- */

static int add(struct sources *s, struct source_entry n, struct err *e)
{
    if (s->n >= SOURCES_MAX) {
        free(n.text);
        return err_set(e, ERR_USAGE, "more than %u operands", SOURCES_MAX);
    }
    if ((s->n & (s->n - 1)) == 0) /* full: its room is the next power of two */
        s->v = mem_grow(s->v, s->n ? 2 * s->n : 1, sizeof *s->v);
    s->v[s->n++] = n;
    return 0;
}

static int take_source(void *arg, struct reader *r, struct bytes line, const char *bad,
                       struct err *e)
{
    char *text = bad ? mem_str(bad) : mem_strn((const char *)line.p, line.n);

    return add(arg, (struct source_entry){text, r->what, r->line, bad != NULL, false}, e);
}

/* Whether it begins as a bencoded dictionary does, "d8:announce": no link or path looks so. */
static bool is_torrent(struct bytes b)
{
    size_t i = 1;

    while (i < b.n && b.p[i] >= '0' && b.p[i] <= '9')
        i++;
    return b.n > 3 && b.p[0] == 'd' && i > 1 && i < b.n && b.p[i] == ':';
}

static int read_torrent(struct sources *s, struct reader *r, int in, struct err *e)
{
    ssize_t n;

    do
        n = read_some(r, in, e);
    while (n > 0 && buf_len(&r->in) <= MANIFEST_MAX_BYTES);
    if (n < 0)
        return (int)n;
    if (buf_len(&r->in) > MANIFEST_MAX_BYTES)
        return err_set(e, ERR_LIMIT, STDIN ": longer than a .torrent may be");
    s->torrent = r->in;
    r->in = (struct buf){0};
    return add(s, (struct source_entry){.text = mem_str(STDIN), .torrent = true}, e);
}

/* What the first bytes show it to be: a pipe may bring them one by one. */
static int read_stdin(struct sources *s, struct reader *r, int in, struct err *e)
{
    int rc = check_stdin(in, "-", e);
    ssize_t n = 1;

    r->what = STDIN;
    while (rc == 0 && n > 0 && buf_len(&r->in) < 16) {
        n = read_some(r, in, e);
        rc = n < 0 ? (int)n : 0;
    }
    if (rc < 0)
        return rc;
    return is_torrent(buf_bytes(&r->in)) ? read_torrent(s, r, in, e) : read_lines(r, in, e);
}

static int once(const struct source_options *o, struct err *e)
{
    size_t times = 0;

    for (size_t i = 0; o->operand_list && i < o->n; i++)
        times += strcmp(o->operands[i], "-") == 0;
    for (size_t i = 0; o->lists && i < o->lists->n; i++)
        times += strcmp(o->lists->v[i], "-") == 0;
    for (size_t i = 0; o->names && i < o->names->n; i++)
        times += strcmp(o->names->v[i], "-") == 0;
    return times > 1 ? err_set(e, ERR_USAGE, "-: standard input can be read once only") : 0;
}

int sources_read(struct sources *s, const struct source_options *o, struct err *e)
{
    int rc = once(o, e);

    for (size_t i = 0; rc == 0 && i < o->n; i++) {
        struct reader r = {.nul = o->nul, .take = take_source, .arg = s};

        if (o->operand_list && strcmp(o->operands[i], "-") == 0)
            rc = read_stdin(s, &r, o->in, e);
        else
            rc = add(s, (struct source_entry){.text = mem_str(o->operands[i])}, e);
        buf_fini(&r.in);
    }
    for (size_t i = 0; rc == 0 && o->lists && i < o->lists->n; i++) {
        struct reader r = {.what = o->lists->v[i], .nul = o->nul, .take = take_source, .arg = s};

        rc = read_file(&r, o->lists->v[i], o->in, e);
        buf_fini(&r.in);
    }
    return rc;
}

void sources_fini(struct sources *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].text);
    free(s->v);
    buf_fini(&s->torrent);
    *s = (struct sources){0};
}

void sources_complain(struct output *o, const struct source_entry *n, const char *why)
{
    if (n && n->list)
        output_error(o, "%s:%zu: %s", n->list, n->line, why);
    else
        output_error(o, "%s", why);
}

/* ---- names ---- */

static struct bytes name_in(struct bytes line, bool nul)
{
    if (!is_row(line))
        return line;
    const uint8_t *tab = memchr(line.p, '\t', line.n);
    line = BYTES(tab + 1, line.n - (size_t)(tab + 1 - line.p));
    tab = line.n && !nul ? memchr(line.p, '\t', line.n) : NULL;
    return tab ? BYTES(line.p, (size_t)(tab - line.p)) : line;
}

static int take_name(void *arg, struct reader *r, struct bytes line, const char *bad, struct err *e)
{
    struct option_list *list = arg;

    if (bad)
        return err_set(e, ERR_USAGE, "%s:%zu: %s", r->what, r->line, bad);
    if (list->n >= SOURCES_MAX)
        return err_set(e, ERR_USAGE, "%s: more than %u names", r->what, SOURCES_MAX);
    line = name_in(line, r->nul);
    option_list_add(list, mem_strn((const char *)line.p, line.n));
    return 0;
}

int sources_names(struct option_list *list, const char *file, bool nul, int in, struct err *e)
{
    struct reader r = {.what = file, .nul = nul, .names = true, .take = take_name, .arg = list};
    int rc = read_file(&r, file, in, e);

    buf_fini(&r.in);
    return rc;
}
