#include "controller/reading.h"

static int source_get(void *data, struct cs_slice key, struct cs_slice *ret_value, struct cs_err *err)
{
    return ctl_snapshot_get(data, key, ret_value, err);
}

static int source_seek(void *data, struct cs_slice prefix, struct cs_slice from, bool reverse,
                       struct cs_slice *ret_key, struct cs_slice *ret_value, struct cs_err *err)
{
    return ctl_snapshot_seek(data, prefix, from, reverse, ret_key, ret_value, err);
}

int ctl_reading_open(struct ctl_store *store, struct ctl_reading *ret, struct cs_err *err)
{
    int code;

    *ret = CTL_READING_NONE;
    code = ctl_snapshot_open(store, &ret->snapshot, err);
    if (code != CS_OK)
        return code;
    ret->source = (struct ctl_source){.data = ret->snapshot, .get = source_get, .seek = source_seek};
    code = ctl_view_new(&ret->source, &ret->view, err);
    if (code != CS_OK)
        ctl_reading_close(ret);
    return code;
}

void ctl_reading_close(struct ctl_reading *reading)
{
    if (reading->view)
        ctl_view_free(reading->view);
    if (reading->snapshot)
        ctl_snapshot_close(reading->snapshot);
    *reading = CTL_READING_NONE;
}
