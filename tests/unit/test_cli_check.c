/* What a client refuses to sign or believe, whatever the controller says. */
#include "tests/support/check.h"

#include "controller/cli/check.h"
#include "controller/cli/compose.h"
#include "controller/cli/show.h"

#include <stdio.h>

enum { NOW_S = 1800000000 };

/* A deployment with alice as admin, bob and carol to decide, one admitted device and one certificate. */
struct world {
    struct cs_key *root, *alice, *bob, *device, *leaf;
    struct cs_policy *policy;
    struct cs_buf admission, advertisement, renewal, chain;
    struct cli_check_certificate certificate;
    countersign_v1_OrderCore core;
};

static struct cs_key *new_key(void)
{
    struct cs_key *key;
    struct cs_err err;

    check_ok(cs_key_generate(CS_KEY_SIGN, &key, &err), err);
    return key;
}

static void add_operator(countersign_v1_TrustPolicy *draft, const char *name, countersign_v1_Role role,
                         countersign_v1_Role other, const struct cs_key *key)
{
    countersign_v1_Operator *who = &draft->operators[draft->operators_count++];

    snprintf(who->name, sizeof who->name, "%s", name);
    who->roles[who->roles_count++] = role;
    if (other)
        who->roles[who->roles_count++] = other;
    who->keys_count = 1;
    who->keys[0].kind = countersign_v1_KeyKind_KEY_KIND_FILE;
    CS_PB_SET(&who->keys[0].spki, cs_key_spki(key));
}

static void sign(enum cs_statement_kind kind, const pb_msgdesc_t *fields, const void *message,
                 const struct cs_key *key, struct cs_buf *out)
{
    struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_err err;

    cs_buf_clear(out);
    check_ok(cs_message_encode(fields, message, &payload, &err), err);
    check_ok(cs_envelope_sign(kind, cs_buf_slice(&payload), &key, 1, out, &err), err);
    cs_buf_free(&payload);
}

static struct cs_policy *make_policy(const struct world *world)
{
    countersign_v1_TrustPolicy *draft = calloc(1, sizeof *draft);
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_policy *policy;
    struct cs_pin pin = {.least_version = 1};
    struct cs_err err;

    cli_compose_first(draft, NOW_S, 86400);
    cli_compose_roots(draft, (struct cs_slice[]){cs_key_spki(world->root)}, 1, 1);
    add_operator(draft, "alice", countersign_v1_Role_ROLE_ADMIN, countersign_v1_Role_ROLE_IMPLEMENTER,
                 world->alice);
    add_operator(draft, "bob", countersign_v1_Role_ROLE_REQUESTER, countersign_v1_Role_ROLE_APPROVER,
                 world->bob);
    add_operator(draft, "carol", countersign_v1_Role_ROLE_APPROVER, countersign_v1_Role_ROLE_UNSPECIFIED,
                 world->leaf);
    draft->message_keys_count = draft->agent_cas_count = 1;
    CS_PB_SET(&draft->message_keys[0], cs_key_spki(world->device));
    CS_PB_SET(&draft->agent_cas[0], cs_buf_slice(&world->chain));
    sign(CS_STATEMENT_TRUST_POLICY, countersign_v1_TrustPolicy_fields, draft, world->root, &wire);
    memcpy(pin.deployment_id, draft->deployment_id.bytes, sizeof pin.deployment_id);
    pin.roots_digest = cs_roots_digest(&draft->roots);
    check_ok(cs_policy_open_pinned(cs_buf_slice(&wire), &pin, &policy, &err), err);
    cs_buf_free(&wire);
    free(draft);
    return policy;
}

static void admit(struct world *world, const char *admin, const struct cs_key *key)
{
    countersign_v1_Admission admission = {.policy_version = 1, .admitted_at_s = NOW_S};

    CS_PB_SET(&admission.deployment_id, CS_PB_BYTES(&cs_policy_body(world->policy)->deployment_id));
    snprintf(admission.admin, sizeof admission.admin, "%s", admin);
    snprintf(admission.device_name, sizeof admission.device_name, "gw-1");
    CS_PB_SET(&admission.device_id, CS_PB_BYTES(&world->core.device_id));
    CS_PB_SET(&admission.identity_spki, cs_key_spki(world->device));
    CS_PB_SET(&admission.kem_spki, cs_key_spki(world->leaf));
    sign(CS_STATEMENT_ADMISSION, countersign_v1_Admission_fields, &admission, key, &world->admission);
}

