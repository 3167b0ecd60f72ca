#include "shared/trust/tally.h"

static const struct {
    const char *word, *sentence;
} reasons[] = {
#define X(name, word, sentence) {word, sentence},
    CS_PUSH_REASONS(X)
#undef X
};

/* What kind of failure a reason is to the program; those that are not here are CS_EDENIED. */
static const int reason_codes[CS_PUSH_REASON_COUNT] = {
    [CS_PUSH_REQUEST_MALFORMED] = CS_EPARSE,  [CS_PUSH_REQUEST_SIGNATURE] = CS_EAUTH,
    [CS_PUSH_POLICY_TOO_OLD] = CS_ESTALE,     [CS_PUSH_POLICY_EXPIRED] = CS_ESTATE,
    [CS_PUSH_DECISION_MALFORMED] = CS_EPARSE, [CS_PUSH_DECISION_SIGNATURE] = CS_EAUTH,
    [CS_PUSH_DECISION_STALE] = CS_ESTALE,     [CS_PUSH_DECISION_LATE] = CS_ESTATE,
    [CS_PUSH_STAGE_CLOSED] = CS_ESTATE,       [CS_PUSH_STAGE_NOT_OPEN] = CS_ESTATE,
    [CS_PUSH_REJECTED] = CS_ESTATE,           [CS_PUSH_TOO_MANY_DECISIONS] = CS_EFULL,
};

const char *cs_push_reason_word(enum cs_push_reason reason)
{
    cs_assert((size_t)reason < CS_ARRAY_LEN(reasons));
    return reasons[reason].word;
}

const char *cs_push_reason_sentence(enum cs_push_reason reason)
{
    cs_assert((size_t)reason < CS_ARRAY_LEN(reasons));
    return reasons[reason].sentence;
}

static int code_of(enum cs_push_reason reason)
{
    return reason_codes[reason] != CS_OK ? reason_codes[reason] : CS_EDENIED;
}

static int refuse(enum cs_push_reason reason, enum cs_push_reason *ret_reason, struct cs_err *err)
{
    *ret_reason = reason;
    return cs_err_set(err, code_of(reason), "%s", reasons[reason].sentence);
}

/* Keeps what *err says behind the reason's own sentence. */
static int refuse_because(enum cs_push_reason reason, enum cs_push_reason *ret_reason, struct cs_err *err)
{
    *ret_reason = reason;
    if (err)
        err->code = code_of(reason);
    cs_err_prefix(err, "%s", reasons[reason].sentence);
    return code_of(reason);
}

struct decided {
    countersign_v1_Decision *body; /* owned */
    struct cs_digest digest;
    struct cs_tally_decision said; /* borrows the body */
};

struct cs_push {
    const struct cs_policy *policy;
    struct cs_keyring operator_keys;
    countersign_v1_PushRequest *request;
    struct cs_digest request_digest;
    size_t decision_count;
    struct decided decisions[CS_LIMIT_DECISIONS];
};

void cs_push_free(struct cs_push *push)
{
    if (!push)
        return;
    free(push->request);
    for (size_t i = 0; i < push->decision_count; i++)
        free(push->decisions[i].body);
    free(push);
}

/* The policy version that a request or decision names, 0 if it cannot be read. CS_OK or CS_ENOMEM. */
static int claimed_policy_version(struct cs_slice wire, uint32_t *ret)
{
    countersign_v1_PushRequest *request cs_auto_free = NULL;
    countersign_v1_Decision *decision cs_auto_free = NULL;
    struct cs_envelope envelope;
    int rc;

    *ret = 0;
    if (cs_envelope_parse(wire, &envelope, NULL) != CS_OK)
        return CS_OK;
    if (envelope.kind == CS_STATEMENT_PUSH_REQUEST) {
        rc = cs_request_decode(envelope.payload, &request, NULL);
        if (rc == CS_OK)
            *ret = request->policy_version;
    } else {
        rc = cs_decision_decode(envelope.payload, &decision, NULL);
        if (rc == CS_OK)
            *ret = decision->policy_version;
    }
    return rc == CS_ENOMEM ? rc : CS_OK;
}

