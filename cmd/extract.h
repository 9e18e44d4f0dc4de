/* p2p-get -x: what does not go with it. */
#ifndef CMD_EXTRACT_H
#define CMD_EXTRACT_H

#include <p2p/base/err.h>
#include <p2p/cli/suite.h>

int extract_check(const struct get_options *o, struct err *e);

#endif
