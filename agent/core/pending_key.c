#include "agent/core/pending_key.h"

#include "shared/base/reader.h"
#include "shared/base/text.h"

static const char magic[] = "countersign-agent-pending-key 1\n";

static int encode(const struct ag_pending_key *pending, struct cs_buf *out)
{
    int code = cs_buf_append_str(out, magic);

    if (!code)
        code = cs_buf_append(out, cs_digest_slice(&pending->request_digest));
    if (!code)
        code = cs_buf_append_sized(out, cs_slice_str(pending->connector));
    if (!code)
        code = cs_buf_append_u64(out, (uint64_t)pending->made_at_s);
    if (!code)
        code = cs_buf_append_sized(out, pending->csr);
    return code ? code : cs_buf_append_sized(out, pending->key);
}

int ag_pending_key_encode(const struct ag_pending_key *pending, struct cs_buf *out, struct cs_err *err)
{
    size_t start = out->len;
    int code = encode(pending, out);

    if (!code) {
        struct cs_digest digest = cs_sha256(cs_slice_from(cs_buf_slice(out), start));

        code = cs_buf_append(out, cs_digest_slice(&digest));
    }
    return code ? cs_err_set(err, code, "the key's record cannot be written: %s", cs_code_text(code)) : CS_OK;
}

static bool take(struct cs_reader *reader, struct ag_pending_key *pending)
{
    struct cs_slice digest = cs_reader_take(reader, CS_SHA256_BYTES);
    struct cs_slice connector = cs_reader_take(reader, cs_reader_u32(reader));

    pending->made_at_s = (int64_t)cs_reader_u64(reader);
    pending->csr = cs_reader_take(reader, cs_reader_u32(reader));
    pending->key = cs_reader_take(reader, cs_reader_u32(reader));
    if (!cs_reader_done(reader) || cs_name_check(connector, "", NULL) != CS_OK)
        return false;
    memcpy(pending->request_digest.bytes, digest.ptr, digest.len);
    memcpy(pending->connector, connector.ptr, connector.len);
    return pending->csr.len > 0 && pending->key.len > 0;
}

int ag_pending_key_decode(struct cs_slice bytes, struct ag_pending_key *ret, struct cs_err *err)
{
    struct cs_slice head = cs_slice_str(magic);
    struct ag_pending_key pending = {.made_at_s = 0};

    if (cs_slice_starts_with(bytes, head) && bytes.len >= head.len + CS_SHA256_BYTES) {
        struct cs_slice body = cs_slice(bytes.ptr, bytes.len - CS_SHA256_BYTES);
        struct cs_digest digest = cs_sha256(body);
        struct cs_reader reader = cs_reader(cs_slice_from(body, head.len));

        if (cs_slice_eq(cs_digest_slice(&digest), cs_slice_from(bytes, body.len)) &&
            take(&reader, &pending)) {
            *ret = pending;
            return CS_OK;
        }
    }
    return cs_err_set(err, CS_ECORRUPT, "the key's record is damaged or was written by another version");
}
