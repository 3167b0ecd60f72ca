/* Groups of devices: names that people give, for lists and for pushes. They go by the device's name, so that
 * they stay when the device is enrolled anew. No authority hangs on them. */
#include "controller/core/groups.h"
#include "controller/core/run.h"

#include "shared/base/text.h"

static struct ctl_key member_key(const char *group, const char *device_name)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_DEVICE_GROUP, group);

    ctl_key_add_name(&key, device_name);
    return key;
}

static int store_groups(struct ctl_run *run, const ctl_labels_row *before,
                        const countersign_v1_SetDeviceGroupsRequest *request)
{
    struct ctl_key key = ctl_key_name(CTL_TABLE_DEVICE_LABELS, request->device_name);
    ctl_labels_row row = countersign_store_v1_DeviceLabels_init_zero;
    int rc = CS_OK;

    for (pb_size_t i = 0; rc == CS_OK && i < before->groups_count; i++) {
        struct ctl_key member = member_key(before->groups[i], request->device_name);

        if (!ctl_groups_have(request->groups, request->groups_count, before->groups[i]))
            rc = ctl_drop(run->view, &member, run->err);
    }
    for (pb_size_t i = 0; rc == CS_OK && i < request->groups_count; i++) {
        struct ctl_key member = member_key(request->groups[i], request->device_name);

        CTL_TEXT_SET(row.groups[row.groups_count], request->groups[i]);
        row.groups_count++;
        if (!ctl_groups_have(before->groups, before->groups_count, request->groups[i]))
            rc = ctl_index_put(run->view, &member, run->err);
    }
    if (rc != CS_OK)
        return rc;
    return row.groups_count ? ctl_put(run->view, &key, DeviceLabels, &row, run->err)
                            : ctl_drop(run->view, &key, run->err);
}

int ctl_set_device_groups_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_SetDeviceGroupsRequest *request = body;
    struct ctl_key key;
    ctl_labels_row before = countersign_store_v1_DeviceLabels_init_zero;
    ctl_name_row name;
    int rc = cs_name_check(cs_slice_str(request->device_name), "device name", run->err);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_groups_check(request->groups, request->groups_count, run->err);
    if (rc == CS_OK)
        rc = ctl_name_load(run, request->device_name, &name);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(run->err, rc, "there is no device %s", request->device_name);
    if (rc != CS_OK)
        return rc;
    key = ctl_key_name(CTL_TABLE_DEVICE_LABELS, request->device_name);
    rc = ctl_get(run->view, &key, DeviceLabels, &before, run->err);
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    if (ctl_groups_same(before.groups, before.groups_count, request->groups, request->groups_count))
        return CS_OK;
    rc = store_groups(run, &before, request);
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, request->groups_count ? "in" : "in no group", "device %s", request->device_name);
    for (pb_size_t i = 0; i < request->groups_count; i++)
        ctl_run_detail(run, "%s", request->groups[i]);
    return CS_OK;
}
