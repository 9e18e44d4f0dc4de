/* Looking for files that were here before. */
#include <p2p/base/mem.h>
#include <p2p/host/oldfile.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 32u /* folders below one another */

struct walking {
    size_t left; /* names that may still be looked at */
    bool (*see)(void *arg, const char *path, uint64_t size);
    void *arg;
};

bool oldfile_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Takes the descriptor. False: enough. */
static bool folder(struct walking *w, int fd, const char *path, unsigned depth);

static bool entry(struct walking *w, int folder_fd, const char *name, const char *path,
                  unsigned depth)
{
    struct stat st;
    bool on = true;

    if (w->left-- == 0)
        return false;
    if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    char *whole = mem_fmt("%s/%s", path, name);
    if (S_ISREG(st.st_mode)) {
        on = w->see(w->arg, whole, (uint64_t)st.st_size);
    } else if (S_ISDIR(st.st_mode) && depth < DEPTH) {
        int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        on = fd < 0 || folder(w, fd, whole, depth + 1);
    }
    free(whole);
    return on;
}

static bool folder(struct walking *w, int fd, const char *path, unsigned depth)
{
    DIR *d = fdopendir(fd);
    bool on = true;

    if (!d) {
        close(fd);
        return true;
    }
    for (struct dirent *n; on && (n = readdir(d)) != NULL;)
        if (strcmp(n->d_name, ".") != 0 && strcmp(n->d_name, "..") != 0)
            on = entry(w, dirfd(d), n->d_name, path, depth);
    closedir(d);
    return on;
}

void oldfile_walk(const char *root, size_t most,
                  bool (*see)(void *arg, const char *path, uint64_t size), void *arg)
{
    struct walking w = {.left = most, .see = see, .arg = arg};
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        folder(&w, fd, root, 0);
}
