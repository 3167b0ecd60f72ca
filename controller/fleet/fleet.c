/* The sessions of a shard as one, and the way of effects from the core to them. */
#include "controller/api/sign_in.h"
#include "controller/fleet/contest.h"

#include "controller/fleet/roster.h"

int ctl_fleet_new(struct ctl_shard *shard, struct ctl_fleet **ret, struct cs_err *err)
{
    struct ctl_fleet *fleet = calloc(1, sizeof *fleet);

    if (!fleet)
        return cs_err_nomem(err);
    fleet->shard = shard;
    ctl_map_init(&fleet->sessions);
    cs_list_init(&fleet->all);
    cs_list_init(&fleet->ready);
    cs_list_init(&fleet->contested);
    cs_list_init(&fleet->contests);
    ctl_map_init(&fleet->refused);
    uv_timer_init(&shard->loop, &fleet->contest_timer);
    fleet->contest_timer.data = fleet;
    *ret = fleet;
    return CS_OK;
}

void ctl_fleet_free(struct ctl_fleet *fleet)
{
    if (!fleet)
        return;
    cs_assert(cs_list_empty(&fleet->all));
    ctl_map_free(&fleet->sessions);
    ctl_map_free(&fleet->refused);
    free(fleet);
}

void ctl_fleet_turn(struct ctl_fleet *fleet)
{
    if (!cs_list_empty(&fleet->ready))
        ctl_delivery_turn(fleet);
}

void ctl_fleet_stop(struct ctl_fleet *fleet)
{
    fleet->stopping = true;
    ctl_contest_stop(fleet);
    CS_LIST_FOREACH(node, &fleet->all)
    {
        struct ctl_session *session = CS_CONTAINER_OF(node, struct ctl_session, all);

        if (session->call)
            cs_call_finish(session->call, CS_STATUS_UNAVAILABLE, "the controller is stopping");
    }
}

/* ---- effects */

struct effects {
    struct ctl_post post;
    struct ctl_trust *trust;
    size_t count;
    struct ctl_effect effects[];
};

static void end_session(struct ctl_session *session, const char *why)
{
    struct cs_err err;

    cs_err_set(&err, CS_EDENIED, "%s", why);
    ctl_session_fail(session, &err);
}

static void apply(struct ctl_session *session, const struct ctl_effect *effect)
{
    switch (effect->kind) {
    case CTL_EFFECT_DELIVER:
    case CTL_EFFECT_CANCEL: /* the order's row says which */
        ctl_session_add_order(session, effect->order_number);
        ctl_session_pump(session);
        break;
    case CTL_EFFECT_KEY_REQUEST:
        session->more_key_requests = true;
        ctl_session_pump(session);
        break;
    case CTL_EFFECT_ACK:
        if (session->state == CTL_SESSION_OPEN)
            (void)ctl_session_send_ack(session, effect->sequence);
        break;
    case CTL_EFFECT_ADMITTED:
        session->identity.admitted = true;
        if (session->state == CTL_SESSION_OPEN)
            (void)ctl_session_send_welcome(session);
        break;
    case CTL_EFFECT_IDENTITY:
        if (session->state == CTL_SESSION_OPEN)
            (void)ctl_session_send_identity(session, effect->sequence);
        break;
    case CTL_EFFECT_BANNED:
        end_session(session, CTL_BANNED);
        break;
    case CTL_EFFECT_QUARANTINED:
        end_session(session, CTL_QUARANTINED);
        break;
    default:
        break;
    }
}

static void run_effects(struct ctl_shard *shard, struct ctl_post *post)
{
    struct effects *effects = CS_CONTAINER_OF(post, struct effects, post);
    struct ctl_fleet *fleet = shard->fleet;

    if (effects->trust) {
        ctl_trust_unref(shard->trust);
        shard->trust = effects->trust;
        ctl_sign_in_sweep(shard->sign_in);
        CS_LIST_FOREACH(node, &fleet->all)
        ctl_session_pump(CS_CONTAINER_OF(node, struct ctl_session, all));
    }
    for (size_t i = 0; i < effects->count; i++) {
        uint64_t found;

        if (ctl_map_get(&fleet->sessions, effects->effects[i].device_id, &found))
            apply((struct ctl_session *)(uintptr_t)found, &effects->effects[i]);
    }
    free(effects);
}

/* What cannot be handed on after it became durable would be forgotten until the device comes back: better a
 * restart, which asks the store. */
static struct effects *effects_new(size_t count, struct ctl_trust *trust)
{
    struct effects *effects = calloc(1, sizeof *effects + count * sizeof effects->effects[0]);

    if (!effects) {
        cs_log(CS_LOG_ERROR, "fleet", "out of memory for effects: ending", CS_FEND);
        _Exit(EXIT_FAILURE);
    }
    effects->post.run = run_effects;
    effects->trust = ctl_trust_ref(trust);
    return effects;
}

void ctl_fleet_route(void *data, const struct ctl_effect *effects, size_t count, struct ctl_trust *trust)
{
    struct ctl_shared *shared = data;
    struct effects *each[CTL_LIMIT_SHARDS] = {NULL};

    for (size_t i = 0; i < count; i++) {
        uint64_t session_id = 0;
        unsigned shard;

        if (effects[i].kind != CTL_EFFECT_POLICY && effects[i].kind != CTL_EFFECT_REQUEST)
            session_id = ctl_roster_find(shared->roster, effects[i].device_id);
        if (!session_id)
            continue;
        shard = ctl_session_shard(session_id);
        if (!each[shard])
            each[shard] = effects_new(count - i, trust);
        each[shard]->effects[each[shard]->count++] = effects[i];
    }
    for (unsigned i = 0; i < shared->shard_count; i++) {
        if (trust && !each[i])
            each[i] = effects_new(0, trust);
        if (each[i])
            ctl_shard_post(shared->shards[i], &each[i]->post);
    }
}
