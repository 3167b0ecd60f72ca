/* Removals and roll backs through the core: the same people, stages and life as a push, and what only they
 * need and leave behind. */
#include "tests/support/check.h"

#include "controller/core/colour.h"
#include "controller/core/query.h"
#include "tests/support/story.h"

#include <stdio.h>

#define PHASE(name)   countersign_store_v1_Phase_PHASE_##name
#define ACTION(name)  countersign_v1_Action_ACTION_##name
#define OUTCOME(name) countersign_v1_Outcome_OUTCOME_##name

/* A device that is there, with "shop" and "mail" attached to its "web". */
static int begin(void **state)
{
    struct control *c;

    control_begin_shop(state);
    c = *state;
    control_certificate(c, "mail");
    assert_int_equal(control_attach(c, "mail", "gw-0"), CS_OK);
    assert_int_equal(control_open(c, "gw-0"), CS_OK);
    return 0;
}

static struct ctl_view *open_view(struct control *c)
{
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    return view;
}

static countersign_v1_OrderCore core_of(struct control *c, uint64_t request)
{
    struct ctl_key key = ctl_key_numbers(CTL_TABLE_CORE, request, 0);
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    struct ctl_view *view = open_view(c);
    struct cs_slice bytes;
    countersign_v1_OrderCore ret;

    check_ok(ctl_bytes_get(view, &key, &bytes, &c->err), c->err);
    check_ok(cs_core_decode(bytes, &core, &c->err), c->err);
    ret = *core;
    ctl_view_free(view);
    return ret;
}

/* One request with this action, decided by bob and carol and handed over: its order. */
static uint64_t hand_over(struct control *c, countersign_v1_Action action, const char *name)
{
    uint64_t push;

    c->action = action;
    push = control_push(c, name);
    c->action = ACTION(UNSPECIFIED);
    control_approve(c, push);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, control_request(c, push).first_order, PHASE(HANDED_OVER));
    return control_request(c, push).first_order;
}

static uint64_t complete(struct control *c, countersign_v1_Action action, const char *name)
{
    uint64_t order = hand_over(c, action, name);

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    control_check_phase(c, order, PHASE(COMPLETED));
    return order;
}

static int prepare(struct control *c, countersign_v1_Action action, const char *name, const char *device)
{
    uint64_t number;
    int rc;

    c->action = action;
    rc = control_prepare(c, name, device, &number);
    c->action = ACTION(UNSPECIFIED);
    return rc;
}

static ctl_connector_row connector(struct control *c)
{
    ctl_device_row device = control_device_row(c, "gw-0");
    struct ctl_key key = ctl_key_connector(CTL_TABLE_CONNECTOR, CTL_BYTES(device.device_id), "web");
    ctl_connector_row row;

    assert_true(control_get(c, &key, countersign_store_v1_Connector_fields, &row));
    return row;
}

static countersign_v1_Colour colour(struct control *c, const char *name)
{
    ctl_certificate_row row = control_certificate_row(c, name);

    return ctl_colour_of(&row, NULL, c->d.now_s);
}

static bool nobody(void *data, const uint8_t device_id[16])
{
    (void)data, (void)device_id;
    return false;
}
static const struct ctl_presence presence = {.connected = nobody};

/* The certificate's only app connector, as the topology has it. */
static countersign_v1_TopologyRow row_of(struct control *c, const char *name)
{
    cs_auto_free countersign_v1_GetTopologyResponse *reply = calloc(1, sizeof *reply);
    countersign_v1_GetTopologyRequest ask = countersign_v1_GetTopologyRequest_init_zero;
    struct cs_digest id = control_certificate_id(c, name);
    struct ctl_view *view = open_view(c);

    assert_non_null(reply);
    CTL_BYTES_SET(ask.certificate_id, cs_digest_slice(&id));
    check_ok(ctl_query_GetTopology(view, &presence, c->d.now_s, &ask, reply, &c->err), c->err);
    ctl_view_free(view);
    assert_int_equal(reply->rows_count, 1);
    return reply->rows[0];
}