/* Nobody whom our policy knows has signed. A newer policy may know the signer, so that a statement which
 * names one is answered with "too old": that is read from bytes that are not verified, but only chooses
 * between two refusals, and the newer policy has to prove itself when it comes. */
static int refuse_unknown_signer(const struct cs_push *push, struct cs_slice wire,
                                 enum cs_push_reason otherwise, enum cs_push_reason *ret_reason,
                                 struct cs_err *err)
{
    uint32_t claimed;

    if (claimed_policy_version(wire, &claimed) != CS_OK)
        return cs_err_nomem(err);
    return refuse_because(claimed > cs_policy_version(push->policy) ? CS_PUSH_POLICY_TOO_OLD : otherwise,
                          ret_reason, err);
}

static bool is_our_deployment(const struct cs_push *push, struct cs_slice deployment_id)
{
    return cs_slice_eq(CS_PB_BYTES(&cs_policy_body(push->policy)->deployment_id), deployment_id);
}

static int open_request(struct cs_push *push, struct cs_slice wire, enum cs_push_reason *ret_reason,
                        struct cs_err *err)
{
    struct cs_verified verified;
    countersign_v1_KeyKind key_kind;
    int rc;

    rc = cs_envelope_verify(wire, CS_STATEMENT_PUSH_REQUEST, &push->operator_keys, &verified, err);
    if (rc == CS_EAUTH)
        return refuse_unknown_signer(push, wire, CS_PUSH_REQUEST_SIGNATURE, ret_reason, err);
    if (rc == CS_OK)
        rc = cs_request_decode(verified.payload, &push->request, err);
    if (rc == CS_ENOMEM)
        return rc;
    if (rc != CS_OK)
        return refuse_because(CS_PUSH_REQUEST_MALFORMED, ret_reason, err);
    push->request_digest = verified.digest;
    if (!is_our_deployment(push, CS_PB_BYTES(&push->request->deployment_id)))
        return refuse(CS_PUSH_WRONG_DEPLOYMENT, ret_reason, err);
    if (push->request->policy_version > cs_policy_version(push->policy))
        return refuse(CS_PUSH_POLICY_TOO_OLD, ret_reason, err);
    rc = cs_policy_check_signer(push->policy, &verified, push->request->requester,
                                countersign_v1_Role_ROLE_REQUESTER, &key_kind, err);
    if (rc != CS_OK)
        return refuse_because(rc == CS_EAUTH ? CS_PUSH_REQUEST_SIGNATURE : CS_PUSH_REQUESTER_ROLE, ret_reason,
                              err);
    return CS_OK;
}

int cs_push_open(const struct cs_policy *policy, struct cs_slice request_wire, int64_t now_s,
                 struct cs_push **ret, enum cs_push_reason *ret_reason, struct cs_err *err)
{
    struct cs_push *push cs_auto(cs_push_freep) = calloc(1, sizeof *push);
    int rc;

    *ret_reason = CS_PUSH_UNDECIDED;
    if (!push)
        return cs_err_nomem(err);
    push->policy = policy;
    cs_policy_operator_keys(policy, &push->operator_keys);
    rc = open_request(push, request_wire, ret_reason, err);
    if (rc != CS_OK)
        return rc;
    if (now_s != CS_TIME_UNKNOWN && cs_policy_expired(policy, now_s))
        return refuse(CS_PUSH_POLICY_EXPIRED, ret_reason, err);
    *ret = cs_steal(push);
    *ret_reason = CS_PUSH_OK;
    return CS_OK;
}

const countersign_v1_PushRequest *cs_push_request(const struct cs_push *push)
{
    return push->request;
}

