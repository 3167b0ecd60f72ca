/* What a push would need: the rules that its orders come under, and the people who may decide. */
#include "tests/support/check.h"

#include "controller/core/query.h"
#include "shared/trust/need.h"
#include "tests/support/story.h"

#include <stdio.h>
#include <string.h>

/* Devices gw-0 to gw-2, each with "web" and "mail"; "shop" is attached everywhere. */
static int begin(void **state)
{
    static const char *const devices[] = {"gw-0", "gw-1", "gw-2"};
    struct control *c;

    control_begin(state);
    c = *state;
    c->with_mail = true;
    control_certificate(c, "shop");
    for (size_t i = 0; i < CS_ARRAY_LEN(devices); i++) {
        control_device(c, devices[i]);
        assert_int_equal(control_attach(c, "shop", devices[i]), CS_OK);
        assert_int_equal(control_attach_at(c, "shop", devices[i], "mail"), CS_OK);
    }
    return 0;
}

/* "mail" takes two of the approvers, and nobody implements it. */
static void add_mail_rule(struct control *c)
{
    countersign_v1_Rule *rules = c->d.body->rules, *rule = deployment_add_rule(&c->d, "mail");
    countersign_v1_Rule kept;

    (void)snprintf(rule->connectors[rule->connectors_count++], sizeof rule->connectors[0], "mail");
    (void)deployment_add_stage(rule, "look", countersign_v1_Role_ROLE_APPROVER, 2);
    kept = rules[0];
    rules[0] = *rule;
    *rule = kept;
    deployment_publish(&c->d);
    control_policy(c);
}

static void names(const struct cs_need *need, const struct cs_policy *policy, size_t stage,
                  const char *requester, char out[256])
{
    const countersign_v1_Operator *who;
    size_t next = 0, used = 0;

    out[0] = '\0';
    while ((who = cs_need_person(need, policy, stage, requester, next, &next)) != NULL)
        used += (size_t)snprintf(out + used, 256 - used, "%s%s", used ? " " : "", who->name);
}

static void rules_are_counted_most_orders_first(void **state)
{
    struct control *c = *state;
    struct cs_needs needs;

    add_mail_rule(c);
    needs = cs_needs_begin(c->d.policy);
    cs_needs_add(&needs, "gw-0", "mail", NULL);
    cs_needs_add(&needs, "gw-1", "web", NULL);
    cs_needs_add(&needs, "gw-2", "web", NULL);
    cs_needs_sort(&needs);
    assert_int_equal(needs.count, 2);
    assert_string_equal(needs.list[0].device_name, "gw-1");
    assert_int_equal(needs.list[0].orders, 2);
    assert_string_equal(needs.list[1].rule->name, "mail");
    assert_int_equal(needs.list[1].orders, 1);
    assert_string_equal(needs.list[1].connector, "mail");
}

static void the_requester_is_left_out_unless_the_rule_says_otherwise(void **state)
{
    struct control *c = *state;
    struct cs_needs needs;
    char said[256];

    needs = cs_needs_begin(c->d.policy);
    cs_needs_add(&needs, "gw-0", "web", NULL);
    names(&needs.list[0], c->d.policy, 0, NULL, said);
    assert_string_equal(said, "bob ben dora eve");
    names(&needs.list[0], c->d.policy, 0, "dora", said);
    assert_string_equal(said, "bob ben eve");
    names(&needs.list[0], c->d.policy, 1, "dora", said);
    assert_string_equal(said, "carol clara eve");
    c->d.body->rules[0].requester_may_decide = true;
    deployment_publish(&c->d);
    needs = cs_needs_begin(c->d.policy);
    cs_needs_add(&needs, "gw-0", "web", NULL);
    names(&needs.list[0], c->d.policy, 0, "dora", said);
    assert_string_equal(said, "bob ben dora eve");
}

/* ---- ExplainPush */

static bool nobody_is_connected(void *data, const uint8_t device_id[16])
{
    (void)data;
    (void)device_id;
    return false;
}

