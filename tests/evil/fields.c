/* fields.c - every field of every statement, changed in each way, under every signature that the controller
 * can give it. The fields come from the generated lists, so that a new one is tried without anybody's doing.
 */
#include "shared/trust/merkle.h"
#include "tests/evil/change.h"
#include "tests/evil/evil.h"

#include <stdio.h>

struct field {
    const char *name;
    uint32_t tag;
};
#define FIELD(a, atype, htype, ltype, name, tag) {#name, tag},
#define FIELDS(type)                                                                                         \
    (const struct field[])                                                                                   \
    {                                                                                                        \
        type##_FIELDLIST(FIELD, )                                                                            \
        {                                                                                                    \
            NULL, 0                                                                                          \
        }                                                                                                    \
    }

/* A message and where it stands in its statement. */
struct part {
    const char *name;
    const struct field *fields;
    struct change_path path;
};

static const char *const how_words[] = {"altered", "emptied", "doubled"};

enum signer { OF_THE_PEOPLE, MESSAGE_KEY, AGENT_CA, MADE_UP, BORROWED_ID, SIGNER_COUNT };
static const char *const signer_words[] = {
    "under the signature that it had",
    "signed by the message key",
    "signed by the agent CA's key",
    "signed by a key that it made",
    "signed by the message key, under the key id of who signed it",
};

/* What ends otherwise than most changes of its statement do. `how` and `signer`: their count for any. */
struct exception {
    const char *field;
    enum change_how how;
    enum signer signer;
    struct evil_end end;
};

struct statement {
    enum cs_statement_kind kind; /* NONE: not signed by itself */
    enum signer signers;         /* those before it are tried; 0: all */
    const pb_msgdesc_t *fields;
    size_t size;
    const struct part *parts;
    size_t part_count;
    struct evil_end end; /* of most */
    const struct exception *exceptions;
    size_t exception_count;
    /* The bytes that the controller has of it. */
    struct cs_slice (*held)(struct evil *e);
    /* Puts other ones into what the device is shown, and shows it. */
    void (*show)(struct evil *e, struct cs_slice bytes);
};

static const struct evil_end *wanted(const struct statement *statement, const char *field,
                                     enum change_how how, enum signer signer)
{
    for (size_t i = 0; i < statement->exception_count; i++) {
        const struct exception *one = &statement->exceptions[i];

        if (strcmp(one->field, field) == 0 && (one->how == how || one->how == CHANGE_COUNT) &&
            (one->signer == signer || one->signer == SIGNER_COUNT))
            return &one->end;
    }
    for (size_t i = 0; i < statement->exception_count; i++) {
        const struct exception *one = &statement->exceptions[i];

        if (one->field[0] == '*' && (one->how == how || one->how == CHANGE_COUNT) &&
            (one->signer == signer || one->signer == SIGNER_COUNT))
            return &one->end;
    }
    return &statement->end;
}

/* ---- signing what was changed */

static void must(bool holds)
{
    cs_assert(holds);
}

static struct cs_buf sign(struct evil *e, const struct statement *statement, struct cs_slice payload,
                          enum signer signer)
{
    static const char *const names[] = {NULL, "controller", "agent-ca", "mallory", "controller"};
    countersign_v1_Envelope *envelope = calloc(1, sizeof *envelope);
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(envelope);
    must(cs_message_decode(countersign_v1_Envelope_fields, statement->held(e), envelope, "it", &err) ==
         CS_OK);
    if (signer != OF_THE_PEOPLE) {
        const struct cs_key *key = deployment_key(&e->d, names[signer]);
        struct cs_digest id = cs_key_id(cs_key_spki(key));

        must(cs_envelope_sign(statement->kind, payload, &key, 1, &out, &err) == CS_OK);
        struct cs_slice signature = cs_slice_from(cs_buf_slice(&out), out.len - CS_SIGNATURE_BYTES);

        envelope->signatures_count = 1;
        if (signer != BORROWED_ID)
            CS_PB_SET(&envelope->signatures[0].key_id, cs_digest_slice(&id));
        CS_PB_SET(&envelope->signatures[0].signature, signature);
    }
    CS_PB_SET(&envelope->payload, payload);
    cs_buf_free(&out);
    out = deployment_encode(countersign_v1_Envelope_fields, envelope);
    free(envelope);
    return out;
}

