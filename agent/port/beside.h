/* beside.h - a new entry that takes the place of whatever file or link is there: made beside it as
 * ".NAME.new", then renamed over it, so that NAME is the old or the new and never a part of either. What a
 * power cut left beside is removed by the next that begins. Does I/O. */
#ifndef AG_PORT_BESIDE_H
#define AG_PORT_BESIDE_H

#include "agent/port/look.h"
#include "agent/port/place.h"
#include "shared/base/slice.h"

struct ag_beside {
    struct ag_place place;
    char name[sizeof((struct ag_place *)NULL)->name]; /* of the new one */
};

#define AG_BESIDE_CLOSED ((struct ag_beside){.place = {.folder = -1}})

/* The caller ends with ag_beside_close() (cs_auto), which closes only. */
CS_MUST_USE int ag_beside_open(const char *path, struct ag_beside *ret, struct cs_err *err);
void ag_beside_close(struct ag_beside *beside);

/* Makes the new one: a synced file, or a link. Nothing of it stays on failure. */
CS_MUST_USE int ag_beside_write(const struct ag_beside *beside, const char *path, struct cs_slice content,
                                const struct ag_look *look, struct cs_err *err);
CS_MUST_USE int ag_beside_link(const struct ag_beside *beside, const char *path, const char *target,
                               struct cs_err *err);
/* Renames it over the other and syncs the folder. */
CS_MUST_USE int ag_beside_rename(const struct ag_beside *beside, const char *path, struct cs_err *err);

/* A synced file that must not be there yet: CS_EEXISTS. Nothing of it stays on another failure. */
CS_MUST_USE int ag_beside_create(int folder, const char *name, const char *path, struct cs_slice content,
                                 const struct ag_look *look, struct cs_err *err);

#endif
