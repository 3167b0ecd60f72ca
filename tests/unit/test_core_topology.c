/* The topology, groups of devices, and lists of orders that are searched. */
#include "tests/support/check.h"

#include "controller/core/query.h"
#include "controller/core/workflow.h"
#include "tests/support/control_random.h"

#include <stdio.h>

#define SYNC(name)  countersign_v1_SyncState_SYNC_STATE_##name
#define STATE(name) countersign_v1_OrderState_ORDER_STATE_##name

static bool all_connected;

static bool connected(void *data, const uint8_t device_id[16])
{
    (void)data, (void)device_id;
    return all_connected;
}
static const struct ctl_presence presence = {.connected = connected};

static struct ctl_view *open_view(struct control *c)
{
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    return view;
}

/* ask_GetTopology() and so on: the query over what was committed; the reply is zeroed first. */
#define ASKS(name)                                                                                           \
    static int ask_##name(struct control *c, const countersign_v1_##name##Request *request,                  \
                          countersign_v1_##name##Response *reply)                                            \
    {                                                                                                        \
        struct ctl_view *view = open_view(c);                                                                \
        int rc;                                                                                              \
                                                                                                             \
        memset(reply, 0, sizeof *reply);                                                                     \
        rc = ctl_query_##name(view, &presence, c->d.now_s, request, reply, &c->err);                         \
        ctl_view_free(view);                                                                                 \
        return rc;                                                                                           \
    }
ASKS(GetTopology)
ASKS(GetDeviceTopology)
ASKS(ListDevices)
ASKS(ListOrders)

static struct control *start(void)
{
    struct control *c = malloc(sizeof *c);

    assert_non_null(c);
    all_connected = false;
    control_start(c);
    return c;
}

static void stop(struct control *c)
{
    control_stop(c);
    free(c);
}

static countersign_v1_GetTopologyResponse *topology(struct control *c, const char *certificate)
{
    countersign_v1_GetTopologyResponse *reply = malloc(sizeof *reply);
    countersign_v1_GetTopologyRequest request = {0};
    struct cs_digest id = control_certificate_id(c, certificate);

    assert_non_null(reply);
    CTL_BYTES_SET(request.certificate_id, cs_digest_slice(&id));
    check_ok(ask_GetTopology(c, &request, reply), c->err);
    return reply;
}

/* ---- sync states */

static void the_sync_state_is_the_devices_word_as_long_as_it_is_there(void **state)
{
    static const struct {
        const char *says;
        bool there, own, other;
        countersign_v1_SyncState sync, last;
    } cases[] = {
        {"its chain", true, true, false, SYNC(IN_SYNC), SYNC(UNSPECIFIED)},
        {"another chain", true, false, true, SYNC(OUT_OF_SYNC), SYNC(UNSPECIFIED)},
        {"nothing", true, false, false, SYNC(MISSING), SYNC(UNSPECIFIED)},
        {"its chain, offline", false, true, false, SYNC(UNKNOWN), SYNC(IN_SYNC)},
        {"another chain, offline", false, false, true, SYNC(UNKNOWN), SYNC(OUT_OF_SYNC)},
        {"nothing, offline", false, false, false, SYNC(UNKNOWN), SYNC(MISSING)},
    };
    struct control *c = start();
    struct cs_digest own, other = cs_sha256(CS_SLICE_LIT("other"));

    (void)state;
    control_device(c, "gw-0");
    control_certificate(c, "shop");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    own = control_chain_digest(c, "shop");
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto_free countersign_v1_GetTopologyResponse *reply = NULL;
        const struct cs_digest *installed = cases[i].own ? &own : cases[i].other ? &other : NULL;

        all_connected = cases[i].there;
        check_ok(control_advertise(c, "gw-0", installed), c->err);
        reply = topology(c, "shop");
        assert_int_equal(reply->rows_count, 1);
        if (reply->rows[0].sync != cases[i].sync || reply->rows[0].last_sync != cases[i].last)
            fail_msg("%s", cases[i].says);
        assert_int_equal(reply->rows[0].in_sync, cases[i].own);
        assert_string_equal(reply->rows[0].certificate_name, "shop");
    }
    stop(c);
}

/* ---- who decided */

