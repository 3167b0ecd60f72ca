/* store.h - the agent's state folder: identity, keys, policies, state. Blocking file I/O through the port;
 * what is saved is on disk when the function returns.
 *
 *   FOLDER/lock            taken by the process that runs
 *
 *   FOLDER/device-id, identity.key, kem.key   0600, made before the first enrolment call, kept to repeat it
 *
 *   FOLDER/identity        written last: the device is enrolled; names the slot of its key
 *
 *   FOLDER/identity-2.key  the other slot: identities renew from one to the other and back
 *
 *   FOLDER/renewal         the envelope of the renewal that is under way; its key is in the other slot
 *
 *   FOLDER/policies/N      the envelope of every trust policy that was accepted
 *
 *   FOLDER/state           generations, orders, time floor, sequence (core/state.h), replaced as a whole
 *
 *   FOLDER/connectors/     what is installed (core/plan.h)
 *
 *   FOLDER/keys/SPKI/pending
 *                          a key that was made on request, and waits for its certificate
 *                          (core/pending_key.h); SPKI is the SHA-256 of its SubjectPublicKeyInfo, in hex */
#ifndef AG_STORE_H
#define AG_STORE_H

#include "agent/core/identity.h"
#include "agent/core/state.h"
#include "agent/port/port.h"

struct ag_store {
    struct ag_port *port; /* borrowed */
    const char *folder;   /* borrowed */
};

/* Makes the folders that are missing. */
CS_MUST_USE int ag_store_prepare(const struct ag_store *store, struct cs_err *err);

/* CS_ENOTFOUND with a sentence that says how to enrol. */
CS_MUST_USE int ag_store_load_identity(const struct ag_store *store, struct ag_identity *ret,
                                       struct cs_err *err);
CS_MUST_USE int ag_store_save_identity(const struct ag_store *store, const struct ag_identity *identity,
                                       struct cs_err *err);

struct ag_keys {
    struct cs_key *identity, *kem;
};
/* CS_ENOTFOUND when they were not made yet. */
CS_MUST_USE int ag_store_load_keys(const struct ag_store *store, unsigned key_slot, struct ag_keys *ret,
                                   struct cs_err *err);
/* The keys and the device-id that are there, or new ones: an interrupted enrolment goes on with the same. */
CS_MUST_USE int ag_store_make_keys(const struct ag_store *store, struct ag_keys *ret,
                                   uint8_t ret_device_id[16], struct cs_err *err);
void ag_keys_free(struct ag_keys *keys);

/* A renewal: the fresh key in its slot, in place of any that is there; then the statement that names it. Each
 * is CS_ENOTFOUND when there is none. */
CS_MUST_USE int ag_store_make_fresh_key(const struct ag_store *store, unsigned slot, struct cs_key **ret,
                                        struct cs_err *err);
CS_MUST_USE int ag_store_load_fresh_key(const struct ag_store *store, unsigned slot, struct cs_key **ret,
                                        struct cs_err *err);
CS_MUST_USE int ag_store_drop_key(const struct ag_store *store, unsigned slot, struct cs_err *err);
CS_MUST_USE int ag_store_save_renewal(const struct ag_store *store, struct cs_slice envelope,
                                      struct cs_err *err);
CS_MUST_USE int ag_store_load_renewal(const struct ag_store *store, struct cs_buf *out, struct cs_err *err);
CS_MUST_USE int ag_store_drop_renewal(const struct ag_store *store, struct cs_err *err);

/* CS_ECORRUPT without a state file, or with a damaged one: whoever forgets can be replayed to. One that
 * belongs to another device-id is refused. */
CS_MUST_USE int ag_store_load_state(const struct ag_store *store, const struct ag_identity *identity,
                                    struct ag_state *ret, struct cs_err *err);
CS_MUST_USE int ag_store_save_state(const struct ag_store *store, const struct ag_state *state,
                                    struct cs_err *err);

CS_MUST_USE int ag_store_load_policy(const struct ag_store *store, uint32_t version, struct cs_policy **ret,
                                     struct cs_err *err);
CS_MUST_USE int ag_store_save_policy(const struct ag_store *store, uint32_t version, struct cs_slice wire,
                                     struct cs_err *err);

/* Keys that were made on request, by the digests of their SPKIs; at most `most` of them. Folders that an
 * interrupted save left are removed. */
CS_MUST_USE int ag_store_list_pending_keys(const struct ag_store *store, struct cs_digest *ret_spkis,
                                           size_t most, size_t *ret_count, struct cs_err *err);
/* Appends the record, which the caller wipes. CS_ENOTFOUND if there is none. */
CS_MUST_USE int ag_store_load_pending_key(const struct ag_store *store, const struct cs_digest *spki,
                                          struct cs_buf *out, struct cs_err *err);
CS_MUST_USE int ag_store_save_pending_key(const struct ag_store *store, const struct cs_digest *spki,
                                          struct cs_slice record, struct cs_err *err);
/* Absent is fine. */
CS_MUST_USE int ag_store_remove_pending_key(const struct ag_store *store, const struct cs_digest *spki,
                                            struct cs_err *err);

#endif
