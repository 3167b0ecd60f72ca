#include "controller/pairings.h"

#include "shared/base/text.h"

#include <stdio.h>

struct ctl_pairings {
    struct ctl_pairing each[CTL_LIMIT_PAIRINGS]; /* expires_s 0: none */
};

int ctl_pairings_new(struct ctl_pairings **ret, struct cs_err *err)
{
    struct ctl_pairings *pairings = calloc(1, sizeof *pairings);

    if (!pairings)
        return cs_err_nomem(err);
    *ret = pairings;
    return CS_OK;
}

void ctl_pairings_free(struct ctl_pairings *pairings)
{
    free(pairings);
}

static void drop_expired(struct ctl_pairings *pairings, int64_t now_s)
{
    for (size_t i = 0; i < CTL_LIMIT_PAIRINGS; i++) {
        struct ctl_pairing *pairing = &pairings->each[i];

        if (pairing->expires_s + (pairing->is_used ? CTL_PAIRING_KEPT_S : 0) <= now_s)
            *pairing = (struct ctl_pairing){.expires_s = 0};
    }
}

/* Looks at each one, whichever it is. */
static struct ctl_pairing *find(struct ctl_pairings *pairings, struct cs_slice digest)
{
    struct ctl_pairing *found = NULL;

    for (size_t i = 0; i < CTL_LIMIT_PAIRINGS; i++) {
        struct ctl_pairing *pairing = &pairings->each[i];
        bool is_it = cs_slice_eq_secret(cs_digest_slice(&pairing->authentication), digest);

        if (is_it && pairing->expires_s)
            found = pairing;
    }
    return found;
}

/* Where a new one goes: in the place of one that is withdrawn by it, or a free one; NULL: there is none. */
static struct ctl_pairing *place_for(struct ctl_pairings *pairings, const char *operator)
{
    struct ctl_pairing *place = NULL;

    for (size_t i = 0; i < CTL_LIMIT_PAIRINGS; i++) {
        struct ctl_pairing *pairing = &pairings->each[i];

        if (pairing->expires_s && !pairing->is_used && strcmp(pairing->operator, operator) == 0)
            return pairing;
        if (!pairing->expires_s)
            place = pairing;
    }
    return place;
}

static int check(struct ctl_pairings *pairings, const struct cs_policy *policy,
                 const struct ctl_pairing_wish *wish, int64_t now_s, struct ctl_pairing **ret,
                 struct cs_err *err)
{
    drop_expired(pairings, now_s);
    if (wish->authentication_digest.len != CS_SHA256_BYTES)
        return cs_err_set(err, CS_EINVAL, "the authentication digest has to be a SHA-256");
    if (wish->expires_s <= now_s || wish->expires_s > now_s + CTL_PAIRING_LIFE_S + CTL_PAIRING_SKEW_S)
        return cs_err_set(err, CS_EINVAL, "a pairing has to expire within ten minutes");
    if (!policy || !cs_policy_operator(policy, wish->operator))
        return cs_err_set(err, CS_ENOTFOUND,
                          "%.63s is no operator of the trust policy: a browser is paired with one who is",
                          wish->operator);
    if (find(pairings, wish->authentication_digest))
        return cs_err_set(err, CS_EEXISTS, "this pairing exists already: make another");
    *ret = place_for(pairings, wish->operator);
    return *ret ? CS_OK
                : cs_err_set(err, CS_EFULL, "%d links wait to be followed: try again when they have expired",
                             CTL_LIMIT_PAIRINGS);
}

int ctl_pairings_check(struct ctl_pairings *pairings, const struct cs_policy *policy,
                       const struct ctl_pairing_wish *wish, int64_t now_s, struct cs_err *err)
{
    struct ctl_pairing *place;

    return check(pairings, policy, wish, now_s, &place, err);
}

