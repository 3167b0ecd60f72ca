#include "agent/core/decide.h"

#include "shared/trust/merkle.h"
#include "shared/trust/sealed_key.h"

#include <stdio.h>

/* The checks hand each other what they found. Lives on the heap with the decision: none of it fits a small
 * stack. */
struct deciding {
    const struct ag_facts *facts;
    const countersign_v1_PushDelivery *delivery;
    struct ag_decision *decision;
    struct cs_err err; /* the sentence, when a check has a better one than its verdict's */

    countersign_v1_PushMessage *message;
    countersign_v1_OrderCore *core;
    struct cs_push *push;
    struct cs_push_order order;
    struct cs_push_progress progress;
    struct cs_cert_info leaf;
    int64_t now_s;
};

/* Too little memory says nothing about the push: it stays undecided, and is decided when it comes again. */
static enum ag_verdict refused(int code, enum ag_verdict verdict)
{
    return code == CS_ENOMEM ? AG_UNDECIDED : verdict;
}

/* ---- the delivery: from a controller that the policy names, whole, and for us */

static enum ag_verdict check_policy(struct deciding *d)
{
    return d->facts->policy ? AG_OK : AG_NO_POLICY;
}

/* What cannot be read is reported under the id that the delivery hints at: the only use of the hint. */
static enum ag_verdict unreadable(struct deciding *d, enum ag_verdict verdict)
{
    struct cs_slice hint = CS_PB_BYTES(&d->delivery->order_id);

    if (d->err.code != CS_ENOMEM && hint.len == sizeof d->delivery->order_id.bytes)
        CS_PB_SET(&d->decision->report.order_id, hint);
    return refused(d->err.code, verdict);
}

/* Only names the order, so that a refusal can be reported; nothing of it is believed yet. */
static enum ag_verdict read_message(struct deciding *d)
{
    struct cs_slice bytes = CS_PB_BYTES(&d->delivery->message);
    countersign_v1_DeviceReport *report = &d->decision->report;

    if (cs_push_message_decode(bytes, &d->message, &d->err) != CS_OK)
        return unreadable(d, AG_MESSAGE_MALFORMED);
    if (cs_core_decode(CS_PB_BYTES(&d->message->order_core), &d->core, &d->err) != CS_OK)
        return unreadable(d, AG_ORDER_MALFORMED);
    CS_PB_SET(&report->order_id, CS_PB_BYTES(&d->core->order_id));
    memcpy(report->connector, d->core->connector, sizeof report->connector);
    report->generation = d->core->generation;
    d->decision->core_digest = cs_sha256(CS_PB_BYTES(&d->message->order_core));
    return AG_OK;
}

/* One proof field of either message as slices. */
#define PROOF_SLICES(field, count, out)                                                                      \
    for (size_t i_ = 0; i_ < (count); i_++)                                                                  \
        (out)[i_] = CS_PB_BYTES(&(field)[i_]);

static enum ag_verdict check_batch(struct deciding *d)
{
    cs_auto_free struct cs_keyring *keys = calloc(1, sizeof *keys);
    cs_auto_free countersign_v1_PushBatch *batch = NULL;
    struct cs_slice proof[CS_LIMIT_MERKLE_DEPTH];
    struct cs_verified verified;

    if (!keys)
        return AG_UNDECIDED;
    cs_policy_message_keys(d->facts->policy, keys);
    int code = cs_envelope_verify(CS_PB_BYTES(&d->delivery->batch), CS_STATEMENT_PUSH_BATCH, keys, &verified,
                                  &d->err);

    if (code)
        return refused(code, code == CS_EAUTH ? AG_BATCH_SIGNATURE : AG_BATCH_MALFORMED);
    if (cs_batch_decode(verified.payload, &batch, &d->err) != CS_OK)
        return refused(d->err.code, AG_BATCH_MALFORMED);
    if (!cs_slice_eq(CS_PB_BYTES(&batch->deployment_id), d->facts->deployment_id))
        return AG_WRONG_DEPLOYMENT;
    struct cs_digest leaf = cs_merkle_leaf(CS_PB_BYTES(&d->delivery->message));
    struct cs_digest root;

