#include "tests/evil/mutate.h"

#include "shared/base/reader.h"
#include "shared/trust/merkle.h"
#include "tests/evil/change.h"

#include <pb_common.h>

uint32_t mutate_below(struct mutate_random *random, uint32_t below)
{
    /* splitmix64 */
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

static void append(struct cs_buf *out, struct cs_slice bytes)
{
    cs_assert(cs_buf_append(out, bytes) == CS_OK);
}

static void replace(struct cs_buf *bytes, struct cs_buf *with)
{
    cs_buf_free(bytes);
    *bytes = *with;
    *with = (struct cs_buf)CS_BUF_EMPTY;
}

/* ---- bytes */

static size_t place(struct mutate_random *random, size_t len)
{
    return mutate_below(random, (uint32_t)len + 1);
}

/* before ‖ piece ‖ after, `cut` bytes of what stood there left out. */
static void put_piece(struct cs_buf *bytes, size_t at, size_t cut, struct cs_slice piece, size_t room)
{
    struct cs_buf made = CS_BUF_EMPTY;
    struct cs_slice all = cs_buf_slice(bytes);

    if (all.len - cut + piece.len > room)
        return;
    append(&made, cs_slice(all.ptr, at));
    append(&made, piece);
    append(&made, cs_slice_from(all, at + cut));
    replace(bytes, &made);
}

void mutate_bytes(struct mutate_random *random, struct cs_buf *bytes, size_t room)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x20};
    size_t at = place(random, bytes->len), rest = bytes->len - at;
    size_t len = rest < 64 ? place(random, rest) : place(random, 64);
    uint8_t random_bytes[8];

    switch (mutate_below(random, 8)) {
    case 0:
        put_piece(bytes, at, len, CS_SLICE_EMPTY, room);
        break;
    case 1: /* a piece, again somewhere */
        put_piece(bytes, place(random, bytes->len), 0, cs_slice(bytes->ptr + at, len), room);
        break;
    case 2:
        for (size_t i = 0; i < sizeof random_bytes; i++)
            random_bytes[i] = (uint8_t)mutate_below(random, 256);
        put_piece(bytes, at, 0, cs_slice(random_bytes, 1 + mutate_below(random, 8)), room);
        break;
    case 3:
        if (rest > 0)
            bytes->ptr[at] = values[mutate_below(random, sizeof values)];
        break;
    case 4:
        bytes->len = at;
        break;
    default:
        for (uint32_t i = mutate_below(random, 4); bytes->len > 0 && i < 4; i++)
            bytes->ptr[mutate_below(random, (uint32_t)bytes->len)] ^= (uint8_t)(1 << mutate_below(random, 8));
        break;
    }
}

/* ---- protobuf fields, by their tags alone */

enum { FIELDS = 48 };

/* The fields of a message one behind the other; 0 when the bytes are none. */
static size_t split(struct cs_slice bytes, struct cs_slice fields[FIELDS])
{
    struct cs_reader reader = cs_reader(bytes);
    size_t count = 0, from = 0;

    while (!cs_reader_done(&reader) && count < FIELDS) {
        uint64_t tag = cs_reader_varint(&reader), len = 0;

        if ((tag & 7) == 2)
            len = cs_reader_varint(&reader);
        else if ((tag & 7) == 0)
            cs_reader_varint(&reader);
        else
            return 0;
        cs_reader_take(&reader, len < bytes.len ? (size_t)len : bytes.len);
        if (!cs_reader_ok(&reader))
            return 0;
        size_t to = bytes.len - reader.rest.len;

        fields[count++] = cs_slice(bytes.ptr + from, to - from);
        from = to;
    }
    return count;
}

static void mutate_fields(struct mutate_random *random, struct cs_buf *bytes, size_t room)
{
    struct cs_slice fields[FIELDS + 1];
    struct cs_buf made = CS_BUF_EMPTY;
    size_t count = split(cs_buf_slice(bytes), fields);

    if (count == 0) {
        mutate_bytes(random, bytes, room);
        return;
    }
    size_t one = mutate_below(random, (uint32_t)count), other = mutate_below(random, (uint32_t)count);
    struct cs_slice kept = fields[one];

    switch (mutate_below(random, 4)) {
    case 0:
        fields[one].len = 0;
        break;
    case 1:
        fields[one] = fields[other];
        fields[other] = kept;
        break;
    case 2:
        fields[count++] = kept;
        break;
    default:
        fields[one] = fields[other];
        break;
    }
    for (size_t i = 0; i < count; i++)
        append(&made, fields[i]);
    if (made.len <= room)
        replace(bytes, &made);
    cs_buf_free(&made);
}

