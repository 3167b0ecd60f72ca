/* Text as base64 and as hex: what is read has one form only, and everything written is read back. */
#include "shared/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice input = cs_slice(data, size);
    struct cs_buf decoded = CS_BUF_EMPTY, encoded = CS_BUF_EMPTY;
    uint8_t bytes[8];

    if (cs_base64_decode(input, &decoded) == CS_OK) {
        cs_assert(cs_base64_encode(cs_buf_slice(&decoded), &encoded) == CS_OK);
        cs_assert(cs_slice_eq(cs_buf_slice(&encoded), input));
    } else {
        cs_assert(decoded.len == 0);
    }
    cs_buf_clear(&encoded);
    cs_buf_clear(&decoded);
    cs_assert(cs_base64_encode(input, &encoded) == CS_OK);
    cs_assert(cs_base64_decode(cs_buf_slice(&encoded), &decoded) == CS_OK);
    cs_assert(cs_slice_eq(cs_buf_slice(&decoded), input));
    if (cs_unhex(input, bytes, sizeof bytes) == CS_OK) {
        char text[2 * sizeof bytes + 1];
        uint8_t again[sizeof bytes];

        cs_hex(CS_SLICE_ARRAY(bytes), text);
        cs_assert(cs_unhex(cs_slice_str(text), again, sizeof again) == CS_OK);
        cs_assert(memcmp(bytes, again, sizeof again) == 0);
    }
    cs_buf_free(&decoded);
    cs_buf_free(&encoded);
    return 0;
}
