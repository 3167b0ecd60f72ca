/* What of a trust policy does not make sense, one thing a case. */
#include "tests/support/check.h"

#include "tests/support/deployment.h"

static void two_of_a_name(struct deployment *d)
{
    deployment_add_operator(d, "other", countersign_v1_KeyKind_KEY_KIND_FILE,
                            countersign_v1_Role_ROLE_APPROVER);
    memcpy(deployment_operator(d, "other")->name, "alice", sizeof "alice");
}
static void one_key_two_people(struct deployment *d)
{
    deployment_operator(d, "ben")->keys[0] = deployment_operator(d, "bob")->keys[0];
}
static void one_key_twice(struct deployment *d)
{
    countersign_v1_Operator *bob = deployment_operator(d, "bob");

    bob->keys[bob->keys_count++] = bob->keys[0];
}
static void key_of_kind_nothing(struct deployment *d)
{
    deployment_operator(d, "bob")->keys[0].kind = countersign_v1_KeyKind_KEY_KIND_UNSPECIFIED;
}
static void role_twice(struct deployment *d)
{
    countersign_v1_Operator *bob = deployment_operator(d, "bob");

    bob->roles[bob->roles_count++] = bob->roles[0];
}
static void message_key_of_a_person(struct deployment *d)
{
    CS_PB_SET(&d->body->message_keys[0], cs_key_spki(deployment_key(d, "bob")));
}
static void message_key_of_a_root(struct deployment *d)
{
    CS_PB_SET(&d->body->message_keys[0], cs_key_spki(deployment_key(d, "root-2")));
}
static void message_key_of_the_first_root(struct deployment *d)
{
    CS_PB_SET(&d->body->message_keys[0], cs_key_spki(deployment_key(d, "root-0")));
}
static void no_rule(struct deployment *d)
{
    d->body->rules_count = 0;
}
static void rule_twice(struct deployment *d)
{
    deployment_add_rule(d, "default");
}
static void stage_twice(struct deployment *d)
{
    memcpy(d->body->rules[0].stages[1].name, "approve", sizeof "approve");
}
static void nobody_required(struct deployment *d)
{
    d->body->rules[0].stages[0].required = 0;
}
static void more_than_there_are(struct deployment *d)
{
    d->body->rules[0].stages[0].required = 5; /* bob, ben, dora and eve */
}
static void as_many_as_there_are(struct deployment *d)
{
    d->body->rules[0].stages[0].required = 3; /* who approves cannot implement: carol is left */
}
static void one_person_in_two_stages(struct deployment *d)
{
    countersign_v1_Rule *rule = deployment_add_rule(d, "narrow");

    for (int i = 0; i < 2; i++) {
        countersign_v1_Stage *stage = deployment_add_stage(
            rule, i ? "implement" : "approve",
            i ? countersign_v1_Role_ROLE_IMPLEMENTER : countersign_v1_Role_ROLE_APPROVER, 1);

        stage->operators_count = 1;
        memcpy(stage->operators[0], "dora", sizeof "dora");
    }
}
static void only_the_requester_may_decide(struct deployment *d)
{
    d->body->operators[0].roles_count = 0; /* alice no longer requests: dora alone does */
    d->body->rules[0].stages_count = 1;
    d->body->rules[0].stages[0].operators_count = 1;
    memcpy(d->body->rules[0].stages[0].operators[0], "dora", sizeof "dora");
}
static void the_requester_may_decide(struct deployment *d)
{
    only_the_requester_may_decide(d);
    d->body->rules[0].requester_may_decide = true;
}
static void only_a_browser_key_at_the_end(struct deployment *d)
{
    d->body->rules[0].stages[1].operators_count = 1;
    memcpy(d->body->rules[0].stages[1].operators[0], "eve", sizeof "eve");
}
/* carol is the only one whose key may finish, and the stage before the last has nobody but her. */
static void the_only_one_who_may_finish_is_needed_before(struct deployment *d)
{
    countersign_v1_Rule *rule = &d->body->rules[0];

    rule->stages[0].role = rule->stages[1].role = countersign_v1_Role_ROLE_IMPLEMENTER;
    rule->stages[0].operators_count = 1;
    memcpy(rule->stages[0].operators[0], "carol", sizeof "carol");
    rule->stages[1].operators_count = 2;
    memcpy(rule->stages[1].operators[0], "carol", sizeof "carol");
    memcpy(rule->stages[1].operators[1], "eve", sizeof "eve");
}
static void another_who_may_finish(struct deployment *d)
{
    the_only_one_who_may_finish_is_needed_before(d);
    memcpy(d->body->rules[0].stages[0].operators[0], "clara", sizeof "clara");
}
static void a_browser_key_before_the_last(struct deployment *d)
{
    another_who_may_finish(d);
    d->body->rules[0].stages[1].required = 2;
}
static void a_browser_key_that_may(struct deployment *d)
{
    only_a_browser_key_at_the_end(d);
    d->body->rules[0].browser_may_finish = true;
}
static void somebody_unknown(struct deployment *d)
{
    d->body->rules[0].stages[0].operators_count = 1;
    memcpy(d->body->rules[0].stages[0].operators[0], "mallory", sizeof "mallory");
}
static void people_without_keys(struct deployment *d)
{
    deployment_operator(d, "carol")->keys_count = 0;
    deployment_operator(d, "clara")->keys_count = 0;
    deployment_operator(d, "dora")->keys_count = 0;
    deployment_operator(d, "eve")->keys_count = 0;
}
static void an_auditor_without_key(struct deployment *d)
{
    deployment_operator(d, "ada")->keys_count = 0;
}
static void no_stages(struct deployment *d)
{
    d->body->rules[0].stages_count = 0;
}
static void no_root_threshold(struct deployment *d)
{
    d->body->roots.threshold = 0;
}
static void unreachable_root_threshold(struct deployment *d)
{
    d->body->roots.threshold = 4;
}
static void root_twice(struct deployment *d)
{
    d->body->roots.keys[1] = d->body->roots.keys[0];
}
static void no_roots(struct deployment *d)
{
    d->body->has_roots = false;
}
static void expires_first(struct deployment *d)
{
    d->body->expires_at_s = d->body->issued_at_s;
}
static void star_inside(struct deployment *d)
{
    d->body->rules[0].names_count = 1;
    memcpy(d->body->rules[0].names[0], "a*.example", sizeof "a*.example");
}
static void star_alone(struct deployment *d)
{
    d->body->rules[0].names_count = 1;
    memcpy(d->body->rules[0].names[0], "*", sizeof "*");
}
static void star_before_nothing(struct deployment *d)
{
    d->body->rules[0].names_count = 1;
    memcpy(d->body->rules[0].names[0], "*.", sizeof "*.");
}
static void star_as_first_label(struct deployment *d)
{
    d->body->rules[0].names_count = 1;
    memcpy(d->body->rules[0].names[0], "*.example", sizeof "*.example");
}
static void an_authority(struct deployment *d)
{
    d->body->agent_cas_count = 1;
    CS_PB_SET(&d->body->agent_cas[0], CS_SLICE_LIT("not looked at here"));
}
static void an_empty_authority(struct deployment *d)
{
    d->body->agent_cas_count = 1;
}
static void a_clockless_device(struct deployment *d)
{
    d->body->clockless_devices_count = 1;
    memcpy(d->body->clockless_devices[0], "gw-0", sizeof "gw-0");
}
static void a_clockless_device_without_name(struct deployment *d)
{
    d->body->clockless_devices_count = 1;
}
static void more_people_than_may_decide(struct deployment *d)
{
    d->body->rules[0].stages[0].required = CS_LIMIT_DECISIONS;
    d->body->rules[0].stages[1].required = 1;
}
/* Roles that are there to request are given up by all. */
static void nobody_requests(struct deployment *d)
{
    d->body->operators[0].roles_count = 0;
    deployment_operator(d, "dora")->roles[0] = countersign_v1_Role_ROLE_AUDITOR;
}
static void nobody_requests_and_nobody_could_decide(struct deployment *d)
{
    nobody_requests(d);
    people_without_keys(d);
}
static void first_with_a_past(struct deployment *d)
{
    d->body->previous_digest.size = 32;
}
static countersign_v1_OperatorGroup *group(struct deployment *d, const char *name, const char *member)
{
    countersign_v1_OperatorGroup *added = &d->body->groups[d->body->groups_count++];

    memcpy(added->name, name, strlen(name) + 1);
    memcpy(added->members[added->members_count++], member, strlen(member) + 1);
    return added;
}
static void a_group(struct deployment *d)
{
    group(d, "night", "bob");
}
static void a_group_of_two(struct deployment *d)
{
    countersign_v1_OperatorGroup *night = group(d, "night", "bob");

    memcpy(night->members[night->members_count++], "ben", sizeof "ben");
}
static void a_group_without_name(struct deployment *d)
{
    group(d, "", "bob");
}
static void a_group_of_no_role(struct deployment *d)
{
    group(d, "night", "bob")->roles_count = 1;
}
static void a_group_of_a_role_twice(struct deployment *d)
{
    countersign_v1_OperatorGroup *night = group(d, "night", "bob");

    night->roles_count = 2;
    night->roles[0] = night->roles[1] = countersign_v1_Role_ROLE_APPROVER;
}
static void a_group_twice(struct deployment *d)
{
    group(d, "night", "bob");
    group(d, "night", "ben");
}
static void a_group_of_nobody(struct deployment *d)
{
    group(d, "night", "bob")->members_count = 0;
}
static void a_group_of_a_stranger(struct deployment *d)
{
    group(d, "night", "mallory");
}
static void a_member_without_name(struct deployment *d)
{
    group(d, "night", "");
}
static void a_member_twice(struct deployment *d)
{
    countersign_v1_OperatorGroup *night = group(d, "night", "bob");

    night->members[night->members_count++][0] = 'x';
    memcpy(night->members[1], "bob", sizeof "bob");
}
/* The people of the first stage by their group; the names of operators and of groups do not touch. */
static void a_stage_of_a_group(struct deployment *d)
{
    group(d, "bob", "ben");
    d->body->rules[0].stages[0].operators_count = 1;
    memcpy(d->body->rules[0].stages[0].operators[0], "@bob", sizeof "@bob");
}
static void a_stage_of_an_unknown_group(struct deployment *d)
{
    a_stage_of_a_group(d);
    memcpy(d->body->groups[0].name, "ben", sizeof "ben");
}
static void a_stage_of_nothing_but_at(struct deployment *d)
{
    a_stage_of_a_group(d);
    memcpy(d->body->rules[0].stages[0].operators[0], "@", sizeof "@");
}
static void a_stage_of_a_group_of_others(struct deployment *d)
{
    a_stage_of_a_group(d);
    memcpy(d->body->groups[0].members[0], "carol", sizeof "carol"); /* who does not approve */
}
static void a_group_that_gives_the_role(struct deployment *d)
{
    a_stage_of_a_group_of_others(d);
    d->body->groups[0].roles_count = 1;
    d->body->groups[0].roles[0] = countersign_v1_Role_ROLE_APPROVER;
}
/* clara, the only other one who implements, has no key. */
static void a_group_whose_one_member_is_needed_twice(struct deployment *d)
{
    a_group_that_gives_the_role(d);
    deployment_operator(d, "clara")->keys_count = 0;
    deployment_operator(d, "dora")->keys_count = 0;
    deployment_operator(d, "eve")->keys_count = 0;
}
static void only_a_group_requests_and_may_not_decide(struct deployment *d)
{
    only_the_requester_may_decide(d);
    deployment_operator(d, "dora")->roles[0] = countersign_v1_Role_ROLE_AUDITOR;
    group(d, "night", "dora")->roles_count = 1;
    d->body->groups[0].roles[0] = countersign_v1_Role_ROLE_REQUESTER;
}
static void nothing(struct deployment *d)
{
    (void)d;
}

