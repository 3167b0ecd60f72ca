/* Whatever a controller delivers, the device ends with a verdict, and takes a push only if all of DESIGN.md's
 * "the device accepts" holds: looked at here afresh, from what the harness knows that it signed
 * (decide_scene.h). An input that begins with 0xff is a delivery, as it is. */
#include "agent/core/journal.h"
#include "tests/fuzz/decide_scene.h"

enum { RAW = 0xff };

static struct cs_digest payload_digest(struct cs_slice wire)
{
    struct cs_envelope envelope;

    cs_assert(cs_envelope_parse(wire, &envelope, NULL) == CS_OK);
    return cs_sha256(envelope.payload);
}

static bool has_role(const char *name, countersign_v1_Role role)
{
    return strcmp(name, "mallory") != 0 &&
           cs_operator_has_role(world.d.body, deployment_operator(&world.d, name), role);
}

static bool covers(const countersign_v1_Decision *said)
{
    return said->orders.size == 0 ||
           (scene.at / 8 < said->orders.size && (said->orders.bytes[scene.at / 8] >> scene.at % 8 & 1));
}

struct seen {
    uint32_t people[CS_LIMIT_STAGES];
    unsigned who; /* bits of `people` */
    int64_t start_s, decided_at_s;
};

/* One decision of the message that was taken. */
static void check_decision(size_t index, const countersign_v1_Rule *rule, struct seen *seen)
{
    const countersign_v1_Decision *said = &scene.decided[index].said;
    unsigned who = 0;

    cs_assert(said->earlier_count == index && strcmp(scene.decided[index].key, said->decider) == 0);
    cs_assert(cs_slice_eq(CS_PB_BYTES(&said->request_digest), cs_digest_slice(&scene.push.request_digest)));
    if (!covers(said))
        return;
    while (strcmp(scene_person(who), said->decider) != 0)
        who++;
    cs_assert(said->verdict == countersign_v1_Verdict_VERDICT_ACCEPT);
    cs_assert(said->stage >= 1 && said->stage <= rule->stages_count && !(seen->who & 1u << who));
    cs_assert(has_role(said->decider, rule->stages[said->stage - 1].role));
    cs_assert(rule->requester_may_decide || strcmp(said->decider, scene.push.request.requester) != 0);
    cs_assert(said->decided_at_s >= scene.push.request.requested_at_s &&
              said->decided_at_s <= scene.push.request.decide_by_s);
    seen->who |= 1u << who;
    seen->people[said->stage - 1]++;
    if (said->decided_at_s > seen->decided_at_s)
        seen->decided_at_s = said->decided_at_s;
    if (said->not_before_s > seen->start_s)
        seen->start_s = said->not_before_s;
}

static const countersign_v1_Rule *rule_of(const struct scene_certificate *certificate)
{
    const countersign_v1_Rule *rules = cs_policy_body(world.d.policy)->rules;

    if (strcmp(CORE->connector, "mail") == 0)
        return &rules[1];
    return certificate == &world.certificates[0] ? &rules[0] : &rules[2];
}

static void check_decided(const countersign_v1_PushMessage *taken,
                          const struct scene_certificate *certificate)
{
    const countersign_v1_Rule *rule = rule_of(certificate);
    struct seen seen = {.start_s = 0, .decided_at_s = scene.push.request.requested_at_s};
    int64_t now_s;

    cs_assert(taken->decisions_count <= scene.push.decision_count);
    for (size_t i = 0; i < taken->decisions_count; i++) {
        struct cs_digest digest = payload_digest(CS_PB_BYTES(&taken->decisions[i]));

        cs_assert(cs_digest_eq(&digest, &scene.push.decision_digests[i]));
        check_decision(i, rule, &seen);
    }
    for (size_t i = 0; i < rule->stages_count; i++)
        cs_assert(seen.people[i] == rule->stages[i].required);
    now_s = scene.facts.now_s > seen.decided_at_s ? scene.facts.now_s : seen.decided_at_s;
    if (seen.start_s < seen.decided_at_s)
        seen.start_s = seen.decided_at_s;
    cs_assert(now_s >= seen.start_s && now_s <= seen.start_s + scene.push.request.window_s);
    cs_assert(certificate->info.not_after_s >= now_s ||
              (scene.push.request.overrides_count > 0 &&
               scene.push.request.overrides[0] == countersign_v1_Override_OVERRIDE_EXPIRED));
    cs_assert(certificate->info.not_before_s <= now_s || !scene.facts.time_known);
}

