/* Drafts of trust policies: what people type, and what they are told that it changes. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "controller/cli/compose.h"
#include "controller/cli/show.h"
#include "shared/base/text.h"

#include <stdio.h>

/* ---- what people type */

static void reads_stages(void **state)
{
    static const struct {
        const char *text;
        const char *says; /* of the refusal; NULL: taken */
        const char *name;
        countersign_v1_Role role;
        uint32_t required;
        size_t people;
    } cases[] = {
        {"approve=approver", NULL, "approve", countersign_v1_Role_ROLE_APPROVER, 1, 0},
        {"approve=approver:2", NULL, "approve", countersign_v1_Role_ROLE_APPROVER, 2, 0},
        {"go=implementer:bob", NULL, "go", countersign_v1_Role_ROLE_IMPLEMENTER, 1, 1},
        {"go=implementer:3:bob,ben,dora", NULL, "go", countersign_v1_Role_ROLE_IMPLEMENTER, 3, 3},
        {"go=admin:2nd", NULL, "go", countersign_v1_Role_ROLE_ADMIN, 1, 1},
        {.text = "approve", .says = "NAME=ROLE"},
        {.text = "=approver", .says = "name"},
        {.text = "approve=boss", .says = "no role"},
        {.text = "approve=approver:0", .says = "1 to 16 people"},
        {.text = "approve=approver:17", .says = "1 to 16 people"},
        {.text = "approve=approver:4294967297", .says = "1 to 16 people"},
        {.text = "approve=approver:", .says = "1 to 16 people"},
        {.text = "approve=approver:2:", .says = "name of a person"},
        {.text = "approve=approver:bob,", .says = "name of a person"},
        {.text = "approve=approver:2:bob:ben", .says = "name of a person"},
        {.text = "approve=approver:a,b,c,d,e,f,g,h,i", .says = "at most 8 people"},
    };
    countersign_v1_Stage stage;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_err err = {0};
        int rc = cli_compose_stage(cases[i].text, &stage, &err);

        if ((rc == CS_OK) != !cases[i].says)
            fail_msg("%s: %s", cases[i].text, err.msg);
        if (cases[i].says) {
            check_says(err, cases[i].says);
            continue;
        }
        assert_string_equal(stage.name, cases[i].name);
        assert_int_equal(stage.role, cases[i].role);
        assert_int_equal(stage.required, cases[i].required);
        assert_int_equal(stage.operators_count, cases[i].people);
    }
}

static void adds_moves_and_removes_stages(void **state)
{
    struct deployment *d = *state;
    countersign_v1_Rule *rule = &d->body->rules[0];
    countersign_v1_Stage stage;
    struct cs_err err;

    check_ok(cli_compose_stage("security=auditor", &stage, &err), err);
    check_code(cli_compose_add_stage(rule, &stage, 4, &err), CS_EINVAL);
    check_says(err, "1 to 3");
    check_ok(cli_compose_add_stage(rule, &stage, 2, &err), err);
    assert_string_equal(rule->stages[0].name, "approve");
    assert_string_equal(rule->stages[1].name, "security");
    assert_string_equal(rule->stages[2].name, "implement");
    assert_ptr_equal(cli_compose_find_stage(rule, "3"), &rule->stages[2]);
    assert_ptr_equal(cli_compose_find_stage(rule, "security"), &rule->stages[1]);
    assert_null(cli_compose_find_stage(rule, "4"));
    assert_null(cli_compose_find_stage(rule, "0"));
    assert_null(cli_compose_find_stage(rule, ""));
    check_ok(cli_compose_add_stage(rule, &stage, 0, &err), err);
    check_code(cli_compose_add_stage(rule, &stage, 0, &err), CS_EFULL);
    check_ok(cli_compose_remove_stage(rule, "1", &err), err);
    assert_string_equal(rule->stages[0].name, "security");
    check_ok(cli_compose_remove_stage(rule, "implement", &err), err);
    assert_int_equal(rule->stages_count, 2);
    check_code(cli_compose_remove_stage(rule, "implement", &err), CS_ENOTFOUND);
}

