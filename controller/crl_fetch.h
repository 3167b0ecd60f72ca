/* crl_fetch.h - revocation lists that issuers publish at URLs, as their distribution points do: fetched every
 * now and then, and imported when they have changed. Plain http is enough, for lists are signed; redirects
 * are not followed, size and time are bounded. A URL that fails is said once, and again after it had worked.
 *
 * A thread of its own, which waits for slow servers; name servers it waits for as long as the system does. */
#ifndef CTL_CRL_FETCH_H
#define CTL_CRL_FETCH_H

#include "controller/config.h"
#include "controller/core_thread.h"

struct ctl_crl_fetch;

/* "http://host[:port]/path", with an IPv6 address in brackets. For the configuration. */
bool ctl_crl_url_check(const char *url);

/* All borrowed. */
CS_MUST_USE int ctl_crl_fetch_new(const struct ctl_config *config, struct ctl_store *store,
                                  struct ctl_core_thread *core, struct ctl_crl_fetch **ret,
                                  struct cs_err *err);
CS_MUST_USE int ctl_crl_fetch_start(struct ctl_crl_fetch *fetch, struct cs_err *err);
/* While the core still answers. One that was never started is fine, NULL too. */
void ctl_crl_fetch_free(struct ctl_crl_fetch *fetch);

#endif