static void who_decided_what_is_told_once_a_request(void **state)
{
    struct control *c = start();
    cs_auto_free countersign_v1_GetTopologyResponse *reply = NULL;
    const countersign_v1_RequestHistory *history;
    int64_t not_before_s;
    uint64_t push;

    (void)state;
    control_certificate(c, "shop");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"gw-0", "gw-1", "gw-2"};

        control_device(c, names[i]);
        check_ok(control_attach(c, "shop", names[i]), c->err);
    }
    push = control_push(c, "shop");
    not_before_s = c->d.now_s + 3600;
    check_ok(control_decide_so(c, push, "bob", 1, countersign_v1_Verdict_VERDICT_ACCEPT, not_before_s),
             c->err);
    check_ok(control_decide(c, push, "carol", 2), c->err);
    reply = topology(c, "shop");
    assert_int_equal(reply->rows_count, 3);
    assert_int_equal(reply->requests_count, 1);
    history = &reply->requests[0];
    assert_int_equal(history->number, push);
    assert_string_equal(history->requester, "alice");
    assert_string_equal(history->comment, "new certificate");
    assert_int_equal(history->decisions_count, 2);
    assert_string_equal(history->decisions[0].decider, "bob");
    assert_string_equal(history->decisions[0].stage, c->d.body->rules[0].stages[0].name);
    assert_int_equal(history->decisions[0].mode, countersign_v1_Mode_MODE_SCHEDULED);
    assert_int_equal(history->decisions[0].not_before_s, not_before_s);
    assert_int_equal(history->decisions[0].verdict, countersign_v1_Verdict_VERDICT_ACCEPT);
    assert_int_equal(history->decisions[0].orders, 3);
    assert_string_equal(history->decisions[1].decider, "carol");
    assert_string_equal(history->decisions[1].stage, c->d.body->rules[0].stages[1].name);
    assert_int_equal(history->decisions[1].mode, countersign_v1_Mode_MODE_MANUAL);
    assert_true(history->decisions[1].decided_at_s > 0);
    stop(c);
}

/* ---- large topologies */

enum { PLACES = 620, REQUESTS = 40 };

static void put(struct control *c, struct ctl_view *view, const struct ctl_key *key,
                const pb_msgdesc_t *fields, const void *row)
{
    check_ok(ctl_record_put(view, key, fields, row, &c->err), c->err);
}

/* One certificate at so many places, each with an order; the orders belong to REQUESTS requests in turn. */
static struct cs_digest make_large(struct control *c, const char *one_device)
{
    struct ctl_view *view = open_view(c);
    struct cs_digest id = cs_sha256(CS_SLICE_LIT("large"));
    ctl_certificate_row certificate = countersign_store_v1_Certificate_init_zero;
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, cs_digest_slice(&id));

    CTL_BYTES_SET(certificate.id, cs_digest_slice(&id));
    CTL_TEXT_SET(certificate.common_name, "large");
    put(c, view, &key, countersign_store_v1_Certificate_fields, &certificate);
    for (unsigned i = 1; i <= REQUESTS; i++) {
        ctl_request_row request = countersign_store_v1_Request_init_zero;

        request.number = i;
        key = ctl_key_number(CTL_TABLE_REQUEST, i);
        put(c, view, &key, countersign_store_v1_Request_fields, &request);
    }
    for (unsigned i = 0; i < PLACES; i++) {
        ctl_attachment_row row = countersign_store_v1_Attachment_init_zero;
        ctl_order_row order = countersign_store_v1_Order_init_zero;

        order.number = row.newest_order = i + 1;
        order.request_number = i % REQUESTS + 1;
        order.phase = countersign_store_v1_Phase_PHASE_COMPLETED;
        CTL_BYTES_SET(row.certificate_id, cs_digest_slice(&id));
        if (one_device)
            CTL_TEXT_SET(row.device_name, one_device);
        else
            (void)snprintf(row.device_name, sizeof row.device_name, "gw-%04u", i / 4);
        (void)snprintf(row.connector, sizeof row.connector, "web-%04u", i);
        key = ctl_key_number(CTL_TABLE_ORDER, order.number);
        put(c, view, &key, countersign_store_v1_Order_fields, &order);
        key = ctl_key_attachment(cs_digest_slice(&id), row.device_name, row.connector);
        put(c, view, &key, countersign_store_v1_Attachment_fields, &row);
        key = ctl_key_attached(row.device_name, row.connector, cs_digest_slice(&id));
        check_ok(ctl_index_put(view, &key, &c->err), c->err);
    }
    memview_commit(&c->store, view);
    ctl_view_free(view);
    return id;
}

