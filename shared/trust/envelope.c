#include "shared/trust/envelope.h"

#include "shared/base/reader.h"

#include <stdio.h>

/* Protobuf: a field's tag is its number << 3 | 2 for what has a length. These are of Envelope and Signature.
 */
enum {
    TAG_PAYLOAD_TYPE = 0x0a,
    TAG_PAYLOAD = 0x12,
    TAG_SIGNATURES = 0x1a,
    TAG_KEY_ID = 0x0a,
    TAG_SIGNATURE = 0x12,
};
enum {
    /* Tag, length and bytes of key id and signature: each length is one byte. */
    SIGNATURE_BODY_BYTES = 2 + CS_SHA256_BYTES + 2 + CS_SIGNATURE_BYTES,
    SIGNATURE_FIELD_BYTES = 2 + SIGNATURE_BODY_BYTES,
    VARINT_LONGEST_BYTES = 10,
};

/* Fails the reader unless the next field is the one that must stand here. */
static struct cs_slice take_field(struct cs_reader *reader, uint8_t tag)
{
    uint64_t len;

    if (cs_reader_u8(reader) != tag)
        reader->failed = true;
    len = cs_reader_varint(reader);
    return cs_reader_take(reader, len > SIZE_MAX ? SIZE_MAX : (size_t)len);
}

static bool has_key_id(const struct cs_envelope *envelope, struct cs_slice key_id)
{
    for (size_t i = 0; i < envelope->signature_count; i++)
        if (cs_slice_eq(envelope->signatures[i].key_id, key_id))
            return true;
    return false;
}

static int parse_signature(struct cs_slice body, struct cs_envelope *envelope, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(body);
    struct cs_slice key_id = take_field(&reader, TAG_KEY_ID);
    struct cs_slice signature = take_field(&reader, TAG_SIGNATURE);

    if (!cs_reader_done(&reader) || key_id.len != CS_SHA256_BYTES || signature.len != CS_SIGNATURE_BYTES)
        return cs_err_set(err, CS_EPARSE, "the envelope has a malformed signature");
    if (has_key_id(envelope, key_id))
        return cs_err_set(err, CS_EPARSE, "the envelope has two signatures of one key");
    if (envelope->signature_count == CS_LIMIT_ENVELOPE_SIGNATURES)
        return cs_err_set(err, CS_EPARSE, "the envelope has more than %d signatures",
                          CS_LIMIT_ENVELOPE_SIGNATURES);
    envelope->signatures[envelope->signature_count].key_id = key_id;
    envelope->signatures[envelope->signature_count].signature = signature;
    envelope->signature_count++;
    return CS_OK;
}

int cs_envelope_parse(struct cs_slice wire, struct cs_envelope *ret, struct cs_err *err)
{
    struct cs_reader reader = cs_reader(wire);
    struct cs_envelope envelope = {0};

    envelope.payload_type = take_field(&reader, TAG_PAYLOAD_TYPE);
    envelope.payload = take_field(&reader, TAG_PAYLOAD);
    if (!cs_reader_ok(&reader) || envelope.payload.len == 0)
        return cs_err_set(err, CS_EPARSE, "the envelope is malformed: it must begin with type and payload");
    if (envelope.payload.len > CS_LIMIT_POLICY_BYTES)
        return cs_err_set(err, CS_EPARSE, "the envelope's payload has %zu bytes and may have %d",
                          envelope.payload.len, CS_LIMIT_POLICY_BYTES);
    while (!cs_reader_done(&reader)) {
        struct cs_slice body = take_field(&reader, TAG_SIGNATURES);
        int rc;

        if (!cs_reader_ok(&reader))
            return cs_err_set(err, CS_EPARSE, "the envelope is malformed behind its payload");
        rc = parse_signature(body, &envelope, err);
        if (rc != CS_OK)
            return rc;
    }
    envelope.kind = cs_statement_kind_of(envelope.payload_type);
    if (envelope.kind == CS_STATEMENT_NONE)
        return cs_err_set(err, CS_EUNSUPPORTED, "the envelope's payload type is not known to this version");
    *ret = envelope;
    return CS_OK;
}