/* ---- fields by their descriptors */

static void mutate_known(struct mutate_random *random, const pb_msgdesc_t *fields, size_t size,
                         struct cs_buf *bytes, size_t room)
{
    void *message = calloc(1, size);
    struct cs_buf made = CS_BUF_EMPTY;
    pb_field_iter_t field;

    cs_assert(message);
    if (cs_message_decode(fields, cs_buf_slice(bytes), message, "it", NULL) == CS_OK &&
        pb_field_iter_begin(&field, fields, message)) {
        for (uint32_t i = mutate_below(random, fields->field_count); i > 0; i--)
            (void)pb_field_iter_next(&field);
        (void)change_field(fields, message, (struct change_path){{0}, 0}, field.tag,
                           (enum change_how)mutate_below(random, CHANGE_COUNT));
        if (cs_message_encode(fields, message, &made, NULL) == CS_OK && made.len <= room)
            replace(bytes, &made);
    }
    cs_buf_free(&made);
    free(message);
}

struct form {
    const pb_msgdesc_t *fields;
    size_t size;
};
static const struct form core_form = {countersign_v1_OrderCore_fields, sizeof(countersign_v1_OrderCore)};
static const struct form request_form = {countersign_v1_PushRequest_fields,
                                         sizeof(countersign_v1_PushRequest)};
static const struct form decision_form = {countersign_v1_Decision_fields, sizeof(countersign_v1_Decision)};

static void mutate_as(struct mutate_random *random, const struct form *form, struct cs_buf *bytes,
                      size_t room)
{
    switch (mutate_below(random, 4)) {
    case 0:
        mutate_bytes(random, bytes, room);
        break;
    case 1:
        mutate_fields(random, bytes, room);
        break;
    default:
        mutate_known(random, form->fields, form->size, bytes, room);
        break;
    }
}

/* ---- envelopes */

static void put_field(struct cs_buf *out, uint8_t tag, struct cs_slice bytes)
{
    size_t len = bytes.len;

    append(out, cs_slice(&tag, 1));
    for (; len >= 0x80; len >>= 7)
        cs_assert(cs_buf_append_u8(out, (uint8_t)(len | 0x80)) == CS_OK);
    cs_assert(cs_buf_append_u8(out, (uint8_t)len) == CS_OK);
    append(out, bytes);
}

/* `wire` with another payload: under its old signatures, or signed by a key that the controller has. */
static void put_payload(const struct mutate_pushes *pushes, struct cs_buf *wire, struct cs_slice payload,
                        const char *signer)
{
    const struct cs_key *key = signer ? deployment_key(&pushes->e->d, signer) : NULL;
    struct cs_buf made = CS_BUF_EMPTY;
    struct cs_envelope envelope;

    if (payload.len == 0 || cs_envelope_parse(cs_buf_slice(wire), &envelope, NULL) != CS_OK)
        return;
    if (key) {
        cs_assert(cs_envelope_sign(envelope.kind, payload, &key, 1, &made, NULL) == CS_OK);
    } else {
        size_t behind = (size_t)(envelope.payload.ptr - wire->ptr) + envelope.payload.len;

        put_field(&made, 0x0a, envelope.payload_type);
        put_field(&made, 0x12, payload);
        append(&made, cs_slice_from(cs_buf_slice(wire), behind));
    }
    replace(wire, &made);
}

/* One in 16 is signed by the controller: signing is slow, and what it signs is as good as any other. */
static const char *signer(struct mutate_random *random)
{
    static const char *const names[] = {"controller", "agent-ca", "mallory"};

    return mutate_below(random, 16) == 0 ? names[mutate_below(random, 3)] : NULL;
}

static void mutate_envelope(struct mutate_random *random, const struct mutate_pushes *pushes,
                            const struct form *form, struct cs_buf *wire, size_t room)
{
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    struct cs_envelope envelope;

    switch (mutate_below(random, 6)) {
    case 0:
        mutate_bytes(random, wire, room);
        return;
    case 1:
        mutate_fields(random, wire, room);
        return;
    default:
        break;
    }
    if (cs_envelope_parse(cs_buf_slice(wire), &envelope, NULL) != CS_OK)
        return;
    append(&payload, envelope.payload);
    mutate_as(random, form, &payload, room);
    put_payload(pushes, wire, cs_buf_slice(&payload), signer(random));
}

