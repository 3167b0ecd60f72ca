/* device.h - who a device is, as its admission and its renewals make it, and what is therefore its word.
 * Pure. The one place for the rule which key speaks for a device when:
 *
 *   admission ───── K0 ─────▶ renewal, sequence 7 ───── K1 ─────▶ renewal, sequence 90 ───── K2 …
 *              1 … 7 by K0                          8 … 90 by K1                       91 … by K2
 *
 * A renewal is signed by the key so far and by the fresh key that it names; statements with a higher sequence
 * are the fresh key's, the renewal itself and those below are the old one's. Clients open a device from its
 * signed admission; the controller, which also hears devices that nobody has admitted yet, from its own
 * record. Start at cs_device_verify(). */
#ifndef CS_TRUST_DEVICE_H
#define CS_TRUST_DEVICE_H

#include "shared/trust/policy.h"

struct cs_device;

/* An admin of the policy signed the admission. CS_EAUTH, CS_EDENIED (no admin), CS_EPARSE; CS_ESTALE when the
 * signer saw a newer policy. The caller owns *ret. */
CS_MUST_USE int cs_device_open(const struct cs_policy *policy, struct cs_slice admission,
                               struct cs_device **ret, struct cs_err *err);
/* One that was verified before, as our own record of exactly these bytes says: parsed only. */
CS_MUST_USE int cs_device_open_checked(struct cs_slice admission, struct cs_device **ret, struct cs_err *err);
/* From our own record of it: `identity_spki` is the key that was enrolled or admitted last. `deployment_id`
 * empty: not known yet, any will do. Never for what comes from the wire. */
CS_MUST_USE int cs_device_open_stored(struct cs_slice deployment_id, struct cs_slice device_id,
                                      struct cs_slice identity_spki, struct cs_device **ret,
                                      struct cs_err *err);
void cs_device_free(struct cs_device *device);
CS_DEFINE_AUTO(cs_device_freep, struct cs_device, cs_device_free)

/* Borrowed. NULL of one that was opened from a record. */
const countersign_v1_Admission *cs_device_admission(const struct cs_device *device);
/* The newest key; valid until the device is followed or freed. */
struct cs_slice cs_device_identity(const struct cs_device *device);
/* How many were followed. */
size_t cs_device_renewals(const struct cs_device *device);

/* The next renewal: signed by the newest key and by the fresh one, of this deployment and device-id, with a
 * sequence above the last renewal's, for a key that the device has not had. CS_EAUTH, CS_EPARSE; CS_EDENIED
 * for another device's; CS_ESTALE for a sequence that is not above; CS_EEXISTS for a key of before. */
CS_MUST_USE int cs_device_check_renewal(const struct cs_device *device, struct cs_slice wire,
                                        countersign_v1_DeviceRenewal *ret, struct cs_err *err);
/* Checks it and goes on with the fresh key. CS_EFULL beyond CS_LIMIT_RENEWALS: an admin has to admit the
 * device anew. */
CS_MUST_USE int cs_device_follow(struct cs_device *device, struct cs_slice wire, struct cs_err *err);
/* One that was checked before: parsed only, and not counted against the limit. */
CS_MUST_USE int cs_device_follow_checked(struct cs_device *device, struct cs_slice wire, struct cs_err *err);

/* Is the statement (advertisement, CSR or report) this device's? It is signed by the key that was in force
 * for its sequence, and of this deployment and device-id. Then *ret is filled; it borrows from `wire`.
 * Whoever decodes the payload finds what else is wrong with it. CS_EAUTH, CS_EPARSE, CS_EDENIED for another
 * device's or deployment's. */
CS_MUST_USE int cs_device_verify(const struct cs_device *device, struct cs_slice wire,
                                 enum cs_statement_kind kind, struct cs_verified *ret, struct cs_err *err);

#endif