static void check_page(const countersign_v1_TopologyRow *rows, pb_size_t row_count,
                       const countersign_v1_RequestHistory *requests, pb_size_t request_count, unsigned *seen)
{
    assert_true(row_count > 0);
    for (pb_size_t i = 0; i < row_count; i++, ++*seen) {
        unsigned found = 0;

        assert_int_equal(rows[i].order.number, *seen + 1);
        for (pb_size_t j = 0; j < request_count; j++)
            found += requests[j].number == rows[i].order.request_number;
        assert_int_equal(found, 1);
    }
}

static void every_connector_of_a_large_topology_comes_once(void **state)
{
    struct control *c = start();
    struct cs_digest id = make_large(c, NULL);
    countersign_v1_GetTopologyRequest request = {0};
    cs_auto_free countersign_v1_GetTopologyResponse *reply = malloc(sizeof *reply);
    unsigned seen = 0, pages = 0;

    (void)state;
    assert_non_null(reply);
    CTL_BYTES_SET(request.certificate_id, cs_digest_slice(&id));
    do {
        cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;

        check_ok(ask_GetTopology(c, &request, reply), c->err);
        check_page(reply->rows, reply->rows_count, reply->requests, reply->requests_count, &seen);
        check_ok(cs_message_encode(countersign_v1_GetTopologyResponse_fields, reply, &bytes, &c->err),
                 c->err);
        CTL_TEXT_SET(request.after_device, reply->rows[reply->rows_count - 1].device_name);
        CTL_TEXT_SET(request.after_connector, reply->rows[reply->rows_count - 1].connector);
        pages++;
    } while (reply->more);
    assert_int_equal(seen, PLACES);
    assert_true(pages > PLACES / 50); /* requests end pages, too */
    stop(c);
}

static void a_devices_topology_comes_in_pages_as_well(void **state)
{
    struct control *c = start();
    struct cs_digest id;
    countersign_v1_GetDeviceTopologyRequest request = {.device_name = "gw-0"};
    cs_auto_free countersign_v1_GetDeviceTopologyResponse *reply = malloc(sizeof *reply);
    unsigned seen = 0;

    (void)state;
    assert_non_null(reply);
    control_device(c, "gw-0");
    id = make_large(c, "gw-0");
    do {
        check_ok(ask_GetDeviceTopology(c, &request, reply), c->err);
        assert_string_equal(reply->device.name, "gw-0");
        check_page(reply->rows, reply->rows_count, reply->requests, reply->requests_count, &seen);
        assert_string_equal(reply->rows[0].certificate_name, "large");
        CTL_TEXT_SET(request.after_connector, reply->rows[reply->rows_count - 1].connector);
        CTL_BYTES_SET(request.after_certificate_id, cs_digest_slice(&id));
    } while (reply->more);
    assert_int_equal(seen, PLACES);
    CTL_TEXT_SET(request.device_name, "gw-9");
    assert_int_equal(ask_GetDeviceTopology(c, &request, reply), CS_ENOTFOUND);
    stop(c);
}

/* ---- groups */

static int set_groups(struct control *c, const char *device, const char *a, const char *b)
{
    countersign_v1_SetDeviceGroupsRequest request = {0};
    countersign_v1_SetDeviceGroupsResponse reply;

    CTL_TEXT_SET(request.device_name, device);
    if (a) {
        CTL_TEXT_SET(request.groups[request.groups_count], a);
        request.groups_count++;
    }
    if (b) {
        CTL_TEXT_SET(request.groups[request.groups_count], b);
        request.groups_count++;
    }
    return control_run(c, CTL_SET_DEVICE_GROUPS, &request, &reply);
}