int cs_keyring_add(struct cs_keyring *keyring, struct cs_slice spki)
{
    struct cs_digest key_id = cs_key_id(spki);

    for (size_t i = 0; i < keyring->count; i++)
        if (cs_digest_eq(&keyring->keys[i].key_id, &key_id))
            return CS_OK;
    if (keyring->count == CS_ARRAY_LEN(keyring->keys))
        return CS_EFULL;
    keyring->keys[keyring->count++] = (struct cs_keyring_key){key_id, spki};
    return CS_OK;
}

void cs_pae_fill(struct cs_pae *ret, struct cs_slice type, struct cs_slice payload)
{
    snprintf(ret->before_type, sizeof ret->before_type, "DSSEv1 %zu ", type.len);
    snprintf(ret->before_payload, sizeof ret->before_payload, " %zu ", payload.len);
    ret->parts[0] = cs_slice_str(ret->before_type);
    ret->parts[1] = type;
    ret->parts[2] = cs_slice_str(ret->before_payload);
    ret->parts[3] = payload;
}

static const struct cs_keyring_key *find_key(const struct cs_keyring_key *keys, size_t key_count,
                                             struct cs_slice key_id)
{
    for (size_t i = 0; i < key_count; i++)
        if (cs_slice_eq(cs_digest_slice(&keys[i].key_id), key_id))
            return &keys[i];
    return NULL;
}

int cs_envelope_verify_keys(struct cs_slice wire, enum cs_statement_kind kind,
                            const struct cs_keyring_key *keys, size_t key_count, struct cs_verified *ret,
                            struct cs_err *err)
{
    struct cs_verified verified = {0};
    struct cs_pae pae;
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(wire, &envelope, err);

    if (rc != CS_OK)
        return rc;
    if (envelope.kind != kind)
        return cs_err_set(err, CS_EPARSE, "the envelope holds %s where %s is due",
                          cs_statement_type(envelope.kind), cs_statement_type(kind));
    cs_pae_fill(&pae, envelope.payload_type, envelope.payload);
    for (size_t i = 0; i < envelope.signature_count; i++) {
        const struct cs_keyring_key *key = find_key(keys, key_count, envelope.signatures[i].key_id);

        if (!key)
            continue;
        rc = cs_verify(key->spki, pae.parts, CS_PAE_PARTS, envelope.signatures[i].signature);
        if (rc == CS_ENOMEM)
            return cs_err_nomem(err);
        if (rc != CS_OK)
            return cs_err_set(err, CS_EAUTH, "a signature of the envelope does not hold");
        /* Distinct: the parser refuses a key id that comes twice. */
        verified.signers[verified.signer_count++] = key->key_id;
    }
    if (verified.signer_count == 0)
        return cs_err_set(err, CS_EAUTH, "no key that may sign it has signed the envelope");
    verified.kind = envelope.kind;
    verified.payload = envelope.payload;
    verified.digest = cs_sha256(envelope.payload);
    *ret = verified;
    return CS_OK;
}

int cs_envelope_verify(struct cs_slice wire, enum cs_statement_kind kind, const struct cs_keyring *keyring,
                       struct cs_verified *ret, struct cs_err *err)
{
    return cs_envelope_verify_keys(wire, kind, keyring->keys, keyring->count, ret, err);
}

int cs_envelope_verify_one(struct cs_slice wire, enum cs_statement_kind kind, struct cs_slice spki,
                           struct cs_verified *ret, struct cs_err *err)
{
    const struct cs_keyring_key key = {cs_key_id(spki), spki};

    return cs_envelope_verify_keys(wire, kind, &key, 1, ret, err);
}

/* The caller has reserved room: writing cannot fail. */
static void put(struct cs_buf *out, struct cs_slice bytes)
{
    int rc = cs_buf_append(out, bytes);

    cs_assert(rc == CS_OK);
}

