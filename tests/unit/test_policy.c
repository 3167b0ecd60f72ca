#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include <stdio.h>

static int set_up(void **state)
{
    struct deployment *d = calloc(1, sizeof *d);

    deployment_make(d);
    *state = d;
    return 0;
}

static int tear_down(void **state)
{
    struct deployment *d = *state;

    deployment_free(d);
    free(d);
    return 0;
}

static int open_pinned(struct deployment *d, struct cs_buf wire, const struct cs_pin *pin, struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    int rc = cs_policy_open_pinned(cs_buf_slice(&wire), pin, &policy, err);

    (void)d;
    cs_buf_free(&wire);
    assert_true((rc == CS_OK) == (policy != NULL));
    return rc;
}

static int open_next(struct deployment *d, struct cs_buf wire, struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    int rc = cs_policy_open_next(cs_buf_slice(&wire), d->policy, &policy, err);

    cs_buf_free(&wire);
    assert_true((rc == CS_OK) == (policy != NULL));
    return rc;
}

static void make_next(struct deployment *d)
{
    struct cs_digest previous = cs_policy_digest(d->policy);

    d->body->version = cs_policy_version(d->policy) + 1;
    CS_PB_SET(&d->body->previous_digest, cs_digest_slice(&previous));
}

static void opens_a_first_policy_by_its_pinned_roots(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    check_ok(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), err);
    check_ok(open_pinned(d, deployment_sign_policy(d, 3), &pin, &err), err);
    assert_int_equal(cs_policy_version(d->policy), 1);
    assert_int_equal(cs_policy_body(d->policy)->operators_count, 8);
}

static void refuses_a_first_policy_of_other_roots(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    /* Complete and signed by its own three roots, one of which is not ours. */
    CS_PB_SET(&d->body->roots.keys[2], cs_key_spki(deployment_key(d, "mallory")));
    check_code(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), CS_EAUTH);
    check_says(err, "other roots");
}

static void refuses_a_first_policy_with_a_lower_threshold(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    d->body->roots.threshold = 1;
    check_code(open_pinned(d, deployment_sign_policy(d, 1), &pin, &err), CS_EAUTH);
    check_says(err, "other roots");
}

static void refuses_a_first_policy_that_too_few_signed(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    check_code(open_pinned(d, deployment_sign_policy(d, 1), &pin, &err), CS_EAUTH);
    check_says(err, "signed by 1");
    check_code(open_pinned(d, deployment_sign_policy(d, 0), &pin, &err), CS_EAUTH);
}

static void refuses_a_first_policy_of_another_deployment_or_below_the_pin(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    pin.deployment_id[0] ^= 1;
    check_code(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), CS_EDENIED);
    pin.deployment_id[0] ^= 1;
    pin.least_version = 2;
    check_code(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), CS_ESTALE);
    deployment_publish(d);
    check_ok(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), err);
}

static void opens_the_next_version_and_no_other(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_ESTALE);
    make_next(d);
    check_ok(open_next(d, deployment_sign_policy(d, 2), &err), err);
    d->body->version++;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_ESTATE);
    check_says(err, "missing");
}

static void refuses_a_next_version_of_another_past(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    d->body->previous_digest.bytes[0] ^= 1;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_EAUTH);
    d->body->previous_digest.bytes[0] ^= 1;
    d->body->deployment_id.bytes[0] ^= 1;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_EDENIED);
    d->body->deployment_id.bytes[0] ^= 1;
    d->body->issued_at_s--;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_EINVAL);
}

static struct cs_buf sign_body(struct deployment *d, const char *const *names, size_t count)
{
    struct cs_buf payload = deployment_encode(countersign_v1_TrustPolicy_fields, d->body),
                  wire = CS_BUF_EMPTY;
    const struct cs_key *keys[8];
    struct cs_err err;

