/*
 * The configuration file: `option = value` lines, `[p2p-get]` sections, blank lines and # comments.
 * Keys are long options. What stands before the first section is for every program that knows the
 * key; a section is for one program and wins over it. A key or a section that no program of the
 * suite knows is an error (ERR_USAGE) that names file and line; so is a bad value for the program
 * that reads.
 */
#ifndef P2P_CLI_CONFIG_H
#define P2P_CLI_CONFIG_H

#include <p2p/cli/options.h>

#define CONFIG_MAX_BYTES (1u << 20)

/* `file` is the name for errors. */
int config_apply(struct options *o, struct bytes text, const char *file, struct err *e);
/* Reads config_path() and applies it; a file that is not there is fine. */
int config_load(struct options *o, struct err *e);
/* The same, but goes on after a bad line, so that each is told. ERR_USAGE if one was; e is for
 * what else went wrong. */
int config_check(struct options *o, void (*tell)(void *arg, const char *why), void *arg,
                 struct err *e);
/* $XDG_CONFIG_HOME/p2p/config, else ~/.config/p2p/config; NULL without a home. Moved string. */
char *config_path(void);

#endif
