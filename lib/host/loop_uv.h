/* The door to libuv for the two modules behind loop.h that need it. */
#ifndef P2P_HOST_LOOP_UV_H
#define P2P_HOST_LOOP_UV_H

#include <p2p/host/loop.h>
#include <uv.h>

uv_loop_t *loop_uv(struct loop *l);

#endif