    memcpy(root.bytes, batch->root.bytes, sizeof root.bytes);
    PROOF_SLICES(d->delivery->proof, d->delivery->proof_count, proof);
    return cs_merkle_verify(&root, batch->count, d->delivery->index, &leaf, proof, d->delivery->proof_count)
               ? AG_OK
               : AG_NOT_IN_BATCH;
}

static enum ag_verdict check_addressee(struct deciding *d)
{
    if (!cs_slice_eq(CS_PB_BYTES(&d->core->device_id), d->facts->device_id))
        return AG_WRONG_DEVICE;
    if (strcmp(d->core->device_name, d->facts->device_name) != 0)
        return AG_WRONG_NAME;
    d->decision->connector = ag_connectors_find(d->facts->connectors, d->core->connector);
    return d->decision->connector ? AG_OK : AG_UNKNOWN_CONNECTOR;
}

/* An order that ended here is answered with its stored report, whatever the policy says by now. One that was
 * put back is only tried again once the controller knows that it was: before, it is the report that was lost.
 */
static enum ag_verdict check_known(struct deciding *d)
{
    const struct ag_order *known = ag_state_order(d->facts->state, CS_PB_BYTES(&d->core->order_id), NULL);

    d->decision->report.attempt = 1;
    if (!known)
        return AG_OK;
    d->decision->report.attempt = known->attempt + 1;
    if (!cs_digest_eq(&known->core_digest, &d->decision->core_digest))
        return AG_ORDER_CHANGED;
    if (!ag_phase_final(known->phase))
        return AG_IN_PROGRESS;
    if (known->phase == AG_PHASE_COMPLETED || !known->acknowledged)
        return AG_ENDED_BEFORE;
    return AG_OK;
}

static bool is_action(const struct deciding *d, countersign_v1_Action action)
{
    return d->core->action == action;
}

/* A newer controller may ask for more. */
static enum ag_verdict check_supported(struct deciding *d)
{
    d->decision->removes = is_action(d, countersign_v1_Action_ACTION_REMOVE);
    return d->decision->removes || is_action(d, countersign_v1_Action_ACTION_INSTALL) ||
                   is_action(d, countersign_v1_Action_ACTION_ROLL_BACK)
               ? AG_OK
               : AG_ACTION_UNSUPPORTED;
}

/* ---- the certificate: what the order names, before the rule that may depend on it is picked */

/* The generation that comes back must be the one that the people saw. */
static enum ag_verdict take_kept_chain(struct deciding *d)
{
    if (d->facts->kept_chain.len == 0) {
        cs_err_set(&d->err, CS_ENOTFOUND,
                   "generation %llu of %s is not kept here any more: push the certificate instead",
                   (unsigned long long)d->core->target_generation, d->core->connector);
        return AG_GENERATION_GONE;
    }
    if (cs_chain_parse_pem(d->facts->kept_chain, &d->decision->chain, &d->err) != CS_OK)
        return refused(d->err.code, AG_GENERATION_OTHER);
    d->decision->chain_digest = cs_chain_digest(d->decision->chain);
    return cs_slice_eq(cs_digest_slice(&d->decision->chain_digest), CS_PB_BYTES(&d->core->chain_digest))
               ? AG_OK
               : AG_GENERATION_OTHER;
}

static enum ag_verdict take_sent_chain(struct deciding *d)
{
    struct cs_slice bytes = CS_PB_BYTES(&d->message->chain);

    d->decision->chain_digest = cs_sha256(bytes);
    if (!cs_slice_eq(cs_digest_slice(&d->decision->chain_digest), CS_PB_BYTES(&d->core->chain_digest)))
        return AG_CHAIN_DIGEST;
    if (cs_chain_parse(bytes, &d->decision->chain, &d->err) != CS_OK)
        return refused(d->err.code, AG_CHAIN_MALFORMED);
    return AG_OK;
}

