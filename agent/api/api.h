/*
 * HTTP/JSON over the unix socket RUN_DIR/api.sock (0660, peer credentials
 * checked): every route of docs/API.md.  http.c is the transport (http-parser
 * on libuv), api_*.c the routes.
 */
#ifndef SOCKETNET_AGENT_API_API_H
#define SOCKETNET_AGENT_API_API_H

#include "gossip/base/macros.h"

struct api;
struct core;
struct services;

/* 0, or negative errno and a malloc'd text. */
_must_check_ int api_new(struct core *core, struct services *services,
                         struct api **ret, char **ret_error);
struct api *api_free(struct api *api);

#endif
