#include "tests/support/pki.h"

#include <time.h>

enum { DAY_S = 86400 };

static int64_t standing_still_s;

int64_t pki_now(void)
{
    return standing_still_s ? standing_still_s : time(NULL);
}

void pki_set_now(int64_t now_s)
{
    standing_still_s = now_s;
}

struct pki pki_issue(const struct pki *issuer, struct cs_issue what)
{
    struct cs_buf der = CS_BUF_EMPTY;
    struct pki made = {NULL, NULL};
    struct cs_err err;

    cs_assert(cs_crypto_init(&err) == CS_OK);
    cs_assert(cs_key_generate(CS_KEY_SIGN, &made.key, &err) == CS_OK);
    if (what.subject_spki.len == 0)
        what.subject_spki = cs_key_spki(made.key);
    if (what.not_before_s == 0)
        what.not_before_s = pki_now() - DAY_S;
    if (what.not_after_s == 0)
        what.not_after_s = pki_now() + 365 * DAY_S;
    cs_assert(cs_cert_issue(&what, issuer ? issuer->chain : NULL, issuer ? issuer->key : made.key, &der,
                            &err) == CS_OK);
    /* The chain carries its intermediates and leaves the root out, as servers send it. */
    for (size_t i = 0; issuer && i + 1 < cs_chain_count(issuer->chain); i++)
        cs_assert(cs_buf_append(&der, cs_chain_der(issuer->chain, i)) == CS_OK);
    if (issuer && what.is_ca)
        cs_assert(cs_buf_append(&der, cs_chain_der(issuer->chain, cs_chain_count(issuer->chain) - 1)) ==
                  CS_OK);
    cs_assert(cs_chain_parse(cs_buf_slice(&der), &made.chain, &err) == CS_OK);
    cs_buf_free(&der);
    return made;
}

struct pki pki_make_ca(const char *common_name)
{
    return pki_issue(NULL, (struct cs_issue){.common_name = common_name, .is_ca = true});
}

struct pki pki_make_server(const struct pki *ca)
{
    return pki_issue(ca, (struct cs_issue){.common_name = "localhost",
                                           .server_auth = true,
                                           .dns_name = "localhost",
                                           .ip = {127, 0, 0, 1},
                                           .has_ip = true});
}

struct pki pki_make_client(const struct pki *ca, const char *name)
{
    return pki_issue(ca, (struct cs_issue){.common_name = name, .client_auth = true});
}

void pki_free(struct pki *pki)
{
    cs_chain_free(pki->chain);
    cs_key_free(pki->key);
    *pki = (struct pki){NULL, NULL};
}
