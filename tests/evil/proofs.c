/* proofs.c - Merkle trees: the order among the request's, the message among the batch's. The request's tree
 * is signed by a person; the batch's is the controller's own, and can be any. */
#include "shared/trust/merkle.h"
#include "tests/evil/evil.h"

#include <stdio.h>

/* A proof of either message, whose generated types differ. */
struct proof {
    uint32_t index, leaf_count;
    size_t count;
    struct cs_digest root, leaf;
    struct element {
        size_t size;
        uint8_t bytes[CS_SHA256_BYTES];
    } elements[CS_LIMIT_MERKLE_DEPTH];
};

enum harm {
    INDEX_LOWER,
    INDEX_HIGHER,
    INDEX_BY_COUNT,
    INDEX_HIGHEST,
    SHORTER,
    NONE,
    LONGER,
    LONGER_BY_ZEROS,
    LONGER_BY_ITSELF,
    FULL,
    REVERSED,
    FIRST_ALTERED,
    LAST_ALTERED,
    FIRST_REPEATED,
    ELEMENT_CUT,
    ELEMENT_EMPTY,
    HARMS
};
static const char *const harm_words[HARMS] = {
    "with the index one lower",
    "with the index one higher",
    "with the index higher by the number of leaves",
    "with the highest index",
    "with a proof that lacks its last element",
    "with a proof that has no element",
    "with a proof that has the root behind it",
    "with a proof that has zeros behind it",
    "with a proof that has its own leaf behind it",
    "with a proof of as many elements as there may be",
    "with a proof that goes the other way",
    "with one bit of the proof's first element changed",
    "with one bit of the proof's last element changed",
    "with the proof's first element in place of all",
    "with a proof whose element is cut",
    "with a proof whose element is empty",
};

static void put(struct element *element, const struct cs_digest *digest)
{
    element->size = CS_SHA256_BYTES;
    memcpy(element->bytes, digest->bytes, CS_SHA256_BYTES);
}

static void reverse(struct element *elements, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct element kept = elements[i];

        elements[i] = elements[count - 1 - i];
        elements[count - 1 - i] = kept;
    }
}

static void spoil(struct proof *proof, enum harm harm)
{
    static const struct cs_digest zeros;
    struct element *elements = proof->elements;

    switch (harm) {
    case INDEX_LOWER:
        proof->index--;
        break;
    case INDEX_HIGHER:
        proof->index++;
        break;
    case INDEX_BY_COUNT:
        proof->index += proof->leaf_count;
        break;
    case INDEX_HIGHEST:
        proof->index = UINT32_MAX;
        break;
    case SHORTER:
        proof->count--;
        break;
    case NONE:
        proof->count = 0;
        break;
    case LONGER:
        put(&elements[proof->count++], &proof->root);
        break;
    case LONGER_BY_ZEROS:
        put(&elements[proof->count++], &zeros);
        break;
    case LONGER_BY_ITSELF:
        put(&elements[proof->count++], &proof->leaf);
        break;
    case FULL:
        while (proof->count < CS_LIMIT_MERKLE_DEPTH)
            put(&elements[proof->count++], &proof->root);
        break;
    case REVERSED:
        reverse(elements, proof->count);
        break;
    case FIRST_ALTERED:
        elements[0].bytes[0] ^= 0x80;
        break;
    case LAST_ALTERED:
        elements[proof->count - 1].bytes[31] ^= 1;
        break;
    case FIRST_REPEATED:
        for (size_t i = 1; i < proof->count; i++)
            elements[i] = elements[0];
        break;
    case ELEMENT_CUT:
        elements[0].size--;
        break;
    case ELEMENT_EMPTY:
        elements[0].size = 0;
        break;
    case HARMS:
        break;
    }
}

#define GET(proof, field, n)                                                                                 \
    for (size_t i_ = 0; i_ < (n); i_++) {                                                                    \
        (proof)->elements[i_].size = (field)[i_].size;                                                       \
        memcpy((proof)->elements[i_].bytes, (field)[i_].bytes, (field)[i_].size);                            \
    }
