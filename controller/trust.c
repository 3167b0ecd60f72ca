#include "controller/trust.h"

int ctl_trust_new(struct cs_slice stored, struct ctl_trust **ret, struct cs_err *err)
{
    struct ctl_trust *trust = calloc(1, sizeof *trust);
    int code;

    if (!trust)
        return cs_err_nomem(err);
    code = cs_policy_open_stored(stored, &trust->policy, err);
    if (code != CS_OK) {
        free(trust);
        return code;
    }
    atomic_init(&trust->references, 1);
    cs_policy_operator_keys(trust->policy, &trust->operators);
    *ret = trust;
    return CS_OK;
}

struct ctl_trust *ctl_trust_ref(struct ctl_trust *trust)
{
    if (trust)
        atomic_fetch_add_explicit(&trust->references, 1, memory_order_relaxed);
    return trust;
}

void ctl_trust_unref(struct ctl_trust *trust)
{
    if (!trust || atomic_fetch_sub_explicit(&trust->references, 1, memory_order_acq_rel) != 1)
        return;
    cs_policy_free(trust->policy);
    free(trust);
}

uint32_t ctl_trust_version(const struct ctl_trust *trust)
{
    return trust ? cs_policy_version(trust->policy) : 0;
}
