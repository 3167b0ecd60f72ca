/* uids.h - whom a user of this machine may call as, over the admin socket: the sections [uid "NUMBER"] of the
 * configuration. Pure. */
#ifndef CTL_UIDS_H
#define CTL_UIDS_H

#include "shared/base/err.h"
#include "shared/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Pairs of user and operator: a policy has at most 64 operators. */
    CTL_LIMIT_UID_OPERATORS = 128,
    /* Operators of one user, as many as an answer of WhoAmI has room for. */
    CTL_LIMIT_OPERATORS_OF_UID = 16,
};

struct ctl_uids {
    struct {
        uint32_t uid;
        char operator[CS_LIMIT_NAME_BYTES + 1];
    } pairs[CTL_LIMIT_UID_OPERATORS];
    size_t count;
};

/* The number in `uid "1000"`, the name of a section; false if it is none. */
bool ctl_uids_section(const char *section, uint32_t *ret_uid);
/* Adds "alice, bob". CS_EINVAL with what is wrong; CS_EEXISTS when the user has operators already. */
CS_MUST_USE int ctl_uids_add(struct ctl_uids *uids, uint32_t uid, const char *operators, struct cs_err *err);

size_t ctl_uids_count(const struct ctl_uids *uids, uint32_t uid);
/* The index-th operator of the user, NULL behind the last. */
const char *ctl_uids_operator(const struct ctl_uids *uids, uint32_t uid, size_t index);
bool ctl_uids_allow(const struct ctl_uids *uids, uint32_t uid, const char *operator);

#endif
