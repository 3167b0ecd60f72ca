#include "agent/connectors/presets.h"

#include <string.h>

const struct ag_preset *ag_preset_find(const char *name)
{
    for (size_t i = 0; i < ag_preset_count; i++) {
        if (strcmp(ag_presets[i].name, name) == 0)
            return &ag_presets[i];
    }
    return NULL;
}