static struct cs_slice payload_of(const struct statement *statement, struct cs_slice bytes)
{
    struct cs_envelope envelope;
    struct cs_err err;

    if (statement->kind == CS_STATEMENT_NONE)
        return bytes;
    must(cs_envelope_parse(bytes, &envelope, &err) == CS_OK);
    return envelope.payload;
}

/* ---- one change after the other */

static void try(struct evil_tally *tally, struct evil *e, const struct statement *statement,
                struct cs_slice payload, const char *field, enum change_how how, enum signer signer)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    char name[EVIL_SENTENCE_BYTES];

    if (statement->kind == CS_STATEMENT_NONE) {
        must(cs_buf_append(&bytes, payload) == CS_OK);
        snprintf(name, sizeof name, "%.80s: %s", field, how_words[how]);
    } else {
        bytes = sign(e, statement, payload, signer);
        snprintf(name, sizeof name, "%.80s: %s, %s", field, how_words[how], signer_words[signer]);
    }
    victim_forget(&e->victim);
    statement->show(e, cs_buf_slice(&bytes));
    evil_tally_add(tally, name, wanted(statement, field, how, signer), &e->came, e->detail);
}

static void change(struct evil_tally *tally, struct evil *e, const struct statement *statement,
                   const struct part *part, const struct field *field, enum change_how how)
{
    enum signer signers = statement->kind == CS_STATEMENT_NONE ? MESSAGE_KEY
                          : statement->signers > 0             ? statement->signers
                                                               : SIGNER_COUNT;
    void *message = calloc(1, statement->size);
    char name[EVIL_SENTENCE_BYTES];
    struct cs_err err;

    cs_assert(message);
    must(cs_message_decode(statement->fields, payload_of(statement, statement->held(e)), message, "it",
                           &err) == CS_OK);
    if (change_field(statement->fields, message, part->path, field->tag, how)) {
        cs_auto(cs_buf_free) struct cs_buf payload = deployment_encode(statement->fields, message);

        snprintf(name, sizeof name, "%s.%s", part->name, field->name);
        for (enum signer signer = OF_THE_PEOPLE; signer < signers; signer++)
            try(tally, e, statement, cs_buf_slice(&payload), name, how, signer);
    }
    free(message);
}

static void change_all(struct evil_tally *tally, struct evil *e, const struct statement *statement)
{
    for (size_t i = 0; i < statement->part_count; i++)
        for (const struct field *field = statement->parts[i].fields; field->name; field++)
            for (enum change_how how = CHANGE_ALTER; how < CHANGE_COUNT; how++)
                change(tally, e, statement, &statement->parts[i], field, how);
}

/* ---- where each stands in what is delivered */

/* Wraps `changed` and offers it; the push is as before afterwards. */
static void offer_message(struct evil *e, const countersign_v1_PushMessage *changed)
{
    countersign_v1_PushMessage *before = malloc(sizeof *before);

    cs_assert(before);
    *before = *EVIL_MESSAGE(e);
    *EVIL_MESSAGE(e) = *changed;
    delivery_wrap_among(e->push, 3, 1);
    evil_offer(e, e->push);
    *EVIL_MESSAGE(e) = *before;
    delivery_wrap_among(e->push, 3, 1);
    free(before);
}

static countersign_v1_PushMessage *copy_of_message(struct evil *e)
{
    countersign_v1_PushMessage *copy = malloc(sizeof *copy);

    cs_assert(copy);
    *copy = *EVIL_MESSAGE(e);
    return copy;
}

static struct cs_slice held_request(struct evil *e)
{
    return cs_buf_slice(&e->push->push.request_wire);
}

static void show_request(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushMessage *message = copy_of_message(e);

    CS_PB_SET(&message->request, bytes);
    offer_message(e, message);
    free(message);
}

static struct cs_slice held_first(struct evil *e)
{
    return cs_buf_slice(&e->push->push.decision_wires[0]);
}

static void show_first(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushMessage *message = copy_of_message(e);

    CS_PB_SET(&message->decisions[0], bytes);
    offer_message(e, message);
    free(message);
}

static struct cs_slice held_last(struct evil *e)
{
    return cs_buf_slice(&e->push->push.decision_wires[1]);
}

static void show_last(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushMessage *message = copy_of_message(e);

    CS_PB_SET(&message->decisions[1], bytes);
    offer_message(e, message);
    free(message);
}

