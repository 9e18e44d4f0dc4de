/* Exit statuses (CLI.md) of error codes, and the worst of several. */
#ifndef P2P_CLI_STATUS_H
#define P2P_CLI_STATUS_H

enum {
    STATUS_DONE = 0,
    STATUS_FAIL = 1,
    STATUS_USAGE = 2,
    STATUS_NOTFOUND = 3,
    STATUS_INVALID = 4,
    STATUS_IO = 5,
    STATUS_LOCKED = 6,
    STATUS_PIPE = 141, /* who read our results went away; as the shell shows a death by SIGPIPE */
    STATUS_INT = 130,
    STATUS_TERM = 143,
};

/* The status of an err_code. ERR_CANCELED gives STATUS_INT: who knows the signal says so itself. */
int status_of(int code);
/*
 * The worse of two, from bad to worse: 0; 3 and 6, which time may heal; 1; 5, for the user to
 * repair; 4, which nothing heals; 2; 141; 130 and 143, for then the rest was never tried.
 */
int status_worst(int a, int b);

#endif