/* The names of the devices, one behind the other with a space, by pages of one. */
static const char *list(struct control *c, const char *group, const char *search)
{
    static char names[1024];
    countersign_v1_ListDevicesRequest request = {.limit = 1};
    cs_auto_free countersign_v1_ListDevicesResponse *reply = malloc(sizeof *reply);

    assert_non_null(reply);
    names[0] = 0;
    CTL_TEXT_SET(request.group, group);
    CTL_TEXT_SET(request.search, search);
    do {
        check_ok(ask_ListDevices(c, &request, reply), c->err);
        for (pb_size_t i = 0; i < reply->devices_count; i++) {
            (void)snprintf(names + strlen(names), sizeof names - strlen(names), "%s ",
                           reply->devices[i].name);
            CTL_TEXT_SET(request.after_name, reply->devices[i].name);
        }
    } while (reply->more);
    return names;
}

static void devices_are_listed_by_group_and_by_how_their_names_begin(void **state)
{
    struct control *c = start();
    static const char *const names[] = {"gw-1", "gw-10", "gw-2", "lab-1"};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(names); i++)
        control_device(c, names[i]);
    check_ok(control_token(c, "gw-3", "token"), c->err);
    check_ok(set_groups(c, "gw-1", "edge", "north"), c->err);
    check_ok(set_groups(c, "gw-2", "edge", NULL), c->err);
    check_ok(set_groups(c, "lab-1", "edge", NULL), c->err);
    check_ok(set_groups(c, "gw-3", "edge-2", NULL), c->err);
    assert_string_equal(list(c, "", ""), "gw-1 gw-10 gw-2 gw-3 lab-1 ");
    assert_string_equal(list(c, "edge", ""), "gw-1 gw-2 lab-1 ");
    assert_string_equal(list(c, "edge", "gw-"), "gw-1 gw-2 ");
    assert_string_equal(list(c, "edge-2", ""), "gw-3 ");
    assert_string_equal(list(c, "", "gw-1"), "gw-1 gw-10 ");
    assert_string_equal(list(c, "nobody", ""), "");
    assert_string_equal(list(c, "", "z"), "");

    /* Replaced, not added to; and out of the index. */
    check_ok(set_groups(c, "gw-1", "north", NULL), c->err);
    assert_string_equal(list(c, "edge", ""), "gw-2 lab-1 ");
    assert_string_equal(list(c, "north", ""), "gw-1 ");
    check_ok(set_groups(c, "gw-1", NULL, NULL), c->err);
    assert_string_equal(list(c, "north", ""), "");
    stop(c);
}

static void groups_are_names_of_a_device_that_is_there(void **state)
{
    struct control *c = start();
    uint64_t revision;

    (void)state;
    control_device(c, "gw-1");
    assert_int_equal(set_groups(c, "gw-1", "no name", NULL), CS_EINVAL);
    assert_int_equal(set_groups(c, "gw-1", "edge", "edge"), CS_EINVAL);
    assert_int_equal(set_groups(c, "gw-9", "edge", NULL), CS_ENOTFOUND);
    check_ok(set_groups(c, "gw-1", "edge", NULL), c->err);
    revision = control_meta(c).revision;
    check_ok(set_groups(c, "gw-1", "edge", NULL), c->err); /* as it is */
    assert_int_equal(control_meta(c).revision, revision);

    /* They belong to the name: enrolling anew keeps them. */
    check_ok(control_token(c, "gw-1", "again"), c->err);
    check_ok(control_enrol(c, "gw-1", "again", 1), c->err);
    check_ok(control_admit(c, "gw-1", 1), c->err);
    assert_string_equal(list(c, "edge", ""), "gw-1 ");
    stop(c);
}

static int prepare(struct control *c, const char *target, const char *group, const char *other_group,
                   uint32_t *ret_count, uint64_t *ret_number)
{
    cs_auto_free countersign_v1_PreparePushRequest *request = calloc(1, sizeof *request);
    countersign_v1_PreparePushResponse reply = countersign_v1_PreparePushResponse_init_zero;
    struct cs_digest id = control_certificate_id(c, "shop");
    int rc;

    assert_non_null(request);
    CTL_BYTES_SET(request->certificate_id, cs_digest_slice(&id));
    if (target) {
        CTL_TEXT_SET(request->targets[0].device_name, target);
        CTL_TEXT_SET(request->targets[0].connector, "web");
        request->targets_count = 1;
    }
    if (group) {
        CTL_TEXT_SET(request->groups[request->groups_count], group);
        request->groups_count++;
    }
    if (other_group) {
        CTL_TEXT_SET(request->groups[request->groups_count], other_group);
        request->groups_count++;
    }
    rc = control_run(c, CTL_PREPARE_PUSH, request, &reply);
    *ret_count = reply.order_count;
    *ret_number = reply.number;
    return rc;
}

