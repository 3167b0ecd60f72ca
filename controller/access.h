/* access.h - who calls, and may they? The one authorisation check of every operator method. Pure.
 *
 * A caller is an operator, whose roles are looked up in the newest policy at each call, or the local
 * administrator: root or the user that countersignd runs as, over the admin socket, who names nobody. What is
 * signed is decided by its signature; this says who may ask. A method's roles are in cs_method.tag. */
#ifndef CTL_ACCESS_H
#define CTL_ACCESS_H

#include "controller/uids.h"
#include "shared/trust/policy.h"

/* Who may call: a bit for each role. */
#define CTL_MAY(role)     (1u << countersign_v1_Role_ROLE_##role)
#define CTL_MAY_ANYONE    0x3eu
#define CTL_MAY_DECIDERS  0x40000000u /* whoever has a role that some stage of the policy names */
#define CTL_MAY_OPERATORS 0x20000000u /* any operator, also one without a role */
#define CTL_MAY_STRANGERS 0x80000000u /* who is no operator (yet) no less welcome */

struct ctl_caller {
    char operator[CS_LIMIT_NAME_BYTES + 1]; /* empty: nobody in particular */
    bool is_administrator;                  /* who named nobody, and may call everything */
    struct cs_digest session;               /* its id, of who came by one */
};

/* Whom the configuration lets a user of this machine be. `named`: the operator that the caller named, NULL or
 * empty for none. CS_EDENIED with a sentence that says what to change. `policy` is NULL before the first. */
struct ctl_local {
    const struct ctl_uids *uids;
    uint32_t own_uid;  /* countersignd's */
    uint32_t peer_uid; /* UINT32_MAX: not known */
    const char *named;
};
CS_MUST_USE int ctl_access_local(const struct ctl_local *local, const countersign_v1_TrustPolicy *policy,
                                 struct ctl_caller *ret, struct cs_err *err);
/* Is countersignd's own user, or root. */
bool ctl_access_is_administrator(uint32_t own_uid, uint32_t peer_uid);

/* The operator's roles, own and by groups, as bits of CTL_MAY(). */
uint32_t ctl_access_roles(const countersign_v1_TrustPolicy *policy, const countersign_v1_Operator *who);
bool ctl_access_has_role(const struct ctl_caller *caller, const countersign_v1_TrustPolicy *policy,
                         countersign_v1_Role role);
/* May `caller` call `method`, whose tag is `may`? CS_EDENIED with who may. */
CS_MUST_USE int ctl_access_check(const struct ctl_caller *caller, const countersign_v1_TrustPolicy *policy,
                                 const char *method, uint32_t may, struct cs_err *err);

#endif
