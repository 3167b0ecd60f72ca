/* From the keys that a command wrote to the objects of the wire. */
#include "controller/core/changes.h"

#include "controller/core/run.h"
#include "shared/trust/statement.h"

#define KIND(name) countersign_v1_ObjectKind_OBJECT_KIND_##name

_Static_assert(CS_ARRAY_LEN(((countersign_store_v1_Changes *)0)->changes) == CTL_CHANGES_MOST,
               "a row has room for CTL_CHANGES_MOST");

struct derivation {
    struct ctl_run *run;
    ctl_changes_row row;
    /* The request of the last order that was looked at: orders of one request come together. */
    uint64_t request_number, first_order, end_order;
    countersign_store_v1_Request_certificate_id_t certificate_id;
};

/* ---- a row with little room */

/* What is folded together. */
static bool same_group(const countersign_v1_Change *a, const countersign_v1_Change *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == KIND(ORDER))
        return a->request_number == b->request_number;
    if (a->kind == KIND(ATTACHMENT))
        return cs_slice_eq(CTL_BYTES(a->id), CTL_BYTES(b->id));
    return true;
}

static bool is_whole_kind(const countersign_v1_Change *change)
{
    return change->count > 0 && change->request_number == 0 && change->id.size == 0;
}

static bool same_object(const countersign_v1_Change *a, const countersign_v1_Change *b)
{
    return a->kind == b->kind && a->number == b->number && strcmp(a->name, b->name) == 0 &&
           cs_slice_eq(CTL_BYTES(a->id), CTL_BYTES(b->id));
}

/* The count that the change belongs to already. */
static countersign_v1_Change *find_count(ctl_changes_row *row, const countersign_v1_Change *change)
{
    for (pb_size_t i = 0; i < row->changes_count; i++) {
        countersign_v1_Change *at = &row->changes[i];

        if (at->count > 0 && at->kind == change->kind && (is_whole_kind(at) || same_group(at, change)))
            return at;
    }
    return NULL;
}

static uint32_t weight(const countersign_v1_Change *change)
{
    return change->count ? change->count : 1;
}

/* Takes out what `belongs`, and puts their count in. */
static void fold(ctl_changes_row *row, countersign_v1_Change count,
                 bool (*belongs)(const countersign_v1_Change *, const countersign_v1_Change *))
{
    pb_size_t kept = 0;

    count.count = 0;
    for (pb_size_t i = 0; i < row->changes_count; i++) {
        if (belongs(&row->changes[i], &count))
            count.count += weight(&row->changes[i]);
        else
            row->changes[kept++] = row->changes[i];
    }
    row->changes[kept++] = count;
    row->changes_count = kept;
}

static void fold_group(ctl_changes_row *row, const countersign_v1_Change *of)
{
    countersign_v1_Change count = {.kind = of->kind};

    if (of->kind == KIND(ORDER)) {
        count.number = count.request_number = of->request_number;
        CTL_BYTES_COPY(count.certificate_id, of->certificate_id);
    } else if (of->kind == KIND(ATTACHMENT)) {
        CTL_BYTES_COPY(count.id, of->id);
    }
    fold(row, count, same_group);
}

static bool same_kind(const countersign_v1_Change *a, const countersign_v1_Change *b)
{
    return a->kind == b->kind;
}

/* The kind that takes up the most room. */
static void fold_a_kind(ctl_changes_row *row)
{
    unsigned in[_countersign_v1_ObjectKind_ARRAYSIZE] = {0};
    countersign_v1_Change count = {.kind = KIND(UNSPECIFIED)};

    for (pb_size_t i = 0; i < row->changes_count; i++)
        if (++in[row->changes[i].kind] > in[count.kind])
            count.kind = row->changes[i].kind;
    fold(row, count, same_kind);
}

static void add(ctl_changes_row *row, const countersign_v1_Change *change)
{
    countersign_v1_Change *count = find_count(row, change);
    unsigned named = 0;

    for (pb_size_t i = 0; i < row->changes_count && !count; i++) {
        if (same_object(&row->changes[i], change))
            return;
        named += same_group(&row->changes[i], change);
    }
    if (!count && named == CTL_CHANGES_NAMED)
        fold_group(row, change);
    else if (!count && row->changes_count == CTL_CHANGES_MOST)
        fold_a_kind(row);
    count = find_count(row, change);
    if (count)
        count->count++;
    else
        row->changes[row->changes_count++] = *change;
}

/* ---- from keys to objects */

static const char *name_in(struct cs_slice key, size_t at)
{
    return (const char *)key.ptr + at; /* with its zero: ctl_key_add_name() */
}

