#include "tests/evil/evil.h"

#include <stdio.h>

void evil_kem_spki(const char *device, uint8_t ret[CS_SPKI_BYTES])
{
    struct cs_key *key = NULL;
    char name[96];
    struct cs_err err;

    snprintf(name, sizeof name, "%s key-encryption key", device);
    struct cs_digest scalar = cs_sha256(cs_slice_str(name));

    cs_assert(cs_key_from_scalar(cs_digest_slice(&scalar), CS_KEY_AGREE, &key, &err) == CS_OK);
    memcpy(ret, cs_key_spki(key).ptr, CS_SPKI_BYTES);
    cs_key_free(key);
}

void evil_make(struct evil *ret)
{
    struct cs_err err;

    *ret = (struct evil){0};
    deployment_make(&ret->d);
    victim_make(&ret->victim, &ret->d, "gw-0", "gw-0");
    cs_assert(victim_take_policy(&ret->victim, cs_policy_wire(ret->d.policy), &err) == CS_OK);
}

void evil_free(struct evil *e)
{
    if (e->push)
        delivery_free(e->push);
    for (size_t i = 0; i < e->other_count; i++)
        delivery_free(e->others[i]);
    victim_free(&e->victim);
    deployment_free(&e->d);
}

/* ---- what the device is shown */

static struct cs_digest payload_digest(struct cs_slice wire)
{
    struct cs_envelope envelope;
    struct cs_err err;

    cs_assert(cs_envelope_parse(wire, &envelope, &err) == CS_OK);
    return cs_sha256(envelope.payload);
}

static bool has_decisions(const struct push_story *story, const countersign_v1_PushMessage *message)
{
    if (message->decisions_count != story->decision_count)
        return false;
    for (size_t i = 0; i < story->decision_count; i++) {
        struct cs_digest digest = payload_digest(CS_PB_BYTES(&message->decisions[i]));

        if (!cs_digest_eq(&digest, &story->decision_digests[i]))
            return false;
    }
    return true;
}

bool evil_is_as_signed(const struct delivery_story *story, const countersign_v1_PushDelivery *delivery,
                       const struct ag_decision *decision)
{
    cs_auto_free countersign_v1_PushMessage *message = NULL;
    struct cs_err err;

    cs_assert(cs_push_message_decode(CS_PB_BYTES(&delivery->message), &message, &err) == CS_OK);
    struct cs_digest request = payload_digest(CS_PB_BYTES(&message->request));

    return cs_slice_eq(CS_PB_BYTES(&message->order_core),
                       cs_buf_slice(&story->push.core_wires[story->order])) &&
           cs_digest_eq(&request, &story->push.request_digest) && has_decisions(&story->push, message) &&
           (decision->removes ? !decision->chain && decision->pkcs8.len == 0
                              : cs_slice_eq(cs_chain_bytes(decision->chain), cs_buf_slice(&story->chain)) &&
                                    cs_slice_eq(cs_buf_slice(&decision->pkcs8), cs_buf_slice(&story->pkcs8)));
}

static bool is_of_the_people(const struct evil *e, const countersign_v1_PushDelivery *delivery,
                             const struct ag_decision *decision)
{
    if (e->push && evil_is_as_signed(e->push, delivery, decision))
        return true;
    for (size_t i = 0; i < e->other_count; i++)
        if (evil_is_as_signed(e->others[i], delivery, decision))
            return true;
    return false;
}

void evil_offer(struct evil *e, const struct delivery_story *story)
{
    cs_auto(ag_decision_freep) struct ag_decision *decision = victim_offer(&e->victim, &story->delivery);

    e->came = (struct evil_end){.kind = EVIL_REFUSED, .verdict = decision->verdict};
    snprintf(e->detail, sizeof e->detail, "%.255s", decision->report.detail);
    if (decision->verdict != AG_OK)
        return;
    e->came.kind = EVIL_ADMITTED;
    if (!is_of_the_people(e, &story->delivery, decision)) {
        e->came.kind = EVIL_UNKNOWN;
        snprintf(e->detail, sizeof e->detail, "accepted, and not what people signed");
    }
}

void evil_note_code(struct evil *e, int code, const struct cs_err *err)
{
    e->came = code == CS_OK ? (struct evil_end){.kind = EVIL_ADMITTED, .verdict = AG_OK}
                            : (struct evil_end){.kind = EVIL_TURNED_AWAY, .code = code};
    snprintf(e->detail, sizeof e->detail, "%s", code == CS_OK ? "taken" : err->msg);
}

