/* policies.c - what the device holds people's rules to be: older ones, forked ones, ones that too few roots
 * signed, and pushes under them. */
#include "tests/evil/evil.h"

#include <stdio.h>

static countersign_v1_TrustPolicy *body(struct evil *e)
{
    return e->d.body;
}

/* The body is to follow what was published last. */
static void follow(struct evil *e)
{
    struct cs_digest previous = cs_policy_digest(e->d.policy);

    CS_PB_SET(&body(e)->previous_digest, cs_digest_slice(&previous));
    body(e)->version = cs_policy_version(e->d.policy) + 1;
}

/* `who`: names of keys, NULL behind the last. */
static struct cs_buf signed_by(struct evil *e, const char *const *who)
{
    cs_auto(cs_buf_free) struct cs_buf payload =
        deployment_encode(countersign_v1_TrustPolicy_fields, e->d.body);
    const struct cs_key *keys[8];
    struct cs_buf wire = CS_BUF_EMPTY;
    size_t count = 0;
    struct cs_err err;

    for (; who[count]; count++)
        keys[count] = deployment_key(&e->d, who[count]);
    cs_assert(cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&payload), keys, count, &wire, &err) ==
              CS_OK);
    return wire;
}

static void show(struct evil *e, const char *const *who)
{
    struct cs_buf wire = signed_by(e, who);

    evil_show_policy(e, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}
#define BY(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ROOTS   BY("root-0", "root-1")

static void publish(struct evil *e)
{
    deployment_publish(&e->d);
    evil_show_policy(e, cs_policy_wire(e->d.policy));
}

/* ---- versions */

static void the_next(struct evil *e)
{
    follow(e);
    show(e, ROOTS);
}
static void the_same_again(struct evil *e)
{
    evil_show_policy(e, cs_policy_wire(e->d.policy));
}
static void an_older_one(struct evil *e)
{
    cs_auto(cs_buf_free) struct cs_buf first = CS_BUF_EMPTY;

    cs_assert(cs_buf_append(&first, cs_policy_wire(e->d.policy)) == CS_OK);
    publish(e);
    if (e->with == 1)
        victim_restart(&e->victim);
    evil_show_policy(e, cs_buf_slice(&first));
}
static void one_too_far(struct evil *e)
{
    deployment_publish(&e->d);
    follow(e);
    show(e, ROOTS);
}
static void the_highest(struct evil *e)
{
    follow(e);
    body(e)->version = UINT32_MAX;
    show(e, ROOTS);
}
static void another_of_the_same_version(struct evil *e)
{
    publish(e);
    body(e)->expires_at_s++;
    show(e, ROOTS);
}
static void one_that_follows_from_another(struct evil *e)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;

    publish(e);
    body(e)->expires_at_s++;
    wire = signed_by(e, ROOTS);
    struct cs_envelope envelope;
    struct cs_err err;

    cs_assert(cs_envelope_parse(cs_buf_slice(&wire), &envelope, &err) == CS_OK);
    struct cs_digest other = cs_sha256(envelope.payload);

    follow(e);
    CS_PB_SET(&body(e)->previous_digest, cs_digest_slice(&other));
    show(e, ROOTS);
}
static void one_that_follows_from_nothing(struct evil *e)
{
    follow(e);
    body(e)->previous_digest.size = 0;
    show(e, ROOTS);
}
static void one_issued_earlier(struct evil *e)
{
    follow(e);
    body(e)->issued_at_s--;
    show(e, ROOTS);
}
static void one_of_another_deployment(struct evil *e)
{
    follow(e);
    body(e)->deployment_id.bytes[0] ^= 1;
    show(e, ROOTS);
}

/* ---- roots */