/* ---- a message's parts */

#define TAKE(out, field) append((out), CS_PB_BYTES(&(field)))
#define PUT(field, from)                                                                                     \
    do {                                                                                                     \
        if ((from)->len <= sizeof(field).bytes)                                                              \
            CS_PB_SET(&(field), cs_buf_slice(from));                                                         \
    } while (0)

static void spoil_core(struct mutate_random *random, countersign_v1_PushMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;

    TAKE(&bytes, message->order_core);
    mutate_as(random, &core_form, &bytes, sizeof message->order_core.bytes);
    PUT(message->order_core, &bytes);
}

/* A request whose tree is this core alone, as nobody signed it. */
static void refit(struct mutate_random *random, const struct mutate_pushes *pushes,
                  countersign_v1_PushMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY, payload = CS_BUF_EMPTY;
    struct cs_digest root = cs_merkle_leaf(CS_PB_BYTES(&message->order_core));
    countersign_v1_PushRequest request = {0};
    struct cs_envelope envelope;

    TAKE(&wire, message->request);
    if (cs_envelope_parse(cs_buf_slice(&wire), &envelope, NULL) != CS_OK ||
        cs_message_decode(countersign_v1_PushRequest_fields, envelope.payload, &request, "it", NULL) != CS_OK)
        return;
    CS_PB_SET(&request.order_root, cs_digest_slice(&root));
    request.order_count = 1;
    payload = deployment_encode(countersign_v1_PushRequest_fields, &request);
    put_payload(pushes, &wire, cs_buf_slice(&payload), signer(random));
    message->order_index = message->order_proof_count = 0;
    PUT(message->request, &wire);
}

static void spoil_request(struct mutate_random *random, const struct mutate_pushes *pushes,
                          countersign_v1_PushMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;

    TAKE(&wire, message->request);
    mutate_envelope(random, pushes, &request_form, &wire, sizeof message->request.bytes);
    PUT(message->request, &wire);
}

static void spoil_decision(struct mutate_random *random, const struct mutate_pushes *pushes,
                           countersign_v1_PushMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;

    if (message->decisions_count == 0)
        return;
    uint32_t at = mutate_below(random, message->decisions_count);

    TAKE(&wire, message->decisions[at]);
    mutate_envelope(random, pushes, &decision_form, &wire, sizeof message->decisions[at].bytes);
    PUT(message->decisions[at], &wire);
}

static void mix_decisions(struct mutate_random *random, const countersign_v1_PushMessage *other,
                          countersign_v1_PushMessage *message)
{
    uint32_t count = message->decisions_count;

    if (count == 0 || other->decisions_count == 0 || count == CS_LIMIT_DECISIONS)
        return;
    uint32_t one = mutate_below(random, count), two = mutate_below(random, count);

    switch (mutate_below(random, 5)) {
    case 0:
        message->decisions[one] = message->decisions[--message->decisions_count];
        break;
    case 1:
        message->decisions[count] = message->decisions[one];
        message->decisions_count++;
        break;
    case 2:
        message->decisions[count] = message->decisions[one]; /* behind the list, for a moment */
        message->decisions[one] = message->decisions[two];
        message->decisions[two] = message->decisions[count];
        break;
    case 3:
        message->decisions[one] = other->decisions[mutate_below(random, other->decisions_count)];
        break;
    default:
        message->decisions[count] = other->decisions[mutate_below(random, other->decisions_count)];
        message->decisions_count++;
        break;
    }
}

static void splice(struct mutate_random *random, const countersign_v1_PushMessage *other,
                   countersign_v1_PushMessage *message)
{
    uint32_t parts = 1 + mutate_below(random, 127);

    if (parts & 1)
        message->order_core = other->order_core;
    if (parts & 2)
        message->order_index = other->order_index;
    if (parts & 4) {
        message->order_proof_count = other->order_proof_count;
        memcpy(message->order_proof, other->order_proof, sizeof other->order_proof);
    }
    if (parts & 8)
        message->request = other->request;
    if (parts & 16) {
        message->decisions_count = other->decisions_count;
        memcpy(message->decisions, other->decisions, sizeof other->decisions);
    }
    if (parts & 32)
        message->chain = other->chain;
    if (parts & 64) {
        message->has_sealed_key = other->has_sealed_key;
        message->sealed_key = other->sealed_key;
    }
}

