/*
 * p2p CMD ... runs p2p-CMD ..., which is looked for beside this program first, so that a build tree
 * or a private prefix uses its own, and then in PATH, so that anybody may add a command.
 */
#include <p2p/base/mem.h>
#include <p2p/cli/program.h>
#include <p2p/cli/status.h>
#include <p2p/base/suggest.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "p2p-"
#define MAX_COMMANDS 64

static bool is_command(const struct option_table *t)
{
    return strncmp(t->program, PREFIX, strlen(PREFIX)) == 0;
}

/* The commands of the suite without their prefix; how many. */
static size_t command_names(const char *names[MAX_COMMANDS])
{
    size_t n = 0;

    for (size_t i = 0; suite[i] && n < MAX_COMMANDS; i++)
        if (is_command(suite[i]))
            names[n++] = suite[i]->program + strlen(PREFIX);
    return n;
}

static int list_commands(struct program *p)
{
    for (size_t i = 0; suite[i]; i++)
        if (is_command(suite[i])) {
            output_str(&p->output, suite[i]->program + strlen(PREFIX));
            output_str(&p->output, suite[i]->summary);
            output_line(&p->output);
        }
    output_str(&p->output, "help");
    output_str(&p->output, "show the manual of a command");
    output_line(&p->output);
    return STATUS_DONE;
}

/* The folder of this program with a slash behind. Moved string; NULL if it cannot be known. */
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    path[n] = 0;
    slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    slash[1] = 0;
    return mem_str(path);
}

/* Becomes the program. Returns only if it could not: errno says why, ENOENT if there is none. */
static void become(const char *program, char **argv)
{
    char *folder = own_folder(), *beside = folder ? mem_fmt("%s%s", folder, program) : NULL;

    signal(SIGPIPE, SIG_DFL); /* what is ignored here would stay ignored there */
    if (beside)
        execv(beside, argv);
    if (!beside || errno == ENOENT)
        execvp(program, argv);
    signal(SIGPIPE, SIG_IGN);
    free(beside);
    free(folder);
}

static int unknown(struct program *p, const char *command)
{
    const char *names[MAX_COMMANDS];
    size_t n = command_names(names);
    const char *near = suggest_nearest(command, names, n);

    if (near && strcmp(near, command) == 0) {
        output_error(&p->output, PREFIX "%s: is not installed beside p2p nor in PATH", command);
        return STATUS_FAIL;
    }
    if (near)
        return program_usage(p, "%s: there is no such command (did you mean 'p2p %s'?)", command,
                             near);
    return program_usage(p, "%s: there is no such command", command);
}

/* Runs p2p-COMMAND with these arguments; argv[0] is replaced by its name. */
static int run_command(struct program *p, const char *command, char **argv)
{
    char *name = mem_fmt(PREFIX "%s", command);
    struct err e = {0};
    int status;

    errno = ENOENT;
    argv[0] = name;
    if (*command && !strchr(command, '/'))
        become(name, argv);
    if (errno == ENOENT) {
        status = unknown(p, command);
    } else {
        err_os(&e, errno, "%s", name);
        status = program_fail(p, &e);
    }
    free(name);
    return status;
}

/* Whether a manual page is installed: `man -w` says so without showing it. */
static bool has_page(const char *page)
{
    int status, null;
    pid_t child = fork();

    if (child == 0) {
        null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
            _exit(1);
        execlp("man", "man", "-w", page, (char *)NULL);
        _exit(1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static int help_on(struct program *p, const char *command)
{
    char *page = strcmp(command, "help") == 0 ? mem_str("p2p") : mem_fmt(PREFIX "%s", command);
    char *argv[] = {page, (char[]){"--help"}, NULL};
    int status;

    if (p->output.out_tty && has_page(page)) {
        signal(SIGPIPE, SIG_DFL);
        execlp("man", "man", page, (char *)NULL);
        signal(SIGPIPE, SIG_IGN);
    }
    if (strcmp(command, "help") == 0)
        status = list_commands(p);
    else
        status = run_command(p, command, argv);
    free(page);
    return status;
}

static int run(struct program *p)
{
    char **words = p->options.operands;

    if (p->options.n_operands == 0)
        return list_commands(p);
    if (strcmp(words[0], "help") != 0)
        return run_command(p, words[0], words);
    if (p->options.n_operands > 2)
        return program_usage(p, "help: one command at a time");
    return p->options.n_operands == 1 ? list_commands(p) : help_on(p, words[1]);
}

int main(int argc, char **argv)
{
    struct p2p_options values;
    struct program p;
    int status;

    if (!program_start(&p, &suite_p2p, &values, argc, argv, &status))
        return status;
    return program_end(&p, run(&p));
}
