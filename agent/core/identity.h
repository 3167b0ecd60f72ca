/* identity.h - who this device is: what enrolment and renewals gave it, as one stored record. Pure.
 * The record is written last, so that its presence means "enrolled"; keys stand in files of their own, and
 * the record says which of two is the certificate's: so both change in one write. */
#ifndef AG_CORE_IDENTITY_H
#define AG_CORE_IDENTITY_H

#include "shared/trust/policy.h"

struct ag_identity {
    uint8_t device_id[16];
    char device_name[CS_LIMIT_NAME_BYTES + 1];
    struct cs_pin pin;         /* deployment, roots, least policy version: from the token */
    struct cs_buf agent_ca;    /* DER, the anchor until a policy names others */
    struct cs_buf certificate; /* DER, of the identity key */
    unsigned key_slot;         /* 0 or 1: the file of the identity key */
    uint64_t key_above;        /* the key speaks for sequences above that of its renewal; 0: enrolled */
};

CS_MUST_USE int ag_identity_encode(const struct ag_identity *identity, struct cs_buf *out,
                                   struct cs_err *err);
CS_MUST_USE int ag_identity_decode(struct cs_slice bytes, struct ag_identity *ret, struct cs_err *err);
void ag_identity_free(struct ag_identity *identity);

#endif