int ctl_pairings_create(struct ctl_pairings *pairings, const struct cs_policy *policy,
                        const struct ctl_pairing_wish *wish, int64_t now_s, struct cs_err *err)
{
    int64_t latest_s = now_s + CTL_PAIRING_LIFE_S;
    struct ctl_pairing *place;
    int rc = check(pairings, policy, wish, now_s, &place, err);

    if (rc != CS_OK)
        return rc;
    *place = (struct ctl_pairing){.expires_s = wish->expires_s < latest_s ? wish->expires_s : latest_s};
    snprintf(place->operator, sizeof place->operator, "%s", wish->operator);
    memcpy(place->authentication.bytes, wish->authentication_digest.ptr, CS_SHA256_BYTES);
    return CS_OK;
}

/* In whose hands the key is already; NULL: nobody's. */
static const char *owner_of(const countersign_v1_TrustPolicy *policy, struct cs_slice spki)
{
    if (cs_roots_have(&policy->roots, spki))
        return "a root";
    for (pb_size_t i = 0; i < policy->message_keys_count; i++)
        if (cs_slice_eq(CS_PB_BYTES(&policy->message_keys[i]), spki))
            return "the controller";
    for (pb_size_t i = 0; i < policy->operators_count; i++)
        for (pb_size_t k = 0; k < policy->operators[i].keys_count; k++)
            if (cs_slice_eq(CS_PB_BYTES(&policy->operators[i].keys[k].spki), spki))
                return policy->operators[i].name;
    return NULL;
}

static int check_key(const struct cs_policy *policy, const struct ctl_pairing_answer *answer,
                     struct cs_err *err)
{
    const char *owner;
    int rc = cs_spki_check(answer->spki);

    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc != CS_OK)
        return cs_err_set(err, CS_EINVAL, "the key has to be a P-256 key as SubjectPublicKeyInfo of %d bytes",
                          CS_SPKI_BYTES);
    if (answer->binding_mac.len != CS_SHA256_BYTES)
        return cs_err_set(err, CS_EINVAL, "the binding MAC has to be an HMAC-SHA256");
    owner = owner_of(cs_policy_body(policy), answer->spki);
    return owner ? cs_err_set(err, CS_EEXISTS,
                              "this key is in the trust policy already, as one of %s: make a new one", owner)
                 : CS_OK;
}

int ctl_pairings_pair(struct ctl_pairings *pairings, const struct cs_policy *policy,
                      const struct ctl_pairing_answer *answer, int64_t now_s, const struct ctl_pairing **ret,
                      struct cs_err *err)
{
    struct cs_digest digest = cs_sha256(answer->authentication);
    struct ctl_pairing *pairing;
    int rc;

    drop_expired(pairings, now_s);
    pairing = find(pairings, cs_digest_slice(&digest));
    if (pairing && pairing->is_used && cs_slice_eq(CS_SLICE_ARRAY(pairing->spki), answer->spki)) {
        *ret = pairing;
        return CS_OK;
    }
    if (!pairing || pairing->is_used || !policy || !cs_policy_operator(policy, pairing->operator))
        return cs_err_set(err, CS_EDENIED,
                          "this link is not good, or not any more: it lives for ten minutes and for one "
                          "browser; ask the admin for another");
    rc = check_key(policy, answer, err);
    if (rc != CS_OK)
        return rc;
    memcpy(pairing->spki, answer->spki.ptr, sizeof pairing->spki);
    memcpy(pairing->mac.bytes, answer->binding_mac.ptr, sizeof pairing->mac.bytes);
    pairing->is_used = true;
    *ret = pairing;
    return CS_OK;
}

void ctl_pairings_record(struct ctl_pairings *pairings, const struct cs_digest *authentication)
{
    struct ctl_pairing *pairing = find(pairings, cs_digest_slice(authentication));

    if (pairing && pairing->is_used)
        pairing->is_recorded = true;
}

int ctl_pairings_get(struct ctl_pairings *pairings, struct cs_slice authentication_digest, int64_t now_s,
                     const struct ctl_pairing **ret, struct cs_err *err)
{
    const struct ctl_pairing *pairing;

    drop_expired(pairings, now_s);
    pairing = find(pairings, authentication_digest);
    if (!pairing)
        return cs_err_set(
            err, CS_ENOTFOUND,
            "there is no such pairing: it has expired, a later one for the same person withdrew "
            "it, or the controller was restarted; make another");
    *ret = pairing;
    return CS_OK;
}