static void spoil_chain(struct mutate_random *random, countersign_v1_PushMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;

    TAKE(&bytes, message->chain);
    mutate_bytes(random, &bytes, sizeof message->chain.bytes);
    PUT(message->chain, &bytes);
}

static void spoil_sealed(struct mutate_random *random, countersign_v1_PushMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;

    if (mutate_below(random, 2) == 0) {
        TAKE(&bytes, message->sealed_key.enc);
        mutate_bytes(random, &bytes, sizeof message->sealed_key.enc.bytes);
        PUT(message->sealed_key.enc, &bytes);
    } else {
        TAKE(&bytes, message->sealed_key.ciphertext);
        mutate_bytes(random, &bytes, sizeof message->sealed_key.ciphertext.bytes);
        PUT(message->sealed_key.ciphertext, &bytes);
    }
}

/* Something else sealed to the device, with all that binds it as it should be. */
static void seal_again(struct mutate_random *random, struct delivery_story *push,
                       countersign_v1_PushMessage *message)
{
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);
    countersign_v1_SealedKey before = push->message.sealed_key;
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    uint8_t kem_spki[CS_SPKI_BYTES];

    cs_assert(plain);
    CS_PB_SET(&plain->pkcs8, cs_buf_slice(&push->pkcs8));
    bytes = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);
    mutate_bytes(random, &bytes, 1024);
    evil_kem_spki("gw-0", kem_spki);
    if (bytes.len > 0) {
        delivery_seal(push, CS_SLICE_ARRAY(kem_spki), cs_buf_slice(&bytes));
        message->sealed_key = push->message.sealed_key;
        push->message.sealed_key = before;
    }
    free(plain);
}

static void mutate_once(struct mutate_random *random, const struct mutate_pushes *pushes, size_t of,
                        countersign_v1_PushMessage *message)
{
    const countersign_v1_PushMessage *other =
        &pushes->all[mutate_below(random, (uint32_t)pushes->count)]->message;

    switch (mutate_below(random, 16)) {
    case 0:
    case 1:
        spoil_core(random, message);
        break;
    case 2:
        spoil_core(random, message);
        refit(random, pushes, message);
        break;
    case 3:
    case 4:
    case 5:
        spoil_request(random, pushes, message);
        break;
    case 6:
    case 7:
    case 8:
        spoil_decision(random, pushes, message);
        break;
    case 9:
    case 10:
        mix_decisions(random, other, message);
        break;
    case 11:
    case 12:
        splice(random, other, message);
        break;
    case 13:
        spoil_chain(random, message);
        break;
    case 14:
        spoil_sealed(random, message);
        break;
    default:
        if (mutate_below(random, 8) == 0)
            seal_again(random, pushes->all[of], message);
        else
            (void)change_field(countersign_v1_PushMessage_fields, message, (struct change_path){{0}, 0},
                               1 + mutate_below(random, 7),
                               (enum change_how)mutate_below(random, CHANGE_COUNT));
        break;
    }
}

void mutate_message(struct mutate_random *random, const struct mutate_pushes *pushes, size_t of,
                    struct cs_buf *out)
{
    static const uint32_t times[] = {1, 1, 1, 2, 3};
    countersign_v1_PushMessage *message = malloc(sizeof *message);

    cs_assert(message);
    *message = pushes->all[of]->message;
    for (uint32_t i = times[mutate_below(random, CS_ARRAY_LEN(times))]; i > 0; i--)
        mutate_once(random, pushes, of, message);
    cs_buf_free(out);
    *out = deployment_encode(countersign_v1_PushMessage_fields, message);
    /* One in four is spoilt as bytes, too. */
    if (mutate_below(random, 4) == 0)
        mutate_fields(random, out, sizeof((countersign_v1_PushDelivery *)0)->message.bytes);
    else if (mutate_below(random, 8) == 0)
        mutate_bytes(random, out, sizeof((countersign_v1_PushDelivery *)0)->message.bytes);
    free(message);
}
