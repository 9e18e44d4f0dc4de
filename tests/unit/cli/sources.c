/* Operands, and lists of them on standard input. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/cli/sources.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A descriptor from which the text can be read: a file without a name. */
static int holding(const char *text, size_t n)
{
    char name[] = "/tmp/p2p-sources-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(write(fd, text, n), n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct option_list words(const char *const *w, size_t n)
{
    struct option_list l = {0};

    for (size_t i = 0; i < n; i++)
        option_list_add(&l, mem_str(w[i]));
    return l;
}

/* What is read of operands and a text on standard input, joined; "!" before what is bad. */
static char *joined(const struct sources *s)
{
    struct buf out = {0};

    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].bad)
            buf_putf(&out, "!%zu|", s->v[i].line);
        else
            buf_putf(&out, "%s|", s->v[i].text);
    return buf_take_str(&out);
}

static int read_it(struct sources *s, struct option_list operands, struct option_list lists,
                   bool nul, int in, struct err *e)
{
    const struct source_options o = {.operands = operands.v,
                                     .n = operands.n,
                                     .lists = &lists,
                                     .operand_list = true,
                                     .nul = nul,
                                     .in = in};
    int rc;

    *s = (struct sources){0};
    rc = sources_read(s, &o, e);
    option_list_fini(&operands);
    return rc;
}

static void reads(const char *const *operands, size_t n, bool nul, struct bytes in,
                  const char *want)
{
    struct sources s;
    int fd = holding((const char *)in.p, in.n);

    assert_int_equal(read_it(&s, words(operands, n), (struct option_list){0}, nul, fd, NULL), 0);
    char *got = joined(&s);
    assert_string_equal(got, want);
    free(got);
    sources_fini(&s);
    assert_null(s.v);
    close(fd);
}
#define READS(in, want, ...) \
    reads((const char *const[]){__VA_ARGS__}, \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), false, BYTES_LIT(in), want)
#define READS0(in, want, ...) \
    reads((const char *const[]){__VA_ARGS__}, \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), true, BYTES_LIT(in), want)

static void lines(void **state)
{
    (void)state;
    READS("x\ny\n", "a|b|", "a", "b");
    READS("x\ny\n", "a|x|y|b|", "a", "-", "b");
    READS("x\ny", "x|y|", "-");
    READS("", "", "-");
    READS("\n\n  \n", "", "-");
    READS("# no\n  # neither\n x y \r\n\t#z\nz#\n", "x y|z#|", "-");
    READS("-\n", "-|", "-");
    READS("a\0b\nc\n", "!1|c|", "-");
}

static void nul_ends_records(void **state)
{
    (void)state;
    READS0("x\ny\0# z \0\0w", "x\ny|# z |w|", "-");
}

static void line_limit(void **state)
{
    static const size_t lengths[] = {SOURCES_MAX_LINE, SOURCES_MAX_LINE + 1, 3u << 20};
    const char *const operands[] = {"-"};
    (void)state;

    for (size_t i = 0; i < 6; i++) {
        struct sources s;
        size_t n = lengths[i / 2];
        char *text = mem_alloc(n + 3);
        memset(text, 'x', n);
        memcpy(text + n, "\ny\n", 3);
        int fd = holding(text, i % 2 ? n + 3 : n); /* with and without its newline */
        assert_int_equal(read_it(&s, words(operands, 1), (struct option_list){0}, false, fd, NULL),
                         0);
        assert_int_equal(s.n, 1 + i % 2);
        assert_int_equal(s.v[0].bad, i >= 2);
        assert_int_equal(s.v[0].line, 1);
        if (i % 2) {
            assert_string_equal(s.v[1].text, "y");
            assert_int_equal(s.v[1].line, 2);
        }
        sources_fini(&s);
        close(fd);
        free(text);
    }
}

static void once(void **state)
{
    const char *const twice[] = {"-", "-"};
    struct option_list list = words(twice, 1);
    struct sources s;
    struct err e = {0};
    int fd = holding("a\n", 2);
    (void)state;

    assert_int_equal(read_it(&s, words(twice, 2), (struct option_list){0}, false, fd, &e),
                     ERR_USAGE);
    assert_string_equal(e.msg, "-: standard input can be read once only");
    assert_int_equal(read_it(&s, words(twice, 1), list, false, fd, NULL), ERR_USAGE);
    close(fd);
    assert_int_equal(read_it(&s, words(twice, 1), (struct option_list){0}, false, fd, NULL),
                     ERR_IO);
    option_list_fini(&list);
    sources_fini(&s);
}

