/* The topology: certificates at app connectors, how each push stands, and who decided what. Both from a
 * certificate's side and from a device's. */
#include "controller/core/actions.h"
#include "controller/core/query.h"

#include "controller/core/colour.h"
#include "controller/core/query_rows.h"
#include "shared/trust/envelope.h"
#include "shared/trust/statement.h"

#include <stdio.h>

#define SYNC(name) countersign_v1_SyncState_SYNC_STATE_##name

_Static_assert(countersign_v1_GetTopologyResponse_size <= CS_LIMIT_MESSAGE_BYTES &&
                   countersign_v1_GetDeviceTopologyResponse_size <= CS_LIMIT_MESSAGE_BYTES &&
                   countersign_v1_ListOrdersResponse_size <= CS_LIMIT_MESSAGE_BYTES,
               "a page fits a message when every field is full");

/* A page under way. The requests of its rows are told once each; where they are more than the message holds
 * the page ends before the row that would need the next. */
struct page {
    struct ctl_view *view;
    const struct ctl_presence *presence;
    int64_t now_s;
    countersign_v1_TopologyRow *rows;
    pb_size_t *row_count;
    countersign_v1_RequestHistory *requests;
    pb_size_t *request_count;
    size_t rows_most, requests_most;
    bool full;
};

/* ---- who decided what */

static uint32_t count_bits(struct cs_slice bitmap)
{
    uint32_t count = 0;

    for (size_t i = 0; i < bitmap.len; i++)
        for (uint8_t bits = bitmap.ptr[i]; bits; bits = (uint8_t)(bits & (bits - 1)))
            count++;
    return count;
}

/* It was verified when it came in; the store keeps the bytes. */
static int show_decision(const ctl_decision_row *row, uint32_t order_count,
                         countersign_v1_DecisionSummary *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_Decision *decision = NULL;
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(CTL_BYTES(row->envelope), &envelope, err);

    if (rc == CS_OK)
        rc = cs_decision_decode(envelope.payload, &decision, err);
    if (rc != CS_OK)
        return rc;
    if (row->stage_name[0])
        CTL_TEXT_SET(ret->stage, row->stage_name);
    else
        (void)snprintf(ret->stage, sizeof ret->stage, "%u", (unsigned)decision->stage);
    CTL_TEXT_SET(ret->decider, decision->decider);
    ret->verdict = decision->verdict;
    ret->mode = decision->mode;
    ret->not_before_s = decision->not_before_s;
    ret->decided_at_s = decision->decided_at_s;
    ret->orders = decision->orders.size ? count_bits(CTL_BYTES(decision->orders)) : order_count;
    return CS_OK;
}

static int show_history(struct ctl_view *view, uint64_t number, countersign_v1_RequestHistory *ret,
                        struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_DECISION, number);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_request_row request;
    int rc = ctl_find_request(view, number, &request, err);

    if (rc != CS_OK)
        return rc;
    ret->number = number;
    CTL_TEXT_SET(ret->requester, request.requester);
    ret->requested_at_s = request.requested_at_s;
    CTL_TEXT_SET(ret->comment, request.comment);
    while (ret->decisions_count < CS_ARRAY_LEN(ret->decisions) &&
           (rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_decision_row row;

        rc = ctl_decode(walk.value, Decision, &row, err);
        if (rc == CS_OK)
            rc = show_decision(&row, request.order_count, &ret->decisions[ret->decisions_count++], err);
        if (rc != CS_OK)
            return rc;
    }
    return ctl_walked(rc);
}

/* False: there is no room for another request. */
static bool has_room_for(const struct page *page, uint64_t request_number, bool *ret_known)
{
    *ret_known = false;
    for (pb_size_t i = 0; i < *page->request_count; i++)
        if (page->requests[i].number == request_number) {
            *ret_known = true;
            return true;
        }
    return *page->request_count < page->requests_most;
}

/* ---- a row */

static countersign_v1_SyncState sync_of(struct cs_slice installed, const ctl_certificate_row *certificate)
{
    if (installed.len == 0)
        return SYNC(MISSING);
    return cs_slice_eq(installed, CTL_BYTES(certificate->chain_digest)) ? SYNC(IN_SYNC) : SYNC(OUT_OF_SYNC);
}

/* What the device last said of the connector. Of a device that is not there (any more), and of a connector
 * that it has never stated, nothing is known. */
static int show_place(const struct page *page, const ctl_certificate_row *certificate,
                      countersign_v1_TopologyRow *ret, struct cs_err *err)
{
    countersign_v1_SyncState said;
    ctl_name_row name;
    ctl_device_row device;
    ctl_connector_row connector;
    struct ctl_key key;
    int rc = ctl_find_device(page->view, ret->device_name, &name, &device, err);

    ret->sync = SYNC(UNKNOWN);
    if (rc != CS_OK)
        return ctl_walked(rc);
    ret->connected = page->presence->connected(page->presence->data, device.device_id.bytes);
    ret->last_seen_s = device.last_seen_s;
    key = ctl_key_connector(CTL_TABLE_CONNECTOR, CTL_BYTES(device.device_id), ret->connector);
    rc = ctl_get(page->view, &key, Connector, &connector, err);
    if (rc != CS_OK)
        return ctl_walked(rc);
    said = sync_of(CTL_BYTES(connector.installed_digest), certificate);
    CTL_TEXT_SET(ret->application, connector.application);
    CTL_TEXT_SET(ret->remark, connector.remark);
    ret->in_sync = said == SYNC(IN_SYNC);
    ret->pushed = ctl_action_left(certificate, &connector);
    if (ret->connected && connector.declared)
        ret->sync = said;
    else
        ret->last_sync = said;
    return CS_OK;
}

