/* trust.h - the newest trust policy as threads share it: immutable, counted, with the keys that it names
 * gathered once. The core thread holds the newest; each shard has its own reference and replaces it when
 * told. */
#ifndef CTL_TRUST_H
#define CTL_TRUST_H

#include "shared/trust/policy.h"

#include <stdatomic.h>

struct ctl_trust {
    atomic_uint references;
    struct cs_policy *policy;
    struct cs_keyring operators;
};

/* From our own stored copy of the envelope (shared/trust/policy.h). */
CS_MUST_USE int ctl_trust_new(struct cs_slice stored, struct ctl_trust **ret, struct cs_err *err);
/* NULL is fine in both. */
struct ctl_trust *ctl_trust_ref(struct ctl_trust *trust);
void ctl_trust_unref(struct ctl_trust *trust);
CS_DEFINE_AUTO(ctl_trust_unrefp, struct ctl_trust, ctl_trust_unref)

/* 0 before the first policy. */
uint32_t ctl_trust_version(const struct ctl_trust *trust);

#endif