    for (size_t i = 0; i < count; i++)
        keys[i] = deployment_key(d, names[i]);
    check_ok(cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&payload), keys, count, &wire, &err),
             err);
    cs_buf_free(&payload);
    return wire;
}
#define SIGN(d, ...)                                                                                         \
    sign_body((d), (const char *const[]){__VA_ARGS__}, CS_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void changes_roots_with_the_signatures_of_old_and_new(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    CS_PB_SET(&d->body->roots.keys[1], cs_key_spki(deployment_key(d, "new-1")));
    CS_PB_SET(&d->body->roots.keys[2], cs_key_spki(deployment_key(d, "new-2")));
    check_code(open_next(d, SIGN(d, "root-0", "root-1"), &err), CS_EAUTH); /* one of the new */
    check_code(open_next(d, SIGN(d, "new-1", "new-2"), &err), CS_EAUTH);   /* none of the old */
    check_code(open_next(d, SIGN(d, "root-0", "new-1"), &err), CS_EAUTH);  /* one of the old */
    check_ok(open_next(d, SIGN(d, "root-0", "root-1", "new-1"), &err), err);
    check_ok(open_next(d, SIGN(d, "root-1", "root-2", "new-1", "new-2"), &err), err);
}

static void refuses_operators_as_roots(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    check_code(open_next(d, SIGN(d, "ada", "alice"), &err), CS_EAUTH);
    check_code(open_next(d, SIGN(d, "root-0", "ada"), &err), CS_EAUTH);
}

static void refuses_every_flipped_byte(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_buf wire = deployment_sign_policy(d, 2);

    for (size_t at = 0; at < wire.len; at++) {
        struct cs_policy *policy = NULL;
        struct cs_err err;

        wire.ptr[at] ^= 0x10;
        if (cs_policy_open_pinned(cs_buf_slice(&wire), &pin, &policy, &err) == CS_OK)
            fail_msg("the flip at %zu was taken", at);
        wire.ptr[at] ^= 0x10;
    }
    cs_buf_free(&wire);
}

static void opens_its_own_stored_copy(void **state)
{
    struct deployment *d = *state;
    struct cs_policy *again cs_auto(cs_policy_freep) = NULL;
    struct cs_digest digest = cs_policy_digest(d->policy), digest_again;
    struct cs_buf decision = deployment_example(d, CS_STATEMENT_DECISION);
    struct cs_err err;

    check_ok(cs_policy_open_stored(cs_policy_wire(d->policy), &again, &err), err);
    digest_again = cs_policy_digest(again);
    assert_true(cs_digest_eq(&digest, &digest_again));
    check_code(cs_policy_open_stored(cs_buf_slice(&decision), &again, &err), CS_EPARSE);
    cs_buf_free(&decision);
}

/* Its roots have signed it, and yet it is none. */
static void refuses_what_the_roots_signed_and_does_not_parse(void **state)
{
    struct deployment *d = *state;
    const struct cs_key *roots[] = {deployment_key(d, "root-0"), deployment_key(d, "root-1")};
    struct cs_policy *next = NULL;
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, CS_SLICE_LIT("no policy"), roots, 2, &wire, &err),
             err);
    check_code(cs_policy_open_next(cs_buf_slice(&wire), d->policy, &next, &err), CS_EPARSE);
    assert_null(next);
    cs_buf_free(&wire);
}

static void expires_after_its_last_second(void **state)
{
    struct deployment *d = *state;

    assert_false(cs_policy_expired(d->policy, d->body->expires_at_s));
    assert_true(cs_policy_expired(d->policy, d->body->expires_at_s + 1));
    assert_false(cs_policy_expired(d->policy, CS_TIME_UNKNOWN));
}

static struct cs_verified signed_by(struct deployment *d, struct cs_buf *wire, const char *const *names,
                                    size_t count)
{
    struct cs_keyring keyring;
    const struct cs_key *keys[4];
    struct cs_verified verified;
    struct cs_err err;

    for (size_t i = 0; i < count; i++)
        keys[i] = deployment_key(d, names[i]);
    check_ok(cs_envelope_sign(CS_STATEMENT_DECISION, CS_SLICE_LIT("p"), keys, count, wire, &err), err);
    cs_policy_operator_keys(d->policy, &keyring);
    check_ok(cs_envelope_verify(cs_buf_slice(wire), CS_STATEMENT_DECISION, &keyring, &verified, &err), err);
    return verified;
}

static void checks_who_signed(void **state)
{
    struct deployment *d = *state;
    struct cs_buf bob_wire = CS_BUF_EMPTY, both_wire = CS_BUF_EMPTY;
    countersign_v1_KeyKind kind;
    countersign_v1_Operator *bob = deployment_operator(d, "bob");
    struct cs_verified by_bob, by_both;
    struct cs_err err;

    bob->keys[bob->keys_count] =
        (countersign_v1_OperatorKey){.kind = countersign_v1_KeyKind_KEY_KIND_BROWSER};
    CS_PB_SET(&bob->keys[bob->keys_count].spki, cs_key_spki(deployment_key(d, "bob-browser")));
    bob->keys_count++;
    deployment_publish(d);
    by_bob = signed_by(d, &bob_wire, (const char *const[]){"bob-browser"}, 1);
    by_both = signed_by(d, &both_wire, (const char *const[]){"bob-browser", "bob", "carol"}, 3);

    check_ok(
        cs_policy_check_signer(d->policy, &by_bob, "bob", countersign_v1_Role_ROLE_APPROVER, &kind, &err),
        err);
    assert_int_equal(kind, countersign_v1_KeyKind_KEY_KIND_BROWSER);
    check_ok(
        cs_policy_check_signer(d->policy, &by_both, "bob", countersign_v1_Role_ROLE_UNSPECIFIED, &kind, &err),
        err);
    assert_int_equal(kind, countersign_v1_KeyKind_KEY_KIND_FILE);
    check_code(cs_policy_check_signer(d->policy, &by_bob, "bob", countersign_v1_Role_ROLE_ADMIN, &kind, &err),
               CS_EDENIED);
    check_code(
        cs_policy_check_signer(d->policy, &by_bob, "ben", countersign_v1_Role_ROLE_APPROVER, &kind, &err),
        CS_EAUTH);
    check_code(cs_policy_check_signer(d->policy, &by_bob, "mallory", countersign_v1_Role_ROLE_UNSPECIFIED,
                                      &kind, &err),
               CS_EAUTH);
    cs_buf_free(&bob_wire);
    cs_buf_free(&both_wire);
}

