/* p2p-add: makes a link from a file, a folder or standard input. */
#include <p2p/base/mem.h>
#include <p2p/cli/describe.h>
#include <p2p/cli/program.h>
#include <p2p/cli/sources.h>
#include <p2p/cli/status.h>
#include <p2p/engine/scan.h>
#include <p2p/host/fileio.h>
#include <p2p/host/home.h>
#include <p2p/host/term.h>
#include <p2p/host/wall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct add {
    struct program *p;
    const struct add_options *o;
    struct scan_options scan;
    struct home home;
    struct catalogue *catalogue;
    struct sources sources;   /* PATHs */
    struct option_list files; /* of them, by name */
    const char *doing;        /* PATH under way */
    usec begun;
};

/* ---- while it works ---- */

static usec clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (usec)t.tv_sec * USEC_SEC + t.tv_nsec / 1000;
}

static void show(void *arg, uint64_t done, uint64_t total)
{
    struct add *a = arg;
    usec now = clock_now(), spent = now - a->begun;
    struct progress g = {
        .doing = total ? "hashing" : "reading",
        .name = a->doing,
        .done = done,
        .total = total,
        .peers = -1,
        .left = USEC_NEVER,
    };

    if (spent < USEC_SEC / 2 || !output_progress_due(&a->p->output, now))
        return;
    g.down = spent > 0;
    g.rate_down = (uint64_t)((double)done * (double)USEC_SEC / (double)spent);
    if (total && done)
        g.left = (usec)((double)(total - done) / (double)done * (double)spent);
    output_progress(&a->p->output, &g, now);
}

static bool stopped(void *arg)
{
    (void)arg;
    return term_stopped() != 0;
}

/* ---- results ---- */

static struct buf torrent_of(const struct manifest *m)
{
    struct buf out = {0};

    manifest_write(m, &out);
    return out;
}

static struct bytes shown_hash(const struct manifest *m)
{
    return m->has_v1 ? BYTES(m->hash_v1, SHA1_LEN) : BYTES(m->hash_v2, SHA256_LEN);
}

static bool to_stdout(const struct add_options *o)
{
    return o->print == PRINT_TORRENT || (o->output && strcmp(o->output, "-") == 0);
}

static void print_link(struct add *a, const struct scan_result *r)
{
    struct output *out = &a->p->output;
    char *link = describe_link_of(r->m, a->o->peers.v, a->o->peers.n);

    if (a->o->common.json) {
        struct json *j = describe_manifest(r->m, link);

        json_set_str(j, "path", r->path);
        output_json(out, j);
    } else if (a->o->print == PRINT_HASH) {
        output_hex(out, shown_hash(r->m));
        output_line(out);
    } else {
        output_str(out, link);
        output_line(out);
    }
    free(link);
}

static void print(struct add *a, const struct scan_result *r)
{
    if (!to_stdout(a->o)) {
        print_link(a, r);
        return;
    }
    struct buf torrent = torrent_of(r->m);
    output_raw(&a->p->output, buf_bytes(&torrent));
    buf_fini(&torrent);
}

static bool is_same(const char *path, const struct stat *of)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_dev == of->st_dev && st.st_ino == of->st_ino;
}

static bool writes_file(const struct add *a)
{
    return a->o->output && strcmp(a->o->output, "-") != 0;
}

/* What is shared would be gone, or another as soon as the torrent is written: cat and tar refuse
 * that too. */