static int add_device(struct derivation *d, struct cs_slice device_id)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_DEVICE, device_id);
    countersign_v1_Change change = {.kind = KIND(DEVICE)};
    countersign_v1_Change *count = find_count(&d->row, &change);
    ctl_device_row device;
    int rc;

    if (count) {
        count->count++;
        return CS_OK;
    }
    rc = ctl_get(d->run->view, &key, Device, &device, d->run->err);
    if (rc == CS_ENOTFOUND) /* whoever retires an enrolment writes its name, too */
        return CS_OK;
    if (rc != CS_OK)
        return rc;
    CTL_TEXT_SET(change.name, device.name);
    add(&d->row, &change);
    return CS_OK;
}

/* Numbers that are reserved and decided move connectors' rows without anything that people see. */
static int add_connector(struct derivation *d, const struct ctl_view_write *write)
{
    struct cs_slice device_id = cs_slice(write->key.ptr + 1, 16), bytes;
    ctl_connector_row before, now;
    int rc = ctl_view_before(d->run->view, write, &bytes, d->run->err);

    if (rc == CS_ENOTFOUND || (rc == CS_OK && !write->value.ptr))
        return add_device(d, device_id);
    if (rc == CS_OK)
        rc = ctl_decode(bytes, Connector, &before, d->run->err);
    if (rc == CS_OK)
        rc = ctl_decode(write->value, Connector, &now, d->run->err);
    if (rc != CS_OK)
        return rc;
    if (before.declared == now.declared && before.generation == now.generation &&
        strcmp(before.application, now.application) == 0 &&
        cs_slice_eq(CTL_BYTES(before.installed_digest), CTL_BYTES(now.installed_digest)) &&
        cs_slice_eq(CTL_BYTES(before.certificate_id), CTL_BYTES(now.certificate_id)))
        return CS_OK;
    return add_device(d, device_id);
}

static int load_request(struct derivation *d, uint64_t number, ctl_request_row *ret)
{
    int rc = ctl_request_load(d->run, number, ret);

    if (rc != CS_OK)
        return rc;
    d->request_number = number;
    d->first_order = ret->first_order;
    d->end_order = ret->first_order + ret->order_count;
    d->certificate_id = ret->certificate_id;
    return CS_OK;
}

static int add_request(struct derivation *d, uint64_t number)
{
    countersign_v1_Change change = {.kind = KIND(REQUEST), .number = number};
    ctl_request_row request;
    int rc = load_request(d, number, &request);

    if (rc != CS_OK)
        return rc;
    CTL_BYTES_COPY(change.certificate_id, request.certificate_id);
    add(&d->row, &change);
    return CS_OK;
}

static int add_order(struct derivation *d, const struct ctl_view_write *write)
{
    const uint64_t number = ctl_key_last_u64(write->key);
    countersign_v1_Change change = {.kind = KIND(ORDER), .number = number}, *count;
    ctl_request_row request;
    ctl_order_row order;
    int rc;

    if (number >= d->first_order && number < d->end_order) {
        change.request_number = d->request_number;
        count = find_count(&d->row, &change);
        if (count) {
            count->count++;
            return CS_OK;
        }
    }
    rc = ctl_order_load(d->run, number, &order);
    if (rc == CS_OK && (number < d->first_order || number >= d->end_order))
        rc = load_request(d, order.request_number, &request);
    if (rc != CS_OK)
        return rc;
    CTL_TEXT_SET(change.name, order.device_name);
    change.request_number = order.request_number;
    CTL_BYTES_COPY(change.certificate_id, d->certificate_id);
    add(&d->row, &change);
    return CS_OK;
}

static int add_key_request(struct derivation *d, const struct ctl_view_write *write)
{
    countersign_v1_Change change = {.kind = KIND(KEY_REQUEST), .removed = !write->value.ptr};
    ctl_key_request_row row;
    int rc = CS_OK;

    CTL_BYTES_SET(change.id, ctl_key_last(write->key, sizeof row.key_request_id.bytes));
    if (write->value.ptr) {
        rc = ctl_decode(write->value, KeyRequest, &row, d->run->err);
        if (rc != CS_OK)
            return rc;
        CTL_TEXT_SET(change.name, row.device_name);
    }
    add(&d->row, &change);
    return CS_OK;
}

static int add_crl(struct derivation *d, const struct ctl_view_write *write)
{
    countersign_v1_Change change = {.kind = KIND(CRL), .removed = !write->value.ptr};
    countersign_store_v1_Crl row = countersign_store_v1_Crl_init_zero;
    int rc = write->value.ptr ? ctl_decode(write->value, Crl, &row, d->run->err) : CS_OK;

    if (rc != CS_OK)
        return rc;
    CTL_TEXT_SET(change.name, row.issuer);
    add(&d->row, &change);
    return CS_OK;
}

