/* crl.h - certificate revocation lists: what they say, and whether their issuer says it. Pure, the clock is
 * passed in. RFC 5280 section 5.
 *
 * A list is parsed once, whole and strictly, and then borrowed: its entries are read one by one from its DER,
 * so that a list of 100,000 needs no other memory. Complete lists of one issuer are accepted; delta lists,
 * indirect lists and what has an unknown critical extension are refused, because a part that is not
 * understood may change what the rest means. Start at cs_crl_read(), then cs_crl_parse(),
 * cs_crl_check_signature(). Not in the agent's build. */
#ifndef CS_CRYPTO_CRL_H
#define CS_CRYPTO_CRL_H

#include "shared/crypto/x509.h"

/* A serial number, and a CRL number: at most 20 bytes and a zero that keeps it positive (sections 4.1.2.2 and
 * 5.2.3); as hex, with a terminator. */
enum { CS_CRL_SERIAL_BYTES = 21, CS_CRL_SERIAL_TEXT_BYTES = 2 * CS_CRL_SERIAL_BYTES + 1 };

struct cs_crl {
    struct cs_slice issuer;  /* its name, as DER */
    struct cs_slice key_id;  /* authority key identifier; empty: not stated */
    struct cs_slice number;  /* CRL number, big-endian; empty: not stated */
    struct cs_slice scope;   /* issuing distribution point, as DER; empty: everything of the issuer */
    struct cs_slice entries; /* for cs_crl_next() */
    size_t entry_count;
    int64_t this_update_s, next_update_s; /* next_update_s 0: not stated */
    /* for cs_crl_check_signature() */
    struct cs_slice signed_part, algorithm, signature;
};

struct cs_crl_entry {
    struct cs_slice serial; /* content of the INTEGER */
    int64_t revoked_at_s;
    uint8_t reason; /* section 5.3.1; 0: unspecified */
};
enum { CS_CRL_REASON_HOLD = 6 };

/* "key-compromise" for 1 and so on; NULL for a number or a word that is none. */
const char *cs_crl_reason_text(unsigned reason);
bool cs_crl_reason_of(const char *text, unsigned *ret_reason);

/* DER from a file that is PEM ("X509 CRL") or DER: appended to `out`. */
CS_MUST_USE int cs_crl_read(struct cs_slice file, struct cs_buf *out, struct cs_err *err);
/* Checks everything but the signature and the dates. Borrows `der`. CS_EPARSE, CS_EUNSUPPORTED, CS_ETOOBIG.
 */
CS_MUST_USE int cs_crl_parse(struct cs_slice der, struct cs_crl *ret, struct cs_err *err);
/* Takes the next entry off `*entries`, of a list that was parsed; false behind the last one. */
bool cs_crl_next(struct cs_slice *entries, struct cs_crl_entry *ret);

/* Is this certificate the list's issuer, by name and, where the list states it, by key id? */
bool cs_crl_is_issuer(const struct cs_crl *crl, const struct cs_chain *chain, size_t index);
/* The certificate is the issuer's, may sign lists, and signed this one: CS_EAUTH if not. Its own dates are
 * not looked at: a CA that has expired could still say what it revoked. */
CS_MUST_USE int cs_crl_check_signature(const struct cs_crl *crl, const struct cs_chain *chain, size_t index,
                                       struct cs_err *err);
/* CS_EINVAL for a list from the future. One whose next update is overdue is fine: what it revokes stays
 * revoked. */
CS_MUST_USE int cs_crl_check_dates(const struct cs_crl *crl, int64_t now_s, struct cs_err *err);

/* SHA-256 over the issuer's name: under which certificates and lists of one issuer are found. */
static inline struct cs_digest cs_issuer_digest(struct cs_slice name)
{
    return cs_sha256(name);
}
/* Which of an issuer's lists this is: a newer list replaces one of the same scope only. For a list of
 * everything it is the issuer's digest. */
struct cs_digest cs_crl_scope(const struct cs_crl *crl);
#endif
