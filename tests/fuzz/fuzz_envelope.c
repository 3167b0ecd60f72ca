/* The hand-written envelope parser against nanopb's strict decoding: they must agree on every input. Then who
 * has signed: only keys whose signature was made over these very bytes, whatever was done to the envelope.
 *
 * The first byte is 0 for an envelope that is given whole. Else its bits 1 to 3 name those who sign a
 * statement that is made here, and what follows is written over the envelope: two bytes say where. */
#include "shared/trust/envelope.h"

enum { SIGNERS = 3 };

static struct cs_key *signers[SIGNERS], *cosigner;
static struct cs_keyring keyring; /* of all signers but the last, who is a stranger */

static void make_once(void)
{
    struct cs_key **all[] = {&signers[0], &signers[1], &signers[2], &cosigner};

    if (cosigner)
        return;
    cs_assert(cs_crypto_init(NULL) == CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(all); i++) {
        uint8_t number = (uint8_t)i;
        struct cs_digest scalar = cs_sha256(cs_slice(&number, 1));

        cs_assert(cs_key_from_scalar(cs_digest_slice(&scalar), CS_KEY_SIGN, all[i], NULL) == CS_OK);
    }
    for (size_t i = 0; i + 1 < SIGNERS; i++)
        cs_assert(cs_keyring_add(&keyring, cs_key_spki(signers[i])) == CS_OK);
}

static bool is_complete(const countersign_v1_Envelope *message)
{
    if (message->payload.size == 0 ||
        cs_statement_kind_of(cs_slice_str(message->payload_type)) == CS_STATEMENT_NONE)
        return false;
    for (pb_size_t i = 0; i < message->signatures_count; i++) {
        if (message->signatures[i].key_id.size != CS_SHA256_BYTES ||
            message->signatures[i].signature.size != CS_SIGNATURE_BYTES)
            return false;
        for (pb_size_t k = 0; k < i; k++)
            if (cs_slice_eq(CS_PB_BYTES(&message->signatures[i].key_id),
                            CS_PB_BYTES(&message->signatures[k].key_id)))
                return false;
    }
    return true;
}

static bool parse_twice(struct cs_slice wire, struct cs_envelope *envelope)
{
    static countersign_v1_Envelope message;
    struct cs_err err;
    bool parsed = cs_envelope_parse(wire, envelope, &err) == CS_OK;
    bool decoded =
        cs_message_decode_strict(countersign_v1_Envelope_fields, wire, &message, "it", &err) == CS_OK;

    cs_assert(parsed == (decoded && is_complete(&message)));
    if (parsed) {
        cs_assert(envelope->signature_count == message.signatures_count);
        cs_assert(cs_slice_eq(envelope->payload, CS_PB_BYTES(&message.payload)));
        cs_assert(envelope->kind == cs_statement_kind_of(envelope->payload_type));
    }
    return parsed;
}

/* One more signature, and all else as it was. */
static void cosign(struct cs_slice wire, const struct cs_envelope *before)
{
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_envelope after;
    struct cs_verified verified;
    struct cs_err err;
    int rc = cs_envelope_cosign(wire, cosigner, &out, &err);

    if (rc == CS_OK) {
        cs_assert(parse_twice(cs_buf_slice(&out), &after));
        cs_assert(after.signature_count == before->signature_count + 1);
        cs_assert(cs_slice_starts_with(cs_buf_slice(&out), wire));
        cs_assert(cs_envelope_verify_one(cs_buf_slice(&out), before->kind, cs_key_spki(cosigner), &verified,
                                         &err) == CS_OK);
        cs_assert(cs_slice_eq(verified.payload, before->payload) && verified.signer_count == 1);
    } else {
        cs_assert(rc == CS_EEXISTS || rc == CS_EFULL);
        cs_assert(out.len == 0);
    }
    cs_buf_free(&out);
}

static void check_whole(struct cs_slice wire)
{
    struct cs_envelope envelope;
    struct cs_verified verified;
    struct cs_err err;

    if (!parse_twice(wire, &envelope))
        return;
    /* Nobody has signed what a stranger made up. */
    cs_assert(cs_envelope_verify(wire, envelope.kind, &keyring, &verified, &err) == CS_EAUTH);
    cosign(wire, &envelope);
}

/* Statement and signers as the input has them; gives how many of the keyring have signed. */
static size_t make(uint8_t which, struct cs_buf *out)
{
    enum cs_statement_kind kind = which & 0x10 ? CS_STATEMENT_DECISION : CS_STATEMENT_PUSH_REQUEST;
    struct cs_slice payload = which & 0x20 ? CS_SLICE_LIT("one") : CS_SLICE_LIT("another, longer");
    const struct cs_key *keys[SIGNERS];
    size_t count = 0, known = 0;

    for (size_t i = 0; i < SIGNERS; i++)
        if (which & 2u << i) {
            keys[count++] = signers[i];
            known += i + 1 < SIGNERS;
        }
    cs_assert(cs_envelope_sign(kind, payload, keys, count, out, NULL) == CS_OK);
    return known;
}

static void check_altered(struct cs_slice input)
{
    struct cs_buf wire = CS_BUF_EMPTY, before = CS_BUF_EMPTY;
    size_t known = make(input.ptr[0], &wire), at;
    struct cs_envelope original, envelope;
    struct cs_verified verified;
    struct cs_err err;
    int rc;

    cs_assert(cs_buf_append(&before, cs_buf_slice(&wire)) == CS_OK);
    cs_assert(parse_twice(cs_buf_slice(&before), &original));
    at = input.len > 2 ? (size_t)input.ptr[1] << 8 | input.ptr[2] : 0;
    for (size_t i = 3; i < input.len; i++)
        wire.ptr[(at + i - 3) % wire.len] ^= input.ptr[i];
    rc = cs_envelope_verify(cs_buf_slice(&wire), original.kind, &keyring, &verified, &err);
    if (cs_slice_eq(cs_buf_slice(&wire), cs_buf_slice(&before)))
        cs_assert(rc == (known > 0 ? CS_OK : CS_EAUTH));
    if (rc == CS_OK) {
        cs_assert(verified.signer_count >= 1 && verified.signer_count <= known);
        cs_assert(cs_slice_eq(verified.payload, original.payload) && verified.kind == original.kind);
    }
    if (parse_twice(cs_buf_slice(&wire), &envelope))
        cosign(cs_buf_slice(&wire), &envelope);
    cs_buf_free(&before);
    cs_buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    make_once();
    if (size == 0 || data[0] == 0)
        check_whole(cs_slice_from(cs_slice(data, size), 1));
    else
        check_altered(cs_slice(data, size));
    return 0;
}
