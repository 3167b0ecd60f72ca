/* listeners.h - the sockets of one shard and the services behind each:
 *
 *   agents      every shard, one port (SO_REUSEPORT)   mutual TLS    AgentService
 *   enrolment   shard 0                                server TLS    EnrolmentService
 *   admin       shard 0, unix socket, mode 0660        -             the operators' services, also by Connect
 *                                                                    and over HTTP/1.1
 *   operators   shard 0, if configured                 server TLS,   the same, by session; the console's
 *                                                      or loopback   pages, if configured */
#ifndef CTL_LISTENERS_H
#define CTL_LISTENERS_H

#include "controller/shard.h"

/* Makes the TLS configurations that all shards share from the vault's certificates, and the operators' from
 * the configuration's files where there are any. */
CS_MUST_USE int ctl_listeners_tls_new(struct ctl_shared *shared, struct cs_err *err);
void ctl_listeners_tls_free(struct ctl_shared *shared);

/* Where they listen. Ports that are 0 are filled in: shards opened later listen on the same. */
struct ctl_addresses {
    struct ctl_address agents, enrolment, operators;
};
/* Opens the sockets of `shard` before its thread runs. */
CS_MUST_USE int ctl_listeners_open(struct ctl_shard *shard, struct ctl_addresses *addresses,
                                   struct cs_err *err);
/* On the shard's loop, once; on_closed may come at once. */
void ctl_listeners_close(struct ctl_listeners *listeners, uint32_t grace_ms,
                         void (*on_closed)(struct ctl_shard *shard));
/* For monitoring: what a listener is called, and what it has counted on this shard, where it is open. `which`
 * is below CTL_LISTENERS. */
const char *ctl_listeners_name(unsigned which);
struct cs_server_stats;
bool ctl_listeners_stats(const struct ctl_listeners *listeners, unsigned which, struct cs_server_stats *ret);
/* After they are closed. NULL is fine. */
void ctl_listeners_free(struct ctl_listeners *listeners);

#endif
