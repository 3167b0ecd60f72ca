#include "tests/support/push_model.h"

#include "shared/base/macros.h"

#include <string.h>

/* ---- the policy */

static const countersign_v1_Operator *person(const struct model *m, const char *name)
{
    for (pb_size_t i = 0; i < m->policy->operators_count; i++)
        if (strcmp(m->policy->operators[i].name, name) == 0)
            return &m->policy->operators[i];
    return NULL;
}

static bool has(const countersign_v1_Role *roles, pb_size_t count, countersign_v1_Role role)
{
    for (pb_size_t i = 0; i < count; i++)
        if (roles[i] == role)
            return true;
    return false;
}

static bool is_member(const countersign_v1_OperatorGroup *group, const char *name)
{
    for (pb_size_t i = 0; i < group->members_count; i++)
        if (strcmp(group->members[i], name) == 0)
            return true;
    return false;
}

/* The own roles, and those of the groups that one is in. */
static bool has_role(const struct model *m, const char *name, countersign_v1_Role role)
{
    const countersign_v1_Operator *who = person(m, name);

    if (!who)
        return false;
    if (has(who->roles, who->roles_count, role))
        return true;
    for (pb_size_t i = 0; i < m->policy->groups_count; i++)
        if (is_member(&m->policy->groups[i], name) &&
            has(m->policy->groups[i].roles, m->policy->groups[i].roles_count, role))
            return true;
    return false;
}

/* A stage that names nobody means all; "@NAME" means a group's members. */
static bool is_named(const struct model *m, const countersign_v1_Stage *stage, const char *name)
{
    if (stage->operators_count == 0)
        return true;
    for (pb_size_t i = 0; i < stage->operators_count; i++) {
        const char *entry = stage->operators[i];

        if (strcmp(entry, name) == 0)
            return true;
        for (pb_size_t g = 0; entry[0] == '@' && g < m->policy->groups_count; g++)
            if (strcmp(m->policy->groups[g].name, entry + 1) == 0 && is_member(&m->policy->groups[g], name))
                return true;
    }
    return false;
}

static bool uses_browser(const struct model *m, const char *name)
{
    const countersign_v1_Operator *who = person(m, name);

    return who && who->keys[0].kind == countersign_v1_KeyKind_KEY_KIND_BROWSER;
}

static bool one_of(const char *list, size_t stride, pb_size_t count, const char *text)
{
    for (pb_size_t i = 0; i < count; i++)
        if (strcmp(list + i * stride, text) == 0)
            return true;
    return count == 0;
}
#define ONE_OF(list, count, text) one_of((list)[0], sizeof(list)[0], (count), (text))

/* "*.example" stands for one label before ".example". */
static bool one_of_names(const countersign_v1_Rule *rule, const char *name)
{
    for (pb_size_t i = 0; i < rule->names_count; i++) {
        const char *pattern = rule->names[i], *dot = strchr(name, '.');

        if (strcmp(pattern, name) == 0)
            return true;
        if (pattern[0] == '*' && dot && dot != name && strcmp(pattern + 1, dot) == 0)
            return true;
    }
    return rule->names_count == 0;
}

static unsigned people_of(const countersign_v1_Rule *rule)
{
    unsigned people = 0;

    for (pb_size_t i = 0; i < rule->stages_count; i++)
        people += rule->stages[i].required;
    return people;
}

/* The first rule that matches; where none does, the strictest: most people, then most stages. */
static const countersign_v1_Rule *rule_for(const struct model *m, const struct model_request *request,
                                           const struct model_order *order)
{
    const struct model_place *place = &m->places[order->place];
    const countersign_v1_Rule *strictest = &m->policy->rules[0];

    for (pb_size_t i = 0; i < m->policy->rules_count; i++) {
        const countersign_v1_Rule *rule = &m->policy->rules[i];

        if (ONE_OF(rule->devices, rule->devices_count, place->device) &&
            ONE_OF(rule->connectors, rule->connectors_count, place->connector) &&
            ONE_OF(rule->issuers, rule->issuers_count, request->issuer) &&
            one_of_names(rule, request->common_name))
            return rule;
        if (people_of(rule) > people_of(strictest) ||
            (people_of(rule) == people_of(strictest) && rule->stages_count > strictest->stages_count))
            strictest = rule;
    }
    return strictest;
}

/* ---- counting */

struct count {
    unsigned stage, in_stage; /* closed stages; people in the open one */
    bool rejected, decided;
    int64_t start_s;
    const char *counted[MODEL_DECISIONS];
    unsigned counted_count;
};