#define SET(proof, field)                                                                                    \
    for (size_t i_ = 0; i_ < (proof)->count; i_++)                                                           \
        CS_PB_SET(&(field)[i_], cs_slice((proof)->elements[i_].bytes, (proof)->elements[i_].size));

static void spoil_order_proof(struct evil *e)
{
    countersign_v1_PushMessage *message = EVIL_MESSAGE(e);
    struct proof proof = {.index = message->order_index,
                          .leaf_count = EVIL_REQUEST(e)->order_count,
                          .count = message->order_proof_count,
                          .leaf = cs_merkle_leaf(CS_PB_BYTES(&message->order_core))};

    memcpy(proof.root.bytes, EVIL_REQUEST(e)->order_root.bytes, sizeof proof.root.bytes);
    GET(&proof, message->order_proof, proof.count)
    spoil(&proof, (enum harm)e->with);
    message->order_index = proof.index;
    message->order_proof_count = (pb_size_t)proof.count;
    SET(&proof, message->order_proof)
}

struct shape {
    size_t count, at;
};
static const struct shape shapes[] = {{5, 2}, {7, 6}, {16, 15}};

static void spoil_batch_proof(struct evil *e)
{
    const struct shape *shape = &shapes[e->with / HARMS];
    countersign_v1_PushDelivery *delivery = &e->push->delivery;

    delivery_wrap_among(e->push, shape->count, shape->at);
    struct proof proof = {.index = delivery->index,
                          .leaf_count = (uint32_t)shape->count,
                          .count = delivery->proof_count,
                          .leaf = cs_merkle_leaf(CS_PB_BYTES(&delivery->message))};

    GET(&proof, delivery->proof, proof.count)
    spoil(&proof, (enum harm)(e->with % HARMS));
    delivery->index = proof.index;
    delivery->proof_count = (pb_size_t)proof.count;
    SET(&proof, delivery->proof)
}

/* ---- leaves that are none, trees that are others */

/* The two hashes below the root: what their node's hash is made of. */
static void a_node_for_a_core(struct evil *e)
{
    countersign_v1_PushMessage *message = EVIL_MESSAGE(e);
    struct cs_digest leaf = cs_merkle_leaf(CS_PB_BYTES(&message->order_core));
    uint8_t node[1 + 2 * CS_SHA256_BYTES] = {0x01};

    memcpy(node + 1, leaf.bytes, CS_SHA256_BYTES);
    memcpy(node + 1 + CS_SHA256_BYTES, message->order_proof[0].bytes, CS_SHA256_BYTES);
    CS_PB_SET(&message->order_core, cs_slice(node + e->with, sizeof node - e->with));
    message->order_index = message->order_proof_count = 0;
}
static void sign_root(struct evil *e, const struct cs_digest *root, uint32_t count)
{
    countersign_v1_PushBatch batch;

    deployment_fill_batch(&e->d, &batch);
    CS_PB_SET(&batch.root, cs_digest_slice(root));
    batch.count = count;
    delivery_sign_batch(e->push, &batch);
}
static void a_node_for_a_message(struct evil *e)
{
    uint8_t node[1 + 2 * CS_SHA256_BYTES] = {0x01};
    struct cs_digest root = cs_sha256(CS_SLICE_ARRAY(node));

    CS_PB_SET(&e->push->delivery.message, cs_slice(node + e->with, sizeof node - e->with));
    sign_root(e, &root, 1);
}
static void a_root_with_prefix(struct evil *e)
{
    const uint8_t prefix = (uint8_t)e->with;
    const struct cs_slice parts[] = {cs_slice(&prefix, e->with == 0xff ? 0 : 1),
                                     CS_PB_BYTES(&e->push->delivery.message)};
    struct cs_digest root = cs_sha256_parts(parts, CS_ARRAY_LEN(parts));

    sign_root(e, &root, 1);
}
static void a_batch_of(struct evil *e)
{
    struct cs_digest leaf = cs_merkle_leaf(CS_PB_BYTES(&e->push->delivery.message));

    sign_root(e, &leaf, e->with);
}
static void in_a_batch_of_sixteen(struct evil *e)
{
    delivery_wrap_among(e->push, 16, e->with);
}
static void the_batch_of_another_message(struct evil *e)
{
    e->push->delivery.batch = evil_push(e, 2)->delivery.batch;
}
static void all_proofs_of_another_batch(struct evil *e)
{
    struct delivery_story *other = evil_push(e, 2);

    delivery_wrap_among(e->push, 5, 2);
    delivery_wrap_among(other, 5, 3);
    memcpy(e->push->delivery.proof, other->delivery.proof, sizeof other->delivery.proof);
    e->push->delivery.index = other->delivery.index;
}

