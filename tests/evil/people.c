/* people.c - who decided: people that the device counts, and people that it must not count. What people are
 * made to sign here they signed by mistake, or before the policy changed; the controller only carries it. */
#include "tests/evil/evil.h"

static countersign_v1_Stage *stage(struct evil *e, size_t index)
{
    return &e->d.body->rules[0].stages[index];
}

static void bob_and_carol(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    story_decide(&e->push->push, "carol", 2);
}

static void sign_as(struct evil *e, const char *who, uint32_t at, const char *key)
{
    countersign_v1_Decision decision;

    story_fill_decision(&e->push->push, who, at, &decision);
    story_add_decision(&e->push->push, &decision, key);
}

/* ---- one person, once */

static void dora_in_two_stages(struct evil *e)
{
    story_decide(&e->push->push, "dora", 1);
    story_decide(&e->push->push, "dora", 2);
}
static void dora_gets_a_second_key(struct evil *e)
{
    countersign_v1_Operator *dora = deployment_operator(&e->d, "dora");

    dora->keys[1].kind = countersign_v1_KeyKind_KEY_KIND_PASSKEY;
    CS_PB_SET(&dora->keys[1].spki, cs_key_spki(deployment_key(&e->d, "dora's passkey")));
    dora->keys_count = 2;
}
static void dora_with_two_keys(struct evil *e)
{
    sign_as(e, "dora", 1, "dora");
    sign_as(e, "dora", 2, "dora's passkey");
}
static void two_must_approve(struct evil *e)
{
    stage(e, 0)->required = 2;
}
static void bob_twice_in_a_stage(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    story_decide(&e->push->push, "bob", 1);
}
static void dora_twice_in_a_stage_with_two_keys(struct evil *e)
{
    sign_as(e, "dora", 1, "dora");
    sign_as(e, "dora", 1, "dora's passkey");
}
static void two_must_approve_and_dora_has_two_keys(struct evil *e)
{
    two_must_approve(e);
    dora_gets_a_second_key(e);
}
static void one_envelope_of_two_people(struct evil *e)
{
    const struct cs_key *keys[] = {deployment_key(&e->d, "bob"), deployment_key(&e->d, "ben")};
    struct push_story *story = &e->push->push;
    countersign_v1_Decision decision;
    struct cs_err err;

    story_fill_decision(story, "bob", 1, &decision);
    struct cs_buf payload = deployment_encode(countersign_v1_Decision_fields, &decision);

    cs_assert(cs_envelope_sign(CS_STATEMENT_DECISION, cs_buf_slice(&payload), keys, 2,
                               &story->decision_wires[0], &err) == CS_OK);
    story->decision_digests[0] = cs_sha256(cs_buf_slice(&payload));
    story->decision_count = 1;
    cs_buf_free(&payload);
    story_decide(story, "carol", 2);
}

/* ---- under another name */

static void carol_signs_as_clara(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    sign_as(e, "clara", 2, "carol");
}
static void bob_signs_as_carol(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    sign_as(e, "carol", 2, "bob");
}
static void the_controller_as_a_person(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    sign_as(e, "controller", 2, "controller");
}
static void the_controller_for(struct evil *e)
{
    sign_as(e, e->with == 1 ? "bob" : "nobody", 1, "controller");
}
static void a_root_decides(struct evil *e)
{
    sign_as(e, "bob", 1, "root-0");
}
static void a_device_decides(struct evil *e)
{
    sign_as(e, "bob", 1, "gw-1");
}
static void in_another_spelling(struct evil *e)
{
    sign_as(e, "Bob", 1, "bob");
}

/* ---- requester */

