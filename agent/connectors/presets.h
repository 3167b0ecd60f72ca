/* presets.h - what an application needs said about it, ready: one file each in this folder, NAME.conf, with
 * the keys of a [connector] section and comments that say why. They are part of the program, so that a device
 * has nothing to lose and nothing to alter. `preset = NAME` in a section takes one; keys behind it in the
 * section override. */
#ifndef AG_CONNECTORS_PRESETS_H
#define AG_CONNECTORS_PRESETS_H

#include <stddef.h>

struct ag_preset {
    const char *name;
    const char *text; /* as the file has it */
};

extern const struct ag_preset ag_presets[];
extern const size_t ag_preset_count;

/* NULL if there is none of this name. */
const struct ag_preset *ag_preset_find(const char *name);

#endif
