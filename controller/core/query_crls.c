/* Reads about revocation lists, and what is needed to check one. */
#include "controller/core/query.h"
#include "controller/core/query_rows.h"

static void show_crl(const ctl_crl_row *row, countersign_v1_Crl *ret)
{
    CTL_TEXT_SET(ret->issuer, row->issuer);
    CTL_TEXT_SET(ret->number, row->number);
    ret->this_update_s = row->this_update_s;
    ret->next_update_s = row->next_update_s;
    ret->entries = row->entries;
    ret->imported_at_s = row->imported_at_s;
    CTL_TEXT_SET(ret->source, row->source);
}

/* There are few: one an issuer. They lie by digest and are told by name, so each page looks at all. */
struct page {
    countersign_v1_ListCrlsResponse *reply;
    size_t most;
};

static void put_in_order(struct page *page, const ctl_crl_row *row)
{
    countersign_v1_Crl *crls = page->reply->crls;
    size_t at = page->reply->crls_count;

    while (at > 0 && strcmp(crls[at - 1].issuer, row->issuer) > 0)
        at--;
    if (page->reply->crls_count == page->most)
        page->reply->more = true;
    else
        page->reply->crls_count++;
    if (at == page->most)
        return;
    memmove(&crls[at + 1], &crls[at], (page->reply->crls_count - at - 1u) * sizeof *crls);
    crls[at] = (countersign_v1_Crl)countersign_v1_Crl_init_zero;
    show_crl(row, &crls[at]);
}

int ctl_query_ListCrls(struct ctl_view *view, const struct ctl_presence *presence, int64_t now_s,
                       const countersign_v1_ListCrlsRequest *request, countersign_v1_ListCrlsResponse *reply,
                       struct cs_err *err)
{
    struct page page = {reply, ctl_page_size(request->limit, CS_ARRAY_LEN(reply->crls))};
    struct ctl_key prefix = ctl_key(CTL_TABLE_CRL);
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_crl_row row;
    int rc;

    (void)presence;
    (void)now_s;
    while ((rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        rc = ctl_decode(walk.value, Crl, &row, err);
        if (rc != CS_OK)
            return rc;
        if (strcmp(row.issuer, request->after_issuer) > 0)
            put_in_order(&page, &row);
    }
    return ctl_walked(rc);
}

int ctl_query_issuers(struct ctl_view *view, struct cs_slice issuer_digest, size_t most,
                      bool (*each)(void *data, struct cs_slice chain), void *data, struct cs_err *err)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_ISSUED, issuer_digest);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc = CS_OK;

    while (most-- > 0 && (rc = ctl_walk_next(view, &walk, err)) == CS_OK) {
        ctl_certificate_row certificate;
        struct cs_slice chain;
        struct ctl_key key;

        rc = ctl_find_certificate(view, ctl_key_last(walk.key, CS_SHA256_BYTES), &certificate, err);
        key = ctl_key_bytes(CTL_TABLE_CHAIN, CTL_BYTES(certificate.chain_digest));
        if (rc == CS_OK)
            rc = ctl_bytes_get(view, &key, &chain, err);
        if (rc != CS_OK)
            return rc;
        if (each(data, chain))
            return CS_OK;
    }
    return ctl_walked(rc);
}

int ctl_query_crl_digest(struct ctl_view *view, struct cs_slice scope, struct cs_digest *ret, bool *ret_found,
                         struct cs_err *err)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CRL, scope);
    ctl_crl_row row;
    int rc = ctl_get(view, &key, Crl, &row, err);

    *ret_found = rc == CS_OK && row.digest.size == sizeof ret->bytes;
    if (*ret_found)
        memcpy(ret->bytes, row.digest.bytes, sizeof ret->bytes);
    return ctl_walked(rc);
}