/* ---- removals */

static void a_removal_expects_what_it_removes_and_carries_nothing(void **state)
{
    struct control *c = *state;
    struct cs_digest chain = control_chain_digest(c, "shop");
    struct ctl_delivery_request delivery = {0};
    countersign_v1_OrderCore core;
    struct ctl_view *view;
    uint64_t order;

    complete(c, ACTION(INSTALL), "shop");
    order = hand_over(c, ACTION(REMOVE), "shop");
    core = core_of(c, control_order(c, order).request_number);
    assert_int_equal(core.action, ACTION(REMOVE));
    assert_int_equal(core.key_mode, countersign_v1_KeyMode_KEY_MODE_NONE);
    check_slice(CTL_BYTES(core.expects), cs_digest_slice(&chain));
    assert_int_equal(core.chain_digest.size + core.leaf_spki_digest.size, 0);
    assert_int_equal(core.generation, 2);
    view = open_view(c);
    check_ok(ctl_query_delivery_request(view, control_order(c, order).request_number, &delivery, &c->err),
             c->err);
    assert_int_equal(delivery.chain.len + delivery.held_key.len, 0);
    assert_false(delivery.sealed);
    ctl_delivery_request_free(&delivery);
    ctl_view_free(view);
}

static void after_a_removal_nothing_is_there_and_nothing_was_changed_by_hand(void **state)
{
    struct control *c = *state;
    countersign_v1_TopologyRow row;

    complete(c, ACTION(INSTALL), "shop");
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_PURPLE);
    complete(c, ACTION(INSTALL), "shop");
    assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_GREEN);

    complete(c, ACTION(REMOVE), "shop");
    assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_GREEN);
    assert_int_equal(connector(c).certificate_id.size + connector(c).completed_digest.size, 0);
    assert_int_equal(connector(c).installed_digest.size, 0);
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_GREEN);
    row = row_of(c, "shop");
    assert_int_equal(row.last_sync, countersign_v1_SyncState_SYNC_STATE_MISSING);
    assert_int_equal(row.order.action, ACTION(REMOVE));
    /* The attachment is the operator's, who may push again. */
    assert_int_equal(control_certificate_row(c, "shop").attachments, 1);
    complete(c, ACTION(INSTALL), "shop");
    assert_true(row_of(c, "shop").in_sync);
}

static void only_what_is_installed_can_be_removed(void **state)
{
    struct control *c = *state;

    assert_int_equal(prepare(c, ACTION(REMOVE), "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "nothing to remove");
    complete(c, ACTION(INSTALL), "shop");
    assert_int_equal(prepare(c, ACTION(REMOVE), "mail", "gw-0"), CS_ESTATE);
    assert_int_equal(prepare(c, ACTION(REMOVE), "mail", NULL), CS_ESTATE);
    check_says(c->err, "at any of these");

    /* Wherever it is installed: gw-1 has it not. */
    control_device(c, "gw-1");
    check_ok(control_attach(c, "shop", "gw-1"), c->err);
    c->action = ACTION(REMOVE);
    assert_int_equal(control_request(c, control_push(c, "shop")).order_count, 1);
}

static void a_removal_needs_no_override(void **state)
{
    struct control *c = *state;
    uint64_t order;

    complete(c, ACTION(INSTALL), "shop");
    control_revoke(c, "shop");
    assert_int_equal(prepare(c, ACTION(INSTALL), "shop", "gw-0"), CS_ESTATE);
    order = complete(c, ACTION(REMOVE), "shop");
    assert_int_equal(control_order(c, order).action, ACTION(REMOVE));
    assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_BLACK);
}

static void a_revocation_does_not_stop_a_removal(void **state)
{
    struct control *c = *state;
    uint64_t waiting, order;

    complete(c, ACTION(INSTALL), "shop");
    c->action = ACTION(REMOVE);
    waiting = control_push(c, "shop");
    order = control_request(c, waiting).first_order;
    control_revoke(c, "shop");
    control_check_phase(c, order, PHASE(PENDING));
    control_approve(c, waiting);
    check_ok(control_tick(c), c->err);
    control_check_phase(c, order, PHASE(HANDED_OVER));
}

static void a_removal_that_fails_is_tried_again_and_then_gray(void **state)
{
    struct control *c = *state;
    uint64_t order;

    complete(c, ACTION(INSTALL), "shop");
    c->max_attempts = 2;
    order = hand_over(c, ACTION(REMOVE), "shop");
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(SCHEDULED));
    c->d.now_s = control_order(c, order).offer_at_s;
    check_ok(control_tick(c), c->err);
    check_ok(control_report(c, order, OUTCOME(FAILED)), c->err);
    control_check_phase(c, order, PHASE(FAILED));
    assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_GRAY);
}

