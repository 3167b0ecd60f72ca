/* What those who watch are told: everything that people see change, and no more than a row holds. */
#include "tests/support/check.h"

#include "controller/core/changes.h"
#include "controller/core/query.h"
#include "controller/core/run.h"
#include "tests/support/control_random.h"

#include <stdio.h>

#define KIND(name) countersign_v1_ObjectKind_OBJECT_KIND_##name

/* ---- a row from writes that nobody's command made */

struct bench {
    struct memview store;
    struct ctl_run run;
    struct cs_err err;
};

static void begin(struct bench *b, uint64_t revision)
{
    struct ctl_source source;

    *b = (struct bench){0};
    source = memview_source(&b->store);
    check_ok(ctl_view_new(&source, &b->run.view, &b->err), b->err);
    b->run.err = &b->err;
    b->run.meta.revision = revision;
    ctl_view_mark(b->run.view);
}

static ctl_changes_row *end(struct bench *b)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_CHANGES, b->run.meta.revision);
    ctl_changes_row *row = calloc(1, sizeof *row);

    assert_non_null(row);
    check_ok(ctl_changes_write(&b->run), b->err);
    check_ok(ctl_get(b->run.view, &key, Changes, row, &b->err), b->err);
    ctl_view_free(b->run.view);
    memview_free(&b->store);
    return row;
}

static void put_request(struct bench *b, uint64_t number, uint64_t first_order, uint32_t orders)
{
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, number);
    ctl_request_row request = countersign_store_v1_Request_init_zero;

    request.number = number;
    request.first_order = first_order;
    request.order_count = orders;
    request.certificate_id.size = 32;
    memset(request.certificate_id.bytes, (int)number, 32);
    check_ok(ctl_put(b->run.view, &key, Request, &request, &b->err), b->err);
    for (uint32_t i = 0; i < orders; i++) {
        ctl_order_row order = countersign_store_v1_Order_init_zero;

        order.number = first_order + i;
        order.request_number = number;
        (void)snprintf(order.device_name, sizeof order.device_name, "gw-%u", (unsigned)i);
        key = ctl_key_number(CTL_TABLE_ORDER, order.number);
        check_ok(ctl_put(b->run.view, &key, Order, &order, &b->err), b->err);
        key = ctl_key_attachment(CTL_BYTES(request.certificate_id), order.device_name, "web");
        check_ok(ctl_index_put(b->run.view, &key, &b->err), b->err);
    }
}

static const countersign_v1_Change *find(const ctl_changes_row *row, countersign_v1_ObjectKind kind,
                                         uint64_t number)
{
    for (pb_size_t i = 0; i < row->changes_count; i++)
        if (row->changes[i].kind == kind && row->changes[i].number == number)
            return &row->changes[i];
    return NULL;
}

static unsigned count_of(const ctl_changes_row *row, countersign_v1_ObjectKind kind)
{
    unsigned count = 0;

    for (pb_size_t i = 0; i < row->changes_count; i++)
        if (row->changes[i].kind == kind)
            count += row->changes[i].count ? row->changes[i].count : 1;
    return count;
}

static void few_orders_are_named_with_their_request_device_and_certificate(void **state)
{
    struct bench b;
    ctl_changes_row *row;
    const countersign_v1_Change *order;

    (void)state;
    begin(&b, 1);
    put_request(&b, 7, 100, CTL_CHANGES_NAMED);
    row = end(&b);
    assert_int_equal(row->changes_count, 1 + 2 * CTL_CHANGES_NAMED);
    order = find(row, KIND(ORDER), 102);
    assert_non_null(order);
    assert_int_equal(order->request_number, 7);
    assert_string_equal(order->name, "gw-2");
    assert_int_equal(order->count, 0);
    assert_int_equal(order->certificate_id.bytes[31], 7);
    assert_int_equal(find(row, KIND(REQUEST), 7)->certificate_id.bytes[31], 7);
    free(row);
}

