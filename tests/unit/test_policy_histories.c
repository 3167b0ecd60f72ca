/* A thousand random trust policies, and what people and devices do under each: the real core and a small
 * model of it (tests/support/push_model.h) are told the same, and must agree about every order after every
 * step. Signatures are cheap ones (tests/support/cheap_signatures.c). CS_LONG=1 tries twenty times as many
 * policies; CS_SEED=n tries one world again. */
#include "tests/support/check.h"

#include "controller/core/workflow.h"
#include "tests/support/control.h"
#include "tests/support/push_model.h"

#include <stdio.h>
#include <string.h>

enum {
    WORLDS = 40,
    HISTORIES = 25, /* in a world, each with a policy of its own: a thousand in all */
    STEPS = 32,
    PUSHES = 6, /* in a history */
    PEOPLE = 8,
};

static const char *const people[PEOPLE] = {"alice", "bob", "ben", "carol", "clara", "dora", "eve", "ada"};
static const char *const devices[] = {"gw-0", "gw-1", "gw-2"};
static const char *const connectors[] = {"mail", "web"};
static const char *const certificates[] = {"shop", "mail.example"};

struct world {
    struct control c;
    struct model model;
    uint64_t seed, dice;
    unsigned history, step;
    const char *did;
    countersign_v1_Decision *said; /* the last that was taken, and for which request: to be said again */
    uint64_t said_for;
};

static struct {
    unsigned long policies, steps, accepted, refused, states[MODEL_SUPERSEDED + 1], stages[5], several_rules,
        groups, partial, reviews;
} tally;

static unsigned roll(struct world *w, unsigned sides)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return sides ? (unsigned)((w->dice >> 33) % sides) : 0;
}

static bool chance(struct world *w, unsigned percent)
{
    return roll(w, 100) < percent;
}

static void lost(struct world *w, const char *what)
{
    fail_msg("world %llu, policy %u, step %u (%s): %s [%s]", (unsigned long long)w->seed, w->history, w->step,
             w->did, what, w->c.err.msg);
}

/* ---- policies */

#define ADD(list, count, text) (void)snprintf((list)[(count)++], sizeof(list)[0], "%s", (text))

static countersign_v1_Role any_role(struct world *w)
{
    static const countersign_v1_Role roles[] = {
        countersign_v1_Role_ROLE_APPROVER, countersign_v1_Role_ROLE_IMPLEMENTER,
        countersign_v1_Role_ROLE_ADMIN, countersign_v1_Role_ROLE_AUDITOR};

    return roles[roll(w, CS_ARRAY_LEN(roles))];
}

static void add_role(countersign_v1_Role *roles, pb_size_t *count, countersign_v1_Role role)
{
    for (pb_size_t i = 0; i < *count; i++)
        if (roles[i] == role)
            return;
    roles[(*count)++] = role;
}

static void draw_person(struct world *w, countersign_v1_Operator *who)
{
    who->roles_count = 0;
    if (strcmp(who->name, "alice") == 0 ? chance(w, 95) : chance(w, 20))
        add_role(who->roles, &who->roles_count, countersign_v1_Role_ROLE_REQUESTER);
    if (strcmp(who->name, "ada") == 0)
        add_role(who->roles, &who->roles_count, countersign_v1_Role_ROLE_ADMIN);
    for (unsigned more = 1 + roll(w, 2); more; more--)
        add_role(who->roles, &who->roles_count, any_role(w));
    who->keys[0].kind =
        chance(w, 35) ? countersign_v1_KeyKind_KEY_KIND_BROWSER : countersign_v1_KeyKind_KEY_KIND_FILE;
}

