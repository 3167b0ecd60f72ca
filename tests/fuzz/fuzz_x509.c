/* Bytes as a chain of certificates, as a request and as a private key: what a stranger may send as DER. */
#include "shared/base/limits.h"
#include "shared/crypto/x509.h"

static void look_at(const struct cs_chain *chain)
{
    struct cs_chain *again = NULL;
    struct cs_buf pem = CS_BUF_EMPTY;
    size_t total = 0;

    for (size_t i = 0; i < cs_chain_count(chain); i++) {
        struct cs_cert_info info;

        cs_chain_info(chain, i, &info);
        cs_assert(memchr(info.subject, '\0', sizeof info.subject) != NULL);
        cs_assert(memchr(info.common_name, '\0', sizeof info.common_name) != NULL);
        total += cs_chain_der(chain, i).len;
    }
    cs_assert(total == cs_chain_bytes(chain).len && total <= CS_LIMIT_CHAIN_BYTES);
    if (cs_chain_check_links(chain, NULL) == CS_OK)
        (void)!cs_chain_check_anchored(chain, chain, 1800000000, NULL);
    cs_assert(cs_chain_write_pem(chain, &pem, NULL) == CS_OK);
    cs_assert(cs_chain_parse_pem(cs_buf_slice(&pem), &again, NULL) == CS_OK);
    cs_assert(cs_slice_eq(cs_chain_bytes(chain), cs_chain_bytes(again)));
    cs_chain_free(again);
    cs_buf_free(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice input = cs_slice(data, size);
    struct cs_chain *chain = NULL;
    struct cs_buf pkcs8 = CS_BUF_EMPTY;
    uint8_t spki[CS_SPKI_BYTES];
    struct cs_err err;

    cs_assert(cs_crypto_init(NULL) == CS_OK);
    if (cs_chain_parse(input, &chain, &err) == CS_OK)
        look_at(chain);
    cs_chain_free(chain);
    (void)!cs_csr_check(input, spki, &err);
    (void)!cs_private_key_to_pkcs8(input, CS_SLICE_EMPTY, &pkcs8, &err);
    cs_buf_wipe(&pkcs8);
    return 0;
}
