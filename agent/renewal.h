/* renewal.h - the device's identity key is followed by a fresh one, under a certificate of its own. Every
 * step is on disk before the next, so that a power cut leaves the old pair or the new one:
 *
 *   a sequence is reserved ─▶ fresh key, in the other slot ─▶ statement (old and fresh key sign)
 *        ─▶ said, again in each session, byte for byte ─▶ the certificate comes
 *        ─▶ one write names certificate and slot ─▶ the statement is forgotten
 *        ─▶ a session opened with the fresh key ─▶ the old key is forgotten
 *
 * From the moment that the statement is on disk, statements with higher sequences are signed by the fresh key
 * (shared/trust/device.h). The session certificate stays the old one until the new one is here. It knows no
 * connection: link/session.h carries the statement, link/late.h does when the old certificate has expired. */
#ifndef AG_RENEWAL_H
#define AG_RENEWAL_H

#include "shared/base/buf.h"
#include "shared/crypto/crypto.h"

struct ag_device;

struct ag_renewal {
    struct cs_buf envelope; /* empty: none is under way */
    uint64_t sequence;
    struct cs_key *key; /* the fresh one */
};

static inline bool ag_renewal_pending(const struct ag_renewal *renewal)
{
    return renewal->envelope.len > 0;
}

/* What was under way when the process ended; part of ag_device_open(). */
CS_MUST_USE int ag_renewal_open(struct ag_device *device, struct cs_err *err);
void ag_renewal_free(struct ag_renewal *renewal);

/* The key for what is said from now on. */
const struct cs_key *ag_renewal_newest_key(const struct ag_device *device);
/* The key that speaks for this sequence; NULL: it is gone. */
const struct cs_key *ag_renewal_key_for(const struct ag_device *device, uint64_t sequence);

/* When to renew: half of the certificate's life is over, and up to an eighth more, by `random`, so that a
 * fleet that enrolled in one hour does not renew in one second. And when the certificate expires. */
CS_MUST_USE int ag_renewal_times(const struct ag_device *device, uint32_t random, int64_t *ret_due_s,
                                 int64_t *ret_expires_s, struct cs_err *err);

/* Makes key and statement, and hands the statement to who listens to the device. CS_ESTATE: one is under way.
 */
CS_MUST_USE int ag_renewal_begin(struct ag_device *device, struct cs_err *err);
/* The certificate for the fresh key: from here on the device is that. CS_EAUTH for another key's;
 * CS_ESTATE when none, or another, is under way. */
CS_MUST_USE int ag_renewal_take(struct ag_device *device, struct cs_slice certificate, struct cs_err *err);
/* The newest key has opened a session: the one before is forgotten. */
void ag_renewal_settle(struct ag_device *device);

#endif
