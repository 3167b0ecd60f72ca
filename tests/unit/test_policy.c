/* What a trust policy says: who signed, and which rule is for a push. */
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include <stdio.h>

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

static void knows_its_roots(void **state)
{
    struct deployment *d = *state;
    const countersign_v1_RootSet *roots = &cs_policy_body(d->policy)->roots;

    for (pb_size_t i = 0; i < roots->keys_count; i++)
        assert_true(cs_roots_have(roots, CS_PB_BYTES(&roots->keys[i])));
    assert_false(cs_roots_have(roots, cs_key_spki(deployment_key(d, "alice"))));
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

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, deployment_set_up, deployment_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(checks_who_signed),
        TEST(of_two_keys_that_signed_the_better_one_counts),
        TEST(knows_its_roots),
        TEST(gives_the_keys_of_people_and_of_the_controller),
        TEST(picks_the_first_rule_that_matches_or_the_strictest),
        TEST(does_not_match_a_name_that_was_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