struct cs_digest cs_push_request_digest(const struct cs_push *push)
{
    return push->request_digest;
}

static bool bit(struct cs_slice bitmap, size_t index)
{
    return index / 8 < bitmap.len && (bitmap.ptr[index / 8] >> index % 8 & 1);
}

static bool covers(const struct cs_push *push, const countersign_v1_Decision *decision, uint32_t index)
{
    if (index >= push->request->order_count)
        return false;
    return decision->orders.size == 0 || bit(CS_PB_BYTES(&decision->orders), index);
}

/* Counts from the beginning, and judges every decision again: whoever asks for an order that
 * cs_push_add_decision() was not told of gets no decision counted that its rule does not allow. */
static struct cs_tally tally_order(const struct cs_push *push, const struct cs_push_order *order)
{
    struct cs_tally tally = cs_tally_begin(cs_policy_body(push->policy), push->request);

    for (size_t i = 0; i < push->decision_count; i++) {
        const struct decided *decided = &push->decisions[i];

        if (covers(push, decided->body, order->index))
            (void)cs_tally_take(&tally, order->rule, push->request->requester, &decided->said);
    }
    return tally;
}

/* Serial: whoever decides has seen every decision before, so that nobody can leave one out or change their
 * order. */
static bool saw_all_earlier(const struct cs_push *push, const countersign_v1_Decision *decision)
{
    if (decision->earlier_count != push->decision_count)
        return false;
    for (size_t i = 0; i < push->decision_count; i++)
        if (!cs_slice_eq(CS_PB_BYTES(&decision->earlier[i]), cs_digest_slice(&push->decisions[i].digest)))
            return false;
    return true;
}

static bool names_order_beyond(const countersign_v1_Decision *decision, uint32_t order_count)
{
    for (size_t i = order_count; i < (size_t)decision->orders.size * 8; i++)
        if (bit(CS_PB_BYTES(&decision->orders), i))
            return true;
    return false;
}

/* All that can be said of a decision without a rule. */
static enum cs_push_reason judge_statement(const struct cs_push *push,
                                           const countersign_v1_Decision *decision)
{
    const countersign_v1_PushRequest *request = push->request;

    if (!cs_slice_eq(CS_PB_BYTES(&decision->request_digest), cs_digest_slice(&push->request_digest)))
        return CS_PUSH_DECISION_OTHER_REQUEST;
    if (names_order_beyond(decision, request->order_count))
        return CS_PUSH_DECISION_MALFORMED;
    if (!saw_all_earlier(push, decision))
        return CS_PUSH_DECISION_STALE;
    if (decision->decided_at_s < request->requested_at_s)
        return CS_PUSH_DECISION_EARLY;
    if (decision->decided_at_s > request->decide_by_s)
        return CS_PUSH_DECISION_LATE;
    return CS_PUSH_OK;
}

/* Gives *ret a body to free, also when it fails later on. */
static int open_decision(const struct cs_push *push, struct cs_slice wire, struct decided *ret,
                         enum cs_push_reason *ret_reason, struct cs_err *err)
{
    struct cs_verified verified;
    int rc;

    rc = cs_envelope_verify(wire, CS_STATEMENT_DECISION, &push->operator_keys, &verified, err);
    if (rc == CS_EAUTH)
        return refuse_unknown_signer(push, wire, CS_PUSH_DECISION_SIGNATURE, ret_reason, err);
    if (rc == CS_OK)
        rc = cs_decision_decode(verified.payload, &ret->body, err);
    if (rc == CS_ENOMEM)
        return rc;
    if (rc != CS_OK)
        return refuse_because(CS_PUSH_DECISION_MALFORMED, ret_reason, err);
    ret->digest = verified.digest;
    if (!is_our_deployment(push, CS_PB_BYTES(&ret->body->deployment_id)))
        return refuse(CS_PUSH_WRONG_DEPLOYMENT, ret_reason, err);
    if (ret->body->policy_version > cs_policy_version(push->policy))
        return refuse(CS_PUSH_POLICY_TOO_OLD, ret_reason, err);
    rc = cs_policy_check_signer(push->policy, &verified, ret->body->decider,
                                countersign_v1_Role_ROLE_UNSPECIFIED, &ret->said.key_kind, err);
    if (rc != CS_OK)
        return refuse_because(CS_PUSH_DECISION_SIGNATURE, ret_reason, err);
    ret->said.body = ret->body;
    ret->said.decider = cs_policy_operator(push->policy, ret->body->decider);
    return CS_OK;
}