static void a_flood_of_orders_is_one_change_with_their_count(void **state)
{
    struct bench b;
    ctl_changes_row *row;
    const countersign_v1_Change *count;

    (void)state;
    begin(&b, 1);
    put_request(&b, 7, 100, 10000);
    put_request(&b, 8, 20000, 2);
    row = end(&b);
    count = find(row, KIND(ORDER), 7);
    assert_non_null(count);
    assert_int_equal(count->count, 10000);
    assert_int_equal(count->request_number, 7);
    assert_int_equal(count->certificate_id.bytes[0], 7);
    assert_int_equal(find(row, KIND(ORDER), 20001)->count, 0); /* the other request's are named */
    assert_int_equal(count_of(row, KIND(ATTACHMENT)), 10002);
    assert_true(row->changes_count < 10);
    free(row);
}

static void many_requests_are_counted_by_kind(void **state)
{
    struct bench b;
    ctl_changes_row *row;

    (void)state;
    begin(&b, 1);
    for (uint64_t number = 1; number <= 200; number++)
        put_request(&b, number, 1000 * number, 2);
    row = end(&b);
    assert_true(row->changes_count <= CTL_CHANGES_MOST);
    assert_int_equal(count_of(row, KIND(ORDER)), 400);
    assert_int_equal(count_of(row, KIND(REQUEST)), 200);
    assert_int_equal(count_of(row, KIND(ATTACHMENT)), 400);
    free(row);
}

static void one_object_is_told_once(void **state)
{
    static const uint8_t device_id[16] = {1};
    struct bench b;
    struct ctl_key key;
    ctl_device_row device = countersign_store_v1_Device_init_zero;
    ctl_changes_row *row;

    (void)state;
    begin(&b, 1);
    CTL_TEXT_SET(device.name, "gw-1");
    key = ctl_key_bytes(CTL_TABLE_DEVICE, CS_SLICE_ARRAY(device_id));
    for (unsigned i = 0; i < 3; i++)
        check_ok(ctl_put(b.run.view, &key, Device, &device, &b.err), b.err);
    key = ctl_key_bytes(CTL_TABLE_SESSION, CS_SLICE_ARRAY(device_id));
    check_ok(ctl_drop(b.run.view, &key, &b.err), b.err);
    key = ctl_key_name(CTL_TABLE_DEVICE_LABELS, "gw-1");
    check_ok(ctl_drop(b.run.view, &key, &b.err), b.err);
    row = end(&b);
    assert_int_equal(row->changes_count, 1);
    assert_string_equal(row->changes[0].name, "gw-1");
    assert_false(row->changes[0].removed);
    free(row);
}

static void the_row_that_is_no_longer_kept_goes(void **state)
{
    struct bench b;
    struct ctl_key old = ctl_key_number(CTL_TABLE_CHANGES, 5), kept = ctl_key_number(CTL_TABLE_CHANGES, 6);
    struct cs_slice value;

    (void)state;
    begin(&b, CTL_CHANGES_KEPT + 5);
    check_ok(ctl_index_put(b.run.view, &old, &b.err), b.err);
    check_ok(ctl_index_put(b.run.view, &kept, &b.err), b.err);
    check_ok(ctl_changes_write(&b.run), b.err);
    assert_int_equal(ctl_bytes_get(b.run.view, &old, &value, &b.err), CS_ENOTFOUND);
    check_ok(ctl_bytes_get(b.run.view, &kept, &value, &b.err), b.err);
    ctl_view_free(b.run.view);
}

/* ---- nothing that people see changes in silence */

/* One thing as people see it: which, and a digest of what they see. */
struct thing {
    countersign_v1_Change which;
    struct cs_digest digest;
};
struct sight {
    struct thing *things;
    size_t count;
};

static bool nobody(void *data, const uint8_t device_id[16])
{
    (void)data, (void)device_id;
    return false;
}

static void see(struct sight *sight, const countersign_v1_Change *which, const pb_msgdesc_t *fields,
                const void *message)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_message_encode(fields, message, &bytes, &err), err);
    sight->things = realloc(sight->things, (sight->count + 1) * sizeof *sight->things);
    assert_non_null(sight->things);
    sight->things[sight->count++] = (struct thing){*which, cs_sha256(cs_buf_slice(&bytes))};
}

static const struct ctl_presence presence = {.connected = nobody};

