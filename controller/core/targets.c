#include "controller/core/targets.h"

#include "controller/core/groups.h"
#include "shared/base/text.h"

#define TARGET_SAYS "attach it first (countersign cert attach CERT DEVICE CONNECTOR)"

static bool same_place(const countersign_v1_PushTarget *target, const char *device_name,
                       const char *connector)
{
    return strcmp(target->device_name, device_name) == 0 && strcmp(target->connector, connector) == 0;
}

static bool is_named(const struct ctl_targets *targets, size_t count, const char *device_name,
                     const char *connector)
{
    for (size_t i = 0; i < count; i++)
        if (same_place(&targets->named[i], device_name, connector))
            return true;
    return false;
}

static int check_named(struct ctl_view *view, const struct ctl_targets *targets, size_t index,
                       struct cs_err *err)
{
    const countersign_v1_PushTarget *target = &targets->named[index];
    struct ctl_key key;
    struct cs_slice there;
    int rc = cs_name_check(cs_slice_str(target->device_name), "device name", err);

    if (rc == CS_OK)
        rc = cs_name_check(cs_slice_str(target->connector), "app connector", err);
    if (rc != CS_OK)
        return rc;
    if (is_named(targets, index, target->device_name, target->connector))
        return cs_err_set(err, CS_EINVAL, "%s on %s is named twice", target->connector, target->device_name);
    key = ctl_key_attachment(targets->certificate_id, target->device_name, target->connector);
    rc = ctl_bytes_get(view, &key, &there, err);
    return rc == CS_ENOTFOUND
               ? cs_err_set(err, CS_ESTATE, "the certificate is not attached to %s on %s: " TARGET_SAYS,
                            target->connector, target->device_name)
               : rc;
}

/* Which of the groups the device is in, a bit each. */
static int find_groups(struct ctl_view *view, const struct ctl_targets *targets, const char *device_name,
                       uint32_t *ret, struct cs_err *err)
{
    *ret = 0;
    for (size_t i = 0; i < targets->group_count; i++) {
        struct ctl_key key = ctl_key_name(CTL_TABLE_DEVICE_GROUP, targets->groups[i]);
        struct cs_slice there;
        int rc;

        ctl_key_add_name(&key, device_name);
        rc = ctl_bytes_get(view, &key, &there, err);
        if (rc == CS_OK)
            *ret |= 1u << i;
        else if (rc != CS_ENOTFOUND)
            return rc;
    }
    return CS_OK;
}

/* A group that adds nothing is most often a name that was mistyped. */
static int check_found(const struct ctl_targets *targets, uint32_t found, bool any, struct cs_err *err)
{
    if (!any && targets->named_count == 0 && targets->group_count == 0)
        return cs_err_set(err, CS_ESTATE, "the certificate has no app connector: " TARGET_SAYS);
    for (size_t i = 0; i < targets->group_count; i++)
        if (!(found & 1u << i))
            return cs_err_set(err, CS_ESTATE,
                              "the certificate is not attached to any device of the group %s: " TARGET_SAYS,
                              targets->groups[i]);
    return CS_OK;
}

static int walk_attachments(struct ctl_view *view, const struct ctl_targets *targets,
                            int (*each)(void *data, const char *device_name, const char *connector,
                                        struct cs_err *err),
                            void *data, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_ATTACHMENT, targets->certificate_id);
    struct ctl_walk walk = ctl_walk(&prefix);
    char device_name[64] = "";
    uint32_t in = 0, found = 0;
    bool any = false;
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_attachment_row row;

        rc = ctl_decode(walk.value, Attachment, &row, err);
        /* A device's attachments come one behind the other. */
        if (rc == CS_OK && targets->group_count && strcmp(device_name, row.device_name) != 0) {
            CTL_TEXT_SET(device_name, row.device_name);
            rc = find_groups(view, targets, device_name, &in, err);
        }
        found |= in;
        any = true;
        if (rc == CS_OK && (in || targets->group_count == 0) &&
            !is_named(targets, targets->named_count, row.device_name, row.connector))
            rc = each(data, row.device_name, row.connector, err);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? check_found(targets, found, any, err) : rc;
}

int ctl_targets_walk(struct ctl_view *view, const struct ctl_targets *targets,
                     int (*each)(void *data, const char *device_name, const char *connector,
                                 struct cs_err *err),
                     void *data, struct cs_err *err)
{
    int rc = ctl_groups_check(targets->groups, targets->group_count, err);

    for (size_t i = 0; rc == CS_OK && i < targets->named_count; i++) {
        rc = check_named(view, targets, i, err);
        if (rc == CS_OK)
            rc = each(data, targets->named[i].device_name, targets->named[i].connector, err);
    }
    if (rc != CS_OK || (targets->named_count && targets->group_count == 0))
        return rc;
    return walk_attachments(view, targets, each, data, err);
}