static enum cs_push_reason judge_for_orders(const struct cs_push *push, const struct cs_push_order *orders,
                                            size_t order_count, const struct decided *decided)
{
    for (size_t i = 0; i < order_count; i++) {
        enum cs_push_reason reason;
        struct cs_tally tally;

        if (!covers(push, decided->body, orders[i].index))
            continue;
        tally = tally_order(push, &orders[i]);
        reason = cs_tally_judge(&tally, orders[i].rule, push->request->requester, &decided->said);
        if (reason != CS_PUSH_OK)
            return reason;
    }
    return CS_PUSH_OK;
}

int cs_push_add_decision(struct cs_push *push, struct cs_slice decision_wire,
                         const struct cs_push_order *orders, size_t order_count,
                         enum cs_push_reason *ret_reason, struct cs_err *err)
{
    struct decided decided = {0};
    enum cs_push_reason reason;
    int rc;

    *ret_reason = CS_PUSH_UNDECIDED;
    if (push->decision_count == CS_LIMIT_DECISIONS)
        return refuse(CS_PUSH_TOO_MANY_DECISIONS, ret_reason, err);
    rc = open_decision(push, decision_wire, &decided, ret_reason, err);
    if (rc == CS_OK) {
        reason = judge_statement(push, decided.body);
        if (reason == CS_PUSH_OK)
            reason = judge_for_orders(push, orders, order_count, &decided);
        if (reason != CS_PUSH_OK) {
            rc = refuse(reason, ret_reason, err);
            cs_err_prefix(err, "the decision of %s on stage %u", decided.body->decider,
                          (unsigned)decided.body->stage);
        }
    }
    if (rc != CS_OK) {
        free(decided.body);
        return rc;
    }
    push->decisions[push->decision_count++] = decided;
    *ret_reason = CS_PUSH_OK;
    return CS_OK;
}

size_t cs_push_decision_count(const struct cs_push *push)
{
    return push->decision_count;
}

const countersign_v1_Decision *cs_push_decision(const struct cs_push *push, size_t index)
{
    cs_assert(index < push->decision_count);
    return push->decisions[index].body;
}

struct cs_digest cs_push_decision_digest(const struct cs_push *push, size_t index)
{
    cs_assert(index < push->decision_count);
    return push->decisions[index].digest;
}

void cs_push_progress(const struct cs_push *push, const struct cs_push_order *order,
                      struct cs_push_progress *ret)
{
    struct cs_tally tally = tally_order(push, order);

    *ret = (struct cs_push_progress){.stages = order->rule->stages_count, .decided_at_s = tally.decided_at_s};
    if (order->index >= push->request->order_count) {
        ret->reason = CS_PUSH_NOT_COVERED;
    } else if (tally.rejected) {
        ret->reason = CS_PUSH_REJECTED;
    } else if (tally.stage < order->rule->stages_count) {
        ret->reason = CS_PUSH_UNDECIDED;
        ret->stage = tally.stage + 1;
        ret->decided = tally.decided;
        ret->required = order->rule->stages[tally.stage].required;
    } else {
        ret->reason = CS_PUSH_OK;
        ret->start_s = tally.not_before_s > tally.decided_at_s ? tally.not_before_s : tally.decided_at_s;
        ret->end_s = ret->start_s + push->request->window_s;
    }
}
