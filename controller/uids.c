#include "controller/uids.h"

#include "shared/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ctl_uids_section(const char *section, uint32_t *ret_uid)
{
    static const char before[] = "uid \"";
    const char *number = section + sizeof before - 1;
    unsigned long uid;
    char *end;

    if (strncmp(section, before, sizeof before - 1) != 0 || *number < '0' || *number > '9')
        return false;
    errno = 0;
    uid = strtoul(number, &end, 10);
    /* The highest number is nobody's: it stands for a peer whose user is not known. */
    if (errno || strcmp(end, "\"") != 0 || uid >= UINT32_MAX)
        return false;
    *ret_uid = (uint32_t)uid;
    return true;
}

static int add_one(struct ctl_uids *uids, uint32_t uid, const char *name, size_t len, struct cs_err *err)
{
    int rc = cs_name_check(cs_slice(name, len), "the operator's name", err);

    if (rc != CS_OK)
        return rc;
    if (ctl_uids_count(uids, uid) == CTL_LIMIT_OPERATORS_OF_UID)
        return cs_err_set(err, CS_EINVAL, "a user may have %d operators", CTL_LIMIT_OPERATORS_OF_UID);
    if (uids->count == CS_ARRAY_LEN(uids->pairs))
        return cs_err_set(err, CS_EINVAL, "all users together may have %d operators",
                          CTL_LIMIT_UID_OPERATORS);
    uids->pairs[uids->count].uid = uid;
    snprintf(uids->pairs[uids->count].operator, sizeof uids->pairs[0].operator, "%.*s", (int)len, name);
    if (ctl_uids_allow(uids, uid, uids->pairs[uids->count].operator))
        return cs_err_set(err, CS_EINVAL, "%.*s is named twice", (int)len, name);
    uids->count++;
    return CS_OK;
}

int ctl_uids_add(struct ctl_uids *uids, uint32_t uid, const char *operators, struct cs_err *err)
{
    int rc = CS_OK;

    if (ctl_uids_count(uids, uid))
        return cs_err_set(err, CS_EEXISTS, "user %u has operators already", (unsigned)uid);
    for (const char *at = operators; at && rc == CS_OK;) {
        size_t blank = strspn(at, " \t"), len = strcspn(at + blank, ","), used = len;

        while (used && (at[blank + used - 1] == ' ' || at[blank + used - 1] == '\t'))
            used--;
        rc = add_one(uids, uid, at + blank, used, err);
        at = at[blank + len] ? at + blank + len + 1 : NULL;
    }
    return rc;
}

size_t ctl_uids_count(const struct ctl_uids *uids, uint32_t uid)
{
    size_t count = 0;

    for (size_t i = 0; i < uids->count; i++)
        count += uids->pairs[i].uid == uid;
    return count;
}

const char *ctl_uids_operator(const struct ctl_uids *uids, uint32_t uid, size_t index)
{
    for (size_t i = 0; i < uids->count; i++)
        if (uids->pairs[i].uid == uid && index-- == 0)
            return uids->pairs[i].operator;
    return NULL;
}

bool ctl_uids_allow(const struct ctl_uids *uids, uint32_t uid, const char *operator)
{
    for (size_t i = 0; i < uids->count; i++)
        if (uids->pairs[i].uid == uid && strcmp(uids->pairs[i].operator, operator) == 0)
            return true;
    return false;
}
