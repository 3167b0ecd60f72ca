/* api.h - what operators' clients call: one file a service, each a table of methods (unary.h). Reads are
 * answered on the shard from a snapshot; writes are verified on the shard and run by the core. */
#ifndef CTL_API_API_H
#define CTL_API_API_H

#include "shared/net/call.h"

struct ctl_shard;

/* Adds every operator service to the registry, served by `shard`. */
CS_MUST_USE int ctl_api_register(struct cs_registry *registry, struct ctl_shard *shard, struct cs_err *err);

/* All of them, for those who go through every method. */
struct ctl_api_service {
    const struct cs_method *methods;
    const size_t *count;
};
extern const struct ctl_api_service ctl_api_services[];
extern const size_t ctl_api_services_count;

extern const struct cs_method ctl_controller_methods[], ctl_trust_methods[], ctl_device_methods[],
    ctl_certificate_methods[], ctl_push_methods[], ctl_watch_methods[], ctl_session_methods[];
extern const size_t ctl_controller_methods_count, ctl_trust_methods_count, ctl_device_methods_count,
    ctl_certificate_methods_count, ctl_push_methods_count, ctl_watch_methods_count, ctl_session_methods_count;

#endif
