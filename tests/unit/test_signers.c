/* Every subset of signers of every policy of up to 4 stages and 5 people, against a model of a few lines: the
 * code that counts is what device, controller and client run (shared/trust/tally.h), only the signatures are
 * left out. People who have the same roles are alike, so that policies which differ in their names alone are
 * tried once, under changing names; CS_LONG=1 tries every one. Policies that want more people than there are
 * cannot be decided, and are left out. */
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "shared/trust/tally.h"

#include <stdio.h>

enum { PEOPLE = 5, STAGES = 4, SUBSETS = 1 << PEOPLE, CHECK_EVERY = 251, SIGN_EVERY = 7 };

/* A policy as numbers. Bit s of holders[p]: person p may sign stage s. */
struct shape {
    unsigned stages, required[STAGES], holders[PEOPLE];
    int requester;     /* who may not decide; -1: everybody may */
    unsigned browsers; /* bit p: person p has a browser key, which may not finish */
};

struct world {
    struct deployment d; /* its body is the policy under test; operators 0 to 4 are the people */
    countersign_v1_Decision said[STAGES + 2];
    countersign_v1_PushRequest request;
    unsigned long policies, subsets, decided, signatures, checked, really_signed;
};

/* ---- the model */

/* Who could sit where: seats in the order of the stages. */
struct seats {
    int person[PEOPLE];
    unsigned stage[PEOPLE], count;
};

/* Can the seats of the policy, from this one on, be filled by different people of `free`? */
static bool fill_seats(const struct shape *shape, unsigned stage, unsigned seat, unsigned free,
                       struct seats *seats)
{
    if (stage == shape->stages)
        return true;
    if (seat == shape->required[stage])
        return fill_seats(shape, stage + 1, 0, free, seats);
    for (int p = 0; p < PEOPLE; p++) {
        bool last = stage + 1 == shape->stages && seat + 1 == shape->required[stage];

        if (!(free >> p & 1) || p == shape->requester || !(shape->holders[p] >> stage & 1) ||
            (last && (shape->browsers >> p & 1)))
            continue;
        seats->person[seats->count] = p;
        seats->stage[seats->count++] = stage;
        if (fill_seats(shape, stage, seat + 1, free & ~(1u << p), seats))
            return true;
        seats->count--;
    }
    return false;
}

/* ---- what is tested */

static const char *name_of(int person)
{
    static const char *const names[PEOPLE] = {"alice", "bob", "carol", "dora", "frank"};

    return names[person];
}

static bool anybody_holds(const struct shape *shape, unsigned stage)
{
    for (int p = 0; p < PEOPLE; p++)
        if (shape->holders[p] >> stage & 1)
            return true;
    return false;
}

/* How a policy says who may sign where: it gives roles; or all have them, and the stages name their people. A
 * stage that names nobody means everybody with its role. Both also by groups. */
enum manner { BY_ROLES, BY_NAMES, BY_GROUPS_WITH_ROLES, BY_NAMES_OF_GROUPS, MANNERS };

/* A group of everybody who holds the stage; with nobody in it there is none. */
static void write_group(struct world *w, const struct shape *shape, unsigned s, enum manner manner)
{
    countersign_v1_TrustPolicy *body = w->d.body;
    countersign_v1_OperatorGroup *group = &body->groups[body->groups_count];
    countersign_v1_Stage *stage = &body->rules[0].stages[s];

    *group = (countersign_v1_OperatorGroup){.name = {'g', (char)('0' + s), '\0'}};
    if (!anybody_holds(shape, s))
        return;
    body->groups_count++;
    for (int p = 0; p < PEOPLE; p++)
        if (shape->holders[p] >> s & 1)
            memcpy(group->members[group->members_count++], body->operators[p].name, sizeof group->members[0]);
    if (manner == BY_GROUPS_WITH_ROLES)
        group->roles[group->roles_count++] = stage->role;
    else
        snprintf(stage->operators[stage->operators_count++], sizeof stage->operators[0], "@g%u", s);
}

static void write_policy(struct world *w, const struct shape *shape, enum manner manner)
{
    bool named = manner == BY_NAMES || manner == BY_NAMES_OF_GROUPS;
    static const countersign_v1_Role roles[STAGES] = {
        countersign_v1_Role_ROLE_APPROVER, countersign_v1_Role_ROLE_IMPLEMENTER,
        countersign_v1_Role_ROLE_ADMIN, countersign_v1_Role_ROLE_AUDITOR};
    countersign_v1_Rule *rule = &w->d.body->rules[0];

    rule->stages_count = (pb_size_t)shape->stages;
    rule->requester_may_decide = shape->requester < 0;
    for (unsigned s = 0; s < shape->stages; s++) {
        rule->stages[s].required = shape->required[s];
        rule->stages[s].role = roles[s];
        rule->stages[s].operators_count = 0;
    }
    w->d.body->groups_count = 0;
    for (int p = 0; p < PEOPLE; p++) {
        countersign_v1_Operator *who = &w->d.body->operators[p];

        who->roles_count = 0;
        if (p == (shape->requester < 0 ? 0 : shape->requester))
            who->roles[who->roles_count++] = countersign_v1_Role_ROLE_REQUESTER;
        for (unsigned s = 0; s < shape->stages; s++) {
            countersign_v1_Stage *stage = &rule->stages[s];
            bool holds = shape->holders[p] >> s & 1;

            if ((holds && manner != BY_GROUPS_WITH_ROLES) || (named && anybody_holds(shape, s)))
                who->roles[who->roles_count++] = roles[s];
            if (holds && manner == BY_NAMES)
                memcpy(stage->operators[stage->operators_count++], who->name, sizeof who->name);
        }
        who->keys[0].kind = shape->browsers >> p & 1 ? countersign_v1_KeyKind_KEY_KIND_BROWSER
                                                     : countersign_v1_KeyKind_KEY_KIND_FILE;
    }
    for (unsigned s = 0; s < shape->stages && manner > BY_NAMES; s++)
        write_group(w, shape, s, manner);
}