/* A row of the topology has a device and an order in it, which are told by themselves. */
static void see_topology(struct sight *sight, struct ctl_view *view, struct cs_slice id)
{
    cs_auto_free countersign_v1_GetTopologyRequest *request = calloc(1, sizeof *request);
    cs_auto_free countersign_v1_GetTopologyResponse *reply = calloc(1, sizeof *reply);
    struct cs_err err;

    CTL_BYTES_SET(request->certificate_id, id);
    check_ok(ctl_query_GetTopology(view, &presence, 1, request, reply, &err), err);
    for (pb_size_t i = 0; i < reply->rows_count; i++) {
        countersign_v1_Change which = {.kind = KIND(ATTACHMENT)};
        countersign_v1_TopologyRow row = countersign_v1_TopologyRow_init_zero;

        CTL_BYTES_SET(which.id, id);
        CTL_TEXT_SET(which.name, reply->rows[i].device_name);
        row.colour = reply->rows[i].colour;
        row.has_order = true;
        row.order.number = reply->rows[i].order.number;
        see(sight, &which, countersign_v1_TopologyRow_fields, &row);
    }
}

static void see_certificates(struct sight *sight, struct ctl_view *view)
{
    cs_auto_free countersign_v1_ListCertificatesRequest *request = calloc(1, sizeof *request);
    cs_auto_free countersign_v1_ListCertificatesResponse *reply = calloc(1, sizeof *reply);
    struct cs_err err;

    check_ok(ctl_query_ListCertificates(view, &presence, 1, request, reply, &err), err);
    for (pb_size_t i = 0; i < reply->certificates_count; i++) {
        countersign_v1_Change which = {.kind = KIND(CERTIFICATE)};

        CTL_BYTES_COPY(which.id, reply->certificates[i].id);
        see(sight, &which, countersign_v1_Certificate_fields, &reply->certificates[i]);
        see_topology(sight, view, CTL_BYTES(which.id));
    }
}

static void see_devices(struct sight *sight, struct ctl_view *view)
{
    cs_auto_free countersign_v1_ListDevicesRequest *request = calloc(1, sizeof *request);
    cs_auto_free countersign_v1_ListDevicesResponse *reply = calloc(1, sizeof *reply);
    struct cs_err err;

    check_ok(ctl_query_ListDevices(view, &presence, 1, request, reply, &err), err);
    for (pb_size_t i = 0; i < reply->devices_count; i++) {
        countersign_v1_Change which = {.kind = KIND(DEVICE)};

        CTL_TEXT_SET(which.name, reply->devices[i].name);
        see(sight, &which, countersign_v1_Device_fields, &reply->devices[i]);
    }
}

static void see_requests(struct sight *sight, struct ctl_view *view)
{
    cs_auto_free countersign_v1_ListRequestsRequest *request = calloc(1, sizeof *request);
    cs_auto_free countersign_v1_ListRequestsResponse *reply = calloc(1, sizeof *reply);
    struct cs_err err;

    do {
        memset(reply, 0, sizeof *reply);
        check_ok(ctl_query_ListRequests(view, &presence, 1, request, reply, &err), err);
        for (pb_size_t i = 0; i < reply->requests_count; i++) {
            const countersign_v1_Change which = {.kind = KIND(REQUEST), .number = reply->requests[i].number};

            see(sight, &which, countersign_v1_Request_fields, &reply->requests[i]);
            request->before_number = which.number;
        }
    } while (reply->more);
}

static void see_orders(struct sight *sight, struct ctl_view *view)
{
    cs_auto_free countersign_v1_ListOrdersRequest *request = calloc(1, sizeof *request);
    cs_auto_free countersign_v1_ListOrdersResponse *reply = calloc(1, sizeof *reply);
    struct cs_err err;

    do {
        memset(reply, 0, sizeof *reply);
        check_ok(ctl_query_ListOrders(view, &presence, 1, request, reply, &err), err);
        for (pb_size_t i = 0; i < reply->orders_count; i++) {
            countersign_v1_Change which = {.kind = KIND(ORDER), .number = reply->orders[i].number};

            CTL_TEXT_SET(which.name, reply->orders[i].device_name);
            see(sight, &which, countersign_v1_Order_fields, &reply->orders[i]);
            request->before_number = which.number;
        }
    } while (reply->more);
}

