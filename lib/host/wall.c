/* The clock on the wall. */
#include <p2p/host/wall.h>

#include <stdio.h>
#include <time.h>

int64_t wall_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

void wall_text(char out[WALL_TEXT], int64_t unix_seconds)
{
    struct tm tm;
    time_t t = unix_seconds;
    out[0] = 0;
    if (gmtime_r(&t, &tm) && tm.tm_year >= -1900 && tm.tm_year <= 8099)
        snprintf(out, WALL_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)tm.tm_year + 1900u,
                 (unsigned)tm.tm_mon + 1u, (unsigned)tm.tm_mday, (unsigned)tm.tm_hour,
                 (unsigned)tm.tm_min, (unsigned)tm.tm_sec);
}