static enum ag_verdict check_chain(struct deciding *d)
{
    enum ag_verdict verdict;

    if (d->decision->removes)
        return AG_OK;
    verdict = is_action(d, countersign_v1_Action_ACTION_ROLL_BACK) ? take_kept_chain(d) : take_sent_chain(d);
    if (verdict != AG_OK)
        return verdict;
    if (cs_chain_check_links(d->decision->chain, &d->err) != CS_OK)
        return refused(d->err.code, AG_CHAIN_LINKS);
    cs_chain_info(d->decision->chain, 0, &d->leaf);
    if (!cs_slice_eq(cs_digest_slice(&d->leaf.spki_digest), CS_PB_BYTES(&d->core->leaf_spki_digest)))
        return AG_LEAF_KEY;
    return AG_OK;
}

/* ---- the people */

static enum ag_verdict check_request(struct deciding *d)
{
    enum cs_push_reason reason = CS_PUSH_UNDECIDED;
    countersign_v1_DeviceReport *report = &d->decision->report;
    struct cs_slice proof[CS_LIMIT_MERKLE_DEPTH];

    if (cs_push_open(d->facts->policy, CS_PB_BYTES(&d->message->request), d->facts->now_s, &d->push, &reason,
                     &d->err) != CS_OK)
        return ag_verdict_of(reason);
    const countersign_v1_PushRequest *request = cs_push_request(d->push);
    struct cs_digest digest = cs_push_request_digest(d->push);

    if (!cs_slice_eq(CS_PB_BYTES(&request->deployment_id), d->facts->deployment_id))
        return AG_WRONG_DEPLOYMENT;
    struct cs_digest leaf = cs_merkle_leaf(CS_PB_BYTES(&d->message->order_core));
    struct cs_digest root;

    memcpy(root.bytes, request->order_root.bytes, sizeof root.bytes);
    PROOF_SLICES(d->message->order_proof, d->message->order_proof_count, proof);
    if (!cs_merkle_verify(&root, request->order_count, d->message->order_index, &leaf, proof,
                          d->message->order_proof_count))
        return AG_NOT_IN_REQUEST;
    memcpy(report->requester, request->requester, sizeof report->requester);
    CS_PB_SET(&report->request_digest, cs_digest_slice(&digest));
    return AG_OK;
}

static void name_decider(struct deciding *d, size_t index)
{
    countersign_v1_DeviceReport *report = &d->decision->report;
    const countersign_v1_Decision *decision = cs_push_decision(d->push, index);
    const countersign_v1_Rule *rule = d->order.rule;
    const char *stage = decision->stage <= rule->stages_count ? rule->stages[decision->stage - 1].name : "?";
    struct cs_digest digest = cs_push_decision_digest(d->push, index);

    /* A request has at most as many decisions as a report has deciders. */
    cs_assert(report->deciders_count < CS_ARRAY_LEN(report->deciders));
    snprintf(report->deciders[report->deciders_count++], sizeof report->deciders[0], "%s: %s", stage,
             decision->decider);
    CS_PB_SET(&report->decision_digests[report->decision_digests_count], cs_digest_slice(&digest));
    report->decision_digests_count++;
}

static enum ag_verdict check_decisions(struct deciding *d)
{
    countersign_v1_DeviceReport *report = &d->decision->report;