static countersign_v1_Rule *rule_of(const char *name, uint32_t people, const char *device)
{
    static countersign_v1_Rule rule;

    rule = (countersign_v1_Rule){0};
    snprintf(rule.name, sizeof rule.name, "%s", name);
    deployment_add_stage(&rule, "approve", countersign_v1_Role_ROLE_APPROVER, people);
    if (device)
        snprintf(rule.devices[rule.devices_count++], sizeof rule.devices[0], "%s", device);
    return &rule;
}

/* The names of the rules in their order. */
static const char *order_of(const countersign_v1_TrustPolicy *policy)
{
    static char text[CS_LIMIT_RULES * 65];
    size_t used = 0;

    for (pb_size_t i = 0; i < policy->rules_count; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", policy->rules[i].name);
    return text;
}

static void strict_rules_stand_first(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    d->body->rules_count = 1;
    snprintf(d->body->rules[0].name, sizeof d->body->rules[0].name, "all");
    check_ok(cli_compose_add_rule(d->body, rule_of("lax", 1, "lab"), 0, &err), err);
    check_ok(cli_compose_add_rule(d->body, rule_of("strict", 3, "vault"), 0, &err), err);
    check_ok(cli_compose_add_rule(d->body, rule_of("middle", 2, "shop"), 0, &err), err);
    check_ok(cli_compose_add_rule(d->body, rule_of("also-strict", 3, "safe"), 0, &err), err);
    assert_string_equal(order_of(d->body), "strict also-strict middle lax all");
    check_ok(cli_compose_add_rule(d->body, rule_of("first", 1, "x"), 1, &err), err);
    check_ok(cli_compose_add_rule(d->body, rule_of("last", 1, "x"), 7, &err), err);
    check_code(cli_compose_add_rule(d->body, rule_of("beyond", 1, "x"), 9, &err), CS_EINVAL);
    check_code(cli_compose_add_rule(d->body, rule_of("lax", 1, "x"), 0, &err), CS_EEXISTS);
    check_ok(cli_compose_remove_rule(d->body, "middle", &err), err);
    check_code(cli_compose_remove_rule(d->body, "middle", &err), CS_ENOTFOUND);
    assert_string_equal(order_of(d->body), "first strict also-strict lax all last");
    for (unsigned i = 0; d->body->rules_count < CS_LIMIT_RULES; i++) {
        char name[16];

        snprintf(name, sizeof name, "more-%u", i);
        check_ok(cli_compose_add_rule(d->body, rule_of(name, 1, "x"), 0, &err), err);
    }
    check_code(cli_compose_add_rule(d->body, rule_of("one-more", 1, "x"), 0, &err), CS_EFULL);
}

static void an_operator_keeps_the_key_where_none_is_named(void **state)
{
    struct deployment *d = *state;
    countersign_v1_OperatorKey key = deployment_operator(d, "bob")->keys[0];
    struct cli_home home = {.keys = "/nonexistent"};
    struct cs_err err;

    check_ok(cli_compose_operator(d->body, "bob=approver,implementer", &home, &err), err);
    assert_int_equal(deployment_operator(d, "bob")->roles_count, 2);
    assert_int_equal(deployment_operator(d, "bob")->keys_count, 1);
    assert_memory_equal(&deployment_operator(d, "bob")->keys[0], &key, sizeof key);
    check_code(cli_compose_operator(d->body, "newcomer=approver", &home, &err), CS_ENOTFOUND);
    check_says(err, "operator keygen newcomer");
    check_code(cli_compose_operator(d->body, "bob=approver:/nonexistent/bob.pub", &home, &err), CS_ENOTFOUND);
    check_code(cli_compose_operator(d->body, "bob", &home, &err), CS_EINVAL);
    check_code(cli_compose_operator(d->body, "bob=approver,approver", &home, &err), CS_EINVAL);
    check_code(cli_compose_operator(d->body, "bob=", &home, &err), CS_EINVAL);
}

/* One may be without any: a browser's key comes later. */
static void keys_of_an_operator_come_and_go(void **state)
{
    struct deployment *d = *state;
    struct cs_slice laptop = cs_key_spki(deployment_key(d, "laptop")),
                    phone = cs_key_spki(deployment_key(d, "phone")),
                    tablet = cs_key_spki(deployment_key(d, "tablet"));
    struct cs_digest id = cs_key_id(laptop);
    char hex[2 * CS_SHA256_BYTES + 1];
    struct cli_home home = {.keys = "/nonexistent"};
    struct cs_err err;

    check_ok(cli_compose_operator(d->body, "dan=approver:-", &home, &err), err);
    assert_int_equal(deployment_operator(d, "dan")->keys_count, 0);
    check_ok(cs_policy_check(d->body, &err), err);
    check_ok(cli_compose_add_key(d->body, "dan", laptop, countersign_v1_KeyKind_KEY_KIND_BROWSER, &err), err);
    check_ok(cli_compose_add_key(d->body, "dan", phone, countersign_v1_KeyKind_KEY_KIND_FILE, &err), err);
    check_code(cli_compose_add_key(d->body, "dan", phone, countersign_v1_KeyKind_KEY_KIND_BROWSER, &err),
               CS_EEXISTS);
    check_ok(cli_compose_add_key(d->body, "dan", tablet, countersign_v1_KeyKind_KEY_KIND_BROWSER, &err), err);
    check_code(cli_compose_add_key(d->body, "dan", cs_key_spki(deployment_key(d, "fourth")),
                                   countersign_v1_KeyKind_KEY_KIND_BROWSER, &err),
               CS_EFULL);
    check_says(err, "remove-key");
    check_code(cli_compose_add_key(d->body, "mallory", laptop, countersign_v1_KeyKind_KEY_KIND_FILE, &err),
               CS_ENOTFOUND);
    check_ok(cs_policy_check(d->body, &err), err);

    cs_hex(cs_digest_slice(&id), hex);
    hex[7] = '\0';
    check_code(cli_compose_remove_key(d->body, "dan", hex, &err), CS_EINVAL);
    check_code(cli_compose_remove_key(d->body, "dan", "0123456789", &err), CS_ENOTFOUND);
    check_code(cli_compose_remove_key(d->body, "mallory", "0123456789", &err), CS_ENOTFOUND);
    cs_hex(cs_digest_slice(&id), hex);
    hex[8] = '\0';
    check_ok(cli_compose_remove_key(d->body, "dan", hex, &err), err);
    assert_int_equal(deployment_operator(d, "dan")->keys_count, 2);
    assert_int_equal(deployment_operator(d, "dan")->keys[0].kind, countersign_v1_KeyKind_KEY_KIND_FILE);
    check_slice(CS_PB_BYTES(&deployment_operator(d, "dan")->keys[1].spki), tablet);
    check_code(cli_compose_remove_key(d->body, "dan", hex, &err), CS_ENOTFOUND);
    /* Somebody's key is nobody else's. */
    check_ok(cli_compose_add_key(d->body, "bob", tablet, countersign_v1_KeyKind_KEY_KIND_FILE, &err), err);
    check_code(cs_policy_check(d->body, &err), CS_EINVAL);
}

static const countersign_v1_OperatorGroup *group_of(const struct deployment *d, const char *name)
{
    const countersign_v1_OperatorGroup *group = cs_groups_find(d->body, name);

    assert_non_null(group);
    return group;
}

static void groups_come_change_and_go(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    check_ok(cli_compose_group(d->body, "night=approver,implementer:carol,dora", &err), err);
    check_ok(cli_compose_group(d->body, "plant-2=:bob", &err), err);
    assert_int_equal(group_of(d, "night")->roles_count, 2);
    assert_true(cs_group_has(group_of(d, "night"), "dora"));
    assert_int_equal(group_of(d, "plant-2")->roles_count, 0);
    check_ok(cli_compose_group(d->body, "night=approver:ben,bob,carol", &err), err);
    assert_int_equal(d->body->groups_count, 2);
    assert_int_equal(group_of(d, "night")->roles_count, 1);
    check_ok(cli_compose_remove_operator(d->body, "ben", &err), err);
    check_ok(cli_compose_remove_operator(d->body, "clara", &err), err);
    assert_int_equal(group_of(d, "night")->members_count, 2);
    assert_string_equal(group_of(d, "night")->members[0], "bob");
    check_ok(cli_compose_remove_group(d->body, "night", &err), err);
    check_code(cli_compose_remove_group(d->body, "night", &err), CS_ENOTFOUND);
    assert_string_equal(d->body->groups[0].name, "plant-2");
}

static void refuses_groups_that_are_none(void **state)
{
    static const char *const wrong[] = {"night",          "night=approver",   "=approver:bob",
                                        "n/t=admin:bob",  "night=boss:bob",   "night=admin,admin:bob",
                                        "night=admin:",   "night=admin:bob,", "night=admin:b b",
                                        "night=admin:@x", "night=,:bob"};
    struct deployment *d = *state;
    char many[512] = "many=:bob";
    size_t used = strlen(many);
    struct cs_err err;

    for (size_t i = 0; i < CS_ARRAY_LEN(wrong); i++)
        if (cli_compose_group(d->body, wrong[i], &err) != CS_EINVAL)
            fail_msg("%s", wrong[i]);
    for (size_t i = 0; i < CS_ARRAY_LEN(d->body->groups[0].members); i++)
        used += (size_t)snprintf(many + used, sizeof many - used, ",x");
    check_code(cli_compose_group(d->body, many, &err), CS_EFULL);
    assert_int_equal(d->body->groups_count, 0);
    for (unsigned i = 0; i <= CS_ARRAY_LEN(d->body->groups); i++) {
        char text[32];

        snprintf(text, sizeof text, "group-%u=:bob", i);
        check_code(cli_compose_group(d->body, text, &err),
                   i < CS_ARRAY_LEN(d->body->groups) ? CS_OK : CS_EFULL);
    }
}

/* ---- what they are told */

/* The changes from the published policy to the draft, as people see them; free() it. */
static char *changes_of(const struct deployment *d)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    struct cs_err err;

    assert_non_null(stream);
    cli_show_policy_changes(doc, cs_policy_body(d->policy), d->body);
    check_ok(cli_doc_write(doc, stream, (struct cli_style){0}, &err), err);
    fclose(stream);
    return text;
}

