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

static void reads(const char *const *operands, size_t n, const char *in, const char *want)
{
    struct option_list list = {0};
    char *words[4], joined[200] = "";
    int fd = holding(in, strlen(in));

    for (size_t i = 0; i < n; i++)
        words[i] = mem_str(operands[i]);
    assert_int_equal(sources_read(&list, words, n, fd, NULL), 0);
    for (size_t i = 0; i < list.n; i++) {
        strcat(joined, list.v[i]);
        strcat(joined, "|");
    }
    assert_string_equal(joined, want);
    for (size_t i = 0; i < n; i++)
        free(words[i]);
    option_list_fini(&list);
    assert_null(list.v);
    close(fd);
}
#define READS(in, want, ...)                  \
    reads((const char *const[]){__VA_ARGS__}, \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), in, want)

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
}

static void line_limit(void **state)
{
    static const size_t lengths[] = {SOURCES_MAX_LINE, SOURCES_MAX_LINE + 1, 3u << 20};
    char *operands[] = {(char[]){"-"}};
    (void)state;

    for (size_t i = 0; i < 6; i++) {
        struct option_list list = {0};
        size_t n = lengths[i / 2];
        char *text = mem_alloc(n + 1);
        memset(text, 'x', n);
        text[n] = '\n';
        int fd = holding(text, n + i % 2); /* with and without its newline */
        assert_int_equal(sources_read(&list, operands, 1, fd, NULL), i < 2 ? 0 : ERR_USAGE);
        assert_int_equal(list.n, i < 2);
        option_list_fini(&list);
        close(fd);
        free(text);
    }
}

static void refused(void **state)
{
    struct option_list list = {0};
    struct err e = {0};
    char *twice[] = {(char[]){"-"}, (char[]){"-"}};
    int fd = holding("a\0b\n", 4);
    (void)state;

    assert_int_equal(sources_read(&list, twice, 1, fd, &e), ERR_USAGE);
    assert_string_equal(e.msg, "standard input: there is a NUL in a line");
    err_clear(&e);
    assert_int_equal(sources_read(&list, twice, 2, fd, &e), ERR_USAGE);
    assert_string_equal(e.msg, "-: standard input can be read once only");
    close(fd);
    assert_int_equal(sources_read(&list, twice, 1, fd, NULL), ERR_IO);
    option_list_fini(&list);
}

static void from_a_file(void **state)
{
    struct option_list list = {0};
    struct err e = {0};
    char name[] = "/tmp/p2p-sources-XXXXXX";
    int fd = mkstemp(name), in = holding("c\n", 2);
    (void)state;

    assert_int_equal(write(fd, "a\nb\n", 4), 4);
    assert_int_equal(sources_read_file(&list, name, in, NULL), 0);
    assert_int_equal(sources_read_file(&list, "-", in, NULL), 0);
    assert_int_equal(list.n, 3);
    assert_string_equal(list.v[2], "c");
    close(fd);
    close(in);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(sources_read_file(&list, name, -1, &e), ERR_IO);
    assert_non_null(strstr(e.msg, ": No such file"));
    option_list_fini(&list);
}

static void count_limit(void **state)
{
    struct option_list list = {0};
    char *operands[] = {(char[]){"-"}}, *text = mem_alloc(2 * (SOURCES_MAX + 1));
    (void)state;

    for (size_t i = 0; i <= SOURCES_MAX; i++)
        memcpy(text + 2 * i, "x\n", 2);
    int fd = holding(text, 2 * SOURCES_MAX);
    assert_int_equal(sources_read(&list, operands, 1, fd, NULL), 0);
    assert_int_equal(list.n, SOURCES_MAX);
    option_list_fini(&list);
    close(fd);
    fd = holding(text, 2 * (SOURCES_MAX + 1));
    assert_int_equal(sources_read(&list, operands, 1, fd, NULL), ERR_USAGE);
    option_list_fini(&list);
    close(fd);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),       cmocka_unit_test(line_limit), cmocka_unit_test(refused),
        cmocka_unit_test(from_a_file), cmocka_unit_test(count_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