static void dora_requests(struct evil *e)
{
    memcpy(EVIL_REQUEST(e)->requester, "dora", 5);
}
static void dora_approves(struct evil *e)
{
    story_decide(&e->push->push, "dora", 1);
    story_decide(&e->push->push, "carol", 2);
}
static void dora_implements(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    story_decide(&e->push->push, "dora", 2);
}
static void requester_may_decide(struct evil *e)
{
    e->d.body->rules[0].requester_may_decide = true;
}
static void bob_requests(struct evil *e)
{
    memcpy(EVIL_REQUEST(e)->requester, "bob", 4);
}
static void mallory_requests(struct evil *e)
{
    memcpy(EVIL_REQUEST(e)->requester, "mallory", 8);
}
static void request_signed_by(struct evil *e)
{
    static const char *const keys[] = {"dora", "bob", "controller", "agent-ca", "root-0", "gw-1"};
    struct push_story *story = &e->push->push;

    cs_buf_free(&story->request_wire);
    story->request_wire = deployment_sign(&e->d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields,
                                          &story->request, keys[e->with]);
    bob_and_carol(e);
}

/* ---- roles */

static void decides_stage_one(struct evil *e)
{
    static const char *const names[] = {"ada", "alice", "carol", "clara"};

    story_decide(&e->push->push, names[e->with], 1);
}
static void decides_stage_two(struct evil *e)
{
    static const char *const names[] = {"ada", "ben", "bob"};

    story_decide(&e->push->push, "dora", 1);
    story_decide(&e->push->push, names[e->with], 2);
}
static void only_ben_may_approve(struct evil *e)
{
    stage(e, 0)->operators_count = 1;
    memcpy(stage(e, 0)->operators[0], "ben", 4);
}
static void only_clara_may_implement(struct evil *e)
{
    stage(e, 1)->operators_count = 1;
    memcpy(stage(e, 1)->operators[0], "clara", 6);
}

/* ---- keys of the browser */

static void eve_finishes(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    story_decide(&e->push->push, "eve", 2);
}
static void eve_finishes_beside(struct evil *e, const char *who)
{
    struct cs_buf cosigned = CS_BUF_EMPTY;
    struct push_story *story = &e->push->push;
    struct cs_err err;

    eve_finishes(e);
    cs_assert(cs_envelope_cosign(cs_buf_slice(&story->decision_wires[1]), deployment_key(&e->d, who),
                                 &cosigned, &err) == CS_OK);
    cs_buf_free(&story->decision_wires[1]);
    story->decision_wires[1] = cosigned;
}
static void eve_finishes_with_a_stranger(struct evil *e)
{
    eve_finishes_beside(e, "controller");
}
static void eve_finishes_with_both_keys(struct evil *e)
{
    eve_finishes_beside(e, "eve's key in a file");
}
static void eve_has_another_key(struct evil *e)
{
    countersign_v1_Operator *eve = deployment_operator(&e->d, "eve");

    CS_PB_SET(&eve->keys[1].spki, cs_key_spki(deployment_key(&e->d, "eve's key in a file")));
    eve->keys[1].kind = countersign_v1_KeyKind_KEY_KIND_FILE;
    eve->keys_count = 2;
}
static void eve_finishes_a_stage_of_two(struct evil *e)
{
    story_decide(&e->push->push, "bob", 1);
    story_decide(&e->push->push, "carol", 2);
    story_decide(&e->push->push, "eve", 2);
}
static void two_must_implement(struct evil *e)
{
    stage(e, 1)->required = 2;
}
static void eve_approves(struct evil *e)
{
    story_decide(&e->push->push, "eve", 1);
    story_decide(&e->push->push, "carol", 2);
}
static void one_stage(struct evil *e)
{
    e->d.body->rules[0].stages_count = 1;
}
static void eve_alone(struct evil *e)
{
    story_decide(&e->push->push, "eve", 1);
}
static void browser_may_finish(struct evil *e)
{
    e->d.body->rules[0].browser_may_finish = true;
}

/* ---- people who are no longer what they were: decided under version 1, offered under version 2 */