/* ---- roll backs */

static void a_roll_back_names_the_generation_and_its_certificate(void **state)
{
    struct control *c = *state;
    struct cs_digest shop = control_chain_digest(c, "shop"), mail = control_chain_digest(c, "mail");
    ctl_certificate_row certificate = control_certificate_row(c, "shop");
    struct ctl_delivery_request delivery = {0};
    countersign_v1_OrderCore core;
    struct ctl_view *view;
    uint64_t order;

    complete(c, ACTION(INSTALL), "shop");
    complete(c, ACTION(INSTALL), "mail");
    order = hand_over(c, ACTION(ROLL_BACK), "shop");
    core = core_of(c, control_order(c, order).request_number);
    assert_int_equal(core.action, ACTION(ROLL_BACK));
    assert_int_equal(core.key_mode, countersign_v1_KeyMode_KEY_MODE_NONE);
    assert_int_equal(core.generation, 3);
    assert_int_equal(core.target_generation, 1);
    check_slice(CTL_BYTES(core.expects), cs_digest_slice(&mail));
    check_slice(CTL_BYTES(core.chain_digest), cs_digest_slice(&shop));
    check_slice(CTL_BYTES(core.leaf_spki_digest), CTL_BYTES(certificate.spki_digest));
    view = open_view(c);
    check_ok(ctl_query_delivery_request(view, control_order(c, order).request_number, &delivery, &c->err),
             c->err);
    assert_int_equal(delivery.chain.len + delivery.held_key.len, 0);
    ctl_delivery_request_free(&delivery);
    ctl_view_free(view);

    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    check_slice(CTL_BYTES(connector(c).certificate_id), CTL_BYTES(certificate.id));
    assert_true(row_of(c, "shop").in_sync);
    assert_int_equal(row_of(c, "mail").last_sync, countersign_v1_SyncState_SYNC_STATE_OUT_OF_SYNC);
    assert_int_equal(colour(c, "mail"), countersign_v1_Colour_COLOUR_GREEN);
    /* What came back is a generation, too. */
    complete(c, ACTION(INSTALL), "mail");
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "shop", "gw-0"), CS_OK);
    assert_int_equal(core_of(c, control_meta(c).last_request).target_generation, 3);
}

static void what_was_removed_can_come_back(void **state)
{
    static const uint8_t nothing[CS_SHA256_BYTES];
    struct control *c = *state;
    countersign_v1_OrderCore core;
    uint64_t order;

    complete(c, ACTION(INSTALL), "shop");
    complete(c, ACTION(REMOVE), "shop");
    order = complete(c, ACTION(ROLL_BACK), "shop");
    core = core_of(c, control_order(c, order).request_number);
    check_slice(CTL_BYTES(core.expects), CS_SLICE_ARRAY(nothing));
    assert_int_equal(core.target_generation, 1);
    assert_true(row_of(c, "shop").in_sync);
}