static struct cs_slice held_core(struct evil *e)
{
    return cs_buf_slice(&e->push->push.core_wires[e->push->order]);
}

static void show_core(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushMessage *message = copy_of_message(e);

    CS_PB_SET(&message->order_core, bytes);
    offer_message(e, message);
    free(message);
}

/* With a request whose tree has the other core, and nobody's signature for it. */
static void show_core_and_request(struct evil *e, struct cs_slice bytes)
{
    struct push_story *story = &e->push->push;
    countersign_v1_PushMessage *message = copy_of_message(e);
    countersign_v1_PushRequest request = story->request;
    struct cs_digest root = cs_merkle_leaf(bytes);

    CS_PB_SET(&request.order_root, cs_digest_slice(&root));
    request.order_count = 1;
    struct cs_buf wire = deployment_sign(&e->d, CS_STATEMENT_PUSH_REQUEST, countersign_v1_PushRequest_fields,
                                         &request, "controller");

    CS_PB_SET(&message->order_core, bytes);
    CS_PB_SET(&message->request, cs_buf_slice(&wire));
    message->order_index = message->order_proof_count = 0;
    offer_message(e, message);
    cs_buf_free(&wire);
    free(message);
}

static struct cs_slice held_message(struct evil *e)
{
    return CS_PB_BYTES(&e->push->delivery.message);
}

static void show_message(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushMessage *message = calloc(1, sizeof *message);
    struct cs_err err;

    cs_assert(message);
    must(cs_message_decode(countersign_v1_PushMessage_fields, bytes, message, "it", &err) == CS_OK);
    offer_message(e, message);
    free(message);
}

static void offer_delivery(struct evil *e, const countersign_v1_PushDelivery *changed)
{
    countersign_v1_PushDelivery *before = malloc(sizeof *before);

    cs_assert(before);
    *before = e->push->delivery;
    e->push->delivery = *changed;
    evil_offer(e, e->push);
    e->push->delivery = *before;
    free(before);
}

/* In the batch that has the message as it was. */
static void show_unsigned_message(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushDelivery *delivery = malloc(sizeof *delivery);

    cs_assert(delivery);
    *delivery = e->push->delivery;
    CS_PB_SET(&delivery->message, bytes);
    offer_delivery(e, delivery);
    free(delivery);
}

static struct cs_slice held_batch(struct evil *e)
{
    return CS_PB_BYTES(&e->push->delivery.batch);
}

static void show_batch(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushDelivery *delivery = malloc(sizeof *delivery);

    cs_assert(delivery);
    *delivery = e->push->delivery;
    CS_PB_SET(&delivery->batch, bytes);
    offer_delivery(e, delivery);
    free(delivery);
}

/* ---- what has no bytes of its own in the world: kept here while it is tried */

static struct cs_slice held_kept(struct evil *e)
{
    return cs_buf_slice(&e->kept);
}

static void show_delivery(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushDelivery *delivery = calloc(1, sizeof *delivery);
    struct cs_err err;

    cs_assert(delivery);
    must(cs_message_decode(countersign_v1_PushDelivery_fields, bytes, delivery, "it", &err) == CS_OK);
    offer_delivery(e, delivery);
    free(delivery);
}

static void show_sealed(struct evil *e, struct cs_slice bytes)
{
    countersign_v1_PushMessage *before = copy_of_message(e);

    delivery_seal(e->push, cs_key_spki(e->victim.kem), bytes);
    countersign_v1_PushMessage *message = copy_of_message(e);

    *EVIL_MESSAGE(e) = *before;
    offer_message(e, message);
    free(before);
    free(message);
}

/* ---- the statements */

#define ANY_HOW    CHANGE_COUNT
#define ANY_SIGNER SIGNER_COUNT

static const struct part request_parts[] = {{"request", FIELDS(countersign_v1_PushRequest), {{0}, 0}}};
static const struct exception request_exceptions[] = {
    /* Only what it claims is looked at, and it says that another policy is wanted. */
    {"request.policy_version", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(POLICY_TOO_OLD)},
};

