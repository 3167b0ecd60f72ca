/* Reads about keys that devices make. */
#include "controller/core/query.h"
#include "controller/core/query_rows.h"

#include "shared/trust/statement.h"

#define STATE(name) countersign_v1_KeyRequestState_KEY_REQUEST_STATE_##name

static void show_key_request(const ctl_key_request_row *row, int64_t now_s,
                             countersign_v1_KeyRequestInfo *ret)
{
    bool expired = row->state == STATE(WAITING) && row->expires_at_s <= now_s;

    CTL_BYTES_COPY(ret->key_request_id, row->key_request_id);
    CTL_TEXT_SET(ret->device_name, row->device_name);
    CTL_TEXT_SET(ret->connector, row->connector);
    CTL_TEXT_SET(ret->common_name, row->common_name);
    CTL_TEXT_SET(ret->requester, row->requester);
    ret->requested_at_s = row->requested_at_s;
    ret->expires_at_s = row->expires_at_s;
    ret->state = expired ? STATE(EXPIRED) : row->state;
    CTL_TEXT_SET(ret->reason, expired ? "the device did not answer in time" : row->reason);
    CTL_BYTES_COPY(ret->certificate_id, row->certificate_id);
}

int ctl_query_GetKeyRequest(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                            const countersign_v1_GetKeyRequestRequest *request,
                            countersign_v1_GetKeyRequestResponse *reply, struct cs_err *err)
{
    struct cs_slice id = CTL_BYTES(request->key_request_id), bytes;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, id);
    ctl_key_request_row row;
    int rc = id.len == 16 ? ctl_get(view, &key, KeyRequest, &row, err) : CS_ENOTFOUND;

    (void)presence;
    if (rc == CS_ENOTFOUND)
        return cs_err_set(err, rc, "there is no key request with this id: see 'countersign cert requests'");
    if (rc != CS_OK)
        return rc;
    reply->has_info = true;
    show_key_request(&row, now_s, &reply->info);
    key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST_ENVELOPE, id);
    rc = ctl_bytes_get(view, &key, &bytes, err);
    if (rc != CS_OK)
        return rc;
    CTL_BYTES_SET(reply->request, bytes);
    key = ctl_key_bytes(CTL_TABLE_CSR, id);
    rc = ctl_bytes_get(view, &key, &bytes, err);
    if (rc == CS_OK)
        CTL_BYTES_SET(reply->csr, bytes);
    return ctl_walked(rc);
}

int ctl_query_ListKeyRequests(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                              const countersign_v1_ListKeyRequestsRequest *request,
                              countersign_v1_ListKeyRequestsResponse *reply, struct cs_err *err)
{
    size_t most = ctl_page_size(request->limit, CS_ARRAY_LEN(reply->requests));
    struct ctl_key prefix = ctl_key(CTL_TABLE_KEY_REQUEST);
    struct ctl_key after = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, CTL_BYTES(request->after_id));
    struct ctl_walk walk =
        request->after_id.size ? ctl_walk_after(&prefix, &after, false) : ctl_walk(&prefix);
    ctl_key_request_row row;
    int rc;

    (void)presence;
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        if (reply->requests_count == most) {
            reply->more = true;
            return CS_OK;
        }
        rc = ctl_decode(walk.value, KeyRequest, &row, err);
        if (rc != CS_OK)
            return rc;
        show_key_request(&row, now_s, &reply->requests[reply->requests_count++]);
    }
    return ctl_walked(rc);
}

int ctl_query_key_requests(struct ctl_view *view, const uint8_t device_id[16], int64_t now_s,
                           bool (*each)(void *data, struct cs_slice envelope), void *data, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_DEVICE_KEY_REQUEST, cs_slice(device_id, 16));
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_key_request_row row;
    int rc;

    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        struct ctl_key key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, walk.value);
        struct cs_slice envelope;

        rc = ctl_get(view, &key, KeyRequest, &row, err);
        if (rc == CS_OK && row.expires_at_s <= now_s)
            continue;
        key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST_ENVELOPE, CTL_BYTES(row.key_request_id));
        if (rc == CS_OK)
            rc = ctl_bytes_get(view, &key, &envelope, err);
        if (rc != CS_OK)
            return rc;
        if (!each(data, envelope))
            return CS_OK;
    }
    return ctl_walked(rc);
}
