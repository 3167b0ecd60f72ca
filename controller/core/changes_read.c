/* From the rows of what changed to those who watch. */
#include "controller/core/changes.h"

#include "controller/core/query_rows.h"
#include "shared/base/text.h"

#include <inttypes.h>

#define KIND(name) countersign_v1_ObjectKind_OBJECT_KIND_##name

int ctl_watch_check(const countersign_v1_WatchRequest *request, struct cs_err *err)
{
    for (pb_size_t i = 0; i < request->kinds_count; i++)
        if (request->kinds[i] <= KIND(UNSPECIFIED) || request->kinds[i] > KIND(CRL))
            return cs_err_set(err, CS_EINVAL, "there is no kind of object with the number %d",
                              (int)request->kinds[i]);
    if (request->certificate_id.size && request->certificate_id.size != CS_SHA256_BYTES)
        return cs_err_set(err, CS_EINVAL, "a certificate's id has 32 bytes, this one has %u",
                          (unsigned)request->certificate_id.size);
    return request->device_name[0] ? cs_name_check(cs_slice_str(request->device_name), "device name", err)
                                   : CS_OK;
}

static bool wants_kind(const countersign_v1_WatchRequest *request, countersign_v1_ObjectKind kind)
{
    for (pb_size_t i = 0; i < request->kinds_count; i++)
        if (request->kinds[i] == kind)
            return true;
    return request->kinds_count == 0;
}

/* A count without an id or a request may be about any. */
static bool is_of_certificate(const countersign_v1_Change *change, struct cs_slice id)
{
    switch (change->kind) {
    case KIND(CERTIFICATE):
    case KIND(ATTACHMENT):
        return change->id.size == 0 || cs_slice_eq(CTL_BYTES(change->id), id);
    case KIND(REQUEST):
    case KIND(ORDER):
        return change->certificate_id.size == 0 || cs_slice_eq(CTL_BYTES(change->certificate_id), id);
    default:
        return false;
    }
}

static bool is_of_device(const countersign_v1_Change *change, const char *name)
{
    switch (change->kind) {
    case KIND(DEVICE):
    case KIND(ORDER):
    case KIND(ATTACHMENT):
    case KIND(KEY_REQUEST):
        return change->count > 0 || strcmp(change->name, name) == 0;
    default:
        return false;
    }
}

static bool is_of_request(const countersign_v1_Change *change, uint64_t number)
{
    switch (change->kind) {
    case KIND(REQUEST):
        return change->count > 0 || change->number == number;
    case KIND(ORDER):
        return change->request_number == number || (change->count > 0 && change->request_number == 0);
    default:
        return false;
    }
}

bool ctl_watch_wants(const countersign_v1_WatchRequest *request, const countersign_v1_Change *change)
{
    if (!wants_kind(request, change->kind))
        return false;
    if (request->certificate_id.size && !is_of_certificate(change, CTL_BYTES(request->certificate_id)))
        return false;
    if (request->device_name[0] && !is_of_device(change, request->device_name))
        return false;
    return request->request_number == 0 || is_of_request(change, request->request_number);
}

static int newest_revision(struct ctl_view *view, uint64_t *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);
    ctl_meta_row meta = countersign_store_v1_Meta_init_zero;
    int rc = ctl_get(view, &key, Meta, &meta, err);

    if (ctl_walked(rc) != CS_OK)
        return rc;
    *ret = meta.revision;
    return CS_OK;
}

int ctl_query_watch_begin(struct ctl_view *view, const countersign_v1_WatchRequest *request,
                          uint64_t *ret_cursor, struct cs_err *err)
{
    uint64_t newest = 0;
    int rc = newest_revision(view, &newest, err);

    if (rc != CS_OK)
        return rc;
    if (request->after_revision > newest)
        return cs_err_set(err, CS_ERANGE,
                          "revision %" PRIu64 " is ahead of the controller, which is at %" PRIu64
                          ": its store is an older one than you saw; list anew and watch from there",
                          request->after_revision, newest);
    *ret_cursor = request->after_revision ? request->after_revision : newest;
    return CS_OK;
}

static int not_kept(uint64_t cursor, struct cs_err *err)
{
    return cs_err_set(err, CS_ERANGE,
                      "what changed after revision %" PRIu64
                      " is not kept any more: list anew and watch from there",
                      cursor);
}

/* All that is wanted of one revision, or nothing: a message never ends inside of one. */
static bool add_row(const countersign_v1_WatchRequest *request, uint64_t revision, ctl_changes_row *row,
                    countersign_v1_WatchResponse *reply)
{
    pb_size_t wanted = 0;

    for (pb_size_t i = 0; i < row->changes_count; i++)
        if (ctl_watch_wants(request, &row->changes[i]))
            row->changes[wanted++] = row->changes[i];
    if (wanted > CS_ARRAY_LEN(reply->changes) - reply->changes_count)
        return false;
    for (pb_size_t i = 0; i < wanted; i++) {
        countersign_v1_Change *change = &reply->changes[reply->changes_count++];

        *change = row->changes[i];
        change->revision = revision;
    }
    return true;
}

static int read_rows(struct ctl_view *view, const countersign_v1_WatchRequest *request, uint64_t newest,
                     uint64_t *cursor, countersign_v1_WatchResponse *reply, ctl_changes_row *row,
                     struct cs_err *err)
{
    for (unsigned read = 0; *cursor < newest && read < CTL_CHANGES_AT_ONCE; read++) {
        struct ctl_key key = ctl_key_number(CTL_TABLE_CHANGES, *cursor + 1);
        int rc = ctl_get(view, &key, Changes, row, err);

        if (rc == CS_ENOTFOUND)
            return not_kept(*cursor, err);
        if (rc != CS_OK)
            return rc;
        if (!add_row(request, *cursor + 1, row, reply))
            return CS_OK;
        ++*cursor;
    }
    return CS_OK;
}

int ctl_query_changes(struct ctl_view *view, const countersign_v1_WatchRequest *request, int64_t now_s,
                      uint64_t *cursor, countersign_v1_WatchResponse *reply, bool *ret_more,
                      struct cs_err *err)
{
    cs_auto_free ctl_changes_row *row = calloc(1, sizeof *row);
    uint64_t newest = 0;
    int rc = row ? newest_revision(view, &newest, err) : cs_err_nomem(err);

    if (rc == CS_OK)
        rc = read_rows(view, request, newest, cursor, reply, row, err);
    if (rc != CS_OK)
        return rc;
    reply->revision = *cursor;
    reply->time_s = now_s;
    *ret_more = *cursor < newest;
    return CS_OK;
}
