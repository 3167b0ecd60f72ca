#include "agent/core/identity.h"

#include "shared/base/reader.h"

static const char magic[] = "countersign-agent-identity 1\n";

static int encode(const struct ag_identity *identity, struct cs_buf *out)
{
    int code = cs_buf_append_str(out, magic);

    if (!code)
        code = cs_buf_append(out, CS_SLICE_ARRAY(identity->device_id));
    if (!code)
        code = cs_buf_append_sized(out, cs_slice_str(identity->device_name));
    if (!code)
        code = cs_buf_append(out, CS_SLICE_ARRAY(identity->pin.deployment_id));
    if (!code)
        code = cs_buf_append(out, cs_digest_slice(&identity->pin.roots_digest));
    if (!code)
        code = cs_buf_append_u32(out, identity->pin.least_version);
    if (!code)
        code = cs_buf_append_sized(out, cs_buf_slice(&identity->agent_ca));
    if (!code)
        code = cs_buf_append_sized(out, cs_buf_slice(&identity->certificate));
    if (!code)
        code = cs_buf_append_u32(out, identity->key_slot);
    return code ? code : cs_buf_append_u64(out, identity->key_above);
}

int ag_identity_encode(const struct ag_identity *identity, struct cs_buf *out, struct cs_err *err)
{
    size_t start = out->len;
    int code = encode(identity, out);

    if (!code) {
        struct cs_digest digest = cs_sha256(cs_slice_from(cs_buf_slice(out), start));

        code = cs_buf_append(out, cs_digest_slice(&digest));
    }
    if (!code)
        return CS_OK;
    out->len = start;
    return cs_err_set(err, code, "the device's identity cannot be written: %s", cs_code_text(code));
}

static int take(struct cs_reader *reader, struct ag_identity *identity)
{
    cs_reader_copy(reader, identity->device_id, sizeof identity->device_id);
    uint32_t name_len = cs_reader_u32(reader);

    if (name_len > CS_LIMIT_NAME_BYTES)
        return CS_ECORRUPT;
    cs_reader_copy(reader, identity->device_name, name_len);
    cs_reader_copy(reader, identity->pin.deployment_id, sizeof identity->pin.deployment_id);
    cs_reader_copy(reader, identity->pin.roots_digest.bytes, sizeof identity->pin.roots_digest.bytes);
    identity->pin.least_version = cs_reader_u32(reader);
    struct cs_slice agent_ca = cs_reader_take(reader, cs_reader_u32(reader));
    struct cs_slice certificate = cs_reader_take(reader, cs_reader_u32(reader));

    identity->key_slot = cs_reader_u32(reader);
    identity->key_above = cs_reader_u64(reader);
    if (!cs_reader_done(reader) || identity->key_slot > 1)
        return CS_ECORRUPT;
    int code = cs_buf_append(&identity->agent_ca, agent_ca);

    return code ? code : cs_buf_append(&identity->certificate, certificate);
}

int ag_identity_decode(struct cs_slice bytes, struct ag_identity *ret, struct cs_err *err)
{
    struct cs_slice head = cs_slice_str(magic);
    struct ag_identity identity = {0};
    int code = CS_ECORRUPT;

    if (cs_slice_starts_with(bytes, head) && bytes.len >= head.len + CS_SHA256_BYTES) {
        struct cs_slice body = cs_slice(bytes.ptr, bytes.len - CS_SHA256_BYTES);
        struct cs_digest digest = cs_sha256(body);
        struct cs_reader reader = cs_reader(cs_slice_from(body, head.len));

        if (cs_slice_eq(cs_digest_slice(&digest), cs_slice_from(bytes, body.len)))
            code = take(&reader, &identity);
    }
    if (code) {
        ag_identity_free(&identity);
        return cs_err_set(err, code, "the device's identity cannot be read: %s", cs_code_text(code));
    }
    *ret = identity;
    return CS_OK;
}

void ag_identity_free(struct ag_identity *identity)
{
    cs_buf_free(&identity->agent_ca);
    cs_buf_free(&identity->certificate);
}
