/*
 * The configuration file. Names are checked against the tables of the whole suite, values by the
 * program that reads them: so a mistake is told at once and by whom it concerns.
 */
#include <p2p/base/mem.h>
#include <p2p/cli/config.h>
#include <p2p/cli/suite.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
    struct options *options;
    const char *file;
    unsigned line;
    const struct option_table *section; /* NULL: before the first */
    bool lost;                          /* in a section of nobody: its lines are not looked at */
    void (*tell)(void *arg, const char *why); /* NULL: the first bad line is the end */
    void *arg;
    size_t n_bad;
};

static int bad(const struct reader *r, struct err *e, const char *what, const char *why)
{
    return err_set(e, ERR_USAGE, "%s:%u: %.100s: %.300s", r->file, r->line, what, why);
}

static char *trim(char *s)
{
    size_t n;

    s += strspn(s, " \t\r");
    n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1]))
        n--;
    s[n] = 0;
    return s;
}

static int read_section(struct reader *r, char *s, struct err *e)
{
    size_t n = strlen(s);

    r->lost = true;
    if (s[n - 1] != ']')
        return bad(r, e, s, "a section is written [p2p-get]");
    s[n - 1] = 0;
    s = trim(s + 1);
    r->section = suite_find(s);
    if (!r->section)
        return bad(r, e, *s ? s : "[]", "no program has that name");
    r->lost = false;
    return 0;
}

static bool known_to_any(const char *key)
{
    bool undo;

    for (size_t i = 0; suite[i]; i++)
        if (options_find(suite[i], key, &undo))
            return true;
    return false;
}

static int set(struct reader *r, const char *key, const char *value, struct err *e)
{
    enum option_layer layer = r->section ? OPTION_SECTION : OPTION_GENERAL;
    struct err why = {0};

    if (options_set(r->options, key, value, layer, &why) == 0)
        return 0;
    return err_set(e, ERR_USAGE, "%s:%u: %s", r->file, r->line, why.msg);
}

static int read_setting(struct reader *r, char *s, struct err *e)
{
    char *eq = strchr(s, '=');
    bool undo;

    if (!eq)
        return bad(r, e, s, "is not `option = value'");
    *eq = 0;
    char *key = trim(s), *value = trim(eq + 1);
    if (r->section ? !options_find(r->section, key, &undo) : !known_to_any(key))
        return bad(r, e, key,
                   r->section ? "that program has no such option"
                              : "no program has such an option");
    if (r->section && r->section != r->options->table)
        return 0;
    if (!r->section && !options_find(r->options->table, key, &undo))
        return 0;
    return set(r, key, value, e);
}

static int read_line(struct reader *r, char *line, struct err *e)
{
    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    if (*line == '[')
        return read_section(r, line, e);
    return r->lost ? 0 : read_setting(r, line, e);
}

/* A line's mistake, where all are to be told: the next line is read as if it were not there. */
static int mistake(struct reader *r, int rc, const struct err *why, struct err *e)
{
    if (rc == 0)
        return 0;
    if (!r->tell)
        return err_set(e, rc, "%s", why->msg);
    r->tell(r->arg, why->msg);
    r->n_bad++;
    return 0;
}

static int read_text(struct reader *r, struct bytes text, struct err *e)
{
    int rc = 0;

    if (text.n && memchr(text.p, 0, text.n))
        return err_set(e, ERR_USAGE, "%s: is not a text file", r->file);
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = BYTES(text.p + 3, text.n - 3); /* the mark that some editors put before UTF-8 */
    while (rc == 0 && text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n, eaten = n + (end != NULL);
        char *line = mem_strn((const char *)text.p, n);

        struct err why = {0};

        r->options->line = ++r->line;
        rc = mistake(r, read_line(r, line, &why), &why, e);
        free(line);
        text = BYTES(text.p + eaten, text.n - eaten);
    }
    r->options->line = 0;
    return rc;
}

int config_apply(struct options *o, struct bytes text, const char *file, struct err *e)
{
    struct reader r = {.options = o, .file = file};

    return read_text(&r, text, e);
}

char *config_path(void)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    const struct passwd *user;

    if (base && *base == '/') /* the XDG specification: a relative path is to be ignored */
        return mem_fmt("%s/p2p/config", base);
    if (!home || !*home) { /* cron and service managers do not always set it */
        user = getpwuid(geteuid());
        home = user ? user->pw_dir : NULL;
    }
    return home && *home ? mem_fmt("%s/.config/p2p/config", home) : NULL;
}

/* A FIFO is opened without waiting for who writes, and then told apart. A link to /dev/null is a
 * way of having none. */
static int open_file(const char *file, struct err *e)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : err_os(e, errno, "%s", file);
    if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
        return fd;
    close(fd);
    return err_set(e, ERR_IO, "%s: is no regular file, as a configuration has to be", file);
}

static int read_whole(int fd, const char *file, struct buf *out, struct err *e)
{
    for (;;) {
        ssize_t n = read(fd, buf_room(out, 4096), 4096);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_os(e, errno, "%s", file);
        if (n == 0)
            return 0;
        buf_added(out, (size_t)n);
        if (buf_len(out) > CONFIG_MAX_BYTES)
            return err_set(e, ERR_USAGE, "%s: longer than %u bytes", file, CONFIG_MAX_BYTES);
    }
}

static int load(struct reader *r, struct err *e)
{
    char *file = config_path();
    struct buf text = {0};
    int fd = file ? open_file(file, e) : ERR_NOTFOUND, rc = fd;

    if (fd >= 0) {
        r->file = file;
        rc = read_whole(fd, file, &text, e);
        close(fd);
        if (rc == 0)
            rc = read_text(r, buf_bytes(&text), e);
    }
    buf_fini(&text);
    free(file);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

int config_load(struct options *o, struct err *e)
{
    struct reader r = {.options = o};

    return load(&r, e);
}

int config_check(struct options *o, void (*tell)(void *arg, const char *why), void *arg,
                 struct err *e)
{
    struct reader r = {.options = o, .tell = tell, .arg = arg};
    int rc = load(&r, e);

    return rc == 0 && r.n_bad > 0 ? ERR_USAGE : rc;
}
