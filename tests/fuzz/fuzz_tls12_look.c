/* What a TLS 1.2 server says to somebody who only looks: never proven without a leaf, and the same however it
 * is cut. The first byte is the length of a piece. */
#include "shared/net/tls12_look.h"

static bool look_at(struct cs_slice bytes, size_t piece)
{
    struct cs_tls12_look look = {.leaf = NULL};
    struct cs_err err;
    bool proven = false;

    while (bytes.len > 0) {
        size_t len = bytes.len < piece ? bytes.len : piece;

        if (cs_tls12_look_feed(&look, cs_slice(bytes.ptr, len), &err) != CS_OK)
            break;
        bytes = cs_slice_from(bytes, len);
    }
    proven = look.proven;
    cs_assert(!proven || (look.leaf && look.answered));
    cs_tls12_look_free(&look);
    return proven;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct cs_slice bytes = cs_slice(data + 1, size - 1);

    cs_assert(cs_crypto_init(NULL) == CS_OK);
    cs_assert(look_at(bytes, bytes.len ? bytes.len : 1) == look_at(bytes, (size_t)data[0] + 1));
    return 0;
}