/* Her browser key stands first in the policy. */
static void of_two_keys_that_signed_the_better_one_counts(void **state)
{
    struct deployment *d = *state;
    struct cs_buf wire = CS_BUF_EMPTY;
    countersign_v1_Operator *eve = deployment_operator(d, "eve");
    countersign_v1_KeyKind kind;
    struct cs_verified by_both;
    struct cs_err err;

    eve->keys[eve->keys_count] = (countersign_v1_OperatorKey){.kind = countersign_v1_KeyKind_KEY_KIND_FILE};
    CS_PB_SET(&eve->keys[eve->keys_count].spki, cs_key_spki(deployment_key(d, "eve-file")));
    eve->keys_count++;
    deployment_publish(d);
    by_both = signed_by(d, &wire, (const char *const[]){"eve", "eve-file"}, 2);
    check_ok(
        cs_policy_check_signer(d->policy, &by_both, "eve", countersign_v1_Role_ROLE_APPROVER, &kind, &err),
        err);
    assert_int_equal(kind, countersign_v1_KeyKind_KEY_KIND_FILE);
    cs_buf_free(&wire);
}

static void gives_the_keys_of_people_and_of_the_controller(void **state)
{
    struct deployment *d = *state;
    struct cs_keyring keyring;

    cs_policy_operator_keys(d->policy, &keyring);
    assert_int_equal(keyring.count, 8);
    cs_policy_message_keys(d->policy, &keyring);
    assert_int_equal(keyring.count, 1);
    check_slice(keyring.keys[0].spki, cs_key_spki(deployment_key(d, "controller")));
}

/* Rules: "lab" for two devices; "mail" for a connector; "own-ca" for an issuer; "shop" for names; then
 * "strict". */
static void add_rules(struct deployment *d)
{
    countersign_v1_Rule *rule;

    d->body->rules_count = 0;
    rule = deployment_add_rule(d, "lab");
    rule->devices_count = 2;
    memcpy(rule->devices[0], "lab-1", sizeof "lab-1");
    memcpy(rule->devices[1], "lab-2", sizeof "lab-2");
    rule = deployment_add_rule(d, "mail");
    rule->connectors_count = 1;
    memcpy(rule->connectors[0], "smtp", sizeof "smtp");
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    rule = deployment_add_rule(d, "own-ca");
    rule->issuers_count = 1;
    memcpy(rule->issuers[0], "Our CA", sizeof "Our CA");
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 2);
    rule = deployment_add_rule(d, "strict");
    rule->devices_count = 1;
    memcpy(rule->devices[0], "vault", sizeof "vault");
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_add_stage(rule, "implement", countersign_v1_Role_ROLE_IMPLEMENTER, 1);
    rule = deployment_add_rule(d, "shop");
    rule->names_count = 2;
    memcpy(rule->names[0], "shop.example", sizeof "shop.example");
    memcpy(rule->names[1], "*.shop.example", sizeof "*.shop.example");
    deployment_add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER, 1);
    deployment_publish(d);
}