static void by(struct evil *e)
{
    static const char *const who[][4] = {
        {"root-0"},           {"root-1"}, {"root-0", "controller"},  {"root-0", "mallory", "alice"},
        {"controller"},       {NULL},     {"alice", "bob", "carol"}, {"root-2", "root-1"},
        {"mallory", "root-3"}};

    follow(e);
    show(e, who[e->with]);
}
static void by_one_root_twice(struct evil *e)
{
    follow(e);
    cs_auto(cs_buf_free) struct cs_buf wire = signed_by(e, BY("root-0"));
    struct cs_slice one = cs_slice_from(cs_buf_slice(&wire), wire.len - 102);
    uint8_t again[102];

    memcpy(again, one.ptr, sizeof again);
    cs_assert(again[0] == 0x1a && cs_buf_append(&wire, CS_SLICE_ARRAY(again)) == CS_OK);
    evil_show_policy(e, cs_buf_slice(&wire));
}
static void with_a_forged_root(struct evil *e)
{
    follow(e);
    cs_auto(cs_buf_free) struct cs_buf wire = signed_by(e, ROOTS);

    wire.ptr[wire.len - 1] ^= 1;
    evil_show_policy(e, cs_buf_slice(&wire));
}
static void change_roots(struct evil *e)
{
    for (pb_size_t i = 0; i < 3; i++) {
        char name[16];

        snprintf(name, sizeof name, "new-root-%u", (unsigned)i);
        CS_PB_SET(&body(e)->roots.keys[i], cs_key_spki(deployment_key(&e->d, name)));
    }
}
static void show_new_roots_by(struct evil *e, unsigned which)
{
    static const char *const who[][5] = {{"root-0", "root-1"},
                                         {"new-root-0", "new-root-1"},
                                         {"root-0", "new-root-0", "new-root-1"},
                                         {"root-0", "root-1", "new-root-0"},
                                         {"root-0", "root-1", "new-root-0", "new-root-1"}};

    follow(e);
    change_roots(e);
    show(e, who[which]);
}
static void new_roots_by(struct evil *e)
{
    show_new_roots_by(e, e->with);
}
static void after_the_roots_changed_by(struct evil *e)
{
    static const char *const who[][3] = {{"root-0", "root-1"}, {"root-0", "new-root-0"}};
    struct cs_policy *policy = NULL;
    struct cs_err err;

    show_new_roots_by(e, 4);
    cs_assert(cs_policy_open_stored(cs_policy_wire(e->victim.policy), &policy, &err) == CS_OK);
    cs_policy_free(e->d.policy);
    e->d.policy = policy;
    follow(e);
    show(e, who[e->with]);
}
static void threshold(struct evil *e)
{
    static const uint32_t thresholds[] = {1, 0, 4, 3};

    follow(e);
    body(e)->roots.threshold = thresholds[e->with];
    if (e->with == 0)
        show(e, BY("root-0"));
    else
        show(e, ROOTS);
}
static void a_root_twice_among_the_roots(struct evil *e)
{
    follow(e);
    body(e)->roots.keys[2] = body(e)->roots.keys[0];
    show(e, ROOTS);
}

/* ---- what the roots were made to sign, and makes no sense */

static void senseless(struct evil *e)
{
    countersign_v1_TrustPolicy *policy = body(e);
    countersign_v1_Stage *stage = &policy->rules[0].stages[0];
    struct cs_slice message_key = cs_key_spki(deployment_key(&e->d, "controller"));

    follow(e);
    switch (e->with) {
    case 0:
        stage->required = 0;
        break;
    case 1:
        stage->required = CS_LIMIT_DECISIONS + 1;
        break;
    case 2:
        stage->required = 5;
        break;
    case 3:
        CS_PB_SET(&deployment_operator(&e->d, "bob")->keys[0].spki, message_key);
        break;
    case 4:
        CS_PB_SET(&policy->roots.keys[2], message_key);
        break;
    case 5:
        deployment_operator(&e->d, "ben")->keys[0] = deployment_operator(&e->d, "bob")->keys[0];
        break;
    case 6:
        memcpy(deployment_operator(&e->d, "ben")->name, "bob", 4);
        break;
    case 7:
        deployment_operator(&e->d, "bob")->roles_count = 2;
        deployment_operator(&e->d, "bob")->roles[1] = deployment_operator(&e->d, "bob")->roles[0];
        break;
    case 8:
        policy->rules_count = 0;
        break;
    case 9:
        stage->operators_count = 1;
        memcpy(stage->operators[0], "nobody", 7);
        break;
    case 10:
        policy->expires_at_s = policy->issued_at_s;
        break;
    case 11:
        policy->has_roots = false;
        memset(&policy->roots, 0, sizeof policy->roots);
        break;
    case 12:
        memcpy(policy->rules[0].stages[1].name, stage->name, sizeof stage->name);
        break;
    case 14:
        memcpy(policy->groups[policy->groups_count++].name, "night", 6);
        memcpy(policy->groups[0].members[policy->groups[0].members_count++], "nobody", 7);
        break;
    case 15:
        stage->operators_count = 1;
        memcpy(stage->operators[0], "@night", 7);
        break;
    case 16:
        memcpy(policy->groups[policy->groups_count++].name, "night", 6);
        memcpy(policy->groups[0].members[policy->groups[0].members_count++], "carol", 6);
        stage->operators_count = 1;
        memcpy(stage->operators[0], "@night", 7);
        break;
    default:
        stage->role = countersign_v1_Role_ROLE_UNSPECIFIED;
        break;
    }
    show(e, ROOTS);
}
static void with_a_field_that_nobody_knows(struct evil *e)
{
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY, wire = CS_BUF_EMPTY;
    const struct cs_key *keys[] = {deployment_key(&e->d, "root-0"), deployment_key(&e->d, "root-1")};
    struct cs_err err;

    follow(e);
    payload = deployment_encode(countersign_v1_TrustPolicy_fields, e->d.body);
    cs_assert(cs_buf_append(&payload, CS_SLICE_LIT("\xf8\x07\x01")) == CS_OK &&
              cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&payload), keys, 2, &wire, &err) ==
                  CS_OK);
    evil_show_policy(e, cs_buf_slice(&wire));
}

