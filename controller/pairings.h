/* pairings.h - links by which the keys of browsers come to be known: made by an admin's client, followed
 * once, read by that client. Pure: the clock is passed in; nothing is on disk, so a restart forgets them all.
 * Of one thread.
 *
 *   CreatePairing: SHA-256 of one half ──▶ the link, with both halves, reaches a person's browser
 *   Pair: that half, the public key that the browser made, a MAC by the other half ──▶ tied to this key
 *   GetPairing: key and MAC ──▶ the client, which has the other half, checks and proposes the key to the
 * roots
 *
 * The other half never comes here, so that nobody in between, and not the controller, can put a key of its
 * own in the place of the browser's. A pairing lets nobody in: a key counts once the trust policy has it. */
#ifndef CTL_PAIRINGS_H
#define CTL_PAIRINGS_H

#include "shared/trust/policy.h"

enum {
    /* A link is at hand while somebody waits for it. */
    CTL_PAIRING_LIFE_S = 10 * 60,
    /* How far a client's clock may be ahead; its link lives no longer for it. */
    CTL_PAIRING_SKEW_S = 5 * 60,
    /* A key that came by one can be read for so long after the link has expired. */
    CTL_PAIRING_KEPT_S = 60 * 60,
    /* At once: people follow them one by one. */
    CTL_LIMIT_PAIRINGS = 64,
};

struct ctl_pairing {
    char operator[CS_LIMIT_NAME_BYTES + 1];
    struct cs_digest authentication; /* SHA-256 of that half */
    int64_t expires_s;
    bool is_used;
    bool is_recorded; /* and in the audit */
    uint8_t spki[CS_SPKI_BYTES];
    struct cs_digest mac;
};

struct ctl_pairings;
CS_MUST_USE int ctl_pairings_new(struct ctl_pairings **ret, struct cs_err *err);
void ctl_pairings_free(struct ctl_pairings *pairings);

/* What CreatePairing asks. Slices of other lengths than a digest's are refused. */
struct ctl_pairing_wish {
    const char *operator;
    struct cs_slice authentication_digest;
    int64_t expires_s;
};
/* Could be made now: CS_EINVAL, CS_ENOTFOUND (no such operator), CS_EEXISTS, CS_EFULL. */
CS_MUST_USE int ctl_pairings_check(struct ctl_pairings *pairings, const struct cs_policy *policy,
                                   const struct ctl_pairing_wish *wish, int64_t now_s, struct cs_err *err);
/* The same, and makes it. A link of this operator that nobody has followed is withdrawn. */
CS_MUST_USE int ctl_pairings_create(struct ctl_pairings *pairings, const struct cs_policy *policy,
                                    const struct ctl_pairing_wish *wish, int64_t now_s, struct cs_err *err);

struct ctl_pairing_answer {
    struct cs_slice authentication, spki, binding_mac;
};
/* The first use ties it to the key; the same key again is told the same. CS_EDENIED, always the same
 * sentence, for a link that is not there, has expired, or is another key's; only who has a good one learns
 * what else is wrong. *ret is valid until the next call. */
CS_MUST_USE int ctl_pairings_pair(struct ctl_pairings *pairings, const struct cs_policy *policy,
                                  const struct ctl_pairing_answer *answer, int64_t now_s,
                                  const struct ctl_pairing **ret, struct cs_err *err);
/* The use is in the audit: from now on it can be read. */
void ctl_pairings_record(struct ctl_pairings *pairings, const struct cs_digest *authentication);
/* CS_ENOTFOUND for one that is not there, or has expired unused. *ret is valid until the next call. */
CS_MUST_USE int ctl_pairings_get(struct ctl_pairings *pairings, struct cs_slice authentication_digest,
                                 int64_t now_s, const struct ctl_pairing **ret, struct cs_err *err);

#endif