/* ---- other orders of the same request */

static void take_order(struct evil *e, size_t at, bool core, bool proof)
{
    struct cs_buf wire = story_push_message(&e->push->push, at, CS_SLICE_EMPTY);
    countersign_v1_PushMessage *other = calloc(1, sizeof *other), *message = EVIL_MESSAGE(e);
    struct cs_err err;

    cs_assert(other && cs_message_decode(countersign_v1_PushMessage_fields, cs_buf_slice(&wire), other, "it",
                                         &err) == CS_OK);
    if (core)
        message->order_core = other->order_core;
    if (proof) {
        message->order_index = other->order_index;
        message->order_proof_count = other->order_proof_count;
        memcpy(message->order_proof, other->order_proof, sizeof other->order_proof);
    }
    cs_buf_free(&wire);
    free(other);
}
static void another_devices_order(struct evil *e)
{
    take_order(e, 1, true, true);
}
static void another_devices_core(struct evil *e)
{
    take_order(e, 1, true, false);
}
static void another_orders_proof(struct evil *e)
{
    take_order(e, 3, false, true);
}
static void another_orders_index(struct evil *e)
{
    EVIL_MESSAGE(e)->order_index = 3;
}
/* Two orders of one request for this device: what is sealed and certified for one, with the other's core. */
static void second_order_for_us(struct evil *e)
{
    countersign_v1_OrderCore *second = &e->push->push.cores[1];
    countersign_v1_OrderCore *first = EVIL_CORE(e);

    *second = *first;
    deployment_make_id("a second order", second->order_id.bytes);
    memcpy(second->connector, "mail", 5);
    second->number++;
}
static void the_seconds_core(struct evil *e)
{
    take_order(e, 1, true, true);
}
static void the_seconds_core_alone(struct evil *e)
{
    take_order(e, 1, true, false);
}