static struct count begin(const struct model_request *request, const countersign_v1_Rule *rule)
{
    return (struct count){.decided = rule->stages_count == 0, .start_s = request->requested_at_s};
}

/* One more decision for this order: false if it may not stand. */
static bool add(const struct model *m, const struct model_request *request, const countersign_v1_Rule *rule,
                struct count *count, const struct model_decision *said)
{
    const countersign_v1_Stage *stage;
    bool completes;

    if (said->stage > rule->stages_count || count->rejected || said->stage != count->stage + 1)
        return false;
    stage = &rule->stages[said->stage - 1];
    if (strcmp(said->who, request->requester) == 0 && !rule->requester_may_decide)
        return false;
    if (!has_role(m, said->who, stage->role) || !is_named(m, stage, said->who))
        return false;
    for (unsigned i = 0; i < count->counted_count; i++)
        if (strcmp(count->counted[i], said->who) == 0)
            return false;
    completes = said->accepts && said->stage == rule->stages_count && count->in_stage + 1 == stage->required;
    if (completes && uses_browser(m, said->who) && !rule->browser_may_finish)
        return false;
    count->counted[count->counted_count++] = said->who;
    if (said->decided_at_s > count->start_s)
        count->start_s = said->decided_at_s;
    if (!said->accepts) {
        count->rejected = true;
        return true;
    }
    if (said->not_before_s > count->start_s)
        count->start_s = said->not_before_s;
    if (++count->in_stage == stage->required) {
        count->stage++;
        count->in_stage = 0;
    }
    count->decided = count->stage == rule->stages_count;
    return true;
}

/* Where order `i` stands after all decisions, of which the last may be a new one. False: one of them may not
 * stand. */
static bool count_order(const struct model *m, const struct model_request *request, unsigned i,
                        struct count *ret)
{
    const countersign_v1_Rule *rule = rule_for(m, request, &request->orders[i]);

    *ret = begin(request, rule);
    for (unsigned d = 0; d < request->decision_count; d++)
        if (request->decisions[d].orders >> i & 1 && !add(m, request, rule, ret, &request->decisions[d]))
            return false;
    return true;
}

/* All orders, whatever has become of them: a decision that may not stand for one of those that it covers may
 * not stand at all. */
static bool stands(const struct model *m, const struct model_request *request)
{
    struct count count;

    for (unsigned i = 0; i < request->order_count; i++)
        if (!count_order(m, request, i, &count))
            return false;
    return true;
}

/* ---- orders */

static bool waits_for_people(const struct model_order *order)
{
    return order->state == MODEL_PENDING || order->state == MODEL_REVIEW;
}

static bool is_before_hand_over(const struct model_order *order)
{
    return waits_for_people(order) || order->state == MODEL_SCHEDULED;
}

static bool is_open(const struct model_request *request)
{
    for (unsigned i = 0; i < request->order_count; i++)
        if (is_before_hand_over(&request->orders[i]) || request->orders[i].state == MODEL_IN_PROGRESS)
            return true;
    return false;
}

/* When a later order for the same connector is fully decided; a lower generation decided afterwards is
 * refused. */
static void schedule(struct model *m, const struct model_request *request, struct model_order *order,
                     const struct count *count)
{
    struct model_place *place = &m->places[order->place];

    if (order->generation < place->decided_generation) {
        order->state = MODEL_SUPERSEDED;
        return;
    }
    place->decided_generation = order->generation;
    order->state = MODEL_SCHEDULED;
    order->start_s = count->start_s;
    order->end_s = count->start_s + request->window_s;
    for (unsigned r = 0; r < m->request_count; r++)
        for (unsigned i = 0; i < m->requests[r].order_count; i++) {
            struct model_order *other = &m->requests[r].orders[i];

            if (other->place == order->place && other->generation < order->generation &&
                is_before_hand_over(other))
                other->state = MODEL_SUPERSEDED;
        }
}

static void move(struct model *m, struct model_request *request, unsigned i)
{
    struct model_order *order = &request->orders[i];
    struct count count;

    cs_assert(count_order(m, request, i, &count));
    if (count.rejected) {
        order->state = MODEL_REJECTED;
    } else if (count.decided) {
        schedule(m, request, order, &count);
    } else if (order->state == MODEL_SCHEDULED) {
        order->state = MODEL_CANCELLED; /* a newer policy wants more than it has */
    } else {
        order->state = count.stage ? MODEL_REVIEW : MODEL_PENDING;
        order->stages_done = count.stage;
    }
}