static void draw_groups(struct world *w, countersign_v1_TrustPolicy *body)
{
    body->groups_count = 0;
    while (body->groups_count < 2 && chance(w, 40)) {
        countersign_v1_OperatorGroup *group = &body->groups[body->groups_count];

        *group = (countersign_v1_OperatorGroup){0};
        (void)snprintf(group->name, sizeof group->name, "team-%u", (unsigned)body->groups_count);
        for (unsigned i = 0; i < PEOPLE; i++)
            if (chance(w, 40))
                ADD(group->members, group->members_count, people[i]);
        if (group->members_count == 0)
            ADD(group->members, group->members_count, "bob");
        if (chance(w, 60))
            add_role(group->roles, &group->roles_count, any_role(w));
        body->groups_count++;
    }
}

static void draw_stage(struct world *w, const countersign_v1_TrustPolicy *body, countersign_v1_Rule *rule)
{
    countersign_v1_Stage *stage = &rule->stages[rule->stages_count];

    *stage = (countersign_v1_Stage){.role = any_role(w), .required = 1 + roll(w, 5) / 2};
    (void)snprintf(stage->name, sizeof stage->name, "stage-%u", (unsigned)rule->stages_count++);
    if (body->groups_count && chance(w, 25))
        (void)snprintf(stage->operators[stage->operators_count++], sizeof stage->operators[0], "@team-%u",
                       roll(w, body->groups_count));
    for (unsigned i = 0; chance(w, 25) && i < PEOPLE; i += 2)
        ADD(stage->operators, stage->operators_count, people[i]);
}

static void draw_rule(struct world *w, countersign_v1_TrustPolicy *body)
{
    countersign_v1_Rule *rule = &body->rules[body->rules_count];

    *rule = (countersign_v1_Rule){.requester_may_decide = chance(w, 30), .browser_may_finish = chance(w, 40)};
    (void)snprintf(rule->name, sizeof rule->name, "rule-%u", (unsigned)body->rules_count++);
    for (unsigned i = 0; i < CS_ARRAY_LEN(devices); i++)
        if (chance(w, 20))
            ADD(rule->devices, rule->devices_count, devices[i]);
    if (chance(w, 25))
        ADD(rule->connectors, rule->connectors_count, connectors[roll(w, 2)]);
    if (chance(w, 15))
        ADD(rule->issuers, rule->issuers_count, chance(w, 70) ? "Test CA" : "Other CA");
    if (chance(w, 25))
        ADD(rule->names, rule->names_count, chance(w, 50) ? "shop" : "*.example");
    for (unsigned stages = roll(w, 5); stages; stages--)
        draw_stage(w, body, rule);
}

/* Anything that a policy may say; what contradicts itself is drawn again. */
static void draw_policy(struct world *w)
{
    countersign_v1_TrustPolicy *body = w->c.d.body;
    struct cs_err err;

    do {
        for (pb_size_t i = 0; i < body->operators_count; i++)
            draw_person(w, &body->operators[i]);
        draw_groups(w, body);
        body->rules_count = 0;
        for (unsigned rules = 1 + roll(w, 4); rules; rules--)
            draw_rule(w, body);
    } while (cs_policy_check(body, &err) != CS_OK);
    tally.several_rules += body->rules_count > 1;
    tally.groups += body->groups_count != 0;
    for (pb_size_t i = 0; i < body->rules_count; i++)
        tally.stages[body->rules[i].stages_count]++;
}

/* One thing is otherwise than before; false: that would contradict itself, and nothing was changed. */
static bool alter_policy(struct world *w)
{
    countersign_v1_TrustPolicy *body = w->c.d.body;
    cs_auto_free countersign_v1_TrustPolicy *before = malloc(sizeof *before);
    countersign_v1_Rule *rule = &body->rules[roll(w, body->rules_count)];
    struct cs_err err;

    assert_non_null(before);
    *before = *body;
    switch (roll(w, 5)) {
    case 0:
        draw_person(w, &body->operators[roll(w, body->operators_count)]);
        break;
    case 1:
        rule->requester_may_decide = !rule->requester_may_decide;
        break;
    case 2:
        rule->browser_may_finish = !rule->browser_may_finish;
        break;
    case 3:
        if (rule->stages_count)
            rule->stages[roll(w, rule->stages_count)].required = 1 + roll(w, 3);
        break;
    default:
        if (body->rules_count > 1)
            *rule = body->rules[--body->rules_count];
        break;
    }
    if (cs_policy_check(body, &err) == CS_OK)
        return true;
    *body = *before;
    return false;
}