/* Every order in which people may sign, at every stage, from where `tally` stands: who has counted says all
 * about that, so each set of people is gone on from once. Marks the sets with which the order is decided. */
static void sign_on(struct world *w, const struct cs_tally *tally, unsigned counted, bool seen[SUBSETS],
                    bool decided[SUBSETS])
{
    const countersign_v1_Rule *rule = &w->d.body->rules[0];

    seen[counted] = true;
    decided[counted] = tally->stage == rule->stages_count;
    for (int p = 0; p < PEOPLE; p++) {
        const countersign_v1_Operator *who = &w->d.body->operators[p];

        for (unsigned stage = 1; stage <= rule->stages_count + 1u; stage++) {
            struct cs_tally_decision decision = {&w->said[stage], who, who->keys[0].kind};
            unsigned with = counted | 1u << p;
            struct cs_tally after = *tally;

            w->signatures++;
            if (cs_tally_take(&after, rule, w->request.requester, &decision) != CS_PUSH_OK)
                continue;
            if (with == counted)
                fail_msg("%s counted twice", who->name);
            if (!seen[with])
                sign_on(w, &after, with, seen, decided);
        }
    }
}

static void describe(const struct shape *shape, unsigned subset)
{
    for (unsigned s = 0; s < shape->stages; s++)
        print_message("stage %u wants %u\n", s + 1, shape->required[s]);
    for (int p = 0; p < PEOPLE; p++)
        print_message("%s: stages %x%s%s%s\n", name_of(p), shape->holders[p],
                      p == shape->requester ? ", requests" : "",
                      shape->browsers >> p & 1 ? ", browser key" : "", subset >> p & 1 ? ", signs" : "");
}

/* The same by real signatures: decided with the last of the seats, and not before. */
static void sign_really(struct world *w, const struct seats *seats)
{
    struct push_story story;
    struct cs_push_order order = {0, NULL};
    struct cs_push_progress progress;
    cs_auto(cs_push_freep) struct cs_push *push = NULL;
    enum cs_push_reason reason;
    struct cs_err err;

    deployment_publish(&w->d);
    story_prepare(&story, &w->d, 1);
    memcpy(story.request.requester, w->request.requester, sizeof story.request.requester);
    story_submit(&story);
    check_ok(cs_push_open(w->d.policy, cs_buf_slice(&story.request_wire), w->d.now_s, &push, &reason, &err),
             err);
    order.rule = &cs_policy_body(w->d.policy)->rules[0];
    cs_push_progress(push, &order, &progress);
    for (unsigned i = 0; i < seats->count; i++) {
        assert_int_equal(progress.reason, CS_PUSH_UNDECIDED);
        story_decide(&story, name_of(seats->person[i]), seats->stage[i] + 1);
        check_ok(cs_push_add_decision(push, cs_buf_slice(&story.decision_wires[i]), &order, 1, &reason, &err),
                 err);
        cs_push_progress(push, &order, &progress);
    }
    assert_int_equal(progress.reason, CS_PUSH_OK);
    w->really_signed++;
    story_free(&story);
}

/* A policy that nobody can satisfy is refused before anybody signs it. Of browser keys only what is certain.
 */
static void check_check(struct world *w, const struct shape *shape)
{
    struct seats seats = {.count = 0};
    bool everybody = fill_seats(shape, 0, 0, SUBSETS - 1, &seats);
    struct cs_err err;
    bool accepted = cs_policy_check(w->d.body, &err) == CS_OK;

    if (shape->browsers ? everybody && !accepted : everybody != accepted) {
        describe(shape, SUBSETS - 1);
        fail_msg("the policy was %s", accepted ? "accepted" : err.msg);
    }
    if (everybody && w->checked % SIGN_EVERY == 0)
        sign_really(w, &seats);
    w->checked++;
}