    d->order.index = d->message->order_index;
    d->order.rule = cs_policy_rule(d->facts->policy, d->facts->device_name, d->core->connector,
                                   d->decision->removes ? NULL : &d->leaf);
    memcpy(report->rule, d->order.rule->name, sizeof report->rule);
    for (size_t i = 0; i < d->message->decisions_count; i++) {
        enum cs_push_reason reason = CS_PUSH_UNDECIDED;

        if (cs_push_add_decision(d->push, CS_PB_BYTES(&d->message->decisions[i]), &d->order, 1, &reason,
                                 &d->err) != CS_OK)
            return ag_verdict_of(reason);
        name_decider(d, i);
    }
    cs_push_progress(d->push, &d->order, &d->progress);
    return ag_verdict_of(d->progress.reason);
}

/* ---- the order: new here, due, and fitting what is installed */

static enum ag_verdict check_generation(struct deciding *d)
{
    const struct ag_connector_state *connector = ag_state_connector(d->facts->state, d->core->connector);
    const struct ag_order *known = ag_state_order(d->facts->state, CS_PB_BYTES(&d->core->order_id), NULL);
    uint64_t highest = connector ? connector->highest_generation : 0;

    if (known && d->core->generation == highest)
        return known->attempt < cs_push_request(d->push)->max_attempts ? AG_OK : AG_ATTEMPTS_USED;
    if (d->core->generation <= highest)
        return AG_GENERATION_SEEN;
    return d->core->generation - highest <= CS_LIMIT_GENERATION_JUMP ? AG_OK : AG_GENERATION_JUMP;
}

/* People who signed that they decided at a time show that it has come: a clock that is a little behind does
 * not hold up what is due at once. A not-before shows nothing, so a scheduled push waits for the clock. */
static enum ag_verdict check_window(struct deciding *d)
{
    d->decision->start_s = d->progress.start_s;
    d->decision->end_s = d->progress.end_s;
    d->decision->decided_at_s = d->progress.decided_at_s;
    d->decision->policy_issued_at_s = cs_policy_body(d->facts->policy)->issued_at_s;
    d->now_s = d->facts->now_s > d->progress.decided_at_s ? d->facts->now_s : d->progress.decided_at_s;
    /* By our own clock it had not expired (cs_push_open), by that of the people it has. */
    if (cs_policy_expired(d->facts->policy, d->now_s))
        return AG_POLICY_EXPIRED;
    if (d->now_s > d->progress.end_s)
        return AG_WINDOW_PASSED;
    return d->now_s < d->progress.start_s ? AG_NOT_YET : AG_OK;
}

static enum ag_verdict check_expects(struct deciding *d)
{
    static const uint8_t nothing[CS_SHA256_BYTES];
    const struct ag_connector_state *connector = ag_state_connector(d->facts->state, d->core->connector);
    struct cs_slice expects = CS_PB_BYTES(&d->core->expects);
    struct cs_slice installed = connector && connector->installed_generation > 0
                                    ? cs_digest_slice(&connector->installed_digest)
                                    : CS_SLICE_ARRAY(nothing);

    if (d->decision->removes && cs_slice_eq(installed, CS_SLICE_ARRAY(nothing))) {
        cs_err_set(&d->err, CS_ENOTFOUND, "no push has installed anything at %s: there is nothing to remove",
                   d->core->connector);
        return AG_EXPECTS_OTHER;
    }
    return expects.len == 0 || cs_slice_eq(expects, installed) ? AG_OK : AG_EXPECTS_OTHER;
}

static enum ag_verdict check_names(struct deciding *d)
{
    const struct ag_connector *connector = d->decision->connector;

    for (size_t i = 0; connector->names[i] && !d->decision->removes; i++) {
        if (cs_chain_leaf_bears(d->decision->chain, connector->names[i]))
            continue;
        cs_err_set(&d->err, CS_EINVAL,
                   "the certificate is not for %s, which %s must have: its names are others",
                   connector->names[i], connector->name);
        return AG_NAMES_OTHER;
    }
    return AG_OK;
}

static bool overrides(const struct deciding *d, countersign_v1_Override which)
{
    const countersign_v1_PushRequest *request = cs_push_request(d->push);

    for (size_t i = 0; i < request->overrides_count; i++) {
        if (request->overrides[i] == which)
            return true;
    }
    return false;
}