static void nothing(struct deployment *d)
{
    d->body->version++;
}
static void expiry(struct deployment *d)
{
    d->body->expires_at_s++;
}
static void root_key(struct deployment *d)
{
    CS_PB_SET(&d->body->roots.keys[1], cs_key_spki(deployment_key(d, "new-root")));
}
static void root_threshold(struct deployment *d)
{
    d->body->roots.threshold = 3;
}
static void root_gone(struct deployment *d)
{
    d->body->roots.keys_count = 2;
}
static void operator_gone(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_remove_operator(d->body, "bob", &err), err);
}
static void operator_new(struct deployment *d)
{
    deployment_add_operator(d, "zoe", countersign_v1_KeyKind_KEY_KIND_PASSKEY,
                            countersign_v1_Role_ROLE_AUDITOR);
}
static void operator_role(struct deployment *d)
{
    deployment_operator(d, "bob")->roles[0] = countersign_v1_Role_ROLE_ADMIN;
}
static void operator_key(struct deployment *d)
{
    CS_PB_SET(&deployment_operator(d, "bob")->keys[0].spki, cs_key_spki(deployment_key(d, "bob again")));
}
static void operator_key_kind(struct deployment *d)
{
    deployment_operator(d, "bob")->keys[0].kind = countersign_v1_KeyKind_KEY_KIND_BROWSER;
}
static void rule_new(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_add_rule(d->body, rule_of("vault", 2, "gw-9"), 1, &err), err);
}
static void rule_gone(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_remove_rule(d->body, d->body->rules[0].name, &err), err);
}
static void rule_device(struct deployment *d)
{
    snprintf(d->body->rules[0].devices[d->body->rules[0].devices_count++], 64, "gw-3");
}
static void rule_connector(struct deployment *d)
{
    snprintf(d->body->rules[0].connectors[d->body->rules[0].connectors_count++], 64, "web-3");
}
static void rule_issuer(struct deployment *d)
{
    snprintf(d->body->rules[0].issuers[d->body->rules[0].issuers_count++], 64, "Plant CA, name \"x\"");
}
static void rule_name(struct deployment *d)
{
    snprintf(d->body->rules[0].names[d->body->rules[0].names_count++], 64, "*.example");
}
static void rule_requester(struct deployment *d)
{
    d->body->rules[0].requester_may_decide = true;
}
static void rule_browser(struct deployment *d)
{
    d->body->rules[0].browser_may_finish = true;
}
static void stage_name(struct deployment *d)
{
    snprintf(d->body->rules[0].stages[0].name, 64, "look");
}
static void stage_role(struct deployment *d)
{
    d->body->rules[0].stages[0].role = countersign_v1_Role_ROLE_ADMIN;
}
static void stage_required(struct deployment *d)
{
    d->body->rules[0].stages[1].required = 2;
}
static void stage_people(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_stage_person(&d->body->rules[0].stages[0], "ben", &err), err);
}
static void stage_gone(struct deployment *d)
{
    d->body->rules[0].stages_count = 0;
}
static void message_key(struct deployment *d)
{
    CS_PB_SET(&d->body->message_keys[0], cs_key_spki(deployment_key(d, "other controller")));
}
static void agent_ca(struct deployment *d)
{
    d->body->agent_cas_count = 1;
    CS_PB_SET(&d->body->agent_cas[0], cs_slice_str("another CA"));
}
static void clockless(struct deployment *d)
{
    snprintf(d->body->clockless_devices[d->body->clockless_devices_count++], 64, "gw-old");
}

