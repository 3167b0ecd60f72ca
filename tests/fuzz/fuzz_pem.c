/* Text as PEM: blocks are found within the text, and what was read is what is written. */
#include "shared/crypto/pem.h"
#include "shared/crypto/x509.h"

static void check_within(struct cs_slice text, struct cs_slice part)
{
    cs_assert(part.len == 0 || (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len));
}

static void write_back(struct cs_slice der)
{
    struct cs_buf text = CS_BUF_EMPTY, again = CS_BUF_EMPTY;
    struct pem_block block;
    struct cs_slice rest;

    cs_assert(cs_pem_write("DATA", der, &text, NULL) == CS_OK);
    rest = cs_buf_slice(&text);
    cs_assert(pem_next(&rest, &block) && pem_decode(&block, &again) == CS_OK);
    cs_assert(cs_slice_eq(cs_buf_slice(&again), der));
    cs_buf_free(&text);
    cs_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice text = cs_slice(data, size), rest = text;
    struct cs_buf der = CS_BUF_EMPTY, pkcs8 = CS_BUF_EMPTY;
    struct cs_chain *chain = NULL;
    struct pem_block block;
    struct cs_err err;

    cs_assert(cs_crypto_init(NULL) == CS_OK);
    while (pem_next(&rest, &block)) {
        check_within(text, block.label);
        check_within(text, block.body);
        check_within(text, rest);
        cs_buf_clear(&der);
        if (pem_decode(&block, &der) == CS_OK)
            write_back(cs_buf_slice(&der));
    }
    if (cs_chain_parse_pem(text, &chain, &err) == CS_OK)
        cs_assert(cs_chain_count(chain) > 0);
    cs_chain_free(chain);
    (void)!cs_private_key_to_pkcs8(text, CS_SLICE_EMPTY, &pkcs8, &err);
    cs_buf_wipe(&pkcs8);
    cs_buf_free(&der);
    return 0;
}