static void only_a_generation_of_this_enrolment_comes_back(void **state)
{
    struct control *c = *state;
    uint64_t order;

    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "push the certificate instead");
    complete(c, ACTION(INSTALL), "shop");
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "already");
    order = hand_over(c, ACTION(INSTALL), "mail");
    check_ok(control_report(c, order, OUTCOME(REFUSED)), c->err);
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "mail", "gw-0"), CS_ESTATE);
    check_says(c->err, "push the certificate instead");

    complete(c, ACTION(INSTALL), "mail");
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "shop", "gw-0"), CS_OK);
    check_ok(control_token(c, "gw-0", "again"), c->err);
    check_ok(control_enrol(c, "gw-0", "again", 1), c->err);
    check_ok(control_admit(c, "gw-0", 1), c->err);
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "push the certificate instead");
}

static void a_roll_back_to_what_is_revoked_has_to_say_so(void **state)
{
    struct control *c = *state;

    complete(c, ACTION(INSTALL), "shop");
    complete(c, ACTION(INSTALL), "mail");
    control_revoke(c, "shop");
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "--even-revoked");
    c->even_revoked = true;
    complete(c, ACTION(ROLL_BACK), "shop");
}

static void a_later_push_supersedes_a_roll_back_and_a_cancel_ends_it(void **state)
{
    struct control *c = *state;
    uint64_t back, push, order;

    complete(c, ACTION(INSTALL), "shop");
    complete(c, ACTION(INSTALL), "mail");
    check_ok(control_close(c, "gw-0"), c->err);
    c->action = ACTION(ROLL_BACK);
    back = control_push(c, "shop");
    c->action = ACTION(UNSPECIFIED);
    push = control_push(c, "mail");
    control_approve(c, back);
    control_approve(c, push);
    order = control_request(c, back).first_order;
    control_check_phase(c, order, PHASE(SUPERSEDED));
    assert_int_equal(control_cancel(c, push), CS_OK);
    c->action = ACTION(ROLL_BACK);
    back = control_push(c, "shop");
    check_ok(control_cancel(c, back), c->err);
    control_check_phase(c, control_request(c, back).first_order, PHASE(CANCELLED));
}

/* ---- what was changed by hand */

enum { DRIFTS = 3 };

/* What the device says of "web" after somebody changed its files: a digest that no chain has, nothing, the
 * chain of "mail". Its journal has not moved. */
static void change_by_hand(struct control *c, unsigned drift)
{
    const struct cs_digest said[DRIFTS] = {
        [0] = cs_sha256(CS_SLICE_LIT("odd")), [2] = control_chain_digest(c, "mail")};

    c->remark = drift == 1 ? "a file was removed by hand" : NULL;
    check_ok(control_advertise(c, "gw-0", drift == 1 ? NULL : &said[drift]), c->err);
    c->remark = NULL;
}

static void what_was_changed_by_hand_can_be_removed(void **state)
{
    struct control *c = *state;
    struct cs_digest chain = control_chain_digest(c, "shop");

    for (unsigned drift = 0; drift < DRIFTS; drift++) {
        uint64_t order;

        complete(c, ACTION(INSTALL), "shop");
        change_by_hand(c, drift);
        assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_PURPLE);
        assert_true(row_of(c, "shop").pushed);
        assert_false(row_of(c, "shop").in_sync);
        /* No order brought it, so the device would refuse to remove it. */
        assert_false(row_of(c, "mail").pushed);
        assert_int_equal(prepare(c, ACTION(REMOVE), "mail", "gw-0"), CS_ESTATE);
        /* Named, and "wherever it is". */
        assert_int_equal(prepare(c, ACTION(REMOVE), "shop", "gw-0"), CS_OK);
        assert_int_equal(prepare(c, ACTION(REMOVE), "shop", NULL), CS_OK);
        order = complete(c, ACTION(REMOVE), "shop");
        check_slice(CTL_BYTES(core_of(c, control_order(c, order).request_number).expects),
                    cs_digest_slice(&chain));
        assert_int_equal(colour(c, "shop"), countersign_v1_Colour_COLOUR_GREEN);
        assert_false(row_of(c, "shop").pushed);
    }
}