/* ---- both sides */

/* The clock runs until nothing is due. */
static void tick(struct world *w)
{
    for (unsigned i = 0; i < 100 && (i == 0 || control_next_due(&w->c) <= w->c.d.now_s); i++)
        if (control_tick(&w->c) != CS_OK)
            lost(w, "the clock's work was refused");
    w->model.now_s = w->c.d.now_s;
    model_tick(&w->model);
}

static void publish(struct world *w)
{
    deployment_publish(&w->c.d);
    control_policy(&w->c);
    w->model.policy = w->c.d.body;
    model_review(&w->model);
    tick(w);
    tally.reviews++;
}

static enum model_state state_of(const ctl_order_row *order)
{
    switch (ctl_phase_info(order->phase)->shown) {
    case countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING:
        return MODEL_PENDING;
    case countersign_v1_OrderState_ORDER_STATE_PUSH_REVIEW_IN_PROGRESS:
        return MODEL_REVIEW;
    case countersign_v1_OrderState_ORDER_STATE_PUSH_SCHEDULED:
        return MODEL_SCHEDULED;
    case countersign_v1_OrderState_ORDER_STATE_PUSH_IN_PROGRESS:
        return MODEL_IN_PROGRESS;
    case countersign_v1_OrderState_ORDER_STATE_COMPLETED:
        return MODEL_COMPLETED;
    case countersign_v1_OrderState_ORDER_STATE_FAILED:
        return MODEL_FAILED;
    case countersign_v1_OrderState_ORDER_STATE_REJECTED:
        return MODEL_REJECTED;
    case countersign_v1_OrderState_ORDER_STATE_CANCELLED:
        return MODEL_CANCELLED;
    case countersign_v1_OrderState_ORDER_STATE_EXPIRED:
        return MODEL_EXPIRED;
    default:
        return MODEL_SUPERSEDED;
    }
}

static void compare_order(struct world *w, const struct model_request *request, unsigned i)
{
    const struct model_order *model = &request->orders[i];
    const ctl_order_row core = control_order(&w->c, request->first_order + i);
    char what[160];

    tally.states[model->state]++;
    if (state_of(&core) == model->state &&
        (model->state != MODEL_REVIEW || core.stages_done == model->stages_done) &&
        ((model->state != MODEL_SCHEDULED && model->state != MODEL_IN_PROGRESS) ||
         (core.start_s == model->start_s && core.end_s == model->end_s)))
        return;
    (void)snprintf(what, sizeof what,
                   "WO-%llu of REQ-%llu is %s %u (%lld to %lld), the model says %d %u (%lld to %lld)",
                   (unsigned long long)core.number, (unsigned long long)request->number,
                   ctl_phase_info(core.phase)->name, (unsigned)core.stages_done, (long long)core.start_s,
                   (long long)core.end_s, (int)model->state, model->stages_done, (long long)model->start_s,
                   (long long)model->end_s);
    lost(w, what);
}

static void compare(struct world *w)
{
    for (unsigned r = 0; r < w->model.request_count; r++)
        for (unsigned i = 0; i < w->model.requests[r].order_count; i++)
            compare_order(w, &w->model.requests[r], i);
}

static void agree(struct world *w, int rc, bool model_says)
{
    if ((rc == CS_OK) != model_says)
        lost(w, model_says ? "refused, and the model takes it" : "taken, and the model refuses it");
    tally.accepted += model_says;
    tally.refused += !model_says;
}

/* ---- steps */

static unsigned place_of(const struct world *w, const ctl_order_row *order)
{
    for (unsigned p = 0; p < w->model.place_count; p++)
        if (strcmp(w->model.places[p].device, order->device_name) == 0 &&
            strcmp(w->model.places[p].connector, order->connector) == 0)
            return p;
    cs_assert_failed("an order for no place", __FILE__, __LINE__);
}