static void advertise_as(struct world *world, uint64_t sequence, const struct cs_key *key)
{
    countersign_v1_DeviceAdvertisement *said = calloc(1, sizeof *said);

    CS_PB_SET(&said->deployment_id, CS_PB_BYTES(&cs_policy_body(world->policy)->deployment_id));
    CS_PB_SET(&said->device_id, CS_PB_BYTES(&world->core.device_id));
    said->sequence = sequence;
    said->made_at_s = NOW_S;
    snprintf(said->agent_version, sizeof said->agent_version, "0.1.0");
    snprintf(said->platform, sizeof said->platform, "linux/amd64");
    said->connectors_count = 1;
    snprintf(said->connectors[0].name, sizeof said->connectors[0].name, "nginx");
    snprintf(said->connectors[0].application, sizeof said->connectors[0].application, "nginx");
    said->connectors[0].generation = 4;
    sign(CS_STATEMENT_DEVICE_ADVERTISEMENT, countersign_v1_DeviceAdvertisement_fields, said, key,
         &world->advertisement);
    free(said);
}

/* With sequence 5, from the admitted key to bob's. */
static void renew(struct world *world)
{
    const struct cs_key *keys[] = {world->device, world->bob};
    countersign_v1_DeviceRenewal renewal = {.sequence = 5, .made_at_s = NOW_S};
    struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_err err;

    CS_PB_SET(&renewal.deployment_id, CS_PB_BYTES(&cs_policy_body(world->policy)->deployment_id));
    CS_PB_SET(&renewal.device_id, CS_PB_BYTES(&world->core.device_id));
    CS_PB_SET(&renewal.identity_spki, cs_key_spki(world->bob));
    check_ok(cs_message_encode(countersign_v1_DeviceRenewal_fields, &renewal, &payload, &err), err);
    check_ok(
        cs_envelope_sign(CS_STATEMENT_DEVICE_RENEWAL, cs_buf_slice(&payload), keys, 2, &world->renewal, &err),
        err);
    cs_buf_free(&payload);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct cs_issue issue = {.common_name = "client.example",
                             .not_before_s = NOW_S - 10,
                             .not_after_s = NOW_S + 1000000,
                             .client_auth = true};
    struct cs_digest id;
    struct cs_err err;

    check_ok(cs_crypto_init(&err), err);
    world->root = new_key();
    world->alice = new_key();
    world->bob = new_key();
    world->device = new_key();
    world->leaf = new_key();
    issue.subject_spki = cs_key_spki(world->leaf);
    check_ok(cs_cert_issue(&issue, NULL, world->leaf, &world->chain, &err), err);
    id = cs_sha256(cs_buf_slice(&world->chain));
    check_ok(
        cli_check_certificate(cs_digest_slice(&id), cs_buf_slice(&world->chain), &world->certificate, &err),
        err);
    world->policy = make_policy(world);
    world->core = (countersign_v1_OrderCore){
        .order_id = {16, {1}},
        .number = 7,
        .device_name = "gw-1",
        .device_id = {16, {2}},
        .connector = "nginx",
        .action = countersign_v1_Action_ACTION_INSTALL,
        .generation = 5,
        .key_mode = countersign_v1_KeyMode_KEY_MODE_HELD,
    };
    CS_PB_SET(&world->core.chain_digest, cs_digest_slice(&world->certificate.chain_digest));
    CS_PB_SET(&world->core.leaf_spki_digest, cs_digest_slice(&world->certificate.leaf.spki_digest));
    admit(world, "alice", world->alice);
    advertise_as(world, 1, world->device);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    cs_key_free(world->root);
    cs_key_free(world->alice);
    cs_key_free(world->bob);
    cs_key_free(world->device);
    cs_key_free(world->leaf);
    cs_policy_free(world->policy);
    cs_buf_free(&world->admission);
    cs_buf_free(&world->advertisement);
    cs_buf_free(&world->renewal);
    cs_buf_free(&world->chain);
    cli_check_certificate_free(&world->certificate);
    free(world);
    return 0;
}