bool model_submit(struct model *m, const struct model_request *request)
{
    struct model_request *mine = &m->requests[m->request_count];

    if (!has_role(m, request->requester, countersign_v1_Role_ROLE_REQUESTER))
        return false;
    cs_assert(m->request_count < MODEL_REQUESTS);
    *mine = *request;
    m->request_count++;
    for (unsigned i = 0; i < mine->order_count; i++) {
        mine->orders[i].state = MODEL_PENDING;
        move(m, mine, i);
    }
    return true;
}

bool model_decide(struct model *m, unsigned number, const struct model_decision *decision)
{
    struct model_request *request = &m->requests[number];
    bool undecided = false;

    if (!is_open(request) || request->decision_count == MODEL_DECISIONS || m->now_s > request->decide_by_s)
        return false;
    for (unsigned i = 0; i < request->order_count; i++)
        undecided = undecided || (decision->orders >> i & 1 && waits_for_people(&request->orders[i]));
    if (!undecided || !person(m, decision->who))
        return false;
    request->decisions[request->decision_count++] = *decision;
    if (!stands(m, request)) {
        request->decision_count--;
        return false;
    }
    for (unsigned i = 0; i < request->order_count; i++)
        if (decision->orders >> i & 1 && waits_for_people(&request->orders[i]))
            move(m, request, i);
    return true;
}

bool model_open(const struct model *m, unsigned number)
{
    return is_open(&m->requests[number]);
}

bool model_cancel(struct model *m, unsigned number)
{
    struct model_request *request = &m->requests[number];

    if (!is_open(request))
        return false;
    for (unsigned i = 0; i < request->order_count; i++)
        if (is_before_hand_over(&request->orders[i]))
            request->orders[i].state = MODEL_CANCELLED;
    return true;
}

/* Requests that the newer policy still satisfies live on, others become Cancelled. */
void model_review(struct model *m)
{
    for (unsigned r = 0; r < m->request_count; r++) {
        struct model_request *request = &m->requests[r];
        bool lives = has_role(m, request->requester, countersign_v1_Role_ROLE_REQUESTER);

        for (unsigned d = 0; d < request->decision_count; d++)
            lives = lives && person(m, request->decisions[d].who);
        lives = lives && stands(m, request);
        for (unsigned i = 0; i < request->order_count; i++) {
            if (!is_before_hand_over(&request->orders[i]))
                continue;
            if (lives)
                move(m, request, i);
            else
                request->orders[i].state = MODEL_CANCELLED;
        }
    }
}

/* ---- time and devices */

static void hand_over(struct model *m, struct model_order *order)
{
    order->state = MODEL_IN_PROGRESS;
    order->silent_from_s = order->end_s + m->silence_s;
}

static void pass_time(struct model *m, struct model_order *order)
{
    if (order->state == MODEL_SCHEDULED && m->now_s >= order->end_s)
        order->state = MODEL_EXPIRED;
    if (order->state == MODEL_SCHEDULED && m->now_s >= order->start_s && m->places[order->place].connected)
        hand_over(m, order);
    if (order->state == MODEL_IN_PROGRESS && m->now_s >= order->silent_from_s) {
        order->state = MODEL_FAILED;
        order->silent = true;
    }
}

void model_tick(struct model *m)
{
    for (unsigned r = 0; r < m->request_count; r++)
        for (unsigned i = 0; i < m->requests[r].order_count; i++) {
            struct model_order *order = &m->requests[r].orders[i];

            if (waits_for_people(order) && m->now_s >= m->requests[r].decide_by_s)
                order->state = MODEL_EXPIRED;
            pass_time(m, order);
        }
}

void model_connect(struct model *m, const char *device, bool connected)
{
    for (unsigned p = 0; p < m->place_count; p++)
        if (strcmp(m->places[p].device, device) == 0)
            m->places[p].connected = connected;
    for (unsigned r = 0; connected && r < m->request_count; r++)
        for (unsigned i = 0; i < m->requests[r].order_count; i++) {
            struct model_order *order = &m->requests[r].orders[i];

            if (strcmp(m->places[order->place].device, device) == 0 && order->state == MODEL_SCHEDULED &&
                m->now_s >= order->start_s && m->now_s < order->end_s)
                hand_over(m, order);
        }
}

void model_accepted(struct model *m, struct model_order *order)
{
    if (order->state != MODEL_IN_PROGRESS || order->accepted)
        return;
    order->accepted = true;
    order->silent_from_s = m->now_s + m->silence_s;
}

void model_reported(struct model *m, struct model_order *order, bool completed)
{
    (void)m;
    if (order->state != MODEL_IN_PROGRESS && !order->silent)
        return;
    order->state = completed ? MODEL_COMPLETED : MODEL_FAILED;
    order->silent = false;
}
