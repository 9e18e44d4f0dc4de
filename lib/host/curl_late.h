/*
 * libcurl, loaded at its first use. With all that it needs it is two dozen libraries, and bringing
 * them in takes longer than most programs work: who lists a manifest, or fetches from peers only,
 * does without. What http uses of it is called through `curl`, once curl_late has said 0; but the
 * three functions that take anything have their own names, so that the header's checks of what is
 * given with an option hold.
 */
#ifndef P2P_HOST_CURL_LATE_H
#define P2P_HOST_CURL_LATE_H

#include <curl/curl.h>
#include <p2p/base/err.h>

#define CURL_CALLS(X) \
    X(easy_cleanup) \
    X(easy_init) \
    X(easy_pause) \
    X(easy_reset) \
    X(easy_strerror) \
    X(free) \
    X(global_cleanup) \
    X(global_init) \
    X(multi_add_handle) \
    X(multi_assign) \
    X(multi_cleanup) \
    X(multi_info_read) \
    X(multi_init) \
    X(multi_remove_handle) \
    X(multi_socket_action) \
    X(slist_append) \
    X(slist_free_all) \
    X(url) \
    X(url_cleanup) \
    X(url_get) \
    X(url_set)

struct curl_calls {
#define CURL_CALL(name) __typeof__(curl_##name) *name;
    CURL_CALLS(CURL_CALL)
#undef CURL_CALL
};
extern struct curl_calls curl;

/* Any thread. 0, or ERR_FAIL with what is missing. */
int curl_late(struct err *e);

#endif
