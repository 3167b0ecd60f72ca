/* crl_make.h - revocation lists for tests, good ones and bad ones. Failing ends the test. */
#ifndef CS_TESTS_CRL_MAKE_H
#define CS_TESTS_CRL_MAKE_H

#include "shared/crypto/crl.h"
#include "tests/support/pki.h"

struct crl_make_entry {
    struct cs_slice serial;
    int64_t revoked_at_s;  /* 0: as the list's thisUpdate */
    unsigned reason;       /* 0: not stated */
    bool other_issuer;     /* certificateIssuer, critical */
    bool unknown_critical; /* an extension that nobody knows */
};

struct crl_make {
    const struct crl_make_entry *entries;
    size_t entry_count;
    int64_t this_update_s, next_update_s; /* 0: now; 0: not stated */
    uint32_t number;                      /* 0: not stated */
    struct cs_slice key_id;               /* empty: not stated */
    struct cs_slice scope;                /* content of the issuing distribution point; empty: none */
    bool delta, unknown_critical;
};

/* Signed by the issuer's key under the first certificate of its chain. Appended to `out`. */
void crl_make(const struct pki *issuer, const struct crl_make *what, struct cs_buf *out);

/* The serial of a leaf, as in its DER. Valid as long as the chain. */
struct cs_slice crl_make_serial(const struct cs_chain *chain);

#endif