static void what_was_changed_by_hand_can_be_rolled_back(void **state)
{
    struct control *c = *state;
    struct cs_digest third;

    control_certificate(c, "third");
    assert_int_equal(control_attach(c, "third", "gw-0"), CS_OK);
    third = control_chain_digest(c, "third");
    for (unsigned drift = 0; drift < DRIFTS; drift++) {
        uint64_t order;

        complete(c, ACTION(INSTALL), "shop");
        complete(c, ACTION(INSTALL), "third");
        change_by_hand(c, drift);
        order = complete(c, ACTION(ROLL_BACK), "shop");
        check_slice(CTL_BYTES(core_of(c, control_order(c, order).request_number).expects),
                    cs_digest_slice(&third));
        assert_true(row_of(c, "shop").in_sync);
    }
}

static void who_puts_the_old_one_back_by_hand_has_not_rolled_back(void **state)
{
    struct control *c = *state;
    struct cs_digest shop = control_chain_digest(c, "shop");

    complete(c, ACTION(INSTALL), "shop");
    complete(c, ACTION(INSTALL), "mail");
    check_ok(control_advertise(c, "gw-0", &shop), c->err);
    assert_int_equal(prepare(c, ACTION(REMOVE), "shop", "gw-0"), CS_ESTATE);
    assert_int_equal(prepare(c, ACTION(ROLL_BACK), "mail", "gw-0"), CS_ESTATE);
    check_says(c->err, "push it again");
    complete(c, ACTION(ROLL_BACK), "shop");
    assert_true(row_of(c, "shop").pushed);
}

/* The device says what is there when it comes back, and only then sends the report that it owes. */
static void a_report_that_was_overtaken_still_tells_what_its_order_left(void **state)
{
    struct control *c = *state;
    struct cs_digest shop = control_chain_digest(c, "shop");
    uint64_t order = hand_over(c, ACTION(INSTALL), "shop"), sequence;

    check_ok(control_report(c, order, OUTCOME(ACCEPTED)), c->err);
    sequence = c->sequence++;
    check_ok(control_advertise(c, "gw-0", NULL), c->err);
    c->sequence = sequence;
    check_ok(control_report(c, order, OUTCOME(COMPLETED)), c->err);
    c->sequence = sequence + 2;
    check_slice(CTL_BYTES(connector(c).completed_digest), cs_digest_slice(&shop));
    assert_int_equal(connector(c).installed_digest.size, 0);
    assert_int_equal(prepare(c, ACTION(REMOVE), "shop", "gw-0"), CS_OK);
}

static void a_new_enrolment_begins_with_nothing(void **state)
{
    struct control *c = *state;
    struct cs_digest shop = control_chain_digest(c, "shop");

    complete(c, ACTION(INSTALL), "shop");
    check_ok(control_token(c, "gw-0", "again"), c->err);
    check_ok(control_enrol(c, "gw-0", "again", 1), c->err);
    check_ok(control_admit(c, "gw-0", 1), c->err);
    check_ok(control_advertise(c, "gw-0", &shop), c->err);
    assert_int_equal(connector(c).completed_digest.size + connector(c).completed_generation, 0);
    assert_int_equal(prepare(c, ACTION(REMOVE), "shop", "gw-0"), CS_ESTATE);
    check_says(c->err, "nothing to remove");
}

/* ---- what holds of both */

static void neither_takes_a_key(void **state)
{
    struct control *c = *state;
    cs_auto_free countersign_v1_PreparePushRequest *ask = calloc(1, sizeof *ask);
    countersign_v1_PreparePushResponse reply;
    struct cs_digest id = control_certificate_id(c, "shop");

    assert_non_null(ask);
    complete(c, ACTION(INSTALL), "shop");
    CTL_BYTES_SET(ask->certificate_id, cs_digest_slice(&id));
    ask->action = ACTION(REMOVE);
    ask->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
    assert_int_equal(control_run(c, CTL_PREPARE_PUSH, ask, &reply), CS_EINVAL);
    check_says(c->err, "carry no key");
    ask->action = (countersign_v1_Action)9;
    assert_int_equal(control_run(c, CTL_PREPARE_PUSH, ask, &reply), CS_EINVAL);
}