static int check(const struct world *world, bool fresh, struct cs_err *err)
{
    countersign_v1_GetDeviceResponse *device = calloc(1, sizeof *device);
    const struct cli_check_order order = {
        .policy = world->policy,
        .certificate = &world->certificate,
        .device = device,
        .fresh = fresh,
    };
    int rc;

    CS_PB_SET(&device->admission, cs_buf_slice(&world->admission));
    CS_PB_SET(&device->advertisement, cs_buf_slice(&world->advertisement));
    if (world->renewal.len) {
        device->renewals_count = 1;
        CS_PB_SET(&device->renewals[0], cs_buf_slice(&world->renewal));
    }
    rc = cli_check_core(&world->core, &order, err);
    free(device);
    return rc;
}

static void accepts_what_was_asked_for(void **state)
{
    struct world *world = *state;
    struct cs_err err;

    check_ok(check(world, true, &err), err);
}

static void other_device_id(struct world *world)
{
    world->core.device_id.bytes[0] ^= 1;
}
static void other_name(struct world *world)
{
    snprintf(world->core.device_name, sizeof world->core.device_name, "gw-2");
}
static void other_connector(struct world *world)
{
    snprintf(world->core.connector, sizeof world->core.connector, "haproxy");
}
static void other_chain(struct world *world)
{
    world->core.chain_digest.bytes[0] ^= 1;
}
static void other_key(struct world *world)
{
    world->core.leaf_spki_digest.bytes[0] ^= 1;
}
static void no_key(struct world *world)
{
    world->core.key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
}
static void old_generation(struct world *world)
{
    world->core.generation = 4;
}
static void far_generation(struct world *world)
{
    world->core.generation = 4 + CS_LIMIT_GENERATION_JUMP + 1;
}
static void removal_with_chain(struct world *world)
{
    world->core.action = countersign_v1_Action_ACTION_REMOVE;
}
static void make_removal(struct world *world)
{
    world->core.action = countersign_v1_Action_ACTION_REMOVE;
    world->core.key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    world->core.chain_digest.size = world->core.leaf_spki_digest.size = 0;
    CS_PB_SET(&world->core.expects, cs_digest_slice(&world->certificate.chain_digest));
}
static void make_roll_back(struct world *world)
{
    world->core.action = countersign_v1_Action_ACTION_ROLL_BACK;
    world->core.key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    world->core.target_generation = 3;
    world->core.expects.size = CS_SHA256_BYTES;
}
static void removal_with_key(struct world *world)
{
    make_removal(world);
    world->core.key_mode = countersign_v1_KeyMode_KEY_MODE_HELD;
}
static void removal_of_another(struct world *world)
{
    make_removal(world);
    world->core.expects.bytes[0] ^= 1;
}
static void removal_of_whatever(struct world *world)
{
    make_removal(world);
    world->core.expects.size = 0;
}
static void roll_back_to_another(struct world *world)
{
    make_roll_back(world);
    world->core.chain_digest.bytes[0] ^= 1;
}
static void roll_back_to_another_key(struct world *world)
{
    make_roll_back(world);
    world->core.leaf_spki_digest.bytes[0] ^= 1;
}
static void roll_back_with_key(struct world *world)
{
    make_roll_back(world);
    world->core.key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
}
static void roll_back_of_whatever(struct world *world)
{
    make_roll_back(world);
    world->core.expects.size = 0;
}
static void no_admission(struct world *world)
{
    cs_buf_clear(&world->admission);
}
static void admission_by_nobody(struct world *world)
{
    admit(world, "alice", world->device);
}
static void admission_by_another(struct world *world)
{
    admit(world, "alice", world->bob);
}
static void admission_without_role(struct world *world)
{
    admit(world, "bob", world->bob);
}
static void silent_device(struct world *world)
{
    cs_buf_clear(&world->advertisement);
}
static void forged_advertisement(struct world *world)
{
    world->advertisement.ptr[world->advertisement.len - 1] ^= 1;
}
static void advertised_by_a_key_without_renewal(struct world *world)
{
    advertise_as(world, 6, world->bob);
}
static void advertised_by_the_old_key(struct world *world)
{
    renew(world);
    advertise_as(world, 6, world->device);
}
static void renewal_that_was_altered(struct world *world)
{
    renew(world);
    world->renewal.ptr[world->renewal.len - 1] ^= 1;
}