static void check_policy(struct world *w, const struct shape *shape)
{
    bool seen[SUBSETS] = {false}, decided[SUBSETS] = {false};
    struct cs_tally nobody = {.policy = w->d.body};

    snprintf(w->request.requester, sizeof w->request.requester, "%s",
             name_of(shape->requester < 0 ? 0 : shape->requester));
    write_policy(w, shape, (enum manner)(w->policies % MANNERS));
    sign_on(w, &nobody, 0, seen, decided);
    for (unsigned subset = 0; subset < SUBSETS; subset++) {
        bool is = false, should = fill_seats(shape, 0, 0, subset, &(struct seats){.count = 0});

        /* The signers of a subset decide if some of them do. */
        for (unsigned some = subset;; some = (some - 1) & subset) {
            is = is || decided[some];
            if (some == 0)
                break;
        }
        if (is != should) {
            describe(shape, subset);
            fail_msg("these signers should%s decide", should ? "" : " not");
        }
        w->decided += is;
    }
    if (w->policies % CHECK_EVERY == 0)
        check_check(w, shape);
    w->policies++;
    w->subsets += SUBSETS;
}

/* ---- all of them */

/* A few numbers that follow from the policy's own: which of the alike is called what, and who has a browser
 * key. */
static unsigned scatter(unsigned long number)
{
    return (unsigned)((number * 0x9e3779b97f4a7c15u) >> 40);
}

static void try_holders(struct world *w, const struct shape *shape)
{
    struct shape named = *shape;
    unsigned mixed = scatter(w->policies), step = 1 + mixed % 4, first = mixed / 4 % PEOPLE;

    for (unsigned p = 0; p < PEOPLE; p++)
        named.holders[(first + p * step) % PEOPLE] = shape->holders[p];
    named.browsers = mixed / 32 % 2 ? mixed / 64 % SUBSETS : 0;
    named.requester = (int)first;
    check_policy(w, &named);
    named.requester = -1;
    check_policy(w, &named);
}

/* Person 0 is the one who requests; the others only differ by their names. */
static void each_holder(struct world *w, struct shape *shape, int person)
{
    unsigned from = person > 1 ? shape->holders[person - 1] : 0;

    if (person == PEOPLE) {
        try_holders(w, shape);
        return;
    }
    for (unsigned held = from; held < 1u << shape->stages; held++) {
        shape->holders[person] = held;
        each_holder(w, shape, person + 1);
    }
}

static void each_holder_by_name(struct world *w, struct shape *shape, int person)
{
    if (person == PEOPLE) {
        unsigned mixed = scatter(w->policies);

        shape->browsers = mixed / 32 % 2 ? mixed / 64 % SUBSETS : 0;
        for (shape->requester = -1; shape->requester < PEOPLE; shape->requester++)
            check_policy(w, shape);
        return;
    }
    for (unsigned held = 0; held < 1u << shape->stages; held++) {
        shape->holders[person] = held;
        each_holder_by_name(w, shape, person + 1);
    }
}

static void each_required(struct world *w, struct shape *shape, unsigned stage, unsigned left, bool by_name)
{
    if (stage == shape->stages) {
        if (by_name)
            each_holder_by_name(w, shape, 0);
        else
            each_holder(w, shape, 0);
        return;
    }
    for (unsigned required = 1; required + (shape->stages - stage - 1) <= left; required++) {
        shape->required[stage] = required;
        each_required(w, shape, stage + 1, left - required, by_name);
    }
}

static void make_world(struct world *w)
{
    deployment_make(&w->d);
    w->d.body->operators_count = 0;
    for (int p = 0; p < PEOPLE; p++)
        deployment_add_operator(&w->d, name_of(p), countersign_v1_KeyKind_KEY_KIND_FILE,
                                countersign_v1_Role_ROLE_APPROVER);
    w->d.body->rules_count = 0;
    deployment_add_rule(&w->d, "all");
    for (unsigned s = 0; s < STAGES; s++) {
        char name[] = {(char)('a' + s), '\0'};

        deployment_add_stage(&w->d.body->rules[0], name, countersign_v1_Role_ROLE_APPROVER, 1);
    }
    for (uint32_t stage = 0; stage < CS_ARRAY_LEN(w->said); stage++)
        w->said[stage] =
            (countersign_v1_Decision){.stage = stage, .verdict = countersign_v1_Verdict_VERDICT_ACCEPT};
}

static void every_subset_of_signers_of_every_policy(void **state)
{
    const char *wanted = getenv("CS_LONG");
    bool by_name = wanted && strcmp(wanted, "1") == 0;
    struct world *w = calloc(1, sizeof *w);

    (void)state;
    make_world(w);
    for (unsigned stages = 0; stages <= STAGES; stages++) {
        struct shape shape = {.stages = stages};

        each_required(w, &shape, 0, PEOPLE, by_name);
    }
    print_message("policies %lu, subsets of signers %lu: decided %lu, refused %lu; signatures tried %lu; "
                  "policies judged "
                  "by cs_policy_check %lu, signed by real keys %lu\n",
                  w->policies, w->subsets, w->decided, w->subsets - w->decided, w->signatures, w->checked,
                  w->really_signed);
    assert_true(w->decided > 0 && w->decided < w->subsets && w->checked > 1000 && w->really_signed > 10);
    deployment_free(&w->d);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_subset_of_signers_of_every_policy)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
