#include "controller/json/tables.h"

const struct ctl_json_message *ctl_json_find_message(const char *name)
{
    for (size_t i = 0; i < ctl_json_message_count; i++)
        if (strcmp(ctl_json_messages[i]->name, name) == 0)
            return ctl_json_messages[i];
    return NULL;
}

const struct ctl_json_method *ctl_json_find_method(const char *service, const char *name)
{
    for (size_t i = 0; i < ctl_json_method_count; i++)
        if (strcmp(ctl_json_methods[i].service, service) == 0 && strcmp(ctl_json_methods[i].name, name) == 0)
            return &ctl_json_methods[i];
    return NULL;
}