static void publish_and_offer(struct evil *e)
{
    struct cs_err err;

    deployment_publish(&e->d);
    cs_assert(victim_take_policy(&e->victim, cs_policy_wire(e->d.policy), &err) == CS_OK);
    evil_offer(e, e->push);
}
static void remove_operator(struct evil *e, const char *name)
{
    countersign_v1_Operator *who = deployment_operator(&e->d, name);
    countersign_v1_Operator *last = &e->d.body->operators[--e->d.body->operators_count];

    *who = *last;
}
static void after_leaving(struct evil *e)
{
    static const char *const names[] = {"alice", "bob", "carol"};

    remove_operator(e, names[e->with]);
    publish_and_offer(e);
}
static void after_losing_the_role(struct evil *e)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    countersign_v1_Operator *who = deployment_operator(&e->d, names[e->with]);

    who->roles[0] = countersign_v1_Role_ROLE_AUDITOR;
    publish_and_offer(e);
}
static void after_a_new_key(struct evil *e)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    countersign_v1_Operator *who = deployment_operator(&e->d, names[e->with]);

    CS_PB_SET(&who->keys[0].spki, cs_key_spki(deployment_key(&e->d, "a new key")));
    publish_and_offer(e);
}
static void after_a_swap_of_keys(struct evil *e)
{
    countersign_v1_Operator *bob = deployment_operator(&e->d, "bob");
    countersign_v1_Operator *ben = deployment_operator(&e->d, "ben");
    countersign_v1_OperatorKey key = bob->keys[0];

    bob->keys[0] = ben->keys[0];
    ben->keys[0] = key;
    publish_and_offer(e);
}
static void after_the_key_became_a_browser_key(struct evil *e)
{
    deployment_operator(&e->d, "carol")->keys[0].kind = countersign_v1_KeyKind_KEY_KIND_BROWSER;
    publish_and_offer(e);
}
static void after_the_rule_wants_more(struct evil *e)
{
    countersign_v1_Rule *rule = &e->d.body->rules[0];

    switch (e->with) {
    case 0:
        rule->stages[0].required = 2;
        break;
    case 1:
        rule->stages[1].required = 2;
        break;
    case 2:
        deployment_add_stage(rule, "audit", countersign_v1_Role_ROLE_ADMIN, 1);
        break;
    case 3:
        only_ben_may_approve(e);
        break;
    case 4:
        only_clara_may_implement(e);
        break;
    default:
        rule->stages[2] = rule->stages[0];
        rule->stages[0] = rule->stages[1];
        rule->stages[1] = rule->stages[2];
        break;
    }
    publish_and_offer(e);
}
/* A rule in front of the default one, which has a stage more. */
static void after_a_stricter_rule(struct evil *e)
{
    countersign_v1_TrustPolicy *body = e->d.body;
    countersign_v1_Rule *rule;

    deployment_add_rule(&e->d, "looser");
    body->rules[1] = body->rules[0];
    memcpy(body->rules[1].name, "looser", 7);
    rule = &body->rules[0];
    memcpy(rule->name, "strict", 7);
    deployment_add_stage(rule, "audit", countersign_v1_Role_ROLE_ADMIN, 1);
    if (e->with == 0) {
        rule->devices_count = 1;
        memcpy(rule->devices[0], "gw-0", 5);
    } else if (e->with == 1) {
        rule->connectors_count = 1;
        memcpy(rule->connectors[0], "web", 4);
    } else if (e->with == 2) {
        rule->issuers_count = 1;
        memcpy(rule->issuers[0], "Example CA", 11);
    } else if (e->with == 3) {
        rule->names_count = 1;
        memcpy(rule->names[0], "*.example", 10);
    } else {
        /* Nothing matches any more: the strictest holds. */
        rule->devices_count = body->rules[1].devices_count = 1;
        memcpy(rule->devices[0], "gw-8", 5);
        memcpy(body->rules[1].devices[0], "gw-9", 5);
    }
    publish_and_offer(e);
}

