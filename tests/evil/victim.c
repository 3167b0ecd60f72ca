#include "tests/evil/victim.h"

#include <stdio.h>

void victim_make(struct victim *ret, struct deployment *d, const char *name, const char *enrolment)
{
    char kem_name[96];
    struct cs_err err;

    *ret = (struct victim){.pin = deployment_pin(d), .clock_s = d->now_s};
    snprintf(ret->name, sizeof ret->name, "%s", name);
    snprintf(kem_name, sizeof kem_name, "%s key-encryption key", name);
    memcpy(ret->deployment_id, d->id, sizeof ret->deployment_id);
    deployment_make_id(enrolment, ret->device_id);
    struct cs_digest scalar = cs_sha256(cs_slice_str(kem_name));

    cs_assert(cs_key_from_scalar(cs_digest_slice(&scalar), CS_KEY_AGREE, &ret->kem, &err) == CS_OK);
    memcpy(ret->declared[0].name, "web", 4);
    memcpy(ret->declared[1].name, "mail", 5);
    disk_make(&ret->disk);
    ret->connectors = (struct ag_connectors){ret->declared, CS_ARRAY_LEN(ret->declared)};
    ag_state_init(&ret->state, CS_SLICE_ARRAY(ret->device_id));
}

void victim_free(struct victim *victim)
{
    ag_state_free(&victim->state);
    cs_policy_free(victim->policy);
    cs_key_free(victim->kem);
    disk_free(&victim->disk);
}

int victim_take_policy(struct victim *victim, struct cs_slice wire, struct cs_err *err)
{
    struct cs_policy *policy = NULL;
    int code = victim->policy ? cs_policy_open_next(wire, victim->policy, &policy, err)
                              : cs_policy_open_pinned(wire, &victim->pin, &policy, err);

    if (code)
        return code;
    cs_policy_free(victim->policy);
    victim->policy = policy;
    victim->state.policy_version = cs_policy_version(policy);
    if (cs_policy_body(policy)->issued_at_s > victim->state.time_floor_s)
        victim->state.time_floor_s = cs_policy_body(policy)->issued_at_s;
    return CS_OK;
}

struct ag_device_time victim_now(const struct victim *victim)
{
    bool clockless = false;

    for (size_t i = 0; victim->policy && i < cs_policy_body(victim->policy)->clockless_devices_count; i++)
        clockless |= strcmp(cs_policy_body(victim->policy)->clockless_devices[i], victim->name) == 0;
    return ag_device_time(victim->clock_s, victim->state.time_floor_s, clockless, victim->session_s);
}

static void journal(struct victim *victim, const struct ag_decision *decision)
{
    const struct ag_acceptance acceptance = ag_decision_acceptance(decision, CS_SLICE_LIT("account"));
    int64_t floor_s = victim->state.time_floor_s;
    struct ag_order *order = NULL;
    struct cs_err err;

    cs_assert(ag_journal_accept(&victim->state, &acceptance, &order, &err) == CS_OK);
    /* It rises from what people and roots signed, whatever the controller says. */
    cs_assert(victim->state.time_floor_s == floor_s || victim->state.time_floor_s == decision->decided_at_s ||
              victim->state.time_floor_s == decision->policy_issued_at_s);
}

struct ag_decision *victim_offer(struct victim *victim, const countersign_v1_PushDelivery *delivery)
{
    cs_auto(cs_buf_wipe) struct cs_buf own_key = CS_BUF_EMPTY, kept_key = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf kept_chain = CS_BUF_EMPTY;
    struct ag_device_time time = victim_now(victim);

    victim_find_own_key(victim, delivery, &own_key);
    victim_find_kept(victim, delivery, &kept_chain, &kept_key);
    const struct ag_facts facts = {
        .deployment_id = CS_SLICE_ARRAY(victim->deployment_id),
        .device_id = CS_SLICE_ARRAY(victim->device_id),
        .device_name = victim->name,
        .policy = victim->policy,
        .state = &victim->state,
        .connectors = &victim->connectors,
        .kem_key = victim->kem,
        .own_key = cs_buf_slice(&own_key),
        .kept_chain = cs_buf_slice(&kept_chain),
        .kept_key = cs_buf_slice(&kept_key),
        .now_s = time.now_s,
        .time_known = time.known,
    };
    struct ag_decision *decision = ag_decide(&facts, delivery);

    cs_assert(decision);
    if (decision->verdict == AG_OK)
        journal(victim, decision);
    return decision;
}

void victim_end(struct victim *victim, bool completed)
{
    struct ag_connector_state *connector = NULL;
    struct ag_order *order = ag_journal_unfinished(&victim->state, &connector);
    struct cs_err err;

    cs_assert(order);
    if (!completed)
        cs_assert(ag_journal_begin_put_back(order, CS_SLICE_LIT("why"), &err) == CS_OK);
    cs_assert(ag_journal_end(&victim->state, order, CS_SLICE_LIT("report"), &err) == CS_OK);
}

void victim_acknowledge(struct victim *victim)
{
    for (size_t i = 0; i < victim->state.connector_count; i++) {
        struct ag_connector_state *connector = &victim->state.connectors[i];

        for (size_t k = 0; k < connector->order_count; k++)
            connector->orders[k].acknowledged = ag_phase_final(connector->orders[k].phase);
    }
}

void victim_restart(struct victim *victim)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_policy *policy = NULL;
    struct cs_err err;

    cs_assert(ag_state_encode(&victim->state, &bytes, &err) == CS_OK);
    ag_state_free(&victim->state);
    cs_assert(ag_state_decode(cs_buf_slice(&bytes), &victim->state, &err) == CS_OK);
    if (!victim->policy)
        return;
    cs_assert(cs_policy_open_stored(cs_policy_wire(victim->policy), &policy, &err) == CS_OK);
    cs_assert(cs_policy_version(policy) == victim->state.policy_version);
    cs_policy_free(victim->policy);
    victim->policy = policy;
}

void victim_forget(struct victim *victim)
{
    uint32_t version = victim->state.policy_version;

    ag_state_free(&victim->state);
    ag_state_init(&victim->state, CS_SLICE_ARRAY(victim->device_id));
    victim->state.policy_version = version;
}