static int show_order_of(struct page *page, const ctl_order_row *order, countersign_v1_TopologyRow *ret,
                         struct cs_err *err)
{
    bool known;

    ret->has_order = true;
    ctl_show_order(order, &ret->order);
    if (!has_room_for(page, order->request_number, &known)) {
        page->full = true;
        return CS_OK;
    }
    return known ? CS_OK
                 : show_history(page->view, order->request_number, &page->requests[(*page->request_count)++],
                                err);
}

/* Adds the attachment's row, unless the page is full. */
static int add_row(struct page *page, const ctl_certificate_row *certificate,
                   const ctl_attachment_row *attachment, struct cs_err *err)
{
    countersign_v1_TopologyRow *row = &page->rows[*page->row_count];
    ctl_order_row order;
    int rc;

    page->full = *page->row_count == page->rows_most;
    if (page->full)
        return CS_OK;
    CTL_TEXT_SET(row->device_name, attachment->device_name);
    CTL_TEXT_SET(row->connector, attachment->connector);
    CTL_BYTES_COPY(row->certificate_id, certificate->id);
    CTL_TEXT_SET(row->certificate_name, certificate->common_name);
    row->colour = ctl_colour_at(certificate, attachment->condition, page->presence->settings, page->now_s);
    rc = show_place(page, certificate, row, err);
    if (rc == CS_OK && attachment->newest_order) {
        rc = ctl_find_order(page->view, attachment->newest_order, &order, err);
        if (rc == CS_OK)
            rc = show_order_of(page, &order, row, err);
    }
    if (rc == CS_OK && !page->full)
        ++*page->row_count;
    return rc;
}

/* Of the two replies, which call these fields alike, for a query's usual parameters. */
#define PAGE_OF(reply_)                                                                                      \
    {                                                                                                        \
        .view = view, .presence = presence, .now_s = now_s, .rows = (reply_)->rows,                          \
        .row_count = &(reply_)->rows_count, .rows_most = CS_ARRAY_LEN((reply_)->rows),                       \
        .requests = (reply_)->requests, .request_count = &(reply_)->requests_count,                          \
        .requests_most = CS_ARRAY_LEN((reply_)->requests),                                                   \
    }

/* ---- a certificate's app connectors */

int ctl_query_GetTopology(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                          const countersign_v1_GetTopologyRequest *request,
                          countersign_v1_GetTopologyResponse *reply, struct cs_err *err)
{
    struct page page = PAGE_OF(reply);
    struct ctl_key prefix;
    struct ctl_walk walk;
    ctl_certificate_row certificate;
    int rc = ctl_find_certificate(view, CTL_BYTES(request->certificate_id), &certificate, err);

    if (rc != CS_OK)
        return rc;
    reply->has_certificate = true;
    ctl_show_certificate(&certificate, presence->settings, now_s, &reply->certificate);
    prefix = ctl_key_bytes(CTL_TABLE_ATTACHMENT, CTL_BYTES(certificate.id));
    walk = ctl_walk(&prefix);
    if (request->after_device[0]) {
        struct ctl_key after =
            ctl_key_attachment(CTL_BYTES(certificate.id), request->after_device, request->after_connector);

        walk = ctl_walk_after(&prefix, &after, false);
    }
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_attachment_row attachment;

        rc = ctl_decode(walk.value, Attachment, &attachment, err);
        if (rc == CS_OK)
            rc = add_row(&page, &certificate, &attachment, err);
        if (rc != CS_OK)
            return rc;
        if (page.full)
            break;
    }
    reply->more = page.full;
    return ctl_walked(rc);
}

/* ---- a device's app connectors */

/* "device name, connector, certificate id: -" */
static int add_attached(struct page *page, struct cs_slice key, const char *device_name, struct cs_err *err)
{
    const char *connector = (const char *)key.ptr + 1 + strlen(device_name) + 1;
    ctl_certificate_row certificate;
    ctl_attachment_row attachment;
    struct ctl_key attachment_key;
    int rc = ctl_find_certificate(page->view, ctl_key_last(key, CS_SHA256_BYTES), &certificate, err);

    if (rc != CS_OK)
        return rc;
    attachment_key = ctl_key_attachment(CTL_BYTES(certificate.id), device_name, connector);
    rc = ctl_get(page->view, &attachment_key, Attachment, &attachment, err);
    return rc == CS_OK ? add_row(page, &certificate, &attachment, err) : rc;
}

int ctl_query_GetDeviceTopology(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                                const countersign_v1_GetDeviceTopologyRequest *request,
                                countersign_v1_GetDeviceTopologyResponse *reply, struct cs_err *err)
{
    struct page page = PAGE_OF(reply);
    struct ctl_key prefix;
    struct ctl_walk walk;
    ctl_name_row name;
    ctl_device_row device;
    int rc = ctl_find_device(view, request->device_name, &name, &device, err);

    if (rc != CS_OK)
        return rc;
    reply->has_device = true;
    rc = ctl_show_device(view, presence, &name, &device, &reply->device, err);
    if (rc != CS_OK)
        return rc;
    prefix = ctl_key_name(CTL_TABLE_ATTACHED, device.name);
    walk = ctl_walk(&prefix);
    if (request->after_connector[0]) {
        struct ctl_key after =
            ctl_key_attached(device.name, request->after_connector, CTL_BYTES(request->after_certificate_id));

        walk = ctl_walk_after(&prefix, &after, false);
    }
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        rc = add_attached(&page, walk.key, device.name, err);
        if (rc != CS_OK)
            return rc;
        if (page.full)
            break;
    }
    reply->more = page.full;
    return ctl_walked(rc);
}
