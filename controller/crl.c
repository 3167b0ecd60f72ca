#include "controller/crl.h"

#include "controller/core/query.h"

#include <stdio.h>

/* Certificates of an issuer whose chains are looked at: enough where some were imported without one. */
enum { CHAINS_MOST = 64 };

struct search {
    const struct cs_crl *crl;
    char *issuer;
    size_t issuer_bytes;
    bool found;
    bool any;                /* a certificate of this name was there */
    struct cs_digest failed; /* the last one that would not do: many chains have it */
    struct cs_err err;       /* why it would not do */
};

static bool try_chain(struct search *search, const struct cs_chain *chain)
{
    struct cs_cert_info info;

    for (size_t i = 0; i < cs_chain_count(chain); i++) {
        if (!cs_crl_is_issuer(search->crl, chain, i))
            continue;
        cs_chain_info(chain, i, &info);
        if (search->any && cs_digest_eq(&search->failed, &info.digest))
            continue;
        search->any = true;
        search->failed = info.digest;
        if (cs_crl_check_signature(search->crl, chain, i, &search->err) != CS_OK)
            continue;
        snprintf(search->issuer, search->issuer_bytes, "%s", info.subject);
        search->found = true;
        return true;
    }
    return false;
}

static bool try_stored(void *data, struct cs_slice bytes)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;

    return cs_chain_parse(bytes, &chain, NULL) == CS_OK && try_chain(data, chain);
}

/* What was sent along must do: another certificate would not be what its sender meant. */
static int try_sent(struct search *search, struct cs_slice issuer, struct cs_err *err)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    int rc =
        issuer.ptr[0] == 0x30 ? cs_chain_parse(issuer, &chain, err) : cs_chain_parse_pem(issuer, &chain, err);

    if (rc != CS_OK)
        return cs_err_prefix(err, "the issuer's certificate");
    if (try_chain(search, chain))
        return CS_OK;
    /* The sentence of the first says what is wrong. */
    return search->any ? cs_err_set(err, search->err.code, "%s", search->err.msg)
                       : cs_crl_check_signature(search->crl, chain, 0, err);
}

static int find_issuer(struct ctl_view *view, struct search *search, struct cs_slice issuer,
                       struct cs_err *err)
{
    struct cs_digest digest = cs_issuer_digest(search->crl->issuer);
    int rc;

    if (issuer.len)
        return try_sent(search, issuer, err);
    rc = ctl_query_issuers(view, cs_digest_slice(&digest), CHAINS_MOST, try_stored, search, err);
    if (rc != CS_OK || search->found)
        return rc;
    if (search->any)
        return cs_err_set(err, search->err.code, "%s", search->err.msg);
    return cs_err_set(err, CS_ENOTFOUND,
                      "the certificate of the CRL's issuer is not known here: give it along, or import a "
                      "certificate with its chain");
}

int ctl_crl_open(struct ctl_view *view, struct cs_slice file, struct cs_slice issuer, int64_t now_s,
                 struct ctl_crl *ret, struct cs_err *err)
{
    struct ctl_crl crl = {.der = {.limit_bytes = CS_LIMIT_CRL_BYTES}};
    struct search search = {.crl = &crl.crl, .issuer = crl.issuer, .issuer_bytes = sizeof crl.issuer};
    int rc = cs_crl_read(file, &crl.der, err);

    if (rc == CS_OK)
        rc = cs_crl_parse(cs_buf_slice(&crl.der), &crl.crl, err);
    if (rc == CS_OK)
        rc = cs_crl_check_dates(&crl.crl, now_s, err);
    if (rc == CS_OK)
        rc = find_issuer(view, &search, issuer, err);
    if (rc != CS_OK) {
        ctl_crl_free(&crl);
        /* A mistake in what was given: neither is it in doubt who gave it, nor is the method unknown. */
        if (rc == CS_EAUTH || rc == CS_EUNSUPPORTED)
            rc = err->code = CS_EINVAL;
        return rc;
    }
    crl.digest = cs_sha256(cs_buf_slice(&crl.der));
    *ret = crl;
    return CS_OK;
}

void ctl_crl_free(struct ctl_crl *crl)
{
    cs_buf_free(&crl->der);
}