/* ---- the first policy of a device */

static void forget_policy(struct evil *e)
{
    cs_policy_free(e->victim.policy);
    e->victim.policy = NULL;
}
static void first_of_its_own_roots(struct evil *e)
{
    forget_policy(e);
    change_roots(e);
    show(e, BY("new-root-0", "new-root-1"));
}
static void first_by(struct evil *e)
{
    static const char *const who[][3] = {{"controller", "mallory"}, {"root-0"}, {"root-0", "root-1"}};

    forget_policy(e);
    show(e, who[e->with]);
}
static void first_below_the_pin(struct evil *e)
{
    forget_policy(e);
    e->victim.pin.least_version = 2;
    show(e, ROOTS);
}
static void first_above_the_pin(struct evil *e)
{
    forget_policy(e);
    follow(e);
    show(e, ROOTS);
}
static void first_of_another_deployment(struct evil *e)
{
    forget_policy(e);
    body(e)->deployment_id.bytes[0] ^= 1;
    show(e, ROOTS);
}

/* ---- pushes under them */

static void no_policy(struct evil *e)
{
    forget_policy(e);
}
/* Version 2 takes bob out, and does not reach the device. */
static void without_telling_that_bob_left(struct evil *e)
{
    countersign_v1_Operator *bob = deployment_operator(&e->d, "bob");

    *bob = body(e)->operators[--body(e)->operators_count];
    deployment_publish(&e->d);
    e->victim.clock_s += e->with;
    evil_offer(e, e->push);
}
static void request_saw_version_two(struct evil *e)
{
    EVIL_REQUEST(e)->policy_version = 2;
}
static void carol_saw_version_two(struct evil *e)
{
    countersign_v1_Decision decision;

    story_decide(&e->push->push, "bob", 1);
    story_fill_decision(&e->push->push, "carol", 2, &decision);
    decision.policy_version = 2;
    story_add_decision(&e->push->push, &decision, "carol");
}
static void after_version_two(struct evil *e)
{
    publish(e);
    evil_offer(e, e->push);
}
/* Zed, whom only version 2 knows, approves. */
static void zed_decides(struct evil *e)
{
    countersign_v1_Decision decision;

    story_fill_decision(&e->push->push, "zed", 1, &decision);
    decision.policy_version = 2;
    story_add_decision(&e->push->push, &decision, "zed");
    story_decide(&e->push->push, "carol", 2);
}
static void after_a_version_with_zed(struct evil *e)
{
    deployment_add_operator(&e->d, "zed", countersign_v1_KeyKind_KEY_KIND_FILE,
                            countersign_v1_Role_ROLE_APPROVER);
    after_version_two(e);
}
static void past_expiry(struct evil *e)
{
    e->victim.clock_s = body(e)->expires_at_s + 1;
}
/* Decided in the policy's last minute. */
static void offered_near_expiry(struct evil *e)
{
    e->d.now_s = body(e)->expires_at_s - 60;
    struct delivery_story *late = evil_push(e, 2);

    e->victim.clock_s = body(e)->expires_at_s + (int64_t)e->with;
    evil_offer(e, late);
}
/* Signed after it: by the device's clock, which is behind, there is time still. */
static void decided_past_expiry(struct evil *e)
{
    e->d.now_s = body(e)->expires_at_s + 1;
    struct delivery_story *late = evil_push(e, 2);

    if (e->with == 1)
        e->victim.clock_s = 0;
    evil_offer(e, late);
}
static void older_rules_again(struct evil *e)
{
    cs_auto(cs_buf_free) struct cs_buf first = CS_BUF_EMPTY;

    cs_assert(cs_buf_append(&first, cs_policy_wire(e->d.policy)) == CS_OK);
    body(e)->rules[0].stages[1].required = 2;
    publish(e);
    victim_restart(&e->victim);
    evil_show_policy(e, cs_buf_slice(&first));
    evil_offer(e, e->push);
}
static void message_keys(struct evil *e)
{
    struct cs_slice other = cs_key_spki(deployment_key(&e->d, "another controller"));

    CS_PB_SET(&body(e)->message_keys[0], other);
    body(e)->message_keys_count = (pb_size_t)e->with;
    publish(e);
    evil_offer(e, e->push);
}