static const struct part first_parts[] = {{"first decision", FIELDS(countersign_v1_Decision), {{0}, 0}}};
static const struct exception first_exceptions[] = {
    {"first decision.policy_version", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(POLICY_TOO_OLD)},
};
static const struct part last_parts[] = {{"last decision", FIELDS(countersign_v1_Decision), {{0}, 0}}};
static const struct exception last_exceptions[] = {
    {"last decision.policy_version", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(POLICY_TOO_OLD)},
};

static const struct part batch_parts[] = {{"batch", FIELDS(countersign_v1_PushBatch), {{0}, 0}}};
static const struct exception batch_exceptions[] = {
    {"batch.deployment_id", CHANGE_ALTER, MESSAGE_KEY, EVIL_ENDS(WRONG_DEPLOYMENT)},
    {"batch.root", CHANGE_ALTER, MESSAGE_KEY, EVIL_ENDS(NOT_IN_BATCH)},
    /* The second of three has the proof that the second of four has: the batch is the controller's own. */
    {"batch.count", CHANGE_ALTER, MESSAGE_KEY, EVIL_ADMITS(LIES)},
    {"batch.issued_at_s", CHANGE_ALTER, MESSAGE_KEY, EVIL_ADMITS(LIES)},
    {"*", CHANGE_EMPTY, MESSAGE_KEY, EVIL_ENDS(BATCH_MALFORMED)},
};

/* The controller cannot sign a core at all: it can only show another one. */
static const struct part core_parts[] = {{"order core", FIELDS(countersign_v1_OrderCore), {{0}, 0}}};
static const struct part fitted_parts[] = {
    {"order core in a request made to fit", FIELDS(countersign_v1_OrderCore), {{0}, 0}}};
#define CORE_EXCEPTIONS(in)                                                                                  \
    {in ".device_name", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(WRONG_NAME)},                                    \
        {in ".device_id", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(WRONG_DEVICE)},                                \
        {in ".connector", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(UNKNOWN_CONNECTOR)},                           \
        {in ".action", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(ORDER_MALFORMED)},                                \
        {in ".chain_digest", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(CHAIN_DIGEST)},                             \
        {in ".leaf_spki_digest", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(LEAF_KEY)},                             \
        {in ".key_mode", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(ORDER_MALFORMED)},                              \
        {in ".target_generation", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(ORDER_MALFORMED)},                     \
        {"*", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(ORDER_MALFORMED)},
static const struct exception core_exceptions[] = {CORE_EXCEPTIONS("order core")};
static const struct exception fitted_exceptions[] = {CORE_EXCEPTIONS("order core in a request made to fit")};

