/* The text of --help: usage, what it is for, options by group, each wrapped behind its name. */
#include <p2p/base/mem.h>
#include <p2p/cli/options.h>

#include <stdlib.h>

#define WIDTH 80u
#define COLUMN 27u /* where the words about an option begin */

/* Puts text from column `at` on, wrapped, further lines beginning at `column`. Ends the line. */
static void put_wrapped(struct buf *out, const char *text, unsigned at, unsigned column)
{
    bool begun = false;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (begun && at + 1 + n > WIDTH) {
            buf_putf(out, "\n%*s", (int)column, "");
            at = column;
            begun = false;
        }
        if (begun)
            buf_put_u8(out, ' ');
        buf_put(out, text, n);
        at += (unsigned)n + begun;
        begun = true;
        text += n + strspn(text + n, " ");
    }
    buf_put_u8(out, '\n');
}

static void put_option(struct buf *out, const struct option_def *d)
{
    struct buf left = {0};

    buf_putf(&left, d->letter ? "  -%c, " : "      ", d->letter);
    buf_putf(&left, d->arg ? "--%s %s" : "--%s", d->name, d->arg);
    unsigned n = (unsigned)buf_len(&left);
    buf_put_bytes(out, buf_bytes(&left));
    if (n + 2 > COLUMN)
        buf_putf(out, "\n%*s", (int)COLUMN, "");
    else
        buf_putf(out, "%*s", (int)(COLUMN - n), "");
    put_wrapped(out, d->help, COLUMN, COLUMN);
    buf_fini(&left);
}

void options_help(const struct option_table *t, struct buf *out)
{
    char *summary = mem_str(t->summary);

    for (size_t i = 0; t->usage[i]; i++)
        buf_putf(out, "%s %s %s\n", i ? "  or: " : "Usage:", t->program, t->usage[i]);
    if (*summary >= 'a' && *summary <= 'z')
        *summary = (char)(*summary - 'a' + 'A');
    buf_putf(out, "%s.\n", summary);
    free(summary);
    for (size_t g = 0; g < t->n_groups; g++) {
        buf_putf(out, "\n%s:\n", t->groups[g].title);
        for (size_t i = 0; i < t->groups[g].n; i++)
            put_option(out, &t->groups[g].defs[i]);
    }
    buf_putf(out, "\nThe whole story: man %s; the ideas behind it: man 7 p2p.\n", t->program);
}
