/* server_world.h - our client against our server on one loop, for tests. A world ends with
 * uv_loop_close() == 0 and every call ended. Failing ends the test. */
#ifndef CS_TESTS_SERVER_WORLD_H
#define CS_TESTS_SERVER_WORLD_H

#include "shared/net/client.h"
#include "shared/net/server.h"
#include "tests/support/echo_service.h"
#include "tests/support/pki.h"

/* One loop with a server and a client. */
struct world {
    uv_loop_t loop;
    uv_timer_t patience;
    struct cs_registry *registry;
    struct echo_service service;
    struct cs_server *server;
    struct cs_client *client;
    struct cs_tls_config *server_tls, *client_tls;
    struct pki ca, server_pki, client_pki;
    char folder[64], path[80];
    bool up, goaway, down, client_closed, server_closed;
    struct cs_err why, refused;
    unsigned refusals;
};

/* What one call of the client has seen. */
struct seen {
    unsigned messages;
    size_t bytes;
    unsigned writable;
    bool ended;
    enum cs_status status;
    char sentence[256];
    char last[256];
    char trailer[64];
    struct world *world;
    unsigned close_after; /* messages; 0: never */
};

#define WAIT_UNTIL(world, condition)                                                                         \
    do {                                                                                                     \
        while (!(condition))                                                                                 \
            uv_run(&(world)->loop, UV_RUN_ONCE);                                                             \
    } while (0)

void world_init(struct world *world);
/* Makes the server; the registry and the reports of refusals are filled in. */
void world_serve(struct world *world, struct cs_server_options options);
void world_dial(struct world *world, struct cs_client_options options);
void world_listen_and_connect(struct world *world);
/* All of the above over a unix socket with no options. */
void world_begin(struct world *world);
/* A CA, certificates of a server and a client, and their configurations; the world's end frees them. */
void world_make_identities(struct world *world);
/* A server over mutual TLS on 127.0.0.1; gives its port. */
uint16_t world_serve_tls(struct world *world);
void world_hang_up(struct world *world);
void world_end(struct world *world);

void world_on_client_closed(void *owner);
void world_on_server_closed(void *owner);

extern const struct cs_client_events world_seen_events;
struct cs_client_call *world_call(struct world *world, const char *path, uint32_t timeout_ms,
                                  struct seen *seen);
/* A call with one request. */
struct cs_client_call *world_ask(struct world *world, const char *path, struct cs_slice request,
                                 struct seen *seen);
void world_ask_and_wait(struct world *world, const char *path, struct cs_slice request, struct seen *seen);

/* A peer that says what it likes: its socket. */
int world_raw_connect(const char *path);

#endif
