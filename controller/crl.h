/* crl.h - a revocation list as somebody brought it: read, its issuer found, its signature and dates checked;
 * ready for the core. Reads the store through the view that it is given, does no other I/O. */
#ifndef CTL_CRL_H
#define CTL_CRL_H

#include "controller/core/core.h"
#include "shared/base/buf.h"

struct ctl_crl {
    struct cs_buf der; /* what `crl` borrows from */
    struct cs_crl crl;
    struct cs_digest digest;
    char issuer[256]; /* its name as people read it */
};

/* `issuer` is the certificate of whoever signed it, PEM or DER; empty: one that stands in the chain of a
 * certificate in the inventory. Who sends a certificate along answers for it: that is the operator who could
 * revoke by hand as well, or whoever may write the watched folder. The caller frees *ret. */
CS_MUST_USE int ctl_crl_open(struct ctl_view *view, struct cs_slice file, struct cs_slice issuer,
                             int64_t now_s, struct ctl_crl *ret, struct cs_err *err);
void ctl_crl_free(struct ctl_crl *crl);

#endif