static const struct part message_parts[] = {
    {"message", FIELDS(countersign_v1_PushMessage), {{0}, 0}},
    {"message.sealed_key",
     FIELDS(countersign_v1_SealedKey),
     {{countersign_v1_PushMessage_sealed_key_tag}, 1}},
};
static const struct exception message_exceptions[] = {
    {"message.order_core", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"message.request", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(REQUEST_SIGNATURE)},
    {"message.request", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"message.decisions", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(DECISION_SIGNATURE)},
    {"message.decisions", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(UNDECIDED)},
    {"message.decisions", CHANGE_DOUBLE, ANY_SIGNER, EVIL_ENDS(DECISION_STALE)},
    {"message.chain", ANY_HOW, ANY_SIGNER, EVIL_ENDS(CHAIN_DIGEST)},
    {"message.sealed_key", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(KEY_SEAL)},
    {"message.sealed_key", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(KEY_MISSING)},
    {"message.sealed_key.enc", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(KEY_SEAL)},
    {"message.sealed_key.enc", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"message.sealed_key.ciphertext", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(KEY_SEAL)},
    {"message.sealed_key.ciphertext", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
};

static const struct part unsigned_parts[] = {
    {"message in its old batch", FIELDS(countersign_v1_PushMessage), {{0}, 0}},
    {"message in its old batch.sealed_key",
     FIELDS(countersign_v1_SealedKey),
     {{countersign_v1_PushMessage_sealed_key_tag}, 1}},
};
static const struct exception unsigned_exceptions[] = {
    {"message in its old batch.order_core", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"message in its old batch.request", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"message in its old batch.sealed_key.enc", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"message in its old batch.sealed_key.ciphertext", CHANGE_EMPTY, ANY_SIGNER,
     EVIL_ENDS(MESSAGE_MALFORMED)},
};

static const struct part delivery_parts[] = {{"delivery", FIELDS(countersign_v1_PushDelivery), {{0}, 0}}};
static const struct exception delivery_exceptions[] = {
    {"delivery.message", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"delivery.batch", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(BATCH_SIGNATURE)},
    {"delivery.batch", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(BATCH_MALFORMED)},
    /* A hint that nobody signs: only what cannot be read is reported under it. */
    {"delivery.order_id", CHANGE_ALTER, ANY_SIGNER, EVIL_ADMITS(NOTHING)},
};

static const struct part plain_parts[] = {{"sealed", FIELDS(countersign_v1_SealedKeyPlain), {{0}, 0}}};
static const struct exception plain_exceptions[] = {
    {"sealed.pkcs8", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(MESSAGE_MALFORMED)},
    {"sealed.padding", ANY_HOW, ANY_SIGNER, EVIL_ADMITS(NOTHING)},
};

static const struct part key_request_parts[] = {{"key request", FIELDS(countersign_v1_KeyRequest), {{0}, 0}}};
static const struct exception key_request_exceptions[] = {
    {"key request.policy_version", CHANGE_ALTER, ANY_SIGNER, EVIL_ENDS(POLICY_TOO_OLD)},
    {"key request.dns_names", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(KEY_REQUEST_SIGNATURE)},
    {"*", CHANGE_EMPTY, ANY_SIGNER, EVIL_ENDS(KEY_REQUEST_MALFORMED)},
};

static const struct part policy_parts[] = {
    {"policy", FIELDS(countersign_v1_TrustPolicy), {{0}, 0}},
    {"policy.roots", FIELDS(countersign_v1_RootSet), {{countersign_v1_TrustPolicy_roots_tag}, 1}},
    {"policy.operators", FIELDS(countersign_v1_Operator), {{countersign_v1_TrustPolicy_operators_tag}, 1}},
    {"policy.operators.keys",
     FIELDS(countersign_v1_OperatorKey),
     {{countersign_v1_TrustPolicy_operators_tag, countersign_v1_Operator_keys_tag}, 2}},
    {"policy.rules", FIELDS(countersign_v1_Rule), {{countersign_v1_TrustPolicy_rules_tag}, 1}},
    {"policy.rules.stages",
     FIELDS(countersign_v1_Stage),
     {{countersign_v1_TrustPolicy_rules_tag, countersign_v1_Rule_stages_tag}, 2}},
};
static const struct exception policy_exceptions[] = {
    {"*", ANY_HOW, MESSAGE_KEY, EVIL_TURNED(EAUTH, "no key that may sign it")},
    {"*", ANY_HOW, AGENT_CA, EVIL_TURNED(EAUTH, "no key that may sign it")},
    {"*", ANY_HOW, MADE_UP, EVIL_TURNED(EAUTH, "no key that may sign it")},
};

#define STATEMENT(type, of_kind, of_parts, with)                                                             \
    .kind = (of_kind), .fields = type##_fields, .size = sizeof(type), .parts = (of_parts),                   \
    .part_count = CS_ARRAY_LEN(of_parts), .exceptions = (with), .exception_count = CS_ARRAY_LEN(with)

static const struct statement in_a_push[] = {
    {STATEMENT(countersign_v1_PushRequest, CS_STATEMENT_PUSH_REQUEST, request_parts, request_exceptions),
     .end = EVIL_ENDS(REQUEST_SIGNATURE), .held = held_request, .show = show_request},
    {STATEMENT(countersign_v1_Decision, CS_STATEMENT_DECISION, first_parts, first_exceptions),
     .end = EVIL_ENDS(DECISION_SIGNATURE), .held = held_first, .show = show_first},
    {STATEMENT(countersign_v1_Decision, CS_STATEMENT_DECISION, last_parts, last_exceptions),
     .end = EVIL_ENDS(DECISION_SIGNATURE), .held = held_last, .show = show_last},
    {STATEMENT(countersign_v1_PushBatch, CS_STATEMENT_PUSH_BATCH, batch_parts, batch_exceptions),
     .signers = BORROWED_ID, .end = EVIL_ENDS(BATCH_SIGNATURE), .held = held_batch, .show = show_batch},
    {STATEMENT(countersign_v1_OrderCore, CS_STATEMENT_NONE, core_parts, core_exceptions),
     .end = EVIL_ENDS(NOT_IN_REQUEST), .held = held_core, .show = show_core},
    {STATEMENT(countersign_v1_OrderCore, CS_STATEMENT_NONE, fitted_parts, fitted_exceptions),
     .end = EVIL_ENDS(REQUEST_SIGNATURE), .held = held_core, .show = show_core_and_request},
    {STATEMENT(countersign_v1_PushMessage, CS_STATEMENT_NONE, message_parts, message_exceptions),
     .end = EVIL_ENDS(NOT_IN_REQUEST), .held = held_message, .show = show_message},
    {STATEMENT(countersign_v1_PushMessage, CS_STATEMENT_NONE, unsigned_parts, unsigned_exceptions),
     .end = EVIL_ENDS(NOT_IN_BATCH), .held = held_message, .show = show_unsigned_message},
};
static const struct statement of_a_delivery = {
    STATEMENT(countersign_v1_PushDelivery, CS_STATEMENT_NONE, delivery_parts, delivery_exceptions),
    .end = EVIL_ENDS(NOT_IN_BATCH), .held = held_kept, .show = show_delivery};
static const struct statement of_what_is_sealed = {
    STATEMENT(countersign_v1_SealedKeyPlain, CS_STATEMENT_NONE, plain_parts, plain_exceptions),
    .end = EVIL_ENDS(KEY_MALFORMED), .held = held_kept, .show = show_sealed};
static const struct statement of_a_key_request = {
    STATEMENT(countersign_v1_KeyRequest, CS_STATEMENT_KEY_REQUEST, key_request_parts, key_request_exceptions),
    .end = EVIL_ENDS(KEY_REQUEST_SIGNATURE), .held = held_kept, .show = evil_show_key_request};
static const struct statement of_a_policy = {
    STATEMENT(countersign_v1_TrustPolicy, CS_STATEMENT_TRUST_POLICY, policy_parts, policy_exceptions),
    .end = EVIL_TURNED(EAUTH, "does not hold"), .held = held_kept, .show = evil_show_policy};

static struct cs_buf encode_plain(struct evil *e)
{
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);

    cs_assert(plain);
    CS_PB_SET(&plain->pkcs8, cs_buf_slice(&e->push->pkcs8));
    struct cs_buf out = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);

    free(plain);
    return out;
}