static void push(struct world *w)
{
    const char *certificate = certificates[roll(w, 2)];
    const char *device = chance(w, 30) ? devices[roll(w, CS_ARRAY_LEN(devices))] : NULL;
    cs_auto_free struct model_request *request = calloc(1, sizeof *request);
    ctl_request_row row;
    int rc;

    w->did = "push";
    assert_non_null(request);
    *request = (struct model_request){.requester = "alice", .common_name = certificate, .issuer = "Test CA"};
    w->c.decide_within_s = 3600 * (1 + (int64_t)roll(w, 60)) + 7;
    check_ok(control_prepare(&w->c, certificate, device, &request->number), w->c.err);
    w->c.fast = false; /* the shard would refuse by itself who may not ask */
    rc = control_submit(&w->c, request->number);
    if (rc == CS_OK) {
        row = control_request(&w->c, request->number);
        request->first_order = row.first_order;
        request->order_count = row.order_count;
        request->requested_at_s = row.requested_at_s;
        request->decide_by_s = row.decide_by_s;
        request->window_s = row.window_s;
        for (unsigned i = 0; i < request->order_count; i++) {
            const ctl_order_row order = control_order(&w->c, row.first_order + i);

            request->orders[i].place = place_of(w, &order);
            request->orders[i].generation = order.generation;
        }
    }
    agree(w, rc, model_submit(&w->model, request));
}

/* The stage that some order of the request waits for; any other now and then. */
static unsigned some_stage(struct world *w, const struct model_request *request)
{
    const struct model_order *order = &request->orders[roll(w, request->order_count)];

    if (chance(w, 12))
        return 1 + roll(w, 5);
    return order->state == MODEL_REVIEW ? order->stages_done + 1 : 1;
}

/* One that is still open, mostly. */
static unsigned some_request(struct world *w)
{
    unsigned r = roll(w, w->model.request_count);

    for (unsigned tries = 0; tries < 6 && chance(w, 90) && !model_open(&w->model, r); tries++)
        r = roll(w, w->model.request_count);
    return r;
}

/* Somebody whose decision the model would take, if there is one; anybody now and then. */
static const char *some_decider(struct world *w, unsigned r, struct model_decision said)
{
    cs_auto_free struct model *copy = malloc(sizeof *copy);
    const unsigned first = roll(w, PEOPLE);
    const bool anybody = chance(w, 30);

    assert_non_null(copy);
    for (unsigned i = 0; i < PEOPLE && !anybody; i++) {
        said.who = people[(first + i) % PEOPLE];
        *copy = w->model;
        if (model_decide(copy, r, &said))
            return said.who;
    }
    return people[first];
}

static void set_orders(countersign_v1_Decision *decision, unsigned orders)
{
    decision->orders.size = 1;
    decision->orders.bytes[0] = (pb_byte_t)orders;
}

/* Without the last, or with one that nobody made. Without the own last one it could be that one again. */
static void make_stale(const struct model_request *request, const char *who,
                       countersign_v1_Decision *decision)
{
    const unsigned count = request->decision_count;

    if (count && strcmp(request->decisions[count - 1].who, who) != 0)
        decision->earlier_count--;
    else if (count)
        CTL_BYTES_COPY(decision->earlier[0], decision->request_digest);
    else
        CTL_BYTES_COPY(decision->earlier[decision->earlier_count++], decision->request_digest);
}

