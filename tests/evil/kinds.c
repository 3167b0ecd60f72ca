/* kinds.c - one statement in place of another: everything that anybody ever signed, wherever a device takes a
 * signed statement. */
#include "tests/evil/evil.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum cs_statement_kind kind;
} kinds[] = {
    {"a trust policy", CS_STATEMENT_TRUST_POLICY},
    {"an admission", CS_STATEMENT_ADMISSION},
    {"a push request", CS_STATEMENT_PUSH_REQUEST},
    {"a decision", CS_STATEMENT_DECISION},
    {"a key request", CS_STATEMENT_KEY_REQUEST},
    {"an advertisement", CS_STATEMENT_DEVICE_ADVERTISEMENT},
    {"a device's CSR", CS_STATEMENT_DEVICE_CSR},
    {"a device's report", CS_STATEMENT_DEVICE_REPORT},
    {"a batch", CS_STATEMENT_PUSH_BATCH},
    {"a device's renewal", CS_STATEMENT_DEVICE_RENEWAL},
    {"an audit checkpoint", CS_STATEMENT_AUDIT_CHECKPOINT},
    {"a session's opening", CS_STATEMENT_SESSION_OPENING},
};

static void as_request(struct evil *e, struct cs_slice wire)
{
    CS_PB_SET(&EVIL_MESSAGE(e)->request, wire);
    delivery_wrap(e->push);
    evil_offer(e, e->push);
}
static void as_first_decision(struct evil *e, struct cs_slice wire)
{
    CS_PB_SET(&EVIL_MESSAGE(e)->decisions[0], wire);
    delivery_wrap(e->push);
    evil_offer(e, e->push);
}
static void as_third_decision(struct evil *e, struct cs_slice wire)
{
    EVIL_MESSAGE(e)->decisions_count = 3;
    CS_PB_SET(&EVIL_MESSAGE(e)->decisions[2], wire);
    delivery_wrap(e->push);
    evil_offer(e, e->push);
}
static void as_batch(struct evil *e, struct cs_slice wire)
{
    CS_PB_SET(&e->push->delivery.batch, wire);
    evil_offer(e, e->push);
}

/* Of a device that has none yet. */
static void as_first_policy(struct evil *e, struct cs_slice wire)
{
    cs_policy_free(e->victim.policy);
    e->victim.policy = NULL;
    evil_show_policy(e, wire);
}

static const struct place {
    const char *name;
    enum cs_statement_kind kind; /* that belongs there */
    size_t room;
    void (*put)(struct evil *e, struct cs_slice wire);
    struct evil_end end;
} places[] = {
    {"the request", CS_STATEMENT_PUSH_REQUEST, sizeof((countersign_v1_PushMessage *)0)->request.bytes,
     as_request, EVIL_ENDS(REQUEST_MALFORMED)},
    {"the first decision", CS_STATEMENT_DECISION, sizeof((countersign_v1_PushMessage *)0)->decisions[0].bytes,
     as_first_decision, EVIL_ENDS(DECISION_MALFORMED)},
    {"one more decision", CS_STATEMENT_DECISION, sizeof((countersign_v1_PushMessage *)0)->decisions[0].bytes,
     as_third_decision, EVIL_ENDS(DECISION_MALFORMED)},
    {"the batch", CS_STATEMENT_PUSH_BATCH, sizeof((countersign_v1_PushDelivery *)0)->batch.bytes, as_batch,
     EVIL_ENDS(BATCH_MALFORMED)},
    {"a request for a key", CS_STATEMENT_KEY_REQUEST, SIZE_MAX, evil_show_key_request,
     EVIL_ENDS(KEY_REQUEST_MALFORMED)},
    {"the next policy", CS_STATEMENT_TRUST_POLICY, SIZE_MAX, evil_show_policy,
     EVIL_TURNED(EPARSE, "where application/vnd.countersign.trust-policy.v1 is due")},
    {"the first policy", CS_STATEMENT_TRUST_POLICY, SIZE_MAX, as_first_policy,
     EVIL_TURNED(EPARSE, "a trust policy is due here, not application/vnd.countersign.")},
};

/* The statement as it was signed; or its payload under the type that belongs there, with that signature. */
static struct cs_buf disguise(struct evil *e, enum cs_statement_kind kind, enum cs_statement_kind as)
{
    countersign_v1_Envelope *envelope = calloc(1, sizeof *envelope);
    struct cs_buf wire = deployment_example(&e->d, kind);
    struct cs_err err;

    cs_assert(envelope && cs_message_decode(countersign_v1_Envelope_fields, cs_buf_slice(&wire), envelope,
                                            "it", &err) == CS_OK);
    snprintf(envelope->payload_type, sizeof envelope->payload_type, "%s", cs_statement_type(as));
    cs_buf_free(&wire);
    wire = deployment_encode(countersign_v1_Envelope_fields, envelope);
    free(envelope);
    return wire;
}

static void make(struct evil *e)
{
    evil_make(e);
    e->push = evil_push(e, 1);
    e->other_count = 0;
}

static void show(struct evil_tally *tally, const char *name, const struct place *place,
                 struct cs_buf (*wire_of)(struct evil *e, enum cs_statement_kind kind,
                                          enum cs_statement_kind as),
                 enum cs_statement_kind kind, const struct evil_end *end)
{
    struct evil *e = calloc(1, sizeof *e);

    cs_assert(e);
    make(e);
    cs_auto(cs_buf_free) struct cs_buf wire = wire_of(e, kind, place->kind);

    if (wire.len <= place->room) {
        place->put(e, cs_buf_slice(&wire));
        evil_tally_add(tally, name, end, &e->came, e->detail);
    }
    evil_free(e);
    free(e);
}

static struct cs_buf as_it_is(struct evil *e, enum cs_statement_kind kind,
                              enum cs_statement_kind as CS_UNUSED)
{
    return deployment_example(&e->d, kind);
}

void evil_kinds(struct evil_tally *tally)
{
    static const struct evil_end disguised[] = {
        EVIL_ENDS(REQUEST_SIGNATURE),           EVIL_ENDS(DECISION_SIGNATURE),
        EVIL_ENDS(DECISION_SIGNATURE),          EVIL_ENDS(BATCH_SIGNATURE),
        EVIL_ENDS(KEY_REQUEST_MALFORMED),       EVIL_TURNED(EAUTH, "the trust policy, by the current roots"),
        EVIL_TURNED(EPARSE, "the trust policy")};
    char name[EVIL_SENTENCE_BYTES];

    for (size_t p = 0; p < CS_ARRAY_LEN(places); p++)
        for (size_t i = 0; i < CS_ARRAY_LEN(kinds); i++) {
            if (kinds[i].kind == places[p].kind)
                continue;
            snprintf(name, sizeof name, "sends %s in place of %s", kinds[i].name, places[p].name);
            show(tally, name, &places[p], as_it_is, kinds[i].kind, &places[p].end);
            snprintf(name, sizeof name, "sends %s, with the type changed, in place of %s", kinds[i].name,
                     places[p].name);
            show(tally, name, &places[p], disguise, kinds[i].kind, &disguised[p]);
        }
}