static enum ag_verdict check_dates(struct deciding *d)
{
    bool expired_is_meant = overrides(d, countersign_v1_Override_OVERRIDE_EXPIRED);
    cs_auto_free struct cs_cert_info *info = calloc(1, sizeof *info);

    if (!info)
        return AG_UNDECIDED;
    for (size_t i = 0; !d->decision->removes && i < cs_chain_count(d->decision->chain); i++) {
        cs_chain_info(d->decision->chain, i, info);
        if (info->not_after_s < d->now_s && !expired_is_meant)
            return AG_CERTIFICATE_EXPIRED;
        if (info->not_before_s > d->now_s && d->facts->time_known)
            return AG_CERTIFICATE_NOT_YET;
    }
    return AG_OK;
}

/* ---- the key: opens here, for this order, and fits */

static enum ag_verdict open_seal(struct deciding *d)
{
    const struct cs_sealed_key_place place = {
        .deployment_id = d->facts->deployment_id,
        .device_id = d->facts->device_id,
        .order_id = CS_PB_BYTES(&d->core->order_id),
        .core = CS_PB_BYTES(&d->message->order_core),
    };

    if (!d->message->has_sealed_key)
        return AG_KEY_MISSING;
    cs_auto(cs_buf_wipe) struct cs_buf sealed = CS_BUF_EMPTY;
    int code = cs_sealed_key_open(d->facts->kem_key, &place, &d->message->sealed_key, &sealed, &d->err);

    if (code)
        return refused(code, code == CS_EPARSE ? AG_KEY_MALFORMED : AG_KEY_SEAL);
    /* Written again: what is installed is the key that is checked here, and not bytes in which another
     * program may read another one. */
    code = cs_private_key_to_pkcs8(cs_buf_slice(&sealed), CS_SLICE_EMPTY, &d->decision->pkcs8, &d->err);
    return code ? refused(code, AG_KEY_MALFORMED) : AG_OK;
}

/* Whatever key the message may carry as well is not looked at. */
static enum ag_verdict take_own_key(struct deciding *d)
{
    if (d->facts->own_key.len == 0) {
        cs_err_set(&d->err, CS_ENOTFOUND,
                   "this device has made no key for %s that fits the certificate, or has it no longer",
                   d->core->connector);
        return AG_KEY_MISSING;
    }
    return cs_buf_append(&d->decision->pkcs8, d->facts->own_key) == CS_OK ? AG_OK : AG_UNDECIDED;
}

static enum ag_verdict take_kept_key(struct deciding *d)
{
    int code = cs_private_key_to_pkcs8(d->facts->kept_key, CS_SLICE_EMPTY, &d->decision->pkcs8, &d->err);

    return code ? refused(code, AG_GENERATION_OTHER) : AG_OK;
}

static enum ag_verdict take_key(struct deciding *d)
{
    if (is_action(d, countersign_v1_Action_ACTION_ROLL_BACK))
        return take_kept_key(d);
    return d->core->key_mode == countersign_v1_KeyMode_KEY_MODE_ON_DEVICE ? take_own_key(d) : open_seal(d);
}

static enum ag_verdict check_key(struct deciding *d)
{
    enum ag_verdict verdict;

    if (d->decision->removes)
        return AG_OK;
    verdict = take_key(d);
    if (verdict != AG_OK)
        return verdict;
    return cs_chain_check_key(d->decision->chain, cs_buf_slice(&d->decision->pkcs8), &d->err) == CS_OK
               ? AG_OK
               : refused(d->err.code, AG_KEY_MISMATCH);
}

/* In this order; the first that is not AG_OK is the verdict. Cheap ones that tell much stand early,
 * signatures before what they cover is believed, and what opens a secret last. */