static void believes_the_key_that_a_renewal_names(void **state)
{
    struct world *world = *state;
    struct cs_err err;

    renew(world);
    check_ok(check(world, true, &err), err); /* said before the renewal, by the key of then */
    advertise_as(world, 6, world->bob);
    check_ok(check(world, true, &err), err);
}

static void refuses_what_was_not_asked_for(void **state)
{
    static const struct {
        void (*change)(struct world *world);
        const char *says;
    } cases[] = {
        {other_device_id, "another device-id"},
        {other_name, "is that of gw-1"},
        {other_connector, "does not say that it has"},
        {other_chain, "another chain"},
        {other_key, "another key"},
        {no_key, "no private key"},
        {old_generation, "is at 4"},
        {far_generation, "is at 4"},
        {removal_with_chain, "nothing is to be installed"},
        {removal_with_key, "nothing is to be installed"},
        {removal_of_another, "removes another certificate"},
        {removal_of_whatever, "removes another certificate"},
        {roll_back_to_another, "another chain"},
        {roll_back_to_another_key, "another key"},
        {roll_back_with_key, "though the device has it"},
        {roll_back_of_whatever, "whatever is there"},
        {no_admission, "is not admitted"},
        {admission_by_nobody, "the admission of device gw-1"},
        {admission_by_another, "the admission of device gw-1"},
        {admission_without_role, "the admission of device gw-1"},
        {silent_device, "has not said"},
        {forged_advertisement, "about its connectors"},
        {advertised_by_a_key_without_renewal, "about its connectors"},
        {advertised_by_the_old_key, "did not have then"},
        {renewal_that_was_altered, "renewal 1 of device gw-1"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        void *fresh_world;
        struct cs_err err;

        assert_int_equal(set_up(&fresh_world), 0);
        cases[i].change(fresh_world);
        assert_int_not_equal(check(fresh_world, true, &err), CS_OK);
        check_says(err, cases[i].says);
        tear_down(&fresh_world);
    }
}

static void accepts_a_removal_and_a_roll_back_that_were_asked_for(void **state)
{
    struct world *world = *state;
    struct cs_err err;

    make_roll_back(world);
    check_ok(check(world, true, &err), err);
    make_removal(world);
    world->core.target_generation = 0;
    check_ok(check(world, true, &err), err);
}

static void a_decider_need_not_catch_the_device_standing_still(void **state)
{
    struct world *world = *state;
    struct cs_err err;

    world->core.generation = 4;
    check_ok(check(world, false, &err), err);
}

/* Of the order of `core`, generation 5, signed by the device: that it left this certificate. */
static void fill_report(const struct world *world, countersign_v1_DeviceReport *ret)
{
    *ret = (countersign_v1_DeviceReport){.sequence = 2,
                                         .made_at_s = NOW_S,
                                         .connector = "nginx",
                                         .generation = 5,
                                         .attempt = 1,
                                         .outcome = countersign_v1_Outcome_OUTCOME_COMPLETED,
                                         .verdict = "ok"};
    CS_PB_SET(&ret->deployment_id, CS_PB_BYTES(&cs_policy_body(world->policy)->deployment_id));
    CS_PB_SET(&ret->device_id, CS_PB_BYTES(&world->core.device_id));
    CS_PB_SET(&ret->order_id, CS_PB_BYTES(&world->core.order_id));
    CS_PB_SET(&ret->installed_digest, cs_digest_slice(&world->certificate.chain_digest));
}

static void r_fine(countersign_v1_DeviceReport *report)
{
    (void)report;
}
static void r_failed(countersign_v1_DeviceReport *report)
{
    report->outcome = countersign_v1_Outcome_OUTCOME_FAILED;
}
static void r_generation(countersign_v1_DeviceReport *report)
{
    report->generation = 4;
}
static void r_connector(countersign_v1_DeviceReport *report)
{
    memcpy(report->connector, "mail", 5);
}
static void r_chain(countersign_v1_DeviceReport *report)
{
    report->installed_digest.bytes[0] ^= 1;
}
static void r_nothing(countersign_v1_DeviceReport *report)
{
    report->installed_digest.size = 0;
}
static void r_order(countersign_v1_DeviceReport *report)
{
    report->order_id.bytes[0] ^= 1;
}

static void goes_back_only_to_what_the_device_itself_reported(void **state)
{
    struct world *world = *state;
    static const struct {
        void (*change)(countersign_v1_DeviceReport *report);
        const char *says; /* NULL: it holds */
    } cases[] = {
        {r_fine, NULL},
        {r_failed, "does not say that it was completed"},
        {r_generation, "another app connector or generation"},
        {r_connector, "another app connector or generation"},
        {r_chain, "another certificate"},
        {r_nothing, "another certificate"},
        {r_order, "is not about it"},
    };
    countersign_v1_GetDeviceResponse *reply = calloc(1, sizeof *reply);
    countersign_v1_DeviceReport *report = calloc(1, sizeof *report);
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    assert_true(reply && report);
    CS_PB_SET(&reply->admission, cs_buf_slice(&world->admission));
    check_ok(cli_check_device(world->policy, reply, "gw-1", &device, &err), err);
#define KEPT(slice) cli_check_kept(device, &world->core, slice, &world->certificate.chain_digest, &err)
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        fill_report(world, report);
        cases[i].change(report);
        sign(CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, world->device, &wire);
        if (!cases[i].says) {
            check_ok(KEPT(cs_buf_slice(&wire)), err);
            continue;
        }
        check_code(KEPT(cs_buf_slice(&wire)), CS_EAUTH);
        check_says(err, cases[i].says);
    }
    fill_report(world, report);
    sign(CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, world->alice, &wire);
    check_code(KEPT(cs_buf_slice(&wire)), CS_EAUTH);
    check_code(KEPT(CS_SLICE_EMPTY), CS_ENOTFOUND);
#undef KEPT
    cs_buf_free(&wire);
    free(reply);
    free(report);
}