static int spare(const struct add *a, const char *path, const struct scan_result *r, struct err *e)
{
    struct stat st;

    if (!writes_file(a) || stat(a->o->output, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    bool found = is_same(path, &st);
    for (size_t i = 0; r->m && r->path && i < r->m->n_files && !found; i++) {
        const struct manifest_file *f = &r->m->files[i];

        if (f->length != (uint64_t)st.st_size)
            continue;
        char *file = mem_fmt("%s/%s", r->path, f->path);
        found = is_same(file, &st);
        free(file);
    }
    if (!found)
        return 0;
    return err_set(e, ERR_USAGE, "--output: %s is of what is shared, and would be written over",
                   a->o->output);
}

static int write_torrent(const struct add *a, const struct scan_result *r, struct err *e)
{
    if (!writes_file(a))
        return 0;
    struct buf torrent = torrent_of(r->m);
    int rc = fileio_write(a->o->output, buf_bytes(&torrent), 0666, e);
    buf_fini(&torrent);
    return rc;
}

/* ---- the work ---- */

static int stop_status(void)
{
    return term_stopped() ? 128 + term_stopped() : STATUS_INT;
}

static bool is_stdin(const struct source_entry *n)
{
    return !n->list && strcmp(n->text, "-") == 0;
}

static int add_archive(struct add *a, const struct source_entry *n, struct scan_result *r,
                       struct err *e)
{
    int in = is_stdin(n) ? STDIN_FILENO : open(n->text, O_RDONLY | O_CLOEXEC), rc;

    if (in < 0)
        return err_os(e, errno, "%s", n->text);
    rc = scan_archive(r, in, is_stdin(n) ? NULL : n->text, &a->scan, e);
    if (!is_stdin(n))
        close(in);
    return rc;
}

static int scan(struct add *a, const struct source_entry *n, struct scan_result *r, struct err *e)
{
    if (n->bad)
        return err_set(e, ERR_INVALID, "%s", n->text);
    int rc = spare(a, n->text, r, e);
    if (rc < 0)
        return rc;
    if (a->o->archive)
        return add_archive(a, n, r, e);
    return is_stdin(n) ? scan_stream(r, STDIN_FILENO, &a->scan, e)
                       : scan_path(r, n->text, &a->scan, e);
}

static int add_one(struct add *a, const struct source_entry *n)
{
    struct output *out = &a->p->output;
    const char *path = n->text;
    struct scan_result r = {0};
    struct err e = {0};
    int rc;

    a->doing = is_stdin(n) ? a->o->name : path;
    a->begun = clock_now();
    rc = scan(a, n, &r, &e);
    output_erase(out);
    for (size_t i = 0; i < r.n_notices; i++)
        output_notice(out, "%s", r.notices[i]);
    if (rc == 0 && r.known)
        output_verbose(out, "%s: unchanged since it was added; not hashed again", path);
    if (rc == 0)
        rc = spare(a, path, &r, &e);
    if (rc == 0)
        rc = write_torrent(a, &r, &e);
    if (rc == 0)
        rc = scan_record(&r, &a->scan, NULL, &e);
    if (rc == 0)
        print(a, &r);
    scan_result_fini(&r);
    if (rc == ERR_CANCELED)
        return stop_status();
    if (rc < 0)
        sources_complain(out, n, e.msg);
    return status_of(rc);
}

static int add_all(struct add *a)
{
    int status = STATUS_DONE;

    for (size_t i = 0; i < a->sources.n && !term_stopped(); i++)
        status = status_worst(status, add_one(a, &a->sources.v[i]));
    return term_stopped() ? stop_status() : status;
}

/* ---- what was asked for ---- */

static const char *is_wrong(const struct add_options *o, const struct sources *paths, bool out_tty)
{
    size_t stdin_times = 0;

    for (size_t i = 0; i < o->lists.n; i++)
        stdin_times += strcmp(o->lists.v[i], "-") == 0;
    for (size_t i = 0; i < o->files_from.n; i++)
        stdin_times += strcmp(o->files_from.v[i], "-") == 0;
    for (size_t i = 0; i < paths->n; i++)
        if (is_stdin(&paths->v[i])) {
            stdin_times++;
            if (!o->name && !o->archive)
                return "-: standard input has no name: give one with --name";
            if (isatty(STDIN_FILENO))
                return "-: standard input is a terminal";
        }
    if (stdin_times > 1)
        return "-: standard input can be read once only";
    if (o->archive && o->follow)
        return "--follow: links in an archive are kept as links";
    if (paths->n > 1 && o->name)
        return "--name: one name cannot be that of several PATHs";
    if (paths->n > 1 && o->output)
        return "--output: one FILE cannot hold the torrents of several PATHs";
    if (paths->n > 1 && o->print == PRINT_TORRENT)
        return "--print torrent: one stream cannot hold the torrents of several PATHs";
    if (to_stdout(o) && out_tty)
        return o->print == PRINT_TORRENT
                   ? "--print torrent: standard output is a terminal; name a file with -o instead"
                   : "-o -: standard output is a terminal; name a file";
    if (to_stdout(o) && o->common.json)
        return "--json: the torrent goes to standard output already";
    if (o->piece_size > AUTHOR_MAX_PIECE)
        return "--piece-size: not a power of two from 16Ki to 128Mi";
    return NULL;
}

/* What reproducible builds agreed on: the date of the source, when it is given. */
static bool creation_date(int64_t *out, struct err *e)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    char *end;

    *out = wall_now();
    if (!text || !*text)
        return true;
    long long v = strtoll(text, &end, 10);
    if (*end || v < 0 || *text < '0' || *text > '9') {
        err_set(e, ERR_USAGE, "SOURCE_DATE_EPOCH: '%s' is no number of seconds", text);
        return false;
    }
    *out = v;
    return true;
}

static struct scan_words words(const struct option_list *l)
{
    return (struct scan_words){l->v, l->n};
}

static int configure(struct add *a, struct err *e)
{
    static const enum author_format formats[] = {
        [FORMAT_V1] = AUTHOR_V1, [FORMAT_V2] = AUTHOR_V2, [FORMAT_HYBRID] = AUTHOR_HYBRID};
    const struct add_options *o = a->o;

    a->scan = (struct scan_options){
        .author = {.format = formats[o->format],
                   .piece_length = (uint32_t)o->piece_size,
                   .name = o->name,
                   .comment = o->comment,
                   .source = o->source,
                   .created_by = "p2p " P2P_VERSION,
                   .private_flag = o->private_flag},
        .follow = o->follow,
        .exclude = words(&o->exclude),
        .trackers = words(&o->trackers),
        .web_seeds = words(&o->web_seeds),
        .nodes = words(&o->nodes),
        .now = wall_now(),
        .watch = {.progress = show, .stopped = stopped, .arg = a},
    };
    if (!creation_date(&a->scan.author.creation_date, e))
        return ERR_USAGE;
    return scan_check(&a->scan, e);
}

static int open_catalogue(struct add *a, struct err *e)
{
    if (a->o->no_catalogue)
        return 0;
    int rc = home_find(&a->home, a->o->common.home, e);
    if (rc == 0)
        rc = home_make(&a->home, e);
    if (rc == 0)
        rc = catalogue_open(&a->catalogue, a->home.dir, e);
    if (rc < 0)
        return rc;
    if (catalogue_notice(a->catalogue))
        output_notice(&a->p->output, "%s", catalogue_notice(a->catalogue));
    a->scan.catalogue = a->catalogue;
    a->scan.home = a->home.dir;
    return 0;
}

static int read_names(struct add *a, struct err *e)
{
    const struct add_options *o = a->o;
    int rc = 0;

    for (size_t i = 0; i < o->files_from.n && rc == 0; i++)
        rc = sources_names(&a->files, o->files_from.v[i], o->common.nul, STDIN_FILENO, e);
    if (rc == 0 && o->files_from.n && a->files.n == 0)
        rc = err_set(e, ERR_USAGE, "--files-from: names no file");
    a->scan.files = words(&a->files);
    return rc;
}

static void add_fini(struct add *a)
{
    catalogue_free(a->catalogue);
    home_fini(&a->home);
    sources_fini(&a->sources);
    option_list_fini(&a->files);
}

static int run(struct program *p, const struct add_options *o)
{
    struct add a = {.p = p, .o = o};
    const struct source_options so = {.operands = p->options.operands,
                                      .n = p->options.n_operands,
                                      .lists = &o->lists,
                                      .names = &o->files_from,
                                      .nul = o->common.nul,
                                      .in = STDIN_FILENO};
    struct err e = {0};
    int status;

    if (p->options.n_operands + o->lists.n == 0)
        return program_usage(p, "PATH: none is given");
    int rc = sources_read(&a.sources, &so, &e);
    if (rc == 0)
        rc = configure(&a, &e);
    const char *wrong = rc == 0 ? is_wrong(o, &a.sources, p->output.out_tty) : NULL;
    if (rc == 0 && !wrong)
        rc = read_names(&a, &e);
    if (rc < 0 || wrong) {
        add_fini(&a);
        return wrong || rc == ERR_USAGE ? program_usage(p, "%s", wrong ? wrong : e.msg)
                                        : program_fail(p, &e);
    }
    term_signals();
    status = open_catalogue(&a, &e) < 0 ? program_fail(p, &e) : add_all(&a);
    add_fini(&a);
    return status;
}

int main(int argc, char **argv)
{
    struct add_options o;
    struct program p;
    int status;

    if (!program_start(&p, &suite_add, &o, argc, argv, &status))
        return status;
    status = run(&p, &o);
    return program_end(&p, status);
}
