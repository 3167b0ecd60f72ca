#include "tests/support/filler.h"

#include "controller/reading.h"
#include "tests/support/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 6000000 };

static void must(int rc, const struct cs_err *err, const char *doing)
{
    if (rc == CS_OK)
        return;
    fprintf(stderr, "%s: %s\n", doing, err->msg);
    exit(EXIT_FAILURE);
}

/* Keys and values of many rows, sorted before they are written: the store takes them several times as fast.
 */
struct fill {
    struct ctl_store *store;
    uint8_t *bytes;
    size_t used, room;
    struct ctl_write *list;
    size_t count, capacity;
};

static void keep(struct fill *fill, struct cs_slice key, struct cs_slice value)
{
    uint8_t *at = fill->bytes + fill->used;

    if (fill->used + key.len + value.len > fill->room || fill->count == fill->capacity) {
        fprintf(stderr, "the bench's buffers are too small\n");
        exit(EXIT_FAILURE);
    }
    memcpy(at, key.ptr, key.len);
    if (value.len)
        memcpy(at + key.len, value.ptr, value.len);
    fill->used += key.len + value.len;
    fill->list[fill->count++] = (struct ctl_write){cs_slice(at, key.len), cs_slice(at + key.len, value.len)};
}

static int compare_writes(const void *a, const void *b)
{
    return cs_slice_cmp(((const struct ctl_write *)a)->key, ((const struct ctl_write *)b)->key);
}

static void flush(struct fill *fill)
{
    struct cs_err err;
    size_t step = 100000;

    qsort(fill->list, fill->count, sizeof *fill->list, compare_writes);
    for (size_t i = 0; i < fill->count; i += step)
        must(ctl_store_commit(fill->store, fill->list + i, fill->count - i < step ? fill->count - i : step,
                              &err),
             &err, "filling the store");
    fill->used = fill->count = 0;
}

static int keep_entry(void *data, const struct ctl_key *key)
{
    keep(data, ctl_key_slice(key), CS_SLICE_EMPTY);
    return CS_OK;
}

static void keep_record(struct fill *fill, struct ctl_key key, const pb_msgdesc_t *fields, const void *row)
{
    uint8_t bytes[8192];
    struct ctl_source nothing = {0};
    struct cs_err err;
    struct ctl_view *view;
    struct cs_slice value;

    /* The core's own encoder, by way of a view that is thrown away. */
    must(ctl_view_new(&nothing, &view, &err), &err, "a view");
    must(ctl_record_put(view, &key, fields, row, &err), &err, "a record");
    must(ctl_view_get(view, ctl_key_slice(&key), &value, &err), &err, "a record");
    memcpy(bytes, value.ptr, value.len);
    keep(fill, ctl_key_slice(&key), cs_slice(bytes, value.len));
    ctl_view_free(view);
}

static void keep_certificate(struct fill *fill, const struct filler *what, uint64_t number)
{
    ctl_certificate_row row;

    inventory_row(number, what->certificates, &row);
    keep_record(fill, ctl_key_bytes(CTL_TABLE_CERTIFICATE, CTL_BYTES(row.id)),
                countersign_store_v1_Certificate_fields, &row);
    (void)!ctl_inventory_entries(&row, keep_entry, fill);
}

static void device_name(uint64_t number, char out[64])
{
    snprintf(out, 64, "gw-%06u", (unsigned)number);
}

/* Enrolled, admitted, with one connector, and a session that the last run left open. */
static void keep_device(struct fill *fill, uint64_t number)
{
    ctl_device_row device = countersign_store_v1_Device_init_zero;
    ctl_name_row name = countersign_store_v1_DeviceName_init_zero;
    ctl_connector_row connector = countersign_store_v1_Connector_init_zero;
    ctl_session_row session = {.session_id = number, .opened_at_s = INVENTORY_NOW_S};
    uint64_t id[2] = {inventory_mix(number), inventory_mix(number + 1)};
    struct cs_slice id_bytes = cs_slice(id, sizeof id);

    device_name(number, device.name);
    CTL_BYTES_SET(device.device_id, id_bytes);
    CTL_BYTES_SET(name.device_id, id_bytes);
    device.admitted = true;
    snprintf(connector.name, sizeof connector.name, "web");
    connector.declared = true;
    keep_record(fill, ctl_key_name(CTL_TABLE_NAME, device.name), countersign_store_v1_DeviceName_fields,
                &name);
    keep_record(fill, ctl_key_bytes(CTL_TABLE_DEVICE, id_bytes), countersign_store_v1_Device_fields, &device);
    keep_record(fill, ctl_key_connector(CTL_TABLE_CONNECTOR, id_bytes, "web"),
                countersign_store_v1_Connector_fields, &connector);
    keep_record(fill, ctl_key_bytes(CTL_TABLE_SESSION, id_bytes), countersign_store_v1_Session_fields,
                &session);
}