static enum ag_verdict (*const checks[])(struct deciding *) = {
    read_message,    check_policy,  check_batch,   check_addressee, check_known,
    check_supported, check_chain,   check_request, check_decisions, check_generation,
    check_window,    check_expects, check_names,   check_dates,     check_key,
};

void ag_report_set_detail(countersign_v1_DeviceReport *report, const char *detail)
{
    struct cs_slice text = cs_slice_str(detail);
    size_t len = text.len < sizeof report->detail - 1 ? text.len : sizeof report->detail - 1;

    while (len > 0 && len < text.len && (text.ptr[len] & 0xC0) == 0x80)
        len--;
    memset(report->detail, 0, sizeof report->detail);
    memcpy(report->detail, text.ptr, len);
}

void ag_report_set_verdict(countersign_v1_DeviceReport *report, enum ag_verdict verdict, const char *detail)
{
    ag_report_set_detail(report, detail && detail[0] ? detail : ag_verdict_sentence(verdict));
    memset(report->verdict, 0, sizeof report->verdict);
    snprintf(report->verdict, sizeof report->verdict, "%s", ag_verdict_word(verdict));
}

countersign_v1_Outcome ag_verdict_outcome(enum ag_verdict verdict)
{
    switch (verdict) {
    case AG_OK:
        return countersign_v1_Outcome_OUTCOME_ACCEPTED;
    case AG_NOT_YET:
        return countersign_v1_Outcome_OUTCOME_NOT_YET;
    default:
        return countersign_v1_Outcome_OUTCOME_REFUSED;
    }
}

static void begin_report(const struct ag_facts *facts, countersign_v1_DeviceReport *report)
{
    CS_PB_SET(&report->deployment_id, facts->deployment_id);
    CS_PB_SET(&report->device_id, facts->device_id);
    report->policy_version = facts->policy ? cs_policy_version(facts->policy) : 0;
}

static void end_report(const struct ag_facts *facts, struct ag_decision *decision, const struct cs_err *err)
{
    const struct ag_connector_state *connector = ag_state_connector(facts->state, decision->report.connector);

    if (connector && connector->installed_generation > 0)
        CS_PB_SET(&decision->report.installed_digest, cs_digest_slice(&connector->installed_digest));
    decision->report.outcome = ag_verdict_outcome(decision->verdict);
    ag_report_set_verdict(&decision->report, decision->verdict, err->msg);
}

struct ag_decision *ag_decide(const struct ag_facts *facts, const countersign_v1_PushDelivery *delivery)
{
    struct ag_decision *decision = calloc(1, sizeof *decision);
    struct deciding *d = calloc(1, sizeof *d);

    if (!decision || !d) {
        free(decision);
        free(d);
        return NULL;
    }
    d->facts = facts;
    d->delivery = delivery;
    d->decision = decision;
    begin_report(facts, &decision->report);
    enum ag_verdict verdict = AG_UNDECIDED;

    for (size_t i = 0; i < CS_ARRAY_LEN(checks); i++) {
        verdict = checks[i](d);
        if (verdict != AG_OK)
            break;
    }
    decision->verdict = verdict;
    end_report(facts, decision, &d->err);
    cs_push_free(d->push);
    free(d->core);
    free(d->message);
    free(d);
    return decision;
}

void ag_decision_free(struct ag_decision *decision)
{
    if (!decision)
        return;
    cs_chain_free(decision->chain);
    cs_buf_wipe(&decision->pkcs8);
    free(decision);
}

struct ag_acceptance ag_decision_acceptance(const struct ag_decision *decision, struct cs_slice account)
{
    return (struct ag_acceptance){
        .connector = decision->connector->name,
        .order_id = CS_PB_BYTES(&decision->report.order_id),
        .core_digest = decision->core_digest,
        .chain_digest = decision->chain_digest,
        .generation = decision->report.generation,
        .removes = decision->removes,
        .decided_at_s = decision->decided_at_s,
        .policy_issued_at_s = decision->policy_issued_at_s,
        .account = account,
    };
}
