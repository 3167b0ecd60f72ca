/* The device's state as bytes and the journal on it: nothing damaged is believed, every order ends. */
#include "tests/support/check.h"

#include "agent/core/journal.h"

#include <stdio.h>

static const uint8_t device_id[16] = {1, 2, 3};

static struct ag_order *accept(struct ag_state *state, const char *connector, uint8_t id, uint64_t generation)
{
    uint8_t order_id[16] = {id};
    const struct ag_acceptance acceptance = {
        .connector = connector,
        .order_id = CS_SLICE_ARRAY(order_id),
        .core_digest = cs_sha256(cs_slice(&id, 1)),
        .chain_digest = cs_sha256(CS_SLICE_ARRAY(order_id)),
        .generation = generation,
        .decided_at_s = AG_BUILD_TIME_S + (int64_t)generation,
        .account = CS_SLICE_LIT("accepted"),
    };
    struct ag_order *order = NULL;
    struct cs_err err;

    check_ok(ag_journal_accept(state, &acceptance, &order, &err), err);
    return order;
}

static void complete(struct ag_state *state, struct ag_order *order)
{
    struct cs_err err;

    check_ok(ag_journal_end(state, order, CS_SLICE_LIT("completed"), &err), err);
}

static void fill(struct ag_state *state)
{
    struct cs_err err;

    ag_state_init(state, CS_SLICE_ARRAY(device_id));
    state->policy_version = 7;
    state->sequence_reserved = 128;
    complete(state, accept(state, "web", 1, 1));
    struct ag_order *order = accept(state, "web", 2, 5);

    check_ok(ag_journal_begin_put_back(order, CS_SLICE_LIT("failed"), &err), err);
    accept(state, "mail", 3, 1);
}

static struct cs_buf encode(const struct ag_state *state)
{
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(ag_state_encode(state, &out, &err), err);
    return out;
}

static void comes_back_as_it_was(void **unused CS_UNUSED)
{
    struct ag_state state, again;
    struct cs_err err;

    fill(&state);
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);

    check_ok(ag_state_decode(cs_buf_slice(&bytes), &again, &err), err);
    cs_auto(cs_buf_free) struct cs_buf second = encode(&again);

    check_slice(cs_buf_slice(&second), cs_buf_slice(&bytes));
    assert_int_equal(ag_state_connector(&again, "web")->highest_generation, 5);
    assert_int_equal(ag_state_connector(&again, "web")->installed_generation, 1);
    assert_int_equal(again.time_floor_s, AG_BUILD_TIME_S + 5);
    ag_state_free(&state);
    ag_state_free(&again);
}

static void refuses_a_torn_write(void **unused CS_UNUSED)
{
    struct ag_state state, again;

    fill(&state);
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);

    for (size_t len = 0; len < bytes.len; len++)
        check_code(ag_state_decode(cs_slice(bytes.ptr, len), &again, NULL), CS_ECORRUPT);
    ag_state_free(&state);
}

static void refuses_every_changed_byte(void **unused CS_UNUSED)
{
    struct ag_state state, again;

    fill(&state);
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);

    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 0x40;
        check_code(ag_state_decode(cs_buf_slice(&bytes), &again, NULL), CS_ECORRUPT);
        bytes.ptr[i] ^= 0x40;
    }
    ag_state_free(&state);
}

static void finds_what_has_no_end(void **unused CS_UNUSED)
{
    struct ag_connector_state *connector = NULL;
    struct ag_state state;
    struct cs_err err;
    unsigned ended = 0;

    fill(&state);
    for (struct ag_order *order; (order = ag_journal_unfinished(&state, &connector)); ended++)
        check_ok(ag_journal_end(&state, order, CS_SLICE_LIT("ended"), &err), err);
    assert_int_equal(ended, 2);
    /* What was being put back never counts as installed. */
    assert_int_equal(ag_state_connector(&state, "web")->installed_generation, 1);
    assert_int_equal(ag_state_connector(&state, "mail")->installed_generation, 1);
    ag_state_free(&state);
}

static void a_retry_is_the_same_order_once_more(void **unused CS_UNUSED)
{
    struct ag_state state;
    struct cs_err err;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    struct ag_order *order = accept(&state, "web", 1, 1);

    check_ok(ag_journal_begin_put_back(order, CS_SLICE_LIT("failed"), &err), err);
    complete(&state, order);
    order->acknowledged = true;
    assert_ptr_equal(accept(&state, "web", 1, 1), order);
    assert_int_equal(order->attempt, 2);
    assert_false(order->acknowledged);
    assert_int_equal(ag_state_connector(&state, "web")->order_count, 1);
    ag_state_free(&state);
}

static void forgets_old_orders_and_no_generation(void **unused CS_UNUSED)
{
    struct ag_state state;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    for (int i = 1; i <= 3 * AG_LIMIT_ORDERS_KEPT; i++)
        complete(&state, accept(&state, "web", (uint8_t)i, (uint64_t)i));
    const struct ag_connector_state *web = ag_state_connector(&state, "web");

    assert_int_equal(web->order_count, AG_LIMIT_ORDERS_KEPT);
    assert_int_equal(web->orders[0].generation, 3 * AG_LIMIT_ORDERS_KEPT);
    assert_int_equal(web->highest_generation, 3 * AG_LIMIT_ORDERS_KEPT);
    assert_int_equal(web->orders[0].previous_generation, 3 * AG_LIMIT_ORDERS_KEPT - 1);
    ag_state_free(&state);
}

static void the_floor_only_rises(void **unused CS_UNUSED)
{
    struct ag_state state;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    complete(&state, accept(&state, "web", 1, 100));
    complete(&state, accept(&state, "mail", 2, 50));
    assert_int_equal(state.time_floor_s, AG_BUILD_TIME_S + 100);
    ag_state_free(&state);
}

static void remembers_a_bounded_number_of_connectors(void **unused CS_UNUSED)
{
    struct ag_connector_state *connector = NULL;
    struct ag_state state;
    struct cs_err err;
    char name[8];

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    for (unsigned i = 0; i < AG_LIMIT_CONNECTORS_REMEMBERED; i++) {
        snprintf(name, sizeof name, "c%u", i);
        check_ok(ag_state_connector_make(&state, name, &connector, &err), err);
    }
    check_code(ag_state_connector_make(&state, "more", &connector, &err), CS_EFULL);
    ag_state_free(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(refuses_a_torn_write),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(finds_what_has_no_end),
        cmocka_unit_test(a_retry_is_the_same_order_once_more),
        cmocka_unit_test(forgets_old_orders_and_no_generation),
        cmocka_unit_test(the_floor_only_rises),
        cmocka_unit_test(remembers_a_bounded_number_of_connectors),
    };
    struct cs_err err;

    cs_assert(cs_crypto_init(&err) == CS_OK);
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