static void check_order(void)
{
    static const uint8_t nothing[32];
    const struct ag_connector_state *before = ag_state_connector(&scene.state, CORE->connector);
    const struct ag_order *known = ag_state_order(&scene.state, CS_PB_BYTES(&CORE->order_id), NULL);
    uint64_t highest = before ? before->highest_generation : 0;
    bool installed = before && before->installed_generation > 0;

    cs_assert(cs_slice_eq(CS_PB_BYTES(&CORE->device_id), CS_SLICE_ARRAY(world.device_id)));
    cs_assert(strcmp(CORE->device_name, "gw-0") == 0);
    cs_assert(strcmp(CORE->connector, "web") == 0 || strcmp(CORE->connector, "mail") == 0);
    cs_assert(CORE->action == countersign_v1_Action_ACTION_INSTALL);
    cs_assert(CORE->key_mode == countersign_v1_KeyMode_KEY_MODE_SEALED ||
              CORE->key_mode == countersign_v1_KeyMode_KEY_MODE_HELD);
    cs_assert(CORE->generation > highest || (known && CORE->generation == highest));
    cs_assert(CORE->generation - highest <= CS_LIMIT_GENERATION_JUMP);
    if (known) {
        cs_assert(known->phase == AG_PHASE_PUT_BACK && known->acknowledged);
        cs_assert(CORE->generation > highest || known->attempt < scene.push.request.max_attempts);
    }
    cs_assert(CORE->expects.size == 0 ||
              memcmp(CORE->expects.bytes, installed ? before->installed_digest.bytes : nothing, 32) == 0);
}

static void check_taken(const struct ag_decision *decision)
{
    countersign_v1_PushMessage *taken = NULL;
    const struct scene_certificate *certificate = scene_certificate();
    struct cs_digest request, key;

    cs_assert(scene.facts.policy && strcmp(scene.batch_key, "controller") == 0 && scene.batch_ours);
    cs_assert(!cs_policy_expired(scene.facts.policy, scene.facts.now_s));
    cs_assert(cs_push_message_decode(CS_PB_BYTES(&scene.delivery.message), &taken, NULL) == CS_OK);
    cs_assert(cs_slice_eq(CS_PB_BYTES(&taken->order_core), cs_buf_slice(&scene.push.core_wires[scene.at])));
    cs_assert(cs_slice_eq(CS_PB_BYTES(&taken->chain), cs_chain_bytes(certificate->pki.chain)));
    cs_assert(cs_slice_eq(CS_PB_BYTES(&CORE->chain_digest), cs_digest_slice(&certificate->digest)));
    key = cs_sha256(cs_chain_leaf_spki(certificate->pki.chain));
    cs_assert(cs_slice_eq(CS_PB_BYTES(&CORE->leaf_spki_digest), cs_digest_slice(&key)));
    request = payload_digest(CS_PB_BYTES(&taken->request));
    cs_assert(cs_digest_eq(&request, &scene.push.request_digest) && taken->order_index == scene.at);
    cs_assert(strcmp(scene.request_key, scene.push.request.requester) == 0);
    cs_assert(has_role(scene.push.request.requester, countersign_v1_Role_ROLE_REQUESTER));
    cs_assert(cs_slice_eq(CS_PB_BYTES(&scene.push.request.deployment_id), CS_SLICE_ARRAY(world.d.id)));
    cs_assert(scene.push.request.policy_version <= cs_policy_version(world.d.policy));
    check_order();
    check_decided(taken, certificate);
    cs_assert(cs_chain_check_key(certificate->pki.chain, cs_buf_slice(&decision->pkcs8), NULL) == CS_OK);
    free(taken);
}

/* What was taken can be journalled, and the state read back. */
static void accept_and_keep(const struct ag_decision *decision)
{
    const struct ag_acceptance acceptance = ag_decision_acceptance(decision, CS_SLICE_LIT("account"));
    struct cs_buf bytes = CS_BUF_EMPTY, again = CS_BUF_EMPTY;
    struct ag_state read;
    struct ag_order *order;

    cs_assert(ag_journal_accept(&scene.state, &acceptance, &order, NULL) == CS_OK);
    cs_assert(ag_state_encode(&scene.state, &bytes, NULL) == CS_OK);
    cs_assert(ag_state_decode(cs_buf_slice(&bytes), &read, NULL) == CS_OK);
    cs_assert(ag_state_encode(&read, &again, NULL) == CS_OK);
    cs_assert(cs_slice_eq(cs_buf_slice(&bytes), cs_buf_slice(&again)));
    ag_state_free(&read);
    cs_buf_free(&bytes);
    cs_buf_free(&again);
}

static void run_raw(struct cs_slice input)
{
    struct ag_decision *decision;

    scene_make_device();
    if (cs_message_decode(countersign_v1_PushDelivery_fields, input, &scene.delivery, "it", NULL) != CS_OK)
        return;
    decision = ag_decide(&scene.facts, &scene.delivery);
    cs_assert(decision && decision->verdict != AG_OK);
    ag_decision_free(decision);
}

static void run_made(struct cs_slice input)
{
    struct ag_decision *decision;

    scene_make(input);
    decision = ag_decide(&scene.facts, &scene.delivery);
    cs_assert(decision);
    cs_assert(scene.op_count > 0 || decision->verdict == AG_OK);
    if (decision->verdict == AG_OK) {
        check_taken(decision);
        accept_and_keep(decision);
    }
    ag_decision_free(decision);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == RAW)
        run_raw(cs_slice(data + 1, size - 1));
    else
        run_made(cs_slice(data, size));
    scene_free();
    return 0;
}
