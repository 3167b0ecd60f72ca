/* What one push costs a device in signature checks, counted at the function through which all of them go: on
 * a small device each takes tens of milliseconds. */
#include "tests/support/check.h"

#include "agent/core/decide.h"
#include "tests/support/delivery.h"

#include <psa/crypto.h>
#include <stdio.h>

static unsigned verifications;

/* The linker's --wrap puts it between every caller and PSA: statements, and mbedTLS's own for certificates.
 */
psa_status_t __real_psa_verify_hash(mbedtls_svc_key_id_t key, psa_algorithm_t algorithm, const uint8_t *hash,
                                    size_t hash_length, const uint8_t *signature, size_t signature_length);
psa_status_t __wrap_psa_verify_hash(mbedtls_svc_key_id_t key, psa_algorithm_t algorithm, const uint8_t *hash,
                                    size_t hash_length, const uint8_t *signature, size_t signature_length);
psa_status_t __wrap_psa_verify_hash(mbedtls_svc_key_id_t key, psa_algorithm_t algorithm, const uint8_t *hash,
                                    size_t hash_length, const uint8_t *signature, size_t signature_length)
{
    verifications++;
    return __real_psa_verify_hash(key, algorithm, hash, hash_length, signature, signature_length);
}

struct device {
    struct deployment d;
    struct cs_key *kem;
    struct ag_connector web;
    struct ag_connectors connectors;
    struct ag_state state;
    uint8_t device_id[16];
};

static int set_up(void **state)
{
    static struct device device;
    struct cs_err err;

    deployment_make(&device.d);
    check_ok(cs_key_generate(CS_KEY_AGREE, &device.kem, &err), err);
    deployment_make_id("gw-0", device.device_id);
    memcpy(device.web.name, "web", 4);
    device.connectors = (struct ag_connectors){&device.web, 1};
    ag_state_init(&device.state, CS_SLICE_ARRAY(device.device_id));
    *state = &device;
    return 0;
}

static int tear_down(void **state)
{
    struct device *device = *state;

    ag_state_free(&device->state);
    cs_key_free(device->kem);
    deployment_free(&device->d);
    return 0;
}

/* An install that is requested and not decided yet. */
static struct delivery_story *begin(struct device *device)
{
    struct delivery_story *story = delivery_prepare(&device->d, "gw-0", device->device_id, 1);

    delivery_submit(story);
    return story;
}

static unsigned cost(struct device *device, struct delivery_story *story, enum ag_verdict wanted)
{
    const struct ag_facts facts = {
        .deployment_id = CS_SLICE_ARRAY(device->d.id),
        .device_id = CS_SLICE_ARRAY(device->device_id),
        .device_name = "gw-0",
        .policy = device->d.policy,
        .state = &device->state,
        .connectors = &device->connectors,
        .kem_key = device->kem,
        .now_s = device->d.now_s,
        .time_known = true,
    };

    delivery_assemble(story, cs_key_spki(device->kem));
    delivery_wrap(story);
    verifications = 0;
    cs_auto(ag_decision_freep) struct ag_decision *decision = ag_decide(&facts, &story->delivery);

    assert_non_null(decision);
    assert_string_equal(decision->report.verdict, ag_verdict_word(wanted));
    delivery_free(story);
    return verifications;
}

static void three_people_cost_at_most_six_verifications(void **state)
{
    struct device *device = *state;
    struct delivery_story *story = begin(device);
    unsigned counted;

    story_decide(&story->push, "bob", 1);
    story_decide(&story->push, "carol", 2);
    counted = cost(device, story, AG_OK);
    print_message("requester, approver, implementer: %u verifications\n", counted);
    /* The batch, the request, two decisions, and the leaf by its issuer. */
    assert_int_equal(counted, 5);
}

/* Four stages of four people each: the most that a policy can ask for. */
static void ask_for_sixteen_people(struct device *device)
{
    countersign_v1_Rule *rule = &device->d.body->rules[0];

    rule->stages_count = 0;
    for (unsigned i = 0; i < 16; i++) {
        char name[16];

        snprintf(name, sizeof name, "decider-%u", i);
        deployment_add_operator(&device->d, name, countersign_v1_KeyKind_KEY_KIND_FILE,
                                countersign_v1_Role_ROLE_APPROVER);
    }
    for (unsigned i = 0; i < 4; i++) {
        char name[16];

        snprintf(name, sizeof name, "stage-%u", i);
        deployment_add_stage(rule, name, countersign_v1_Role_ROLE_APPROVER, 4);
    }
    deployment_publish(&device->d);
}

static void each_decision_more_costs_one_verification(void **state)
{
    struct device *device = *state;
    struct delivery_story *story;
    unsigned counted;

    ask_for_sixteen_people(device);
    story = begin(device);
    for (unsigned i = 0; i < 16; i++) {
        char name[16];

        snprintf(name, sizeof name, "decider-%u", i);
        story_decide(&story->push, name, 1 + i / 4);
    }
    counted = cost(device, story, AG_OK);
    print_message("sixteen decisions: %u verifications\n", counted);
    assert_int_equal(counted, 3 + CS_LIMIT_DECISIONS);
}

/* What a stranger sends is refused before anything else of it is checked. */
static void a_batch_of_a_stranger_costs_none(void **state)
{
    struct device *device = *state;
    struct delivery_story *story = begin(device);

    /* Only a message key of the policy is tried. */
    CS_PB_SET(&device->d.body->message_keys[0], cs_key_spki(deployment_key(&device->d, "stranger")));
    deployment_publish(&device->d);
    assert_int_equal(cost(device, story, AG_BATCH_SIGNATURE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_people_cost_at_most_six_verifications, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_decision_more_costs_one_verification, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_of_a_stranger_costs_none, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("decide_cost", tests, NULL, NULL);
}
