/*
 * Prints the option tables of the suite for tests/lint/manuals, an option a line:
 * PROGRAM, letter or "-", long name, name of the value or "-", description; tab-separated.
 * With an argument: the text of --help of that program.
 */
#include <p2p/cli/suite.h>

#include <stdio.h>

static void print_table(const struct option_table *t)
{
    for (size_t g = 0; g < t->n_groups; g++)
        for (size_t i = 0; i < t->groups[g].n; i++) {
            const struct option_def *d = &t->groups[g].defs[i];

            printf("%s\t%c\t%s\t%s\t%s\n", t->program, d->letter ? d->letter : '-', d->name,
                   d->arg ? d->arg : "-", d->help);
        }
}

int main(int argc, char **argv)
{
    struct buf text = {0};

    for (size_t i = 0; suite[i]; i++)
        if (argc < 2)
            print_table(suite[i]);
        else if (strcmp(suite[i]->program, argv[1]) == 0)
            options_help(suite[i], &text);
    fwrite(buf_bytes(&text).p, 1, buf_len(&text), stdout);
    buf_fini(&text);
    return 0;
}
