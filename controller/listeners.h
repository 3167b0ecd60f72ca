/* listeners.h - the sockets of one shard and the services behind each:
 *
 *   agents      every shard, one port (SO_REUSEPORT)   mutual TLS    AgentService
 *   enrolment   shard 0                                server TLS    EnrolmentService
 *   admin       shard 0, unix socket, mode 0660        -             the operators' services, also by Connect
 * and over HTTP/1.1 */
#ifndef CTL_LISTENERS_H
#define CTL_LISTENERS_H

#include "controller/shard.h"

/* Makes the TLS configurations that all shards share from the vault's certificates. */
CS_MUST_USE int ctl_listeners_tls_new(struct ctl_shared *shared, struct cs_err *err);
void ctl_listeners_tls_free(struct ctl_shared *shared);

/* Opens the sockets of `shard` before its thread runs. Ports that are 0 in `agents` and `enrolment` are
 * filled in: shards opened later listen on the same. */
CS_MUST_USE int ctl_listeners_open(struct ctl_shard *shard, struct ctl_address *agents,
                                   struct ctl_address *enrolment, struct cs_err *err);
/* On the shard's loop, once; on_closed may come at once. */
void ctl_listeners_close(struct ctl_listeners *listeners, uint32_t grace_ms,
                         void (*on_closed)(struct ctl_shard *shard));
/* After they are closed. NULL is fine. */
void ctl_listeners_free(struct ctl_listeners *listeners);

#endif
