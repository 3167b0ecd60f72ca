/* The device's state as bytes and the journal on it: nothing damaged is believed, every order ends. */
#include "tests/support/check.h"

#include "agent/core/journal.h"
#include "tests/support/alloc_fail.h"

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

static void a_removal_leaves_nothing_installed(void **unused CS_UNUSED)
{
    struct ag_state state, again;
    struct cs_err err;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    complete(&state, accept(&state, "web", 1, 1));
    struct ag_order *order = accept(&state, "web", 2, 2);

    order->removes = true;
    complete(&state, order);
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);

    check_ok(ag_state_decode(cs_buf_slice(&bytes), &again, &err), err);
    const struct ag_connector_state *web = ag_state_connector(&again, "web");
    const struct cs_digest nothing = {{0}};

    assert_int_equal(web->highest_generation, 2);
    assert_int_equal(web->installed_generation, 0);
    assert_true(cs_digest_eq(&web->installed_digest, &nothing));
    assert_true(web->orders[0].removes && !web->orders[1].removes);
    ag_state_free(&state);
    ag_state_free(&again);
}

/* Of one order, as agents wrote it that knew of no removals: without the byte that tells of them. */
static void reads_what_older_agents_wrote(void **unused CS_UNUSED)
{
    enum { CHECKSUM = CS_SHA256_BYTES, BEHIND_REMOVES = 8 + 8 + 4 + 32 + 4 + 9 };
    cs_auto(cs_buf_free) struct cs_buf old = CS_BUF_EMPTY;
    struct ag_state state, again;
    struct cs_err err;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    complete(&state, accept(&state, "web", 1, 1));
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);
    size_t at = bytes.len - CHECKSUM - BEHIND_REMOVES - 1;

    assert_int_equal(cs_buf_append(&old, cs_slice(bytes.ptr, at)), CS_OK);
    assert_int_equal(cs_buf_append(&old, cs_slice(bytes.ptr + at + 1, BEHIND_REMOVES)), CS_OK);
    *strchr((char *)old.ptr, '2') = '1'; /* in "countersign-agent-state 2" */
    struct cs_digest digest = cs_sha256(cs_buf_slice(&old));

    assert_int_equal(cs_buf_append(&old, cs_digest_slice(&digest)), CS_OK);
    check_ok(ag_state_decode(cs_buf_slice(&old), &again, &err), err);
    cs_auto(cs_buf_free) struct cs_buf second = encode(&again);

    check_slice(cs_buf_slice(&second), cs_buf_slice(&bytes));
    check_code(ag_state_decode(cs_slice(old.ptr, 30), &again, &err), CS_ECORRUPT);
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

/* The checksum fits, and yet it is nothing that we wrote. */
static int decode_sealed(struct cs_slice body)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_digest digest = cs_sha256(body);
    struct ag_state again;
    int code;

    assert_int_equal(cs_buf_append(&bytes, body), CS_OK);
    assert_int_equal(cs_buf_append(&bytes, cs_digest_slice(&digest)), CS_OK);
    code = ag_state_decode(cs_buf_slice(&bytes), &again, NULL);
    if (!code)
        ag_state_free(&again);
    return code;
}

/* Cut anywhere, with more behind, or with a number that is beyond its limit. */
static void refuses_what_only_has_a_checksum(void **unused CS_UNUSED)
{
    enum {
        COUNT_AT = 26 + 16 + 4 + 8 + 8,
        NAME_LEN_AT = COUNT_AT + 4,
        ORDERS_AT = NAME_LEN_AT + 1 + 3 + 8 + 8 + 32, /* behind the name "web" */
        PHASE_AT = ORDERS_AT + 1 + 16 + 32,
    };
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {
        {COUNT_AT + 3, AG_LIMIT_CONNECTORS_REMEMBERED + 1},
        {COUNT_AT, 0xff},
        {NAME_LEN_AT, 0},
        {NAME_LEN_AT, CS_LIMIT_NAME_BYTES + 1},
        {ORDERS_AT, AG_LIMIT_ORDERS_KEPT + 1},
        {PHASE_AT, AG_PHASE_NONE},
        {PHASE_AT, AG_PHASE_COMPLETED + 1},
    };
    struct ag_state state;

    fill(&state);
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);
    size_t body = bytes.len - CS_SHA256_BYTES;

    check_code(decode_sealed(cs_slice(bytes.ptr, body)), CS_OK);
    for (size_t len = 26; len < body; len++)
        check_code(decode_sealed(cs_slice(bytes.ptr, len)), CS_ECORRUPT);
    check_code(decode_sealed(cs_slice(bytes.ptr, body + 1)), CS_ECORRUPT);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        uint8_t before = bytes.ptr[cases[i].at];

        bytes.ptr[cases[i].at] = cases[i].value;
        check_code(decode_sealed(cs_slice(bytes.ptr, body)), CS_ECORRUPT);
        bytes.ptr[cases[i].at] = before;
    }
    ag_state_free(&state);
}