static void group_new(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_group(d->body, "night=implementer:bob,ben", &err), err);
}
static void group_of_no_roles(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_group(d->body, "night=:bob", &err), err);
}
static void stage_group(struct deployment *d)
{
    struct cs_err err;

    check_ok(cli_compose_stage_person(&d->body->rules[0].stages[0], "@night", &err), err);
}

static unsigned lines_of(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void every_change_is_said(void **state)
{
    static const struct {
        void (*change)(struct deployment *d);
        const char *says[3];
    } cases[] = {
        {expiry, {"expires"}},
        {root_key, {"root key"}},
        {root_threshold, {"2 of 3 root keys", "3 of 3 root keys"}},
        {root_gone, {"root key", "2 of 2 root keys"}},
        {operator_gone, {"roles of bob", "key of bob, kind file"}},
        {operator_new, {"roles of zoe", "auditor", "key of zoe, kind passkey"}},
        {operator_role, {"roles of bob", "approver", "admin"}},
        {operator_key, {"key of bob"}},
        {operator_key_kind, {"key of bob, kind file", "key of bob, kind browser"}},
        {rule_new, {"rule vault matches", "device gw-9", "order of the rules"}},
        {rule_gone, {"matches", "who decides", "order of the rules"}},
        {rule_device, {"device gw-3"}},
        {rule_connector, {"connector web-3"}},
        {rule_issuer, {"issuer \"Plant CA, name \\\"x\\\"\""}},
        {rule_name, {"name \"*.example\""}},
        {rule_requester, {"requester may decide too"}},
        {rule_browser, {"browser's key may finish"}},
        {stage_name, {"look: 1 approver"}},
        {stage_role, {"approve: 1 admin"}},
        {stage_required, {"implement: 2 implementers"}},
        {stage_people, {"approve: 1 approver of ben"}},
        {stage_gone, {"nobody has to decide"}},
        {message_key, {"message key of the controller"}},
        {agent_ca, {"CA of devices' identities"}},
        {group_new, {"roles of group night", "implementer", "members of group night"}},
        {group_of_no_roles, {"no roles", "bob"}},
        {stage_group, {"approve: 1 approver of @night"}},
        {clockless, {"device without a clock", "gw-old"}},
    };
    struct deployment *d = *state;
    cs_auto_free countersign_v1_TrustPolicy *before = malloc(sizeof *before);
    cs_auto_free char *unchanged = NULL;

    assert_non_null(before);
    nothing(d);
    unchanged = changes_of(d);
    assert_int_equal(lines_of(unchanged), 3); /* the titles, version, expiry */
    *before = *d->body;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        cs_auto_free char *text = NULL;

        cases[i].change(d);
        text = changes_of(d);
        assert_string_not_equal(text, unchanged);
        for (size_t k = 0; k < CS_ARRAY_LEN(cases[i].says) && cases[i].says[k]; k++)
            if (!strstr(text, cases[i].says[k]))
                fail_msg("'%s' is not in:\n%s", cases[i].says[k], text);
        *d->body = *before;
    }
}

