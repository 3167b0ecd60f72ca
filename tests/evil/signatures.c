/* signatures.c - signatures in other clothes: negated, cut, beside others, none. */
#include "tests/evil/evil.h"

/* The order of P-256's group: s and n - s sign the same. */
static void negate_s(uint8_t s[32])
{
    static const uint8_t n[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    int borrow = 0;

    for (size_t i = 32; i-- > 0;) {
        int digit = n[i] - s[i] - borrow;

        borrow = digit < 0;
        s[i] = (uint8_t)(digit + 256 * borrow);
    }
}
enum dress { NEGATED, ZEROED, SWAPPED, CUT, LONGER };
static void dress(pb_size_t *size, uint8_t *wire, unsigned how)
{
    uint8_t *signature = wire + *size - CS_SIGNATURE_BYTES, r[32];

    switch (how) {
    case NEGATED:
        negate_s(signature + 32);
        break;
    case ZEROED:
        memset(signature, 0, CS_SIGNATURE_BYTES);
        break;
    case SWAPPED:
        memcpy(r, signature, 32);
        memcpy(signature, signature + 32, 32);
        memcpy(signature + 32, r, 32);
        break;
    case CUT:
        --*size;
        break;
    default:
        wire[(*size)++] = 0;
        break;
    }
}
static void dress_decision(struct evil *e)
{
    dress(&EVIL_MESSAGE(e)->decisions[1].size, EVIL_MESSAGE(e)->decisions[1].bytes, e->with);
}
static void dress_request(struct evil *e)
{
    dress(&EVIL_MESSAGE(e)->request.size, EVIL_MESSAGE(e)->request.bytes, e->with);
}
static void dress_batch(struct evil *e)
{
    dress(&e->push->delivery.batch.size, e->push->delivery.batch.bytes, e->with);
}

/* Without its last signature. */
static void strip(pb_size_t *size)
{
    *size = (pb_size_t)(*size - 2 - 2 - CS_SHA256_BYTES - 2 - CS_SIGNATURE_BYTES);
}
static void strip_decision(struct evil *e)
{
    strip(&EVIL_MESSAGE(e)->decisions[e->with].size);
}
static void strip_request(struct evil *e)
{
    strip(&EVIL_MESSAGE(e)->request.size);
}
static void strip_batch(struct evil *e)
{
    strip(&e->push->delivery.batch.size);
}

static void cosign(struct evil *e, pb_size_t *size, uint8_t *bytes, const char *who)
{
    cs_auto(cs_buf_free) struct cs_buf cosigned = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(cs_envelope_cosign(cs_slice(bytes, *size), deployment_key(&e->d, who), &cosigned, &err) ==
              CS_OK);
    memcpy(bytes, cosigned.ptr, cosigned.len);
    *size = (pb_size_t)cosigned.len;
}
static void cosign_decision(struct evil *e)
{
    cosign(e, &EVIL_MESSAGE(e)->decisions[0].size, EVIL_MESSAGE(e)->decisions[0].bytes, "controller");
}
static void cosign_request(struct evil *e)
{
    cosign(e, &EVIL_MESSAGE(e)->request.size, EVIL_MESSAGE(e)->request.bytes, "controller");
}
static void cosign_batch(struct evil *e)
{
    cosign(e, &e->push->delivery.batch.size, e->push->delivery.batch.bytes, "mallory");
}
/* Beside the one that holds, one under the key id of another person that does not. */
static void forge_beside(struct evil *e)
{
    countersign_v1_PushMessage *message = EVIL_MESSAGE(e);

    cosign(e, &message->decisions[0].size, message->decisions[0].bytes, "ben");
    message->decisions[0].bytes[message->decisions[0].size - 1] ^= 1;
}

static const struct evil_strategy strategies[] = {
    {.says = "sends a decision's other signature, with s negated",
     .end = EVIL_ADMITS(NOTHING),
     .sent = dress_decision,
     .with = NEGATED},
    {.says = "sends a request's other signature, with s negated",
     .end = EVIL_ADMITS(NOTHING),
     .sent = dress_request,
     .with = NEGATED},
    {.says = "sends a batch's other signature, with s negated",
     .end = EVIL_ADMITS(NOTHING),
     .wrapped = dress_batch,
     .with = NEGATED},
    {.says = "sends a decision with a signature of zeros",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .sent = dress_decision,
     .with = ZEROED},
    {.says = "sends a request with a signature of zeros",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .sent = dress_request,
     .with = ZEROED},
    {.says = "sends a batch with a signature of zeros",
     .end = EVIL_ENDS(BATCH_SIGNATURE),
     .wrapped = dress_batch,
     .with = ZEROED},
    {.says = "sends a decision with r and s changed over",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .sent = dress_decision,
     .with = SWAPPED},
    {.says = "sends a request with r and s changed over",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .sent = dress_request,
     .with = SWAPPED},
    {.says = "sends a decision whose signature is cut",
     .end = EVIL_ENDS(DECISION_MALFORMED),
     .sent = dress_decision,
     .with = CUT},
    {.says = "sends a request whose signature is cut",
     .end = EVIL_ENDS(REQUEST_MALFORMED),
     .sent = dress_request,
     .with = CUT},
    {.says = "sends a decision with a byte behind it",
     .end = EVIL_ENDS(DECISION_MALFORMED),
     .sent = dress_decision,
     .with = LONGER},
    {.says = "sends a request with a byte behind it",
     .end = EVIL_ENDS(REQUEST_MALFORMED),
     .sent = dress_request,
     .with = LONGER},
    {.says = "sends a batch with a byte behind it",
     .end = EVIL_ENDS(BATCH_MALFORMED),
     .wrapped = dress_batch,
     .with = LONGER},
    {.says = "sends the first decision without a signature",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .sent = strip_decision},
    {.says = "sends the last decision without a signature",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .sent = strip_decision,
     .with = 1},
    {.says = "sends the request without a signature",
     .end = EVIL_ENDS(REQUEST_SIGNATURE),
     .sent = strip_request},
    {.says = "sends the batch without a signature",
     .end = EVIL_ENDS(BATCH_SIGNATURE),
     .wrapped = strip_batch},
    {.says = "signs a decision beside the one who decided",
     .end = EVIL_ADMITS(NOTHING),
     .sent = cosign_decision},
    {.says = "signs the request beside the requester", .end = EVIL_ADMITS(NOTHING), .sent = cosign_request},
    {.says = "signs the batch with a key that it made, too",
     .end = EVIL_ADMITS(NOTHING),
     .wrapped = cosign_batch},
    {.says = "forges a second person's signature beside the first's",
     .end = EVIL_ENDS(DECISION_SIGNATURE),
     .sent = forge_beside},
};

void evil_signatures(struct evil_tally *tally)
{
    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
}
