/*
 * Where state lives: --home, else $P2P_HOME, else $XDG_DATA_HOME/p2p, else ~/.local/share/p2p.
 * Empty variables count as unset, and relative ones of XDG are ignored as its specification says.
 */
#ifndef P2P_HOST_HOME_H
#define P2P_HOST_HOME_H

#include <p2p/base/err.h>

struct home {
    char *dir;    /* absolute; owned */
    const char *variable; /* of the environment, that named it; NULL: none did, it is where it
                             usually is or where --home says */
};

/* Touches no disk. `override` is the value of --home or NULL. ERR_IO when nothing tells where. */
int home_find(struct home *h, const char *override, struct err *e);
void home_fini(struct home *h);
/* Makes DIR, 0700. */
int home_make(const struct home *h, struct err *e);

#define HOME_STORE "store" /* content that p2p-add read from stdin */
#define HOME_LOCKS "locks"
#define HOME_RUN "run"     /* the control socket */
#define HOME_SIDE "side"   /* side files of trees with unselected files */
/* Makes DIR and DIR/name, 0700, ours and open to nobody else. *out (or NULL): the path, owned. */
int home_folder(const struct home *h, const char *name, char **out, struct err *e);
char *home_path(const struct home *h, const char *name); /* DIR/name; owned */

#endif