/* Two lists that would read alike without quotes. */
static void text_of_certificates_cannot_pass_for_two(void **state)
{
    struct deployment *d = *state;
    countersign_v1_Rule *rule = &d->body->rules[0];
    cs_auto_free char *text = NULL;

    snprintf(rule->issuers[0], sizeof rule->issuers[0], "A or B");
    rule->issuers_count = 1;
    deployment_publish(d);
    d->body->version++;
    snprintf(rule->issuers[0], sizeof rule->issuers[0], "A");
    snprintf(rule->issuers[1], sizeof rule->issuers[1], "B");
    rule->issuers_count = 2;
    text = changes_of(d);
    assert_non_null(strstr(text, "issuer \"A or B\""));
    assert_non_null(strstr(text, "issuer \"A\" or \"B\""));
}

struct short_of_memory {
    const struct deployment *d;
    const char *whole;
};

static void show_short_of_memory(void *data)
{
    const struct short_of_memory *run = data;
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    struct cs_err err;
    int rc;

    assert_non_null(stream);
    cli_show_policy_changes(doc, cs_policy_body(run->d->policy), run->d->body);
    rc = cli_doc_write(doc, stream, (struct cli_style){0}, &err);
    fclose(stream);
    if (rc == CS_OK)
        assert_string_equal(text, run->whole);
    else
        assert_true(alloc_fail_happened());
}

/* A change that is left out is one that nobody agreed to. */
static void without_memory_it_shows_everything_or_fails(void **state)
{
    struct deployment *d = *state;
    cs_auto_free char *whole = NULL;
    struct short_of_memory run = {.d = d};

    nothing(d);
    operator_new(d);
    rule_new(d);
    rule_issuer(d);
    stage_people(d);
    group_new(d);
    run.whole = whole = changes_of(d);
    assert_true(alloc_fail_run(show_short_of_memory, &run) > 20);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, deployment_set_up, deployment_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_stages),
        TEST(adds_moves_and_removes_stages),
        TEST(strict_rules_stand_first),
        TEST(an_operator_keeps_the_key_where_none_is_named),
        TEST(keys_of_an_operator_come_and_go),
        TEST(groups_come_change_and_go),
        TEST(refuses_groups_that_are_none),
        TEST(every_change_is_said),
        TEST(text_of_certificates_cannot_pass_for_two),
        TEST(without_memory_it_shows_everything_or_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