static const struct evil_strategy strategies[] = {
    {.says = "sends what bob and carol decided", .end = EVIL_ADMITS(NOTHING)},

    {.says = "counts one person in both stages",
     .end = EVIL_ENDS(DECIDER_TWICE),
     .decided = dora_in_two_stages},
    {.says = "counts one person in both stages by two keys",
     .end = EVIL_ENDS(DECIDER_TWICE),
     .policy = dora_gets_a_second_key,
     .decided = dora_with_two_keys},
    {.says = "counts one person twice in a stage of two",
     .end = EVIL_ENDS(DECIDER_TWICE),
     .policy = two_must_approve,
     .decided = bob_twice_in_a_stage},
    {.says = "counts one person twice in a stage of two by two keys",
     .end = EVIL_ENDS(DECIDER_TWICE),
     .policy = two_must_approve_and_dora_has_two_keys,
     .decided = dora_twice_in_a_stage_with_two_keys},
    {.says = "counts two signatures under one decision as two people",
     .end = EVIL_ENDS(STAGE_NOT_OPEN),
     .policy = two_must_approve,
     .decided = one_envelope_of_two_people},

    {.says = "has one person sign under the name of another of the stage",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = carol_signs_as_clara},
    {.says = "has a person of the stage before sign under the name of one of the next",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = bob_signs_as_carol},
    {.says = "decides itself, under its own name",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = the_controller_as_a_person},
    {.says = "decides itself, under the name of nobody",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = the_controller_for},
    {.says = "decides itself, under the name of an approver",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = the_controller_for,
     .with = 1},
    {.says = "sends a decision that a root signed",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = a_root_decides},
    {.says = "sends a decision that a device signed",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = a_device_decides},
    {.says = "sends a decision under a name in another spelling",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .decided = in_another_spelling},

    {.says = "counts the requester in the first stage",
     .end = EVIL_ENDS(DECIDER_IS_REQUESTER),
     .prepared = dora_requests,
     .decided = dora_approves},
    {.says = "counts the requester in the last stage",
     .end = EVIL_ENDS(DECIDER_IS_REQUESTER),
     .prepared = dora_requests,
     .decided = dora_implements},
    {.says = "counts the requester where the rule lets requesters decide",
     .end = EVIL_ADMITS(NOTHING),
     .policy = requester_may_decide,
     .prepared = dora_requests,
     .decided = dora_approves},
    {.says = "counts the requester twice where the rule lets requesters decide",
     .end = EVIL_ENDS(DECIDER_TWICE),
     .policy = requester_may_decide,
     .prepared = dora_requests,
     .decided = dora_in_two_stages},
    {.says = "sends the request of somebody who may not request",
     .end = EVIL_ENDS(REQUESTER_ROLE),
     .prepared = bob_requests},
    {.says = "sends the request of somebody whom the policy does not know",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .prepared = mallory_requests},
    {.says = "sends a request that another requester signed",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .decided = request_signed_by,
     .with = 0},
    {.says = "sends a request that an approver signed",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .decided = request_signed_by,
     .with = 1},
    {.says = "sends a request that it signed",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .decided = request_signed_by,
     .with = 2},
    {.says = "sends a request that its agent CA signed",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .decided = request_signed_by,
     .with = 3},
    {.says = "sends a request that a root signed",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .decided = request_signed_by,
     .with = 4},
    {.says = "sends a request that a device signed",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .decided = request_signed_by,
     .with = 5},

    {.says = "counts an admin as an approver", .end = EVIL_ENDS(DECIDER_ROLE), .decided = decides_stage_one},
    {.says = "counts the requester, who is no approver",
     .end = EVIL_ENDS(DECIDER_IS_REQUESTER),
     .decided = decides_stage_one,
     .with = 1},
    {.says = "counts an implementer as an approver",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .decided = decides_stage_one,
     .with = 2},
    {.says = "counts another implementer as an approver",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .decided = decides_stage_one,
     .with = 3},
    {.says = "counts an admin as an implementer",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .decided = decides_stage_two},
    {.says = "counts an approver as an implementer",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .decided = decides_stage_two,
     .with = 1},
    {.says = "counts another approver as an implementer",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .decided = decides_stage_two,
     .with = 2},
    {.says = "counts an approver whom the first stage does not name",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .policy = only_ben_may_approve},
    {.says = "counts an implementer whom the last stage does not name",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .policy = only_clara_may_implement},

    {.says = "lets a browser key finish", .end = EVIL_ENDS(BROWSER_KEY), .decided = eve_finishes},
    {.says = "lets a browser key finish with its own signature beside",
     .end = EVIL_ENDS(BROWSER_KEY),
     .decided = eve_finishes_with_a_stranger},
    {.says = "lets a browser key finish whose owner has another one",
     .end = EVIL_ENDS(BROWSER_KEY),
     .policy = eve_has_another_key,
     .decided = eve_finishes},
    {.says = "lets a browser key finish beside its owner's other one",
     .end = EVIL_ADMITS(NOTHING),
     .policy = eve_has_another_key,
     .decided = eve_finishes_with_both_keys},
    {.says = "lets a browser key finish a stage of two",
     .end = EVIL_ENDS(BROWSER_KEY),
     .policy = two_must_implement,
     .decided = eve_finishes_a_stage_of_two},
    {.says = "lets a browser key finish a rule of one stage",
     .end = EVIL_ENDS(BROWSER_KEY),
     .policy = one_stage,
     .decided = eve_alone},
    {.says = "lets a browser key approve, which is not the last stage",
     .end = EVIL_ADMITS(NOTHING),
     .decided = eve_approves},
    {.says = "lets a browser key finish where the rule lets it",
     .end = EVIL_ADMITS(NOTHING),
     .policy = browser_may_finish,
     .decided = eve_finishes},

    {.says = "delivers after the requester has left",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .act = after_leaving},
    {.says = "delivers after the approver has left",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .act = after_leaving,
     .with = 1},
    {.says = "delivers after the implementer has left",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .act = after_leaving,
     .with = 2},
    {.says = "delivers after the requester has lost the role",
     .end = EVIL_ENDS(REQUESTER_ROLE),
     .act = after_losing_the_role},
    {.says = "delivers after the approver has lost the role",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .act = after_losing_the_role,
     .with = 1},
    {.says = "delivers after the implementer has lost the role",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .act = after_losing_the_role,
     .with = 2},
    {.says = "delivers after the requester has got another key",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .act = after_a_new_key},
    {.says = "delivers after the approver has got another key",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .act = after_a_new_key,
     .with = 1},
    {.says = "delivers after the implementer has got another key",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .act = after_a_new_key,
     .with = 2},
    {.says = "delivers after two people have changed keys",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .act = after_a_swap_of_keys},
    {.says = "delivers after the implementer's key has become a browser's",
     .end = EVIL_ENDS(BROWSER_KEY),
     .act = after_the_key_became_a_browser_key},
    {.says = "delivers after the first stage has come to want two",
     .end = EVIL_ENDS(STAGE_NOT_OPEN),
     .act = after_the_rule_wants_more},
    {.says = "delivers after the last stage has come to want two",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_the_rule_wants_more,
     .with = 1},
    {.says = "delivers after the rule has come to have a stage more",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_the_rule_wants_more,
     .with = 2},
    {.says = "delivers after the first stage has come to name others",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .act = after_the_rule_wants_more,
     .with = 3},
    {.says = "delivers after the last stage has come to name others",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .act = after_the_rule_wants_more,
     .with = 4},
    {.says = "delivers after the stages have changed places",
     .end = EVIL_ENDS(DECIDER_ROLE),
     .act = after_the_rule_wants_more,
     .with = 5},
    {.says = "delivers after the device has got a stricter rule",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_a_stricter_rule},
    {.says = "delivers after the connector has got a stricter rule",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_a_stricter_rule,
     .with = 1},
    {.says = "delivers after the issuer has got a stricter rule",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_a_stricter_rule,
     .with = 2},
    {.says = "delivers after the certificate's name has got a stricter rule",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_a_stricter_rule,
     .with = 3},
    {.says = "delivers where no rule matches any more",
     .end = EVIL_ENDS(UNDECIDED),
     .act = after_a_stricter_rule,
     .with = 4},
};

void evil_people(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