/* Version 2, as the roots signed it, with something in every list. */
static struct cs_buf next_policy(struct evil *e)
{
    countersign_v1_TrustPolicy *body = e->d.body;
    struct cs_digest previous = cs_policy_digest(e->d.policy);

    body->version++;
    CS_PB_SET(&body->previous_digest, cs_digest_slice(&previous));
    body->issued_at_s++;
    body->agent_cas_count = 1;
    CS_PB_SET(&body->agent_cas[0], CS_SLICE_LIT("the agent CA"));
    body->clockless_devices_count = 1;
    memcpy(body->clockless_devices[0], "gw-9", 5);
    struct cs_buf wire = deployment_sign_policy(&e->d, DEPLOYMENT_ROOT_THRESHOLD);

    body->version--;
    return wire;
}

void evil_fields(struct evil_tally *tally)
{
    struct evil *e = calloc(1, sizeof *e);

    cs_assert(e);
    evil_make(e);
    e->push = delivery_prepare_among(&e->d, "gw-0", e->victim.device_id, 1, 3, 1);
    delivery_submit(e->push);
    story_decide(&e->push->push, "bob", 1);
    story_decide(&e->push->push, "carol", 2);
    delivery_assemble(e->push, cs_key_spki(e->victim.kem));
    delivery_wrap_among(e->push, 3, 1);
    for (size_t i = 0; i < CS_ARRAY_LEN(in_a_push); i++)
        change_all(tally, e, &in_a_push[i]);

    e->kept = deployment_encode(countersign_v1_PushDelivery_fields, &e->push->delivery);
    change_all(tally, e, &of_a_delivery);
    cs_buf_free(&e->kept);
    e->kept = encode_plain(e);
    change_all(tally, e, &of_what_is_sealed);
    cs_buf_free(&e->kept);
    e->kept = deployment_example(&e->d, CS_STATEMENT_KEY_REQUEST);
    change_all(tally, e, &of_a_key_request);
    cs_buf_free(&e->kept);
    e->kept = next_policy(e);
    change_all(tally, e, &of_a_policy);
    cs_buf_free(&e->kept);
    evil_free(e);
    free(e);
}
