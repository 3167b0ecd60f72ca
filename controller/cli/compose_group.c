/* The part of compose.h that is about groups of people. */
#include "controller/cli/compose.h"

#include "shared/base/text.h"

#include <stdio.h>

static int add_member(countersign_v1_OperatorGroup *group, const char *name, size_t len, struct cs_err *err)
{
    int rc = cs_name_check(cs_slice(name, len), "the name of a member of the group", err);

    if (rc != CS_OK)
        return rc;
    if (group->members_count == CS_ARRAY_LEN(group->members))
        return cs_err_set(err, CS_EFULL, "a group has at most %zu members", CS_ARRAY_LEN(group->members));
    snprintf(group->members[group->members_count++], sizeof group->members[0], "%.*s", (int)len, name);
    return CS_OK;
}

static int parse_members(const char *text, countersign_v1_OperatorGroup *group, struct cs_err *err)
{
    int rc = CS_OK;

    for (const char *at = text; at && rc == CS_OK;) {
        size_t len = strcspn(at, ",");

        rc = add_member(group, at, len, err);
        at = at[len] ? at + len + 1 : NULL;
    }
    return rc;
}

static int parse_group(const char *text, countersign_v1_OperatorGroup *ret, struct cs_err *err)
{
    const char *equals = strchr(text, '=');
    const char *colon = equals ? strchr(equals, ':') : NULL;
    int rc;

    if (!colon || (size_t)(equals - text) >= sizeof ret->name)
        return cs_err_set(err, CS_EINVAL, "\"%.60s\" is not of the form NAME=ROLE[,ROLE]:PERSON[,PERSON]",
                          text);
    snprintf(ret->name, sizeof ret->name, "%.*s", (int)(equals - text), text);
    rc = cs_name_check(cs_slice_str(ret->name), "the group's name", err);
    if (rc == CS_OK && colon > equals + 1)
        rc = cli_compose_roles(equals + 1, (size_t)(colon - equals - 1), ret->name, ret->roles,
                               &ret->roles_count, err);
    return rc == CS_OK ? parse_members(colon + 1, ret, err) : rc;
}

static countersign_v1_OperatorGroup *find_group(countersign_v1_TrustPolicy *draft, const char *name)
{
    for (pb_size_t i = 0; i < draft->groups_count; i++)
        if (strcmp(draft->groups[i].name, name) == 0)
            return &draft->groups[i];
    return NULL;
}

int cli_compose_group(countersign_v1_TrustPolicy *draft, const char *text, struct cs_err *err)
{
    cs_auto_free countersign_v1_OperatorGroup *group = calloc(1, sizeof *group);
    countersign_v1_OperatorGroup *place;
    int rc;

    if (!group)
        return cs_err_nomem(err);
    rc = parse_group(text, group, err);
    if (rc != CS_OK)
        return rc;
    place = find_group(draft, group->name);
    if (!place && draft->groups_count == CS_ARRAY_LEN(draft->groups))
        return cs_err_set(err, CS_EFULL, "a policy has at most %zu groups", CS_ARRAY_LEN(draft->groups));
    if (!place)
        place = &draft->groups[draft->groups_count++];
    *place = *group;
    return CS_OK;
}

int cli_compose_remove_group(countersign_v1_TrustPolicy *draft, const char *name, struct cs_err *err)
{
    countersign_v1_OperatorGroup *place = find_group(draft, name);

    if (!place)
        return cs_err_set(err, CS_ENOTFOUND, "the trust policy has no group %.63s", name);
    draft->groups_count--;
    memmove(place, place + 1, (size_t)(&draft->groups[draft->groups_count] - place) * sizeof *place);
    return CS_OK;
}

void cli_compose_leave_group(countersign_v1_OperatorGroup *group, const char *name)
{
    for (pb_size_t i = 0; i < group->members_count; i++) {
        if (strcmp(group->members[i], name) != 0)
            continue;
        group->members_count--;
        memmove(group->members[i], group->members[i + 1],
                (size_t)(group->members_count - i) * sizeof group->members[0]);
        return;
    }
}