static void a_push_goes_to_the_attachments_in_its_groups_each_once(void **state)
{
    static const struct {
        const char *says, *target, *group, *other_group;
        uint32_t count;
        int code;
        const char *sentence;
    } cases[] = {
        {"all", NULL, NULL, NULL, 3, CS_OK, NULL},
        {"a group", NULL, "edge", NULL, 2, CS_OK, NULL},
        {"two groups that share a device", NULL, "edge", "north", 2, CS_OK, NULL},
        {"a group and one outside", "gw-2", "edge", NULL, 3, CS_OK, NULL},
        {"a group and one inside", "gw-0", "edge", NULL, 2, CS_OK, NULL},
        {"a group without devices", NULL, "egde", NULL, 0, CS_ESTATE, "any device of the group egde: attach"},
        {"one of two without devices", NULL, "edge", "egde", 0, CS_ESTATE, "the group egde"},
        {"a group without attachments", NULL, "lab", NULL, 0, CS_ESTATE, "the group lab"},
        {"one that is not attached", "lab-1", NULL, NULL, 0, CS_ESTATE, "attach it first"},
        {"twice the same group", NULL, "edge", "edge", 0, CS_EINVAL, "twice"},
        {"no name", NULL, "ed ge", NULL, 0, CS_EINVAL, NULL},
    };
    struct control *c = start();

    (void)state;
    control_certificate(c, "shop");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"gw-0", "gw-1", "gw-2"};

        control_device(c, names[i]);
        check_ok(control_attach(c, "shop", names[i]), c->err);
    }
    control_device(c, "lab-1");
    check_ok(set_groups(c, "gw-0", "edge", "north"), c->err);
    check_ok(set_groups(c, "gw-1", "edge", NULL), c->err);
    check_ok(set_groups(c, "lab-1", "lab", NULL), c->err);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        uint64_t number;
        uint32_t count;
        int rc = prepare(c, cases[i].target, cases[i].group, cases[i].other_group, &count, &number);

        if (rc != cases[i].code || (rc == CS_OK && count != cases[i].count))
            fail_msg("%s: %d, %u orders (%s)", cases[i].says, rc, (unsigned)count, c->err.msg);
        if (cases[i].sentence)
            check_says(c->err, cases[i].sentence);
        if (rc == CS_OK)
            check_ok(control_submit(c, number), c->err);
    }
    stop(c);
}

/* ---- lists of orders */

static unsigned list_orders(struct control *c, const countersign_v1_ListOrdersRequest *filter,
                            uint64_t *numbers, unsigned *pages)
{
    countersign_v1_ListOrdersRequest request = *filter;
    cs_auto_free countersign_v1_ListOrdersResponse *reply = malloc(sizeof *reply);
    unsigned count = 0;

    assert_non_null(reply);
    *pages = 0;
    do {
        check_ok(ask_ListOrders(c, &request, reply), c->err);
        for (pb_size_t i = 0; i < reply->orders_count; i++)
            numbers[count++] = reply->orders[i].number;
        if (reply->more)
            assert_true(!request.before_number || reply->next_before_number < request.before_number);
        request.before_number = reply->next_before_number;
        ++*pages;
    } while (reply->more);
    return count;
}

