/* Bytes as the record of a key that waits for its certificate; once as they are, once with the checksum that
 * fits them, so that what lies behind it is reached. */
#include "agent/core/pending_key.h"

static void look_at(struct cs_slice bytes)
{
    struct ag_pending_key pending;
    struct cs_buf again = CS_BUF_EMPTY;
    struct cs_err err;

    if (ag_pending_key_decode(bytes, &pending, &err) != CS_OK)
        return;
    cs_assert(ag_pending_key_encode(&pending, &again, &err) == CS_OK);
    cs_assert(cs_slice_eq(cs_buf_slice(&again), bytes));
    cs_buf_wipe(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice input = cs_slice(data, size);
    struct cs_digest digest;
    struct cs_buf fitting = CS_BUF_EMPTY;

    cs_assert(cs_crypto_init(NULL) == CS_OK);
    look_at(input);
    digest = cs_sha256(input);
    cs_assert(cs_buf_append(&fitting, input) == CS_OK);
    cs_assert(cs_buf_append(&fitting, cs_digest_slice(&digest)) == CS_OK);
    look_at(cs_buf_slice(&fitting));
    cs_buf_free(&fitting);
    return 0;
}