/* People ask which rule a push comes under as the device picks it. */
static void the_leaf_counts_for_a_roll_back_and_not_for_a_removal(void **state)
{
    static const struct {
        countersign_v1_Action action;
        const char *rule;
    } cases[] = {{ACTION(UNSPECIFIED), "of-mail"},
                 {ACTION(INSTALL), "of-mail"},
                 {ACTION(ROLL_BACK), "of-mail"},
                 {ACTION(REMOVE), "others"}};
    struct control *c = *state;
    cs_auto_free countersign_v1_ExplainPushResponse *reply = calloc(1, sizeof *reply);
    countersign_v1_Rule rule = c->d.body->rules[0];
    cs_auto_free countersign_v1_ExplainPushRequest *ask = calloc(1, sizeof *ask);
    struct cs_digest id = control_certificate_id(c, "mail");
    struct ctl_view *view;

    assert_true(reply && ask);
    snprintf(c->d.body->rules[0].name, sizeof rule.name, "of-mail");
    c->d.body->rules[0].names_count = 1;
    snprintf(c->d.body->rules[0].names[0], sizeof rule.names[0], "mail");
    snprintf(rule.name, sizeof rule.name, "others");
    c->d.body->rules[c->d.body->rules_count++] = rule;
    deployment_publish(&c->d);
    control_policy(c);
    view = open_view(c);
    CTL_BYTES_SET(ask->certificate_id, cs_digest_slice(&id));
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        memset(reply, 0, sizeof *reply);
        ask->action = cases[i].action;
        check_ok(ctl_query_ExplainPush(view, &presence, c->d.now_s, ask, reply, &c->err), c->err);
        assert_string_equal(reply->needs[0].rule, cases[i].rule);
    }
    ctl_view_free(view);
}

static void a_remark_of_the_device_is_shown_until_it_is_taken_back(void **state)
{
    struct control *c = *state;
    struct cs_digest other = cs_sha256(CS_SLICE_LIT("other"));

    complete(c, ACTION(INSTALL), "shop");
    c->remark = "the application serves another certificate";
    check_ok(control_advertise(c, "gw-0", &other), c->err);
    assert_string_equal(row_of(c, "shop").remark, c->remark);
    assert_string_equal(connector(c).remark, c->remark);
    c->remark = NULL;
    check_ok(control_advertise(c, "gw-0", &other), c->err);
    assert_string_equal(row_of(c, "shop").remark, "");
}

int main(void)
{
#define story(f) cmocka_unit_test_setup_teardown(f, begin, control_end)
    const struct CMUnitTest tests[] = {
        story(a_removal_expects_what_it_removes_and_carries_nothing),
        story(after_a_removal_nothing_is_there_and_nothing_was_changed_by_hand),
        story(only_what_is_installed_can_be_removed),
        story(a_removal_needs_no_override),
        story(a_revocation_does_not_stop_a_removal),
        story(a_removal_that_fails_is_tried_again_and_then_gray),
        story(a_roll_back_names_the_generation_and_its_certificate),
        story(what_was_removed_can_come_back),
        story(only_a_generation_of_this_enrolment_comes_back),
        story(a_roll_back_to_what_is_revoked_has_to_say_so),
        story(a_later_push_supersedes_a_roll_back_and_a_cancel_ends_it),
        story(what_was_changed_by_hand_can_be_removed),
        story(what_was_changed_by_hand_can_be_rolled_back),
        story(who_puts_the_old_one_back_by_hand_has_not_rolled_back),
        story(a_report_that_was_overtaken_still_tells_what_its_order_left),
        story(a_new_enrolment_begins_with_nothing),
        story(neither_takes_a_key),
        story(the_leaf_counts_for_a_roll_back_and_not_for_a_removal),
        story(a_remark_of_the_device_is_shown_until_it_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