static int explain(struct control *c, const countersign_v1_ExplainPushRequest *request,
                   countersign_v1_ExplainPushResponse *reply)
{
    static const struct ctl_presence presence = {.connected = nobody_is_connected};
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;
    int rc;

    memset(reply, 0, sizeof *reply);
    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    rc = ctl_query_ExplainPush(view, &presence, c->d.now_s, request, reply, &c->err);
    ctl_view_free(view);
    return rc;
}

static countersign_v1_ExplainPushRequest ask(struct control *c)
{
    countersign_v1_ExplainPushRequest request = countersign_v1_ExplainPushRequest_init_zero;
    struct cs_digest id = control_certificate_id(c, "shop");

    CTL_BYTES_SET(request.certificate_id, cs_digest_slice(&id));
    return request;
}

static void the_controller_answers_the_same(void **state)
{
    struct control *c = *state;
    countersign_v1_ExplainPushRequest request = ask(c);
    cs_auto_free countersign_v1_ExplainPushResponse *reply = malloc(sizeof *reply);
    const countersign_v1_PushNeed *mail;

    assert_non_null(reply);
    add_mail_rule(c);
    CTL_TEXT_SET(request.requester, "bob");
    check_ok(explain(c, &request, reply), c->err);
    assert_int_equal(reply->policy_version, 2);
    assert_int_equal(reply->needs_count, 2);
    assert_int_equal(reply->overrides_count, 0);
    mail = strcmp(reply->needs[0].rule, "mail") == 0 ? &reply->needs[0] : &reply->needs[1];
    assert_int_equal(mail->orders, 3);
    assert_string_equal(mail->example.connector, "mail");
    assert_int_equal(mail->stages_count, 1);
    assert_string_equal(mail->stages[0].name, "look");
    assert_int_equal(mail->stages[0].required, 2);
    assert_int_equal(mail->stages[0].people_count, 3);
    assert_string_equal(mail->stages[0].people[0], "ben");
    assert_false(mail->stages[0].more_people);
}

static void only_the_named_places_count(void **state)
{
    struct control *c = *state;
    countersign_v1_ExplainPushRequest request = ask(c);
    cs_auto_free countersign_v1_ExplainPushResponse *reply = malloc(sizeof *reply);

    assert_non_null(reply);
    request.targets_count = 1;
    CTL_TEXT_SET(request.targets[0].device_name, "gw-1");
    CTL_TEXT_SET(request.targets[0].connector, "web");
    check_ok(explain(c, &request, reply), c->err);
    assert_int_equal(reply->needs_count, 1);
    assert_int_equal(reply->needs[0].orders, 1);
    assert_string_equal(reply->needs[0].example.device_name, "gw-1");
    CTL_TEXT_SET(request.targets[0].connector, "tape");
    assert_int_equal(explain(c, &request, reply), CS_ESTATE);
    check_says(c->err, "attach it first");
    request.targets_count = 0;
    request.groups_count = 1;
    CTL_TEXT_SET(request.groups[0], "nowhere");
    assert_int_equal(explain(c, &request, reply), CS_ESTATE);
    check_says(c->err, "attach it first");
}

static void it_names_the_overrides(void **state)
{
    struct control *c = *state;
    countersign_v1_ExplainPushRequest request = ask(c);
    cs_auto_free countersign_v1_ExplainPushResponse *reply = malloc(sizeof *reply);

    assert_non_null(reply);
    control_revoke(c, "shop");
    c->d.now_s += 366 * 86400;
    check_ok(explain(c, &request, reply), c->err);
    assert_int_equal(reply->overrides_count, 2);
    assert_int_equal(reply->overrides[0], countersign_v1_Override_OVERRIDE_EXPIRED);
    assert_int_equal(reply->overrides[1], countersign_v1_Override_OVERRIDE_REVOKED);
}

int main(void)
{
#define story(f) cmocka_unit_test_setup_teardown(f, begin, control_end)
    const struct CMUnitTest tests[] = {
        story(rules_are_counted_most_orders_first),
        story(the_requester_is_left_out_unless_the_rule_says_otherwise),
        story(the_controller_answers_the_same),
        story(only_the_named_places_count),
        story(it_names_the_overrides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