#define POLICY .without_push = true
static const struct evil_strategy strategies[] = {
    {POLICY, .says = "shows the next policy", .end = EVIL_ADMITS(NOTHING), .act = the_next},
    {POLICY, .says = "shows the policy that is here", .end = EVIL_TURNED(ESTALE, "is here already"),
     .act = the_same_again},
    {POLICY, .says = "shows an older policy", .end = EVIL_TURNED(ESTALE, "is here already"),
     .act = an_older_one},
    {POLICY, .says = "shows an older policy after a restart", .end = EVIL_TURNED(ESTALE, "is here already"),
     .act = an_older_one, .with = 1},
    {POLICY, .says = "skips a policy", .end = EVIL_TURNED(ESTATE, "are missing"), .act = one_too_far},
    {POLICY, .says = "shows a policy with the highest version", .end = EVIL_TURNED(ESTATE, "are missing"),
     .act = the_highest},
    {POLICY, .says = "shows another policy of the same version",
     .end = EVIL_TURNED(ESTALE, "is here already"), .act = another_of_the_same_version},
    {POLICY, .says = "shows what follows from another policy of the same version",
     .end = EVIL_TURNED(EAUTH, "follows from another version"), .act = one_that_follows_from_another},
    {POLICY, .says = "shows a policy that follows from nothing",
     .end = EVIL_TURNED(EPARSE, "previous_digest"), .act = one_that_follows_from_nothing},
    {POLICY, .says = "shows a policy issued earlier", .end = EVIL_TURNED(EINVAL, "issued earlier"),
     .act = one_issued_earlier},
    {POLICY, .says = "shows a policy of another deployment",
     .end = EVIL_TURNED(EDENIED, "another deployment"), .act = one_of_another_deployment},

    {POLICY, .says = "shows a policy signed by one root", .end = EVIL_TURNED(EAUTH, "by 1 of the current"),
     .act = by},
    {POLICY, .says = "shows a policy signed by another one root",
     .end = EVIL_TURNED(EAUTH, "by 1 of the current"), .act = by, .with = 1},
    {POLICY, .says = "signs a policy beside one root", .end = EVIL_TURNED(EAUTH, "by 1 of the current"),
     .act = by, .with = 2},
    {POLICY, .says = "shows a policy signed by one root, a stranger and a person",
     .end = EVIL_TURNED(EAUTH, "by 1 of the current"), .act = by, .with = 3},
    {POLICY, .says = "signs a policy itself", .end = EVIL_TURNED(EAUTH, "no key that may sign it"), .act = by,
     .with = 4},
    {POLICY, .says = "shows a policy that nobody signed",
     .end = EVIL_TURNED(EAUTH, "no key that may sign it"), .act = by, .with = 5},
    {POLICY, .says = "shows a policy signed by operators",
     .end = EVIL_TURNED(EAUTH, "no key that may sign it"), .act = by, .with = 6},
    {POLICY, .says = "shows a policy signed by two other roots", .end = EVIL_ADMITS(NOTHING), .act = by,
     .with = 7},
    {POLICY, .says = "shows a policy signed by keys that are like roots",
     .end = EVIL_TURNED(EAUTH, "no key that may sign it"), .act = by, .with = 8},
    {POLICY, .says = "counts one root's signature twice",
     .end = EVIL_TURNED(EPARSE, "two signatures of one key"), .act = by_one_root_twice},
    {POLICY, .says = "forges the second root's signature", .end = EVIL_TURNED(EAUTH, "does not hold"),
     .act = with_a_forged_root},
    {POLICY, .says = "changes the roots by the old ones alone", .end = EVIL_TURNED(EAUTH, "by its own roots"),
     .act = new_roots_by},
    {POLICY, .says = "changes the roots by the new ones alone",
     .end = EVIL_TURNED(EAUTH, "by the current roots"), .act = new_roots_by, .with = 1},
    {POLICY, .says = "changes the roots by one old and two new",
     .end = EVIL_TURNED(EAUTH, "by 1 of the current"), .act = new_roots_by, .with = 2},
    {POLICY, .says = "changes the roots by two old and one new", .end = EVIL_TURNED(EAUTH, "by 1 of its own"),
     .act = new_roots_by, .with = 3},
    {POLICY, .says = "shows a change of roots that both signed", .end = EVIL_ADMITS(NOTHING),
     .act = new_roots_by, .with = 4},
    {POLICY, .says = "shows a policy of the old roots after the change",
     .end = EVIL_TURNED(EAUTH, "no key that may sign it"), .act = after_the_roots_changed_by},
    {POLICY, .says = "shows a policy of one old and one new root after the change",
     .end = EVIL_TURNED(EAUTH, "by 1 of the current"), .act = after_the_roots_changed_by, .with = 1},
    {POLICY, .says = "lowers the threshold, by one root", .end = EVIL_TURNED(EAUTH, "by 1 of the current"),
     .act = threshold},
    {POLICY, .says = "shows a policy with a threshold of none", .end = EVIL_TURNED(EINVAL, "threshold"),
     .act = threshold, .with = 1},
    {POLICY, .says = "shows a policy with a threshold above the roots",
     .end = EVIL_TURNED(EINVAL, "threshold"), .act = threshold, .with = 2},
    {POLICY, .says = "raises the threshold above those who signed",
     .end = EVIL_TURNED(EAUTH, "by 2 of its own"), .act = threshold, .with = 3},
    {POLICY, .says = "shows a policy that has a root twice", .end = EVIL_TURNED(EINVAL, "comes twice"),
     .act = a_root_twice_among_the_roots},

    {POLICY, .says = "shows a policy with a stage of nobody", .end = EVIL_TURNED(EPARSE, "required must be"),
     .act = senseless},
    {POLICY, .says = "shows a policy with a stage of too many",
     .end = EVIL_TURNED(EPARSE, "required must be"), .act = senseless, .with = 1},
    {POLICY, .says = "shows a policy with a stage that cannot be satisfied",
     .end = EVIL_TURNED(EINVAL, "cannot be satisfied"), .act = senseless, .with = 2},
    {POLICY, .says = "shows a policy with its message key as a person's",
     .end = EVIL_TURNED(EINVAL, "message key"), .act = senseless, .with = 3},
    {POLICY, .says = "shows a policy with its message key as a root",
     .end = EVIL_TURNED(EINVAL, "message key"), .act = senseless, .with = 4},
    {POLICY, .says = "shows a policy with one key in two hands", .end = EVIL_TURNED(EINVAL, "one owner"),
     .act = senseless, .with = 5},
    {POLICY, .says = "shows a policy with two people of one name",
     .end = EVIL_TURNED(EINVAL, "two operators"), .act = senseless, .with = 6},
    {POLICY, .says = "shows a policy with a role twice", .end = EVIL_TURNED(EINVAL, "one role twice"),
     .act = senseless, .with = 7},
    {POLICY, .says = "shows a policy without a rule", .end = EVIL_TURNED(EINVAL, "no rule"), .act = senseless,
     .with = 8},
    {POLICY, .says = "shows a policy whose stage names nobody known",
     .end = EVIL_TURNED(EINVAL, "no operator"), .act = senseless, .with = 9},
    {POLICY, .says = "shows a policy that has expired when it is issued",
     .end = EVIL_TURNED(EINVAL, "before it is issued"), .act = senseless, .with = 10},
    {POLICY, .says = "shows a policy without roots", .end = EVIL_TURNED(EPARSE, "roots is missing"),
     .act = senseless, .with = 11},
    {POLICY, .says = "shows a policy with two stages of one name", .end = EVIL_TURNED(EINVAL, "two stages"),
     .act = senseless, .with = 12},
    {POLICY, .says = "shows a policy with a stage of no role", .end = EVIL_TURNED(EPARSE, "role"),
     .act = senseless, .with = 13},
    {POLICY, .says = "shows a policy with a group of nobody known",
     .end = EVIL_TURNED(EINVAL, "group night has nobody"), .act = senseless, .with = 14},
    {POLICY, .says = "shows a policy whose stage names no group that is there",
     .end = EVIL_TURNED(EINVAL, "no group"), .act = senseless, .with = 15},
    {POLICY, .says = "shows a policy whose stage names a group without the role",
     .end = EVIL_TURNED(EINVAL, "cannot be satisfied"), .act = senseless, .with = 16},
    {POLICY, .says = "shows a policy with a field that nobody knows", .end = EVIL_TURNED(EPARSE, "canonical"),
     .act = with_a_field_that_nobody_knows},

    {POLICY, .says = "begins with a policy of roots that it made", .end = EVIL_TURNED(EAUTH, "other roots"),
     .act = first_of_its_own_roots},
    {POLICY, .says = "begins with a policy that it signed for the roots",
     .end = EVIL_TURNED(EAUTH, "no key that may sign it"), .act = first_by},
    {POLICY, .says = "begins with a policy that one root signed",
     .end = EVIL_TURNED(EAUTH, "by 1 of its own"), .act = first_by, .with = 1},
    {POLICY, .says = "begins with the policy of the pin", .end = EVIL_ADMITS(NOTHING), .act = first_by,
     .with = 2},
    {POLICY, .says = "begins with a policy below the pin's", .end = EVIL_TURNED(ESTALE, "at least 2 is due"),
     .act = first_below_the_pin},
    {POLICY, .says = "begins with a policy above the pin's", .end = EVIL_ADMITS(NOTHING),
     .act = first_above_the_pin},
    {POLICY, .says = "begins with a policy of another deployment",
     .end = EVIL_TURNED(EDENIED, "another deployment"), .act = first_of_another_deployment},

    {.says = "delivers before there is a policy", .end = EVIL_ENDS(NO_POLICY), .device = no_policy},
    {.says = "withholds the policy under which a decider has left",
     .end = EVIL_ADMITS(WITHHOLDS),
     .act = without_telling_that_bob_left},
    {.says = "withholds that policy beyond the expiry of the one that is here",
     .end = EVIL_ENDS(POLICY_EXPIRED),
     .act = without_telling_that_bob_left,
     .with = 90 * 86400 + 1},
    {.says = "withholds the policy that the requester saw",
     .end = EVIL_ENDS(POLICY_TOO_OLD),
     .prepared = request_saw_version_two},
    {.says = "withholds the policy that the implementer saw",
     .end = EVIL_ENDS(POLICY_TOO_OLD),
     .decided = carol_saw_version_two},
    {.says = "withholds the policy that alone knows the approver",
     .end = EVIL_ENDS(POLICY_TOO_OLD),
     .decided = zed_decides},
    {.says = "shows the policy that the requester saw, and delivers",
     .end = EVIL_ADMITS(NOTHING),
     .prepared = request_saw_version_two,
     .act = after_version_two},
    {.says = "shows the policy that the implementer saw, and delivers",
     .end = EVIL_ADMITS(NOTHING),
     .decided = carol_saw_version_two,
     .act = after_version_two},
    {.says = "shows the policy that alone knows the approver, and delivers",
     .end = EVIL_ADMITS(NOTHING),
     .decided = zed_decides,
     .act = after_a_version_with_zed},
    {.says = "delivers when the policy has expired", .end = EVIL_ENDS(POLICY_EXPIRED), .device = past_expiry},
    {.says = "delivers in the policy's last second",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .act = offered_near_expiry},
    {.says = "delivers in the second after it",
     .end = EVIL_ENDS(POLICY_EXPIRED),
     .act = offered_near_expiry,
     .with = 1},
    {.says = "delivers what was decided when the policy had expired",
     .end = EVIL_ENDS(POLICY_EXPIRED),
     .act = decided_past_expiry},
    {.says = "delivers what was decided when the policy had expired, to a device without a clock",
     .end = EVIL_ENDS(POLICY_EXPIRED),
     .act = decided_past_expiry,
     .with = 1},
    {.says = "shows the older, looser policy after a restart, and delivers",
     .end = EVIL_ENDS(UNDECIDED),
     .act = older_rules_again},
    {.says = "delivers when another key has become the message key",
     .end = EVIL_ENDS(BATCH_SIGNATURE),
     .act = message_keys,
     .with = 1},
    {.says = "delivers when there is no message key any more",
     .end = EVIL_ENDS(BATCH_SIGNATURE),
     .act = message_keys},
};

void evil_policies(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