/* Whatever it advertises: what an order took away is gone by its journal, too. */
static void a_report_says_what_an_order_left(void **state)
{
    static const struct cs_digest nothing;
    struct world *world = *state;
    countersign_v1_GetDeviceResponse *reply = calloc(1, sizeof *reply);
    countersign_v1_DeviceReport *report = calloc(1, sizeof *report);
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_digest left;
    struct cs_err err;

    assert_true(reply && report);
    CS_PB_SET(&reply->admission, cs_buf_slice(&world->admission));
    check_ok(cli_check_device(world->policy, reply, "gw-1", &device, &err), err);
    for (unsigned removed = 0; removed < 2; removed++) {
        fill_report(world, report);
        if (removed)
            report->installed_digest.size = 0;
        sign(CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, world->device, &wire);
        check_ok(cli_check_left(device, &world->core, cs_buf_slice(&wire), &left, &err), err);
        assert_true(cs_digest_eq(&left, removed ? &nothing : &world->certificate.chain_digest));
    }
    report->outcome = countersign_v1_Outcome_OUTCOME_FAILED;
    sign(CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, report, world->device, &wire);
    check_code(cli_check_left(device, &world->core, cs_buf_slice(&wire), &left, &err), CS_EAUTH);
    cs_buf_free(&wire);
    free(reply);
    free(report);
}

static void a_certificate_must_be_the_one_asked_for(void **state)
{
    struct world *world = *state;
    struct cli_check_certificate other;
    struct cs_digest id = {{1}};
    struct cs_err err;

    check_code(cli_check_certificate(cs_digest_slice(&id), cs_buf_slice(&world->chain), &other, &err),
               CS_EAUTH);
}