static struct sight look(struct control *c)
{
    struct ctl_source source = memview_source(&c->store);
    struct sight sight = {0};
    struct ctl_view *view;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    see_certificates(&sight, view);
    see_devices(&sight, view);
    see_requests(&sight, view);
    see_orders(&sight, view);
    ctl_view_free(view);
    return sight;
}

static bool is_same(const countersign_v1_Change *a, const countersign_v1_Change *b)
{
    return a->kind == b->kind && a->number == b->number && strcmp(a->name, b->name) == 0 &&
           cs_slice_eq(CTL_BYTES(a->id), CTL_BYTES(b->id));
}

/* A row of the topology has its certificate's dates and revocation in its colour. */
static bool is_its_certificate(const countersign_v1_Change *change, const countersign_v1_Change *attachment)
{
    return attachment->kind == KIND(ATTACHMENT) && change->kind == KIND(CERTIFICATE) &&
           cs_slice_eq(CTL_BYTES(change->id), CTL_BYTES(attachment->id));
}

static bool holds(const struct sight *sight, const struct thing *thing)
{
    for (size_t i = 0; i < sight->count; i++)
        if (is_same(&sight->things[i].which, &thing->which) &&
            cs_digest_eq(&sight->things[i].digest, &thing->digest))
            return true;
    return false;
}

static countersign_v1_WatchResponse *told_after(struct control *c, uint64_t revision,
                                                const countersign_v1_WatchRequest *request)
{
    struct ctl_source source = memview_source(&c->store);
    countersign_v1_WatchResponse *reply = calloc(1, sizeof *reply);
    struct ctl_view *view;
    bool more;

    assert_non_null(reply);
    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(ctl_query_changes(view, request, c->d.now_s, &revision, reply, &more, &c->err), c->err);
    assert_int_equal(reply->revision, revision);
    ctl_view_free(view);
    return reply;
}

static void check_told(const countersign_v1_WatchResponse *told, const struct sight *in,
                       const struct sight *not_in)
{
    for (size_t i = 0; i < in->count; i++) {
        bool found = holds(not_in, &in->things[i]);

        for (pb_size_t j = 0; j < told->changes_count && !found; j++)
            found = is_same(&told->changes[j], &in->things[i].which) ||
                    is_its_certificate(&told->changes[j], &in->things[i].which);
        if (!found)
            fail_msg("kind %d, number %llu, name %s changed in silence", (int)in->things[i].which.kind,
                     (unsigned long long)in->things[i].which.number, in->things[i].which.name);
    }
}

static uint64_t seed;

static uint8_t roll(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(seed >> 40);
}

/* What control_random_step() does not know. */
static void label(struct control *c)
{
    static const char *const devices[] = {"gw-0", "gw-1", "gw-2"};
    struct cs_digest id = control_certificate_id(c, roll() % 2 ? "shop" : "mail");
    countersign_v1_SetDeviceGroupsRequest device = {0};
    countersign_v1_SetCertificateGroupsRequest certificate = {0};
    countersign_v1_SetDeviceGroupsResponse labelled;
    countersign_v1_SetCertificateGroupsResponse grouped;

    CTL_TEXT_SET(device.device_name, devices[roll() % 3]);
    CTL_BYTES_SET(certificate.certificate_id, cs_digest_slice(&id));
    if (roll() % 2) {
        CTL_TEXT_SET(device.groups[0], "edge");
        CTL_TEXT_SET(certificate.groups[0], "web");
        device.groups_count = certificate.groups_count = 1;
    }
    if (roll() % 2)
        check_ok(control_run(c, CTL_SET_DEVICE_GROUPS, &device, &labelled), c->err);
    else
        check_ok(control_run(c, CTL_SET_CERTIFICATE_GROUPS, &certificate, &grouped), c->err);
}

static void revoke(struct control *c)
{
    struct cs_digest id = control_certificate_id(c, "mail");
    countersign_v1_RevokeCertificateRequest request = {
        .reason = countersign_v1_RevocationReason_REVOCATION_REASON_SUPERSEDED};
    countersign_v1_RevokeCertificateResponse reply;

    CTL_BYTES_SET(request.certificate_id, cs_digest_slice(&id));
    check_ok(control_run(c, CTL_REVOKE_CERTIFICATE, &request, &reply), c->err);
}