static void decide(struct world *w)
{
    const unsigned r = some_request(w);
    const struct model_request *request = &w->model.requests[r];
    const unsigned all = (1u << request->order_count) - 1, some = 1 + roll(w, all);
    cs_auto_free countersign_v1_Decision *decision = malloc(sizeof *decision);
    struct model_decision said = {.stage = some_stage(w, request),
                                  .accepts = chance(w, 88),
                                  .orders = chance(w, 55) ? all : some,
                                  .decided_at_s = w->c.d.now_s};
    const char *key_of;
    bool spoilt = false;
    int rc;

    w->did = "decide";
    assert_non_null(decision);
    if (said.accepts && chance(w, 25))
        said.not_before_s = w->c.d.now_s + 600 * (int64_t)roll(w, 60) + 1;
    key_of = said.who = some_decider(w, r, said);
    control_fill_decision(&w->c, request->number, said.who, said.stage, decision);
    if (!said.accepts)
        decision->verdict = countersign_v1_Verdict_VERDICT_REJECT;
    if (said.not_before_s) {
        decision->mode = countersign_v1_Mode_MODE_SCHEDULED;
        decision->not_before_s = said.not_before_s;
    }
    if (said.orders != all || chance(w, 20))
        set_orders(decision, said.orders);
    if (chance(w, 4)) {
        w->did = "decide with another's key";
        key_of = people[roll(w, PEOPLE)];
        spoilt = strcmp(key_of, said.who) != 0;
    } else if (chance(w, 5)) {
        w->did = "decide on a stale list";
        spoilt = true;
        make_stale(request, said.who, decision);
    }
    w->c.fast = chance(w, 50);
    rc = control_send_decision(&w->c, request->number, decision, key_of);
    agree(w, rc, !spoilt && model_decide(&w->model, r, &said));
    if (rc == CS_OK) {
        *w->said = *decision;
        w->said_for = request->number;
        tally.partial += said.orders != all;
    }
}

/* A client that did not hear the answer sends the same again: it is told the same, and nothing changes. */
static void say_again(struct world *w)
{
    w->did = "say the last decision again";
    if (!w->said_for)
        return;
    w->c.fast = false;
    if (control_send_decision(&w->c, w->said_for, w->said, w->said->decider) != CS_OK)
        lost(w, "what was taken is refused the second time");
}

static void cancel(struct world *w)
{
    const unsigned r = roll(w, w->model.request_count);

    w->did = "cancel";
    agree(w, control_cancel(&w->c, w->model.requests[r].number), model_cancel(&w->model, r));
}

static void change_policy(struct world *w)
{
    w->did = "publish a policy";
    if (!alter_policy(w))
        return;
    publish(w);
}

static void connect(struct world *w)
{
    const char *device = devices[roll(w, CS_ARRAY_LEN(devices))];
    bool comes = chance(w, 60);

    w->did = comes ? "a device comes" : "a device goes";
    check_ok(comes ? control_open(&w->c, device) : control_close(&w->c, device), w->c.err);
    model_connect(&w->model, device, comes);
}

static void report(struct world *w)
{
    const unsigned r = roll(w, w->model.request_count);
    struct model_request *request = &w->model.requests[r];
    const unsigned i = roll(w, request->order_count);
    struct model_order *order = &request->orders[i];
    const uint64_t number = request->first_order + i;

    w->did = "a device reports";
    if (order->state != MODEL_IN_PROGRESS && !order->silent)
        return;
    if (chance(w, 30)) {
        check_ok(control_report(&w->c, number, countersign_v1_Outcome_OUTCOME_ACCEPTED), w->c.err);
        model_accepted(&w->model, order);
        return;
    }
    bool completed = chance(w, 60);

    check_ok(control_report(&w->c, number,
                            completed ? countersign_v1_Outcome_OUTCOME_COMPLETED
                                      : countersign_v1_Outcome_OUTCOME_FAILED),
             w->c.err);
    model_reported(&w->model, order, completed);
}

static void pass_time(struct world *w)
{
    static const int64_t steps_s[] = {1, 61, 901, 3601, 8 * 3601, 20 * 3601};

    w->did = "time passes";
    w->c.d.now_s += steps_s[roll(w, CS_ARRAY_LEN(steps_s))];
    tick(w);
}

