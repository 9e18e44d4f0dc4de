/* Operands, and lists of them on standard input or in files. */
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/cli/sources.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536u

static int add(struct option_list *list, char *owned, struct err *e)
{
    if (list->n >= SOURCES_MAX) {
        free(owned);
        return err_set(e, ERR_USAGE, "more than %u operands", SOURCES_MAX);
    }
    option_list_add(list, owned);
    return 0;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int take_line(struct option_list *list, struct bytes line, const char *what, struct err *e)
{
    if (line.n > SOURCES_MAX_LINE)
        return err_set(e, ERR_USAGE, "%s: a line is longer than %u bytes", what, SOURCES_MAX_LINE);
    while (line.n > 0 && blank(line.p[line.n - 1]))
        line.n--;
    while (line.n > 0 && blank(*line.p))
        line = BYTES(line.p + 1, line.n - 1);
    if (line.n == 0 || *line.p == '#')
        return 0;
    if (memchr(line.p, 0, line.n))
        return err_set(e, ERR_USAGE, "%s: there is a NUL in a line", what);
    return add(list, mem_strn((const char *)line.p, line.n), e);
}

/* Takes the whole lines out of what is there; at the end of input the rest is a line too. */
static int take_lines(struct option_list *list, struct buf *in, bool end, const char *what,
                      struct err *e)
{
    for (;;) {
        struct bytes b = buf_bytes(in);
        const uint8_t *nl = b.n ? memchr(b.p, '\n', b.n) : NULL;

        if (!nl && !end && b.n <= SOURCES_MAX_LINE)
            return 0;
        size_t n = nl ? (size_t)(nl - b.p) : b.n;
        if (b.n > 0 && take_line(list, BYTES(b.p, n), what, e) < 0)
            return ERR_USAGE;
        buf_eat(in, n + 1);
        if (!nl)
            return 0;
    }
}

static int read_lines(struct option_list *list, int fd, const char *what, struct err *e)
{
    struct buf in = {0};
    int rc = 0;
    ssize_t n;

    do {
        n = read(fd, buf_room(&in, CHUNK), CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = err_os(e, errno, "%s", what);
            break;
        }
        buf_added(&in, (size_t)n);
        rc = take_lines(list, &in, n == 0, what, e);
    } while (rc == 0 && n != 0);
    buf_fini(&in);
    return rc;
}

int sources_read(struct option_list *list, char *const *operands, size_t n, int in, struct err *e)
{
    bool seen = false;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (strcmp(operands[i], "-") != 0) {
            rc = add(list, mem_str(operands[i]), e);
        } else if (seen) {
            rc = err_set(e, ERR_USAGE, "-: standard input can be read once only");
        } else {
            seen = true;
            rc = read_lines(list, in, "standard input", e);
        }
    }
    return rc;
}

int sources_read_file(struct option_list *list, const char *file, int in, struct err *e)
{
    if (strcmp(file, "-") == 0)
        return read_lines(list, in, "standard input", e);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_os(e, errno, "%s", file);
    int rc = read_lines(list, fd, file, e);
    close(fd);
    return rc;
}