static void nothing_that_people_see_changes_in_silence(void **state)
{
    struct control *c = malloc(sizeof *c);
    struct sight before, after;
    unsigned changes = 0;

    (void)state;
    assert_non_null(c);
    seed = 11;
    control_random_start(c);
    c->unchecked = true;
    before = look(c);
    for (unsigned i = 0; i < 400; i++) {
        const countersign_v1_WatchRequest all = {0};
        uint64_t revision = control_meta(c).revision;
        countersign_v1_WatchResponse *told;

        if (i == 350)
            revoke(c);
        else if (roll() % 8 == 0)
            label(c);
        else
            (void)control_random_step(c, roll(), roll());
        after = look(c);
        told = told_after(c, revision, &all);
        check_told(told, &after, &before);
        check_told(told, &before, &after);
        changes += told->changes_count;
        free(told);
        free(before.things);
        before = after;
    }
    assert_true(changes > 300);
    free(before.things);
    control_stop(c);
    free(c);
}

/* ---- reading on */

static void a_stream_goes_on_where_it_was(void **state)
{
    const countersign_v1_WatchRequest all = {0};
    struct control *c = malloc(sizeof *c);
    uint64_t newest, last = 0;

    (void)state;
    assert_non_null(c);
    control_random_start(c);
    newest = control_meta(c).revision;
    for (uint64_t cursor = 0; cursor < newest;) {
        countersign_v1_WatchResponse *told = told_after(c, cursor, &all);

        assert_true(told->revision > cursor);
        for (pb_size_t i = 0; i < told->changes_count; i++) {
            assert_true(told->changes[i].revision >= last && told->changes[i].revision > cursor);
            last = told->changes[i].revision;
        }
        cursor = told->revision;
        free(told);
    }
    assert_int_equal(last, newest);
    control_stop(c);
    free(c);
}

static void where_a_stream_may_begin(void **state)
{
    static const struct {
        const char *says;
        uint64_t after, kept_from, wanted;
        int code;
    } cases[] = {
        {"now", 0, 1, 20, CS_OK},
        {"the newest", 20, 1, 20, CS_OK},
        {"right before the first that is kept", 4, 5, 4, CS_OK},
        {"before what is kept", 3, 5, 3, CS_ERANGE},
        {"ahead of the store", 21, 1, 0, CS_ERANGE},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        const countersign_v1_WatchRequest request = {.after_revision = cases[i].after};
        countersign_v1_WatchResponse *reply = calloc(1, sizeof *reply);
        uint64_t cursor = 0;
        struct bench b;
        struct ctl_key key = ctl_key(CTL_TABLE_META);
        bool more;
        int rc;

        begin(&b, 20);
        check_ok(ctl_put(b.run.view, &key, Meta, &b.run.meta, &b.err), b.err);
        for (uint64_t revision = cases[i].kept_from; revision <= 20; revision++) {
            key = ctl_key_number(CTL_TABLE_CHANGES, revision);
            check_ok(ctl_index_put(b.run.view, &key, &b.err), b.err);
        }
        rc = ctl_query_watch_begin(b.run.view, &request, &cursor, &b.err);
        if (rc == CS_OK) {
            assert_int_equal(cursor, cases[i].wanted);
            rc = ctl_query_changes(b.run.view, &request, 1, &cursor, reply, &more, &b.err);
        }
        assert_int_equal(rc, cases[i].code);
        if (rc == CS_OK)
            assert_int_equal(cursor, 20);
        else
            check_says(b.err, "list anew");
        ctl_view_free(b.run.view);
        free(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_orders_are_named_with_their_request_device_and_certificate),
        cmocka_unit_test(a_flood_of_orders_is_one_change_with_their_count),
        cmocka_unit_test(many_requests_are_counted_by_kind),
        cmocka_unit_test(one_object_is_told_once),
        cmocka_unit_test(the_row_that_is_no_longer_kept_goes),
        cmocka_unit_test(nothing_that_people_see_changes_in_silence),
        cmocka_unit_test(a_stream_goes_on_where_it_was),
        cmocka_unit_test(where_a_stream_may_begin),
    };
    struct cs_err err;

    return cs_crypto_init(&err) == CS_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