static void orders_are_found_by_state_device_and_request(void **state)
{
    static uint64_t numbers[4096];
    static const char *const devices[] = {"", "gw-0", "gw-1", "gw-2"};
    struct control *c = malloc(sizeof *c);
    uint64_t last, seed = 3;
    unsigned found = 0;

    (void)state;
    assert_non_null(c);
    control_random_start(c);
    c->unchecked = true;
    for (unsigned i = 0; i < 300; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        (void)control_random_step(c, (uint8_t)(seed >> 40), (uint8_t)(seed >> 50));
    }
    last = control_meta(c).last_order;
    for (unsigned i = 0; i < 11 * 4 * 6; i++) {
        countersign_v1_ListOrdersRequest filter = {.limit = 3, .state = (countersign_v1_OrderState)(i % 11)};
        unsigned pages, count, at = 0;

        CTL_TEXT_SET(filter.device_name, devices[i / 11 % 4]);
        filter.request_number = i / 44 * 2;
        if (filter.request_number) {
            struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, filter.request_number);
            ctl_request_row row;

            if (!control_get(c, &key, countersign_store_v1_Request_fields, &row))
                continue;
        }
        count = list_orders(c, &filter, numbers, &pages);
        for (uint64_t number = last; number > 0; number--) {
            struct ctl_key key = ctl_key_number(CTL_TABLE_ORDER, number);
            ctl_order_row order;

            if (!control_get(c, &key, countersign_store_v1_Order_fields, &order) ||
                (filter.state && ctl_phase_info(order.phase)->shown != filter.state) ||
                (filter.device_name[0] && strcmp(order.device_name, filter.device_name) != 0) ||
                (filter.request_number && order.request_number != filter.request_number))
                continue;
            assert_true(at < count);
            assert_int_equal(numbers[at++], number);
        }
        assert_int_equal(at, count);
        found += count;
    }
    assert_true(found > 100);
    control_stop(c);
    free(c);
}

static void a_page_looks_at_so_many_orders_and_no_more(void **state)
{
    static uint64_t numbers[16];
    struct control *c = start();
    struct ctl_view *view = open_view(c);
    countersign_v1_ListOrdersRequest filter = {.device_name = "gw-0", .state = STATE(FAILED)};
    ctl_request_row request = countersign_store_v1_Request_init_zero;
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST, 1);
    unsigned pages;

    (void)state;
    /* The request has failed ones, on another device: each of this device's is looked at. */
    request.number = 1;
    request.first_order = 1;
    request.order_count = 3000;
    request.orders_in_count = CS_ARRAY_LEN(request.orders_in);
    request.orders_in[STATE(FAILED)] = 1;
    put(c, view, &key, countersign_store_v1_Request_fields, &request);
    for (uint64_t number = 1; number <= 3000; number++) {
        ctl_order_row order = countersign_store_v1_Order_init_zero;

        order.number = number;
        order.request_number = 1;
        order.phase = number == 2 ? countersign_store_v1_Phase_PHASE_FAILED
                                  : countersign_store_v1_Phase_PHASE_COMPLETED;
        key = ctl_key_number(CTL_TABLE_ORDER, number);
        put(c, view, &key, countersign_store_v1_Order_fields, &order);
        key = ctl_key_name(CTL_TABLE_DEVICE_ORDER, "gw-0");
        ctl_key_add_u64(&key, number);
        check_ok(ctl_index_put(view, &key, &c->err), c->err);
    }
    memview_commit(&c->store, view);
    ctl_view_free(view);
    assert_int_equal(list_orders(c, &filter, numbers, &pages), 1);
    assert_int_equal(numbers[0], 2);
    assert_int_equal(pages, 3);

    /* What has none in this state is passed over as a whole. */
    filter.state = STATE(REJECTED);
    assert_int_equal(list_orders(c, &filter, numbers, &pages), 0);
    assert_int_equal(pages, 1);
    stop(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sync_state_is_the_devices_word_as_long_as_it_is_there),
        cmocka_unit_test(who_decided_what_is_told_once_a_request),
        cmocka_unit_test(every_connector_of_a_large_topology_comes_once),
        cmocka_unit_test(a_devices_topology_comes_in_pages_as_well),
        cmocka_unit_test(devices_are_listed_by_group_and_by_how_their_names_begin),
        cmocka_unit_test(groups_are_names_of_a_device_that_is_there),
        cmocka_unit_test(a_push_goes_to_the_attachments_in_its_groups_each_once),
        cmocka_unit_test(orders_are_found_by_state_device_and_request),
        cmocka_unit_test(a_page_looks_at_so_many_orders_and_no_more),
    };
    struct cs_err err;

    return cs_crypto_init(&err) == CS_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
