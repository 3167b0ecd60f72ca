/* Revocation lists: what is read lies within what was sent, and the entries that were counted are there. */
#include "shared/crypto/crl.h"

static void check_within(struct cs_slice whole, struct cs_slice part)
{
    cs_assert(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_buf der = CS_BUF_EMPTY;
    struct cs_slice whole = cs_slice(data, size);
    struct cs_crl_entry entry;
    struct cs_crl crl;
    struct cs_err err;

    if (cs_crl_read(whole, &der, &err) == CS_OK)
        whole = cs_buf_slice(&der);
    if (cs_crl_parse(whole, &crl, &err) == CS_OK) {
        struct cs_slice rest = crl.entries;
        size_t count = 0;

        check_within(whole, crl.issuer);
        check_within(whole, crl.key_id);
        check_within(whole, crl.number);
        check_within(whole, crl.scope);
        check_within(whole, crl.signature);
        for (; cs_crl_next(&rest, &entry); count++) {
            check_within(whole, entry.serial);
            cs_assert(entry.serial.len > 0 && entry.serial.len <= CS_CRL_SERIAL_BYTES);
        }
        cs_assert(rest.len == 0 && count == crl.entry_count);
        (void)cs_crl_scope(&crl);
    }
    cs_buf_free(&der);
    return 0;
}
