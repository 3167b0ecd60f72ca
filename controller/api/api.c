#include "controller/api/api.h"

const struct ctl_api_service ctl_api_services[] = {
    {ctl_controller_methods, &ctl_controller_methods_count},
    {ctl_trust_methods, &ctl_trust_methods_count},
    {ctl_device_methods, &ctl_device_methods_count},
    {ctl_certificate_methods, &ctl_certificate_methods_count},
    {ctl_push_methods, &ctl_push_methods_count},
    {ctl_watch_methods, &ctl_watch_methods_count},
    {ctl_session_methods, &ctl_session_methods_count},
};
const size_t ctl_api_services_count = CS_ARRAY_LEN(ctl_api_services);

int ctl_api_register(struct cs_registry *registry, struct ctl_shard *shard, struct cs_err *err)
{
    int code = CS_OK;

    for (size_t i = 0; i < ctl_api_services_count && code == CS_OK; i++)
        code = cs_registry_add(registry, ctl_api_services[i].methods, *ctl_api_services[i].count, shard, err);
    return code;
}
