/* Where state lives. Nothing is made until somebody asks for it. */
#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>
#include <p2p/host/home.h>

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *set_variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* "All paths set in these environment variables must be absolute": others count as unset. */
static const char *xdg_variable(const char *name)
{
    const char *v = set_variable(name);
    return v && v[0] == '/' ? v : NULL;
}

/* cron and service managers do not always set HOME. */
static const char *user_folder(void)
{
    const char *v = set_variable("HOME");
    if (v)
        return v;
    struct passwd *pw = getpwuid(geteuid());
    return pw && pw->pw_dir && *pw->pw_dir ? pw->pw_dir : NULL;
}

static char *find_dir(const char *override, const char **variable)
{
    const char *v;
    if (override)
        return fileio_absolute(override);
    *variable = "P2P_HOME";
    if ((v = set_variable(*variable)))
        return fileio_absolute(v);
    *variable = "XDG_DATA_HOME";
    if ((v = xdg_variable(*variable)))
        return mem_fmt("%s/p2p", v);
    *variable = NULL;
    if ((v = user_folder()))
        return mem_fmt("%s/.local/share/p2p", v);
    return NULL;
}

int home_find(struct home *h, const char *override, struct err *e)
{
    memset(h, 0, sizeof *h);
    if (override && !*override)
        return err_set(e, ERR_USAGE, "--home: the name of the folder is empty");
    h->dir = find_dir(override, &h->variable);
    if (!h->dir)
        return err_set(e, ERR_IO, "no home folder is known: set P2P_HOME or give --home");
    return 0;
}

void home_fini(struct home *h)
{
    free(h->dir);
    memset(h, 0, sizeof *h);
}

int home_make(const struct home *h, struct err *e)
{
    return fileio_mkdirs(h->dir, 0700, e);
}

char *home_path(const struct home *h, const char *name)
{
    return mem_fmt("%s/%s", h->dir, name);
}

/* What lies in there may control the program: no folder of somebody else, and closed to others. */
static int make_private(const char *path, struct err *e)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return err_os(e, errno, "%s", path);
    if (lstat(path, &st) != 0)
        return err_os(e, errno, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return err_os(e, ENOTDIR, "%s", path);
    if (st.st_uid != geteuid())
        return err_set(e, ERR_IO, "%s: belongs to another user", path);
    if ((st.st_mode & 077) != 0 && chmod(path, 0700) != 0)
        return err_os(e, errno, "%s", path);
    return 0;
}

int home_folder(const struct home *h, const char *name, char **out, struct err *e)
{
    int rc = home_make(h, e);
    if (rc != 0)
        return rc;
    char *path = home_path(h, name);
    rc = make_private(path, e);
    if (rc == 0 && out) {
        *out = path;
        return 0;
    }
    free(path);
    return rc;
}