static void put_field_head(struct cs_buf *out, uint8_t tag, size_t len)
{
    uint8_t head[1 + VARINT_LONGEST_BYTES];
    size_t used = 0;

    head[used++] = tag;
    for (; len >= 0x80; len >>= 7)
        head[used++] = (uint8_t)(len | 0x80);
    head[used++] = (uint8_t)len;
    put(out, cs_slice(head, used));
}

static int put_signature(struct cs_buf *out, const struct cs_pae *pae, const struct cs_key *key,
                         struct cs_err *err)
{
    struct cs_digest key_id = cs_key_id(cs_key_spki(key));
    uint8_t signature[CS_SIGNATURE_BYTES];
    int rc = cs_sign(key, pae->parts, CS_PAE_PARTS, signature, err);

    if (rc != CS_OK)
        return rc;
    put_field_head(out, TAG_SIGNATURES, SIGNATURE_BODY_BYTES);
    put_field_head(out, TAG_KEY_ID, sizeof key_id.bytes);
    put(out, cs_digest_slice(&key_id));
    put_field_head(out, TAG_SIGNATURE, sizeof signature);
    put(out, CS_SLICE_ARRAY(signature));
    return CS_OK;
}

int cs_envelope_sign(enum cs_statement_kind kind, struct cs_slice payload, const struct cs_key *const *keys,
                     size_t key_count, struct cs_buf *out, struct cs_err *err)
{
    struct cs_slice type = cs_slice_str(cs_statement_type(kind));
    size_t before = out->len;
    struct cs_pae pae;
    int rc;

    if (payload.len == 0 || payload.len > CS_LIMIT_POLICY_BYTES || key_count > CS_LIMIT_ENVELOPE_SIGNATURES)
        return cs_err_set(err, CS_EINVAL, "signing a statement of %zu bytes with %zu keys: beyond the limits",
                          payload.len, key_count);
    rc = cs_buf_reserve(out, 2 * (1 + VARINT_LONGEST_BYTES) + type.len + payload.len +
                                 key_count * SIGNATURE_FIELD_BYTES);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "signing a statement of %zu bytes: %s", payload.len, cs_code_text(rc));
    put_field_head(out, TAG_PAYLOAD_TYPE, type.len);
    put(out, type);
    put_field_head(out, TAG_PAYLOAD, payload.len);
    put(out, payload);
    cs_pae_fill(&pae, type, payload);
    for (size_t i = 0; i < key_count && rc == CS_OK; i++)
        rc = put_signature(out, &pae, keys[i], err);
    if (rc != CS_OK)
        out->len = before;
    return rc;
}

int cs_envelope_cosign(struct cs_slice wire, const struct cs_key *key, struct cs_buf *out, struct cs_err *err)
{
    struct cs_digest key_id = cs_key_id(cs_key_spki(key));
    size_t before = out->len;
    struct cs_pae pae;
    struct cs_envelope envelope;
    int rc = cs_envelope_parse(wire, &envelope, err);

    if (rc != CS_OK)
        return rc;
    if (has_key_id(&envelope, cs_digest_slice(&key_id)))
        return cs_err_set(err, CS_EEXISTS, "this key has signed the statement before");
    if (envelope.signature_count == CS_LIMIT_ENVELOPE_SIGNATURES)
        return cs_err_set(err, CS_EFULL, "the statement has %d signatures, and may not have more",
                          CS_LIMIT_ENVELOPE_SIGNATURES);
    rc = cs_buf_reserve(out, wire.len + SIGNATURE_FIELD_BYTES);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "signing a statement of %zu bytes: %s", wire.len, cs_code_text(rc));
    put(out, wire);
    cs_pae_fill(&pae, envelope.payload_type, envelope.payload);
    rc = put_signature(out, &pae, key, err);
    if (rc != CS_OK)
        out->len = before;
    return rc;
}