void evil_show_policy(struct evil *e, struct cs_slice wire)
{
    struct cs_err err = {0};

    evil_note_code(e, victim_take_policy(&e->victim, wire, &err), &err);
}

static bool was_asked(const struct evil *e, const struct cs_digest *request)
{
    for (size_t i = 0; i < e->asked_count; i++)
        if (cs_digest_eq(&e->asked[i], request))
            return true;
    return false;
}

void evil_show_key_request(struct evil *e, struct cs_slice wire)
{
    struct victim_answer answer = victim_ask(&e->victim, wire);

    e->came = (struct evil_end){.kind = answer.verdict == AG_OK ? EVIL_ADMITTED : EVIL_REFUSED,
                                .verdict = answer.verdict};
    snprintf(e->detail, sizeof e->detail, "%s", answer.detail);
    if (answer.verdict == AG_OK && !was_asked(e, &answer.digest)) {
        e->came.kind = EVIL_UNKNOWN;
        snprintf(e->detail, sizeof e->detail, "a key was made that nobody asked for");
    }
}

struct cs_buf evil_sign_key_request(struct evil *e, const countersign_v1_KeyRequest *request, const char *who)
{
    struct cs_buf wire =
        deployment_sign(&e->d, CS_STATEMENT_KEY_REQUEST, countersign_v1_KeyRequest_fields, request, who);

    cs_assert(e->asked_count < EVIL_ASKED);
    e->asked[e->asked_count++] = payload_digest(cs_buf_slice(&wire));
    return wire;
}

/* ---- more pushes */

struct delivery_story *evil_prepare_for(struct evil *e, const char *device, uint64_t generation)
{
    uint8_t device_id[16];

    cs_assert(e->other_count < EVIL_OTHERS);
    deployment_make_id(device, device_id);
    e->others[e->other_count] = delivery_prepare(&e->d, device, device_id, generation);
    return e->others[e->other_count++];
}

struct delivery_story *evil_prepare(struct evil *e, uint64_t generation)
{
    return evil_prepare_for(e, "gw-0", generation);
}

static void assemble(struct delivery_story *story)
{
    uint8_t kem_spki[CS_SPKI_BYTES];

    evil_kem_spki(delivery_core(story)->device_name, kem_spki);
    delivery_assemble(story, CS_SLICE_ARRAY(kem_spki));
}

static void decide(struct delivery_story *story)
{
    story_decide(&story->push, "bob", 1);
    story_decide(&story->push, "carol", 2);
}

void evil_finish(struct evil *e CS_UNUSED, struct delivery_story *story)
{
    delivery_submit(story);
    decide(story);
    assemble(story);
    delivery_wrap(story);
}

struct delivery_story *evil_push(struct evil *e, uint64_t generation)
{
    struct delivery_story *story = evil_prepare(e, generation);

    evil_finish(e, story);
    return story;
}

/* ---- a row */

static void call(void (*hook)(struct evil *e), struct evil *e)
{
    if (hook)
        hook(e);
}

static void make_push(struct evil *e, const struct evil_strategy *strategy)
{
    size_t orders = strategy->orders > 0 ? strategy->orders : 1;

    e->push = delivery_prepare_among(&e->d, "gw-0", e->victim.device_id, 1, orders, strategy->at);
    call(strategy->prepared, e);
    delivery_submit(e->push);
    if (strategy->decided)
        strategy->decided(e);
    else
        decide(e->push);
    assemble(e->push);
    call(strategy->sent, e);
    delivery_wrap(e->push);
    call(strategy->wrapped, e);
}

static void play(struct evil_tally *tally, const struct evil_strategy *strategy)
{
    struct evil *e = calloc(1, sizeof *e);
    struct cs_err err;

    cs_assert(e);
    evil_make(e);
    e->with = strategy->with;
    if (strategy->policy) {
        strategy->policy(e);
        deployment_publish(&e->d);
        cs_assert(victim_take_policy(&e->victim, cs_policy_wire(e->d.policy), &err) == CS_OK);
    }
    if (!strategy->without_push)
        make_push(e, strategy);
    call(strategy->device, e);
    if (strategy->act)
        strategy->act(e);
    else
        evil_offer(e, e->push);
    evil_tally_add(tally, strategy->says, &strategy->end, &e->came, e->detail);
    evil_free(e);
    free(e);
}

void evil_play(struct evil_tally *tally, const struct evil_strategy *strategies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play(tally, &strategies[i]);
}