static void picks_the_first_rule_that_matches_or_the_strictest(void **state)
{
    static const struct {
        const char *says, *device, *connector, *issuer, *common_name, *name, *rule;
    } cases[] = {
        {"by the device", "lab-2", "web", "X", "x", NULL, "lab"},
        {"the first of two", "lab-1", "smtp", "Our CA", "x", NULL, "lab"},
        {"by the connector", "gw", "smtp", "X", "x", NULL, "mail"},
        {"by the issuer", "gw", "web", "Our CA", "x", NULL, "own-ca"},
        {"issuers have case", "gw", "web", "our ca", "x", NULL, "strict"},
        {"by the common name", "gw", "web", "X", "shop.example", NULL, "shop"},
        {"names have no case", "gw", "web", "X", "Shop.EXAMPLE", NULL, "shop"},
        {"by a DNS name", "gw", "web", "X", "x", "dns:shop.example", "shop"},
        {"not by a mail address", "gw", "web", "X", "x", "email:shop.example", "strict"},
        {"by one label before", "gw", "web", "X", "x", "dns:www.shop.example", "shop"},
        {"not by two labels before", "gw", "web", "X", "x", "dns:a.www.shop.example", "strict"},
        {"not without a name", "gw", "web", "X", "", NULL, "strict"},
        {"not by an empty label", "gw", "web", "X", "x", "dns:.shop.example", "strict"},
        {"not by the end of a label", "gw", "web", "X", "x", "dns:notshop.example", "strict"},
        {"devices have case", "LAB-1", "web", "X", "x", NULL, "strict"},
        {"two people in two stages before two in one", "gw", "web", "X", "x", NULL, "strict"},
        {"without a leaf only by device and connector", "gw", "web", NULL, NULL, NULL, "strict"},
        {"without a leaf by the connector", "gw", "smtp", NULL, NULL, NULL, "mail"},
    };
    struct deployment *d = *state;

    add_rules(d);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_cert_info leaf = {0};
        const countersign_v1_Rule *rule;

        if (cases[i].issuer) {
            snprintf(leaf.issuer_common_name, sizeof leaf.issuer_common_name, "%s", cases[i].issuer);
            snprintf(leaf.common_name, sizeof leaf.common_name, "%s", cases[i].common_name);
        }
        if (cases[i].name) {
            leaf.names_count = 1;
            snprintf(leaf.names[0], sizeof leaf.names[0], "%s", cases[i].name);
        }
        rule = cs_policy_rule(d->policy, cases[i].device, cases[i].connector, cases[i].issuer ? &leaf : NULL);
        if (strcmp(rule->name, cases[i].rule) != 0)
            fail_msg("%s: %s", cases[i].says, rule->name);
    }
}

static void does_not_match_a_name_that_was_cut(void **state)
{
    struct deployment *d = *state;
    struct cs_cert_info leaf = {0};
    countersign_v1_Rule *rule;

    add_rules(d);
    rule = &d->body->rules[4];
    memset(rule->names[0], 'a', 127);
    deployment_publish(d);
    memset(leaf.common_name, 'a', 127);
    assert_string_equal(cs_policy_rule(d->policy, "gw", "web", &leaf)->name, "strict");
    memset(d->body->rules[2].issuers[0], 'a', 127);
    deployment_publish(d);
    memset(leaf.issuer_common_name, 'a', 127);
    assert_string_equal(cs_policy_rule(d->policy, "gw", "web", &leaf)->name, "strict");
}

/* Opening a first policy and its successor; what runs out of memory leaves nothing behind and is no verdict.
 */
static void open_both_short_of_memory(void *data)
{
    struct deployment *d = data;
    struct cs_policy *first cs_auto(cs_policy_freep) = NULL, *next cs_auto(cs_policy_freep) = NULL;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;
    int rc = cs_policy_open_pinned(cs_policy_wire(d->policy), &pin, &first, &err);

    if (rc == CS_OK)
        rc = cs_policy_open_next(cs_policy_wire(d->policy), first, &next, &err);
    if (rc != CS_ESTALE) /* the same once more is not newer */
        check_code(rc, CS_ENOMEM);
    assert_true(rc == CS_ESTALE || alloc_fail_happened());
}

static void without_memory_it_refuses_nothing_for_good(void **state)
{
    assert_true(alloc_fail_sample(open_both_short_of_memory, *state, 200) > 50);
    assert_true(alloc_fail_large(open_both_short_of_memory, *state, 1000) > 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(opens_a_first_policy_by_its_pinned_roots),
        TEST(refuses_a_first_policy_of_other_roots),
        TEST(refuses_a_first_policy_with_a_lower_threshold),
        TEST(refuses_a_first_policy_that_too_few_signed),
        TEST(refuses_a_first_policy_of_another_deployment_or_below_the_pin),
        TEST(opens_the_next_version_and_no_other),
        TEST(refuses_a_next_version_of_another_past),
        TEST(changes_roots_with_the_signatures_of_old_and_new),
        TEST(refuses_operators_as_roots),
        TEST(refuses_every_flipped_byte),
        TEST(opens_its_own_stored_copy),
        TEST(refuses_what_the_roots_signed_and_does_not_parse),
        TEST(expires_after_its_last_second),
        TEST(checks_who_signed),
        TEST(of_two_keys_that_signed_the_better_one_counts),
        TEST(gives_the_keys_of_people_and_of_the_controller),
        TEST(picks_the_first_rule_that_matches_or_the_strictest),
        TEST(does_not_match_a_name_that_was_cut),
        TEST(without_memory_it_refuses_nothing_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
