/* What a shard writes field by field is what the generated code reads, and what a device verifies. */
#include "controller/core/query_rows.h"
#include "controller/fleet/push_message.h"
#include "shared/trust/merkle.h"
#include "tests/support/check.h"
#include "tests/support/control.h"

struct fixture {
    struct control c;
    uint64_t request;
    struct ctl_source source;
    struct ctl_view *view;
    struct ctl_push_common common;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct cs_err err;

    control_start(&f.c);
    control_certificate(&f.c, "shop");
    for (unsigned i = 0; i < 3; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "gw-%u", i);
        control_device(&f.c, name);
        assert_int_equal(control_attach(&f.c, "shop", name), CS_OK);
    }
    f.request = control_push(&f.c, "shop");
    control_approve(&f.c, f.request);
    f.source = memview_source(&f.c.store);
    check_ok(ctl_view_new(&f.source, &f.view, &err), err);
    check_ok(ctl_push_common_read(f.view, f.request, &f.common, &err), err);
    /* Sealing it is the business of the vault, and of the tests with a whole controller. */
    f.common.request.held_key = CS_SLICE_EMPTY;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ctl_push_common_free(&f->common);
    ctl_view_free(f->view);
    control_stop(&f->c);
    return 0;
}

static void check_message(struct fixture *f, const ctl_order_row *order, struct cs_slice bytes)
{
    cs_auto_free countersign_v1_PushMessage *message = NULL;
    cs_auto_free countersign_v1_OrderCore *core = NULL;
    struct cs_digest chain = control_chain_digest(&f->c, "shop"), leaf, root, carried;
    struct ctl_key key = ctl_key_number(CTL_TABLE_REQUEST_ENVELOPE, f->request);
    struct cs_slice proof[CS_LIMIT_MERKLE_DEPTH], envelope;
    cs_auto(cs_push_freep) struct cs_push *push = NULL;
    enum cs_push_reason reason;
    struct cs_err err;

    check_ok(cs_push_message_decode(bytes, &message, &err), err);
    check_ok(cs_core_decode(CS_PB_BYTES(&message->order_core), &core, &err), err);
    check_slice(CS_PB_BYTES(&core->order_id), CTL_BYTES(order->order_id));
    check_ok(ctl_bytes_get(f->view, &key, &envelope, &err), err);
    check_slice(CS_PB_BYTES(&message->request), envelope);
    check_ok(cs_push_open(f->c.d.policy, envelope, f->c.d.now_s, &push, &reason, &err), err);
    memcpy(root.bytes, cs_push_request(push)->order_root.bytes, sizeof root.bytes);
    leaf = cs_merkle_leaf(CS_PB_BYTES(&message->order_core));
    for (size_t i = 0; i < message->order_proof_count; i++)
        proof[i] = CS_PB_BYTES(&message->order_proof[i]);
    assert_true(cs_merkle_verify(&root, 3, message->order_index, &leaf, proof, message->order_proof_count));
    assert_int_equal(message->decisions_count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct cs_push_order one = {order->index,
                                    cs_policy_rule(f->c.d.policy, core->device_name, core->connector, NULL)};

        check_ok(cs_push_add_decision(push, CS_PB_BYTES(&message->decisions[i]), &one, 1, &reason, &err),
                 err);
    }
    carried = cs_sha256(CS_PB_BYTES(&message->chain));
    check_slice(cs_digest_slice(&carried), cs_digest_slice(&chain));
    assert_false(message->has_sealed_key);
}

static void is_canonical_and_carries_all_that_a_device_verifies(void **state)
{
    struct fixture *f = *state;
    const ctl_request_row request = control_request(&f->c, f->request);

    for (uint32_t i = 0; i < request.order_count; i++) {
        const ctl_order_row order = control_order(&f->c, request.first_order + i);
        cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
        struct ctl_delivery delivery;
        struct cs_err err;

        check_ok(ctl_query_delivery(f->view, &f->common.request, &order, &delivery, &err), err);
        check_ok(ctl_push_message(NULL, &f->common, &delivery, &bytes, &err), err);
        check_message(f, &order, cs_buf_slice(&bytes));
    }
}

static void an_order_beyond_its_request_is_damage(void **state)
{
    struct fixture *f = *state;
    const ctl_request_row request = control_request(&f->c, f->request);
    ctl_order_row order = control_order(&f->c, request.first_order);
    struct ctl_delivery delivery;
    struct cs_err err;

    order.index = request.order_count;
    assert_int_equal(ctl_query_delivery(f->view, &f->common.request, &order, &delivery, &err), CS_ECORRUPT);
    check_says(err, "beyond");
}

static void a_request_that_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct ctl_push_common common = {0};
    struct cs_err err;

    assert_int_equal(ctl_push_common_read(f->view, f->request + 1, &common, &err), CS_ENOTFOUND);
    ctl_push_common_free(&common);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_canonical_and_carries_all_that_a_device_verifies),
        cmocka_unit_test(an_order_beyond_its_request_is_damage),
        cmocka_unit_test(a_request_that_is_not_there_is_not_found),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
