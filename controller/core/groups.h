/* groups.h - the names of groups, as messages and rows have them: of certificates and of devices. Pure. */
#ifndef CTL_CORE_GROUPS_H
#define CTL_CORE_GROUPS_H

#include "shared/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Each is a name, and there once; CS_EINVAL with a sentence. */
CS_MUST_USE int ctl_groups_check(const char (*groups)[64], size_t count, struct cs_err *err);
bool ctl_groups_have(const char (*groups)[64], size_t count, const char *group);
/* The same ones in the same order. */
bool ctl_groups_same(const char (*a)[64], size_t a_count, const char (*b)[64], size_t b_count);

#endif