static const struct evil_strategy strategies[] = {
    {.says = "sends a node of the tree for a core",
     .end = EVIL_ENDS(ORDER_MALFORMED),
     .sent = a_node_for_a_core,
     .orders = 2,
     .with = 1},
    {.says = "sends a node of the tree, with its prefix, for a core",
     .end = EVIL_ENDS(ORDER_MALFORMED),
     .sent = a_node_for_a_core,
     .orders = 2},
    {.says = "sends a node of the tree for a message",
     .end = EVIL_ENDS(MESSAGE_MALFORMED),
     .wrapped = a_node_for_a_message,
     .with = 1},
    {.says = "sends a node of the tree, with its prefix, for a message",
     .end = EVIL_ENDS(MESSAGE_MALFORMED),
     .wrapped = a_node_for_a_message},
    {.says = "signs the message hashed as a node",
     .end = EVIL_ENDS(NOT_IN_BATCH),
     .wrapped = a_root_with_prefix,
     .with = 1},
    {.says = "signs the message hashed without a prefix",
     .end = EVIL_ENDS(NOT_IN_BATCH),
     .wrapped = a_root_with_prefix,
     .with = 0xff},
    {.says = "signs a batch of none", .end = EVIL_ENDS(BATCH_MALFORMED), .wrapped = a_batch_of},
    {.says = "signs a batch of two that is one",
     .end = EVIL_ENDS(NOT_IN_BATCH),
     .wrapped = a_batch_of,
     .with = 2},
    {.says = "signs a batch of the most that may be, that is one",
     .end = EVIL_ENDS(NOT_IN_BATCH),
     .wrapped = a_batch_of,
     .with = CS_LIMIT_ORDERS_PER_REQUEST},
    {.says = "signs a batch of more than may be",
     .end = EVIL_ENDS(BATCH_MALFORMED),
     .wrapped = a_batch_of,
     .with = CS_LIMIT_ORDERS_PER_REQUEST + 1},
    {.says = "sends the message as the first of sixteen",
     .end = EVIL_ADMITS(NOTHING),
     .wrapped = in_a_batch_of_sixteen},
    {.says = "sends the message as the last of sixteen",
     .end = EVIL_ADMITS(NOTHING),
     .wrapped = in_a_batch_of_sixteen,
     .with = 15},
    {.says = "sends the batch of another message",
     .end = EVIL_ENDS(NOT_IN_BATCH),
     .wrapped = the_batch_of_another_message},
    {.says = "sends the proof of another batch",
     .end = EVIL_ENDS(NOT_IN_BATCH),
     .wrapped = all_proofs_of_another_batch},

    {.says = "sends another device's order of the same request",
     .end = EVIL_ENDS(WRONG_DEVICE),
     .sent = another_devices_order,
     .orders = 5},
    {.says = "sends another device's core in this order's place",
     .end = EVIL_ENDS(WRONG_DEVICE),
     .sent = another_devices_core,
     .orders = 5},
    {.says = "sends the proof of another order of the same request",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = another_orders_proof,
     .orders = 5},
    {.says = "sends the index of another order of the same request",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .sent = another_orders_index,
     .orders = 5},
    {.says = "sends the key that is sealed for one order with another of the same request",
     .end = EVIL_ENDS(KEY_SEAL),
     .prepared = second_order_for_us,
     .sent = the_seconds_core,
     .orders = 2},
    {.says = "sends the core of one order at the place of another of the same request",
     .end = EVIL_ENDS(NOT_IN_REQUEST),
     .prepared = second_order_for_us,
     .sent = the_seconds_core_alone,
     .orders = 2},
};

/* Each harm to each proof of trees of several shapes. */
static void spoil_all(struct evil_tally *tally, size_t s, enum harm harm)
{
    const struct shape *shape = &shapes[s];
    bool malformed = harm == ELEMENT_CUT || harm == ELEMENT_EMPTY;
    char says[EVIL_SENTENCE_BYTES];
    struct evil_strategy strategy = {.says = says,
                                     .end = EVIL_ENDS(NOT_IN_REQUEST),
                                     .sent = spoil_order_proof,
                                     .with = harm,
                                     .orders = (unsigned)shape->count,
                                     .at = (unsigned)shape->at};

    if (malformed)
        strategy.end.verdict = AG_MESSAGE_MALFORMED;
    snprintf(says, sizeof says, "sends order %u of %u %s", (unsigned)shape->at, (unsigned)shape->count,
             harm_words[harm]);
    evil_play(tally, &strategy, 1);
    strategy = (struct evil_strategy){.says = says,
                                      .end = EVIL_ENDS(NOT_IN_BATCH),
                                      .wrapped = spoil_batch_proof,
                                      .with = (unsigned)(s * HARMS + harm)};
    snprintf(says, sizeof says, "sends message %u of %u %s", (unsigned)shape->at, (unsigned)shape->count,
             harm_words[harm]);
    evil_play(tally, &strategy, 1);
}

void evil_proofs(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
    for (size_t s = 0; s < CS_ARRAY_LEN(shapes); s++)
        for (enum harm harm = INDEX_LOWER; harm < HARMS; harm++)
            spoil_all(tally, s, harm);
}
