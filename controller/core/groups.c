#include "controller/core/groups.h"

#include "shared/base/text.h"

bool ctl_groups_have(const char (*groups)[64], size_t count, const char *group)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(groups[i], group) == 0)
            return true;
    return false;
}

int ctl_groups_check(const char (*groups)[64], size_t count, struct cs_err *err)
{
    for (size_t i = 0; i < count; i++) {
        int rc = cs_name_check(cs_slice_str(groups[i]), "the group", err);

        if (rc != CS_OK)
            return rc;
        if (ctl_groups_have(groups, i, groups[i]))
            return cs_err_set(err, CS_EINVAL, "the group %s is there twice: give it once", groups[i]);
    }
    return CS_OK;
}

bool ctl_groups_same(const char (*a)[64], size_t a_count, const char (*b)[64], size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}
