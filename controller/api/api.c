#include "controller/api/api.h"

int ctl_api_register(struct cs_registry *registry, struct ctl_shard *shard, struct cs_err *err)
{
    const struct {
        const struct cs_method *methods;
        size_t count;
    } services[] = {
        {ctl_controller_methods, ctl_controller_methods_count},
        {ctl_trust_methods, ctl_trust_methods_count},
        {ctl_device_methods, ctl_device_methods_count},
        {ctl_certificate_methods, ctl_certificate_methods_count},
        {ctl_push_methods, ctl_push_methods_count},
        {ctl_watch_methods, ctl_watch_methods_count},
    };
    int code = CS_OK;

    for (size_t i = 0; i < CS_ARRAY_LEN(services) && code == CS_OK; i++)
        code = cs_registry_add(registry, services[i].methods, services[i].count, shard, err);
    return code;
}
