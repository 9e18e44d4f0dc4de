/*
 * Where the files of an item lie: from a manifest and the path of its data to a file tree, one file
 * of the tree for each of the manifest, in its order. The path is of the file itself, or of the
 * folder that holds all of them; its last component may be called anything.
 */
#ifndef LIB_ENGINE_PLACES_H
#define LIB_ENGINE_PLACES_H

#include <p2p/base/bits.h>
#include <p2p/base/err.h>
#include <p2p/format/manifest.h>
#include <p2p/host/tree.h>

#define PLACES_SUFFIX ".part"

/* catalogue_item.where */
/* Found by p2p-add: names are as in the manifest, however long, and the files are not ours. */
#define PLACES_RAW 1u
/* With it: found over links in the folder, which are followed for reading. */
#define PLACES_FOLLOW 2u
#define PLACES_FOUND (PLACES_RAW | PLACES_FOLLOW)

struct places {
    const struct manifest *m;
    const char *path;          /* absolute */
    unsigned where;            /* PLACES_… or 0 */
    bool attributes;           /* executable bits are set on what is finished */
    const struct bits *wanted; /* of files: the others are TREE_UNSELECTED. NULL: all */
    const char *side;          /* side file for the edges of unselected files, or NULL */
};

/* Touches no disk. Everything is copied. */
struct tree *places_tree(struct fdcache *c, const struct places *p);

/*
 * The path of the data of something new. `output` is what the user gave (NULL: here): a folder if
 * it ends in "/" or `is_folder`, else the name of a single file, or the folder for several. Moved
 * string, absolute.
 */
char *places_path(const struct manifest *m, const char *output, bool is_folder);

/*
 * The text of the symbolic link that entry `file` (FILE_SYMLINK) is made with: relative, from its
 * folder to its target, both as they are called on disk. NULL if it would not lead inside. Moved.
 */
char *places_link_text(const struct manifest *m, uint32_t file, unsigned where);

/* What a manifest's path is called on disk. Moved string. */
char *places_name(const char *path, unsigned where);

#endif