/* Gone from the device is a certificate whose last attachment there is. */
static int add_attachment(struct derivation *d, const struct ctl_view_write *write)
{
    struct cs_slice id = cs_slice(write->key.ptr + 1, CS_SHA256_BYTES), key, value;
    countersign_v1_Change change = {.kind = KIND(ATTACHMENT)};
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_ATTACHMENT, id);
    int rc = CS_OK;

    CTL_BYTES_SET(change.id, id);
    CTL_TEXT_SET(change.name, name_in(write->key, 1 + CS_SHA256_BYTES));
    if (!write->value.ptr) {
        ctl_key_add_name(&prefix, change.name);
        rc = ctl_view_seek(d->run->view, ctl_key_slice(&prefix), CS_SLICE_EMPTY, false, &key, &value,
                           d->run->err);
        if (rc != CS_OK && rc != CS_ENOTFOUND)
            return rc;
        change.removed = rc == CS_ENOTFOUND;
    }
    add(&d->row, &change);
    return CS_OK;
}

/* Objects that their key names alone. */
static void add_simple(struct derivation *d, const struct ctl_view_write *write)
{
    countersign_v1_Change change = {.removed = !write->value.ptr};

    switch (write->key.ptr[0]) {
    case CTL_TABLE_CERTIFICATE:
        change.kind = KIND(CERTIFICATE);
        CTL_BYTES_SET(change.id, ctl_key_last(write->key, CS_SHA256_BYTES));
        break;
    case CTL_TABLE_POLICY:
        change.kind = KIND(POLICY);
        for (size_t i = 1; i < write->key.len; i++)
            change.number = change.number << 8 | write->key.ptr[i];
        break;
    default: /* what goes by a device's name */
        change.kind = KIND(DEVICE);
        change.removed = write->key.ptr[0] == CTL_TABLE_NAME && !write->value.ptr;
        CTL_TEXT_SET(change.name, name_in(write->key, 1));
        break;
    }
    add(&d->row, &change);
}

/* Tables that are not here are indexes, parts of what is here, or nobody's business. */
static int on_write(void *data, const struct ctl_view_write *write)
{
    struct derivation *d = data;

    switch (write->key.ptr[0]) {
    case CTL_TABLE_CERTIFICATE:
    case CTL_TABLE_POLICY:
    case CTL_TABLE_NAME:
    case CTL_TABLE_DEVICE_LABELS:
        add_simple(d, write);
        return CS_OK;
    case CTL_TABLE_ATTACHMENT:
        return add_attachment(d, write);
    case CTL_TABLE_DEVICE:
    case CTL_TABLE_SESSION:
        return add_device(d, cs_slice(write->key.ptr + 1, 16));
    case CTL_TABLE_CONNECTOR:
        return add_connector(d, write);
    case CTL_TABLE_REQUEST:
        return add_request(d, ctl_key_last_u64(write->key));
    case CTL_TABLE_DECISION:
        return add_request(d, ctl_key_last_u64(cs_slice(write->key.ptr, 1 + sizeof(uint64_t))));
    case CTL_TABLE_ORDER:
        return add_order(d, write);
    case CTL_TABLE_KEY_REQUEST:
        return add_key_request(d, write);
    case CTL_TABLE_CRL:
        return add_crl(d, write);
    default:
        return CS_OK;
    }
}

static int store_row(struct ctl_run *run, const ctl_changes_row *row)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_CHANGES, run->meta.revision);
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    int rc = cs_message_encode(countersign_store_v1_Changes_fields, row, &bytes, run->err);

    if (rc == CS_OK)
        rc = ctl_bytes_put(run->view, &key, cs_buf_slice(&bytes), run->err);
    if (rc != CS_OK || run->meta.revision <= CTL_CHANGES_KEPT)
        return rc;
    key = ctl_key_number(CTL_TABLE_CHANGES, run->meta.revision - CTL_CHANGES_KEPT);
    return ctl_drop(run->view, &key, run->err);
}

int ctl_changes_write(struct ctl_run *run)
{
    cs_auto_free struct derivation *d = calloc(1, sizeof *d);
    int rc;

    if (!d)
        return cs_err_nomem(run->err);
    d->run = run;
    rc = ctl_view_marked(run->view, on_write, d);
    return rc == CS_OK ? store_row(run, &d->row) : rc;
}