static void step(struct world *w)
{
    const unsigned what = roll(w, 100);

    if (w->model.request_count == 0 || (what < 14 && w->model.request_count < PUSHES))
        push(w);
    else if (what < 62)
        decide(w);
    else if (what < 66)
        say_again(w);
    else if (what < 69)
        cancel(w);
    else if (what < 74)
        change_policy(w);
    else if (what < 81)
        connect(w);
    else if (what < 90)
        report(w);
    else
        pass_time(w);
}

/* ---- worlds */

static void begin_world(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed, .dice = seed, .said = malloc(sizeof *w->said)};
    assert_non_null(w->said);
    control_start(&w->c);
    w->c.unchecked = w->c.with_mail = true;
    w->c.max_attempts = 1;
    w->model.silence_s = w->c.settings.silence_s;
    for (unsigned d = 0; d < CS_ARRAY_LEN(devices); d++)
        control_device(&w->c, devices[d]);
    for (unsigned k = 0; k < CS_ARRAY_LEN(certificates); k++)
        control_certificate(&w->c, certificates[k]);
    for (unsigned d = 0; d < CS_ARRAY_LEN(devices); d++)
        for (unsigned n = 0; n < CS_ARRAY_LEN(connectors); n++) {
            w->model.places[w->model.place_count++] =
                (struct model_place){.device = devices[d], .connector = connectors[n]};
            check_ok(control_attach_at(&w->c, "shop", devices[d], connectors[n]), w->c.err);
            if (n)
                check_ok(control_attach_at(&w->c, "mail.example", devices[d], connectors[n]), w->c.err);
        }
}

/* What the history before left open ends, and is forgotten. The year of certificates and policies must not
 * run out. */
static void begin_history(struct world *w)
{
    w->did = "begin";
    for (unsigned r = 0; r < w->model.request_count; r++) {
        (void)control_cancel(&w->c, w->model.requests[r].number);
        (void)model_cancel(&w->model, r);
    }
    tick(w);
    compare(w);
    w->model.request_count = 0;
    w->said_for = 0;
    draw_policy(w);
    publish(w);
    tally.policies++;
}

static void run_world(uint64_t seed)
{
    struct world *w = malloc(sizeof *w);

    assert_non_null(w);
    begin_world(w, seed);
    w->model.policy = w->c.d.body;
    w->model.now_s = w->c.d.now_s;
    for (w->history = 0; w->history < HISTORIES; w->history++) {
        begin_history(w);
        for (w->step = 0; w->step < STEPS; w->step++, tally.steps++) {
            step(w);
            compare(w);
        }
    }
    w->did = "check";
    control_check(&w->c);
    free(w->said);
    control_stop(&w->c);
    free(w);
}

static void core_and_model_agree_about_every_order_after_every_step(void **state)
{
    const char *one = getenv("CS_SEED"), *more = getenv("CS_LONG");
    const uint64_t worlds = WORLDS * (more && strcmp(more, "1") == 0 ? 20u : 1u);

    (void)state;
    if (one) {
        run_world(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= worlds; seed++)
        run_world(seed);
    print_message(
        "seeds 1 to %llu: %lu policies, %lu of them with several rules and %lu with groups; %lu steps, "
        "%lu taken, %lu refused, %lu covered a part, %lu newer policies\n",
        (unsigned long long)worlds, tally.policies, tally.several_rules, tally.groups, tally.steps,
        tally.accepted, tally.refused, tally.partial, tally.reviews - tally.policies);
    /* The dice have to reach every place. */
    assert_true(tally.policies >= 1000 && tally.accepted > 5000 && tally.refused > 1000);
    assert_true(tally.several_rules > 300 && tally.groups > 200 && tally.partial > 300);
    for (size_t i = 0; i < CS_ARRAY_LEN(tally.stages); i++)
        assert_true(tally.stages[i] > 20);
    for (size_t i = 0; i < CS_ARRAY_LEN(tally.states); i++)
        assert_true(tally.states[i] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_and_model_agree_about_every_order_after_every_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