static void refuses_a_policy_that_contradicts_itself(void **state)
{
    static const struct {
        const char *says;
        void (*change)(struct deployment *);
        int code;
        const char *sentence;
    } cases[] = {
        {"one that is right", nothing, CS_OK, NULL},
        {"two operators of a name", two_of_a_name, CS_EINVAL, "two operators are called alice"},
        {"one key of two people", one_key_two_people, CS_EINVAL, "each key has one owner"},
        {"one key twice", one_key_twice, CS_EINVAL, "each key has one owner"},
        {"a key without kind", key_of_kind_nothing, CS_EPARSE, "kind"},
        {"a role twice", role_twice, CS_EINVAL, "one role twice"},
        {"a message key that is a person's", message_key_of_a_person, CS_EINVAL, "message key 1"},
        {"a message key that is a root's", message_key_of_a_root, CS_EINVAL, "message key 1"},
        {"a message key that is the first root's", message_key_of_the_first_root, CS_EINVAL, "message key 1"},
        {"no rule", no_rule, CS_EINVAL, "no rule"},
        {"a rule twice", rule_twice, CS_EINVAL, "two rules"},
        {"a stage twice", stage_twice, CS_EINVAL, "two stages"},
        {"a stage of nobody", nobody_required, CS_EPARSE, "required"},
        {"more people than there are", more_than_there_are, CS_EINVAL, "cannot be satisfied"},
        {"as many people as there are", as_many_as_there_are, CS_OK, NULL},
        {"one person in two stages", one_person_in_two_stages, CS_EINVAL, "cannot be satisfied"},
        {"only the requester", only_the_requester_may_decide, CS_EINVAL, "cannot be satisfied"},
        {"the requester, who may", the_requester_may_decide, CS_OK, NULL},
        {"a browser key at the end", only_a_browser_key_at_the_end, CS_EINVAL, "cannot be satisfied"},
        {"one finisher, needed before", the_only_one_who_may_finish_is_needed_before, CS_EINVAL,
         "cannot be satisfied"},
        {"a finisher who is left", another_who_may_finish, CS_OK, NULL},
        {"a browser key, and then a finisher", a_browser_key_before_the_last, CS_OK, NULL},
        {"a browser key that may finish", a_browser_key_that_may, CS_OK, NULL},
        {"a stage that names a stranger", somebody_unknown, CS_EINVAL, "no operator"},
        {"people without keys", people_without_keys, CS_EINVAL, "cannot be satisfied"},
        {"somebody without key who need not sign", an_auditor_without_key, CS_OK, NULL},
        {"no stages", no_stages, CS_OK, NULL},
        {"a root threshold of 0", no_root_threshold, CS_EINVAL, "threshold"},
        {"a root threshold of 4 of 3", unreachable_root_threshold, CS_EINVAL, "threshold"},
        {"a root twice", root_twice, CS_EINVAL, "root key 2 comes twice"},
        {"no roots", no_roots, CS_EPARSE, "roots"},
        {"expired when issued", expires_first, CS_EINVAL, "expires"},
        {"a star inside a name", star_inside, CS_EPARSE, "first label"},
        {"a star alone", star_alone, CS_EPARSE, "first label"},
        {"a star before nothing", star_before_nothing, CS_EPARSE, "first label"},
        {"a star as the first label", star_as_first_label, CS_OK, NULL},
        {"an authority for agents", an_authority, CS_OK, NULL},
        {"an empty authority", an_empty_authority, CS_EPARSE, "agent_cas is missing"},
        {"a device without a clock", a_clockless_device, CS_OK, NULL},
        {"a clockless device without name", a_clockless_device_without_name, CS_EPARSE, "clockless_devices"},
        {"more people than may decide", more_people_than_may_decide, CS_EINVAL, "wants 17 people"},
        {"nobody who requests", nobody_requests, CS_OK, NULL},
        {"nobody who requests or could decide", nobody_requests_and_nobody_could_decide, CS_EINVAL,
         "cannot be satisfied"},
        {"a group", a_group, CS_OK, NULL},
        {"a group of two", a_group_of_two, CS_OK, NULL},
        {"a group without name", a_group_without_name, CS_EPARSE, "groups.name"},
        {"a group with no role that is known", a_group_of_no_role, CS_EPARSE, "groups.roles"},
        {"a group with a role twice", a_group_of_a_role_twice, CS_EINVAL, "group night has one role twice"},
        {"a group twice", a_group_twice, CS_EINVAL, "two groups are called night"},
        {"a group of nobody", a_group_of_nobody, CS_EINVAL, "group night has no members"},
        {"a group of a stranger", a_group_of_a_stranger, CS_EINVAL,
         "group night has mallory, who is no operator"},
        {"a member without name", a_member_without_name, CS_EPARSE, "groups.members"},
        {"a member twice", a_member_twice, CS_EINVAL, "group night has bob twice"},
        {"a stage of a group", a_stage_of_a_group, CS_OK, NULL},
        {"a stage of a group that is not there", a_stage_of_an_unknown_group, CS_EINVAL,
         "names @bob, which is no group"},
        {"a stage of a group without name", a_stage_of_nothing_but_at, CS_EPARSE, "rules.stages.operators"},
        {"a stage of a group of others", a_stage_of_a_group_of_others, CS_EINVAL, "cannot be satisfied"},
        {"a group that gives the role", a_group_that_gives_the_role, CS_OK, NULL},
        {"a group whose member is needed twice", a_group_whose_one_member_is_needed_twice, CS_EINVAL,
         "cannot be satisfied"},
        {"a requester by group", only_a_group_requests_and_may_not_decide, CS_EINVAL, "cannot be satisfied"},
        {"a first version with a past", first_with_a_past, CS_EPARSE, "previous_digest"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct deployment d;
        struct cs_err err = {0};
        int rc;

        deployment_make(&d);
        cases[i].change(&d);
        rc = cs_policy_check(d.body, &err);
        if (rc != cases[i].code)
            fail_msg("%s: '%s' (%s)", cases[i].says, cs_code_text(rc), err.msg);
        if (cases[i].sentence)
            check_says(err, cases[i].sentence);
        deployment_free(&d);
    }
}

/* Whoever asks of a policy that was never checked. */
static void a_group_that_is_not_there_names_nobody(void **state)
{
    struct deployment d;

    (void)state;
    deployment_make(&d);
    a_stage_of_an_unknown_group(&d);
    assert_false(cs_stage_admits(d.body, &d.body->rules[0].stages[0], deployment_operator(&d, "bob")));
    assert_false(cs_stage_admits(d.body, &d.body->rules[0].stages[0], deployment_operator(&d, "ben")));
    a_group_of_two(&d);
    memcpy(d.body->rules[0].stages[0].operators[0], "@night", sizeof "@night");
    assert_true(cs_stage_admits(d.body, &d.body->rules[0].stages[0], deployment_operator(&d, "bob")));
    assert_true(cs_stage_admits(d.body, &d.body->rules[0].stages[0], deployment_operator(&d, "ben")));
    assert_false(cs_stage_admits(d.body, &d.body->rules[0].stages[0], deployment_operator(&d, "dora")));
    deployment_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_policy_that_contradicts_itself),
        cmocka_unit_test(a_group_that_is_not_there_names_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