static void only_the_tokens_holder_is_admitted(void **state)
{
    struct world *world = *state;
    countersign_v1_EnrolmentToken token = {.device_name = "gw-1"};
    countersign_v1_GetEnrolmentResponse enrolment = {.enrolled = true};
    uint8_t name_len = 4;
    struct cs_digest mac;
    struct cs_err err;

    token.deployment_id.size = token.binding.size = 16;
    memset(token.binding.bytes, 3, 16);
    enrolment.device_id.size = 16;
    CS_PB_SET(&enrolment.identity_spki, cs_key_spki(world->device));
    CS_PB_SET(&enrolment.kem_spki, cs_key_spki(world->leaf));
    {
        const struct cs_slice parts[] = {
            CS_SLICE_LIT("countersign/v1/enrol"),
            CS_PB_BYTES(&token.deployment_id),
            cs_slice(&name_len, 1),
            CS_SLICE_LIT("gw-1"),
            CS_PB_BYTES(&enrolment.device_id),
            cs_key_spki(world->device),
            cs_key_spki(world->leaf),
        };

        mac = cs_hmac_sha256(CS_PB_BYTES(&token.binding), parts, CS_ARRAY_LEN(parts));
    }
    CS_PB_SET(&enrolment.binding_mac, cs_digest_slice(&mac));
    check_ok(cli_check_enrolment(&token, &enrolment, &err), err);
    CS_PB_SET(&enrolment.kem_spki, cs_key_spki(world->bob));
    check_code(cli_check_enrolment(&token, &enrolment, &err), CS_EAUTH);
    CS_PB_SET(&enrolment.kem_spki, cs_key_spki(world->leaf));
    token.binding.bytes[0] ^= 1;
    check_code(cli_check_enrolment(&token, &enrolment, &err), CS_EAUTH);
    enrolment.device_id.size = 15;
    check_code(cli_check_enrolment(&token, &enrolment, &err), CS_EPARSE);
}

static void a_root_is_that_of_exactly_these_orders(void **state)
{
    const struct cs_slice cores[] = {CS_SLICE_LIT("one"), CS_SLICE_LIT("two"), CS_SLICE_LIT("three")};
    struct cs_digest root = cli_check_root_of(cores, 3);
    countersign_v1_PushRequest request = {.number = 1, .order_count = 3, .requester = "bob"};
    struct cs_err err;

    (void)state;
    CS_PB_SET(&request.order_root, cs_digest_slice(&root));
    check_ok(cli_check_root(&request, cores, 3, &err), err);
    check_code(cli_check_root(&request, cores, 2, &err), CS_EAUTH);
    check_code(cli_check_root(&request, cores + 1, 2, &err), CS_EAUTH);
    request.order_root.bytes[0] ^= 1;
    check_code(cli_check_root(&request, cores, 3, &err), CS_EAUTH);
    check_says(err, "not those that bob signed");
}

static void durations_and_comments_are_shown_as_meant(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{1, "1s"}, {60, "1m"}, {90, "90s"}, {7200, "2h"}, {86400, "1d"}, {604800, "7d"}};
    struct cs_digest digest = cs_sha256(CS_SLICE_LIT("renewal"));
    char text[CLI_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        assert_string_equal(cli_show_duration(cases[i].seconds, text), cases[i].text);
    assert_string_equal(cli_show_signed_comment("renewal", cs_digest_slice(&digest)), "renewal");
    assert_non_null(strstr(cli_show_signed_comment("other", cs_digest_slice(&digest)), "another comment"));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(accepts_what_was_asked_for),
        IN_WORLD(accepts_a_removal_and_a_roll_back_that_were_asked_for),
        cmocka_unit_test(refuses_what_was_not_asked_for),
        IN_WORLD(believes_the_key_that_a_renewal_names),
        IN_WORLD(a_decider_need_not_catch_the_device_standing_still),
        IN_WORLD(goes_back_only_to_what_the_device_itself_reported),
        IN_WORLD(a_report_says_what_an_order_left),
        IN_WORLD(a_certificate_must_be_the_one_asked_for),
        IN_WORLD(only_the_tokens_holder_is_admitted),
        cmocka_unit_test(a_root_is_that_of_exactly_these_orders),
        cmocka_unit_test(durations_and_comments_are_shown_as_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