static void from_files(void **state)
{
    char name[] = "/tmp/p2p-sources-XXXXXX";
    int fd = mkstemp(name), in = holding("c\n", 2);
    const char *const both[] = {name, "-"}, *const operand[] = {"o"};
    struct option_list lists = words(both, 2);
    struct sources s;
    struct err e = {0};
    (void)state;

    assert_int_equal(write(fd, "a\n\nb\n", 5), 5);
    close(fd);
    assert_int_equal(read_it(&s, words(operand, 1), lists, false, in, NULL), 0);
    char *got = joined(&s);
    assert_string_equal(got, "o|a|b|c|");
    free(got);
    assert_null(s.v[0].list);
    assert_string_equal(s.v[2].list, name);
    assert_int_equal(s.v[2].line, 3);
    assert_string_equal(s.v[3].list, "standard input");
    sources_fini(&s);
    close(in);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(read_it(&s, words(operand, 1), lists, false, -1, &e), ERR_IO);
    assert_non_null(strstr(e.msg, ": No such file"));
    sources_fini(&s);
    option_list_fini(&lists);
}

static void a_torrent(void **state)
{
    static const char *const texts[] = {"d8:announce1:x4:infode", "d4", "d:x", "data:x", "d12"};
    const char *const operands[] = {"-"};
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sources s;
        int fd = holding(texts[i], strlen(texts[i]));

        assert_int_equal(read_it(&s, words(operands, 1), (struct option_list){0}, false, fd, NULL),
                         0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.v[0].torrent, i == 0);
        assert_string_equal(s.v[0].text, i == 0 ? "standard input" : texts[i]);
        assert_true(i > 0 || bytes_is(buf_bytes(&s.torrent), texts[0]));
        sources_fini(&s);
        close(fd);
    }
}

static void count_limit(void **state)
{
    const char *const operands[] = {"-"};
    struct sources s;
    char *text = mem_alloc(2 * (SOURCES_MAX + 1));
    (void)state;

    for (size_t i = 0; i <= SOURCES_MAX; i++)
        memcpy(text + 2 * i, "x\n", 2);
    int fd = holding(text, 2 * SOURCES_MAX);
    assert_int_equal(read_it(&s, words(operands, 1), (struct option_list){0}, false, fd, NULL), 0);
    assert_int_equal(s.n, SOURCES_MAX);
    sources_fini(&s);
    close(fd);
    fd = holding(text, 2 * (SOURCES_MAX + 1));
    assert_int_equal(read_it(&s, words(operands, 1), (struct option_list){0}, false, fd, NULL),
                     ERR_USAGE);
    sources_fini(&s);
    close(fd);
    free(text);
}

static void names_of(struct bytes in, bool nul, const char *want)
{
    struct option_list list = {0};
    struct buf out = {0};
    int fd = holding((const char *)in.p, in.n);

    assert_int_equal(sources_names(&list, "-", nul, fd, NULL), 0);
    for (size_t i = 0; i < list.n; i++)
        buf_putf(&out, "%s|", list.v[i]);
    char *got = buf_take_str(&out);
    assert_string_equal(got, want);
    free(got);
    option_list_fini(&list);
    close(fd);
}

static void names(void **state)
{
    struct option_list list = {0};
    struct err e = {0};
    int fd = holding("a\na\0b\n", 6);
    (void)state;

    names_of(BYTES_LIT("a b/c\n12\td/e\n7\tf\t-\tdead\n# no\n8 g\nx9\th\n"), false,
             "a b/c|d/e|f|8 g|x9\th|");
    names_of(BYTES_LIT("12\t d\te\0"
                       "f\ng\0"),
             true, " d\te|f\ng|");
    /* Blanks are the name's where it was printed, the editor's where it was written. */
    names_of(BYTES_LIT("1\t a \r\n2\t#b\n3\tc \n d \r\n\t#e\n"), false, " a |#b|c |d|");
    assert_int_equal(sources_names(&list, "-", false, fd, &e), ERR_USAGE);
    assert_string_equal(e.msg, "standard input:2: there is a NUL in the line");
    option_list_fini(&list);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines), cmocka_unit_test(nul_ends_records), cmocka_unit_test(line_limit),
        cmocka_unit_test(once),  cmocka_unit_test(from_files),       cmocka_unit_test(a_torrent),
        cmocka_unit_test(names), cmocka_unit_test(count_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