/* The first certificate is attached to many devices: its topology is what is asked for. */
static void keep_attachment(struct fill *fill, const struct filler *what, uint64_t number)
{
    ctl_attachment_row row = countersign_store_v1_Attachment_init_zero;
    ctl_certificate_row certificate;
    struct ctl_key reverse;

    inventory_row(0, what->certificates, &certificate);
    CTL_BYTES_COPY(row.certificate_id, certificate.id);
    device_name(number, row.device_name);
    snprintf(row.connector, sizeof row.connector, "web");
    reverse = ctl_key_attached(row.device_name, row.connector, CTL_BYTES(row.certificate_id));
    keep_record(fill, ctl_key_attachment(CTL_BYTES(row.certificate_id), row.device_name, row.connector),
                countersign_store_v1_Attachment_fields, &row);
    keep(fill, ctl_key_slice(&reverse), CS_SLICE_EMPTY);
}

/* Of the due queue alone: what the clock looks at. */
static void keep_due(struct fill *fill, uint64_t number)
{
    struct ctl_key key =
        ctl_key_due(INVENTORY_NOW_S + 3600 + (int64_t)(number % 100000), CTL_DUE_ORDER, number);

    keep(fill, ctl_key_slice(&key), CS_SLICE_EMPTY);
}

/* What a controller has already stays, and counts. */
static void keep_meta(struct fill *fill, const struct filler *what)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);
    ctl_meta_row meta = countersign_store_v1_Meta_init_zero;
    struct ctl_reading reading;
    struct cs_err err;
    int rc;

    must(ctl_reading_open(fill->store, &reading, &err), &err, "reading the store");
    rc = ctl_record_get(reading.view, &key, countersign_store_v1_Meta_fields, &meta, &err);
    ctl_reading_close(&reading);
    if (rc == CS_ENOTFOUND)
        meta.revision = 1;
    else
        must(rc, &err, "reading the store");
    meta.certificates += (uint32_t)what->certificates;
    meta.devices += (uint32_t)what->devices;
    meta.orders_open += (uint32_t)what->orders;
    meta.last_order += what->orders;
    keep_record(fill, key, countersign_store_v1_Meta_fields, &meta);
}

static void room(struct fill *fill)
{
    if (fill->capacity - fill->count < 2000 || fill->room - fill->used < 400000)
        flush(fill);
}

void filler_fill(struct ctl_store *store, const struct filler *what)
{
    struct fill fill = {.store = store, .room = (size_t)BATCH * 128, .capacity = BATCH};
    time_t begun = time(NULL);

    fill.bytes = malloc(fill.room);
    fill.list = malloc(fill.capacity * sizeof *fill.list);
    if (!fill.bytes || !fill.list)
        exit(EXIT_FAILURE);
    keep_meta(&fill, what);
    for (uint64_t i = 0; i < what->certificates; i++) {
        room(&fill);
        keep_certificate(&fill, what, i);
    }
    flush(&fill);
    for (uint64_t i = 0; i < what->devices; i++) {
        room(&fill);
        keep_device(&fill, i);
        if (i < what->attachments)
            keep_attachment(&fill, what, i);
    }
    flush(&fill);
    for (uint64_t i = 0; i < what->orders; i++) {
        room(&fill);
        keep_due(&fill, i);
    }
    flush(&fill);
    free(fill.bytes);
    free(fill.list);
    printf("filled in %.0f s\n", difftime(time(NULL), begun));
}