static void a_fresh_state_comes_back(void **unused CS_UNUSED)
{
    struct ag_connector_state *connector;
    struct ag_state state, again;
    struct cs_err err;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);

    check_ok(ag_state_decode(cs_buf_slice(&bytes), &again, &err), err);
    assert_int_equal(again.connector_count, 0);
    ag_state_free(&again);
    check_ok(ag_state_connector_make(&state, "web", &connector, &err), err);
    assert_null(ag_journal_unfinished(&state, &connector)); /* it has no order at all */
    ag_state_free(&state);
}

static void writes_all_or_nothing(void **unused CS_UNUSED)
{
    struct ag_state state;
    struct cs_err err;

    fill(&state);
    cs_auto(cs_buf_free) struct cs_buf whole = encode(&state);

    for (size_t limit = 1; limit < whole.len; limit++) {
        struct cs_buf out = {.limit_bytes = limit};

        check_code(ag_state_encode(&state, &out, &err), CS_ETOOBIG);
        assert_int_equal(out.len, 0);
        cs_buf_free(&out);
    }
    ag_state_free(&state);
}

/* A step that could not be journalled leaves the order where it was. */
static void live_short_of_memory(void *data)
{
    const struct ag_acceptance acceptance = {.connector = "web",
                                             .order_id = CS_SLICE_ARRAY(device_id),
                                             .generation = 1,
                                             .account = CS_SLICE_LIT("accepted")};
    struct cs_buf *bytes = data;
    struct ag_state state, read;
    struct ag_order *order = NULL;
    struct cs_err err;
    int code;

    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    code = ag_journal_accept(&state, &acceptance, &order, &err);
    assert_true(!code || !order);
    if (!code) {
        code = ag_journal_begin_put_back(order, CS_SLICE_LIT("failed"), &err);
        assert_int_equal(order->phase, code ? AG_PHASE_ACCEPTED : AG_PHASE_PUTTING_BACK);
    }
    if (!code) {
        code = ag_journal_end(&state, order, CS_SLICE_LIT("put back"), &err);
        assert_int_equal(order->phase, code ? AG_PHASE_PUTTING_BACK : AG_PHASE_PUT_BACK);
    }
    if (!code) {
        code = ag_state_decode(cs_buf_slice(bytes), &read, &err);
        if (!code)
            ag_state_free(&read);
    }
    assert_true(!code || (code == CS_ENOMEM && alloc_fail_happened()));
    ag_state_free(&state);
}

static void says_when_memory_runs_out(void **unused CS_UNUSED)
{
    struct ag_state state;

    fill(&state);
    cs_auto(cs_buf_free) struct cs_buf bytes = encode(&state);

    assert_true(alloc_fail_run(live_short_of_memory, &bytes) >= 7);
    ag_state_free(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(a_removal_leaves_nothing_installed),
        cmocka_unit_test(reads_what_older_agents_wrote),
        cmocka_unit_test(refuses_a_torn_write),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(finds_what_has_no_end),
        cmocka_unit_test(a_retry_is_the_same_order_once_more),
        cmocka_unit_test(forgets_old_orders_and_no_generation),
        cmocka_unit_test(the_floor_only_rises),
        cmocka_unit_test(remembers_a_bounded_number_of_connectors),
        cmocka_unit_test(refuses_what_only_has_a_checksum),
        cmocka_unit_test(a_fresh_state_comes_back),
        cmocka_unit_test(writes_all_or_nothing),
        cmocka_unit_test(says_when_memory_runs_out),
    };
    struct cs_err err;

    cs_assert(cs_crypto_init(&err) == CS_OK);
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
