/*
 * A folder beside what is to be made, where files wait under numbers until all of them are whole
 * and known by name: no name of a stranger is ever on the disk before. Each is given its name by a
 * rename. What a kill -9 leaves behind is removed by the next one who stages there.
 *
 * Failures are ERR_IO. One thread.
 */
#ifndef P2P_HOST_STAGING_H
#define P2P_HOST_STAGING_H

#include <p2p/base/err.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct staging;

/* `folder` is ours, exists, and is where staging_place moves things to. */
int staging_new(struct staging **out, const char *folder, struct err *e);
/* Removes all that was not placed. NULL is fine. */
void staging_free(struct staging *s);
int staging_dir(const struct staging *s); /* a descriptor, borrowed: files are there by number */

/* A descriptor to write to, for a new file, whose number is *n; or to write file n anew. */
int staging_file(struct staging *s, uint32_t *n, struct err *e);
int staging_again(struct staging *s, uint32_t n, struct err *e);
/* Closes it, `size` bytes long, and tells how it looks now. */
int staging_close(struct staging *s, int fd, uint64_t size, struct stat *st, struct err *e);

/* Moves file n to FOLDER/rel, in place of a file that is there, making folders. `stays`: n goes on
 * to be here, under another name of the same file. */
int staging_place(struct staging *s, uint32_t n, const char *rel, bool stays, struct err *e);
/* A symbolic link with this text, in place of one that is there. */
int staging_link(struct staging *s, const char *text, const char *rel, struct err *e);
/* What was placed stays where it is, also after a power cut. */
int staging_sync(struct staging *s, struct err *e);
/* Takes back what was placed where nothing was before, and the folders that are empty then. */
void staging_undo(struct staging *s);

#endif
