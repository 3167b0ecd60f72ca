/* merkle.h - one root for many leaves, and proofs that a leaf is among them. RFC 9162 sections 2.1.1
 * to 2.1.3. Pure. */
#ifndef CS_TRUST_MERKLE_H
#define CS_TRUST_MERKLE_H

#include "shared/base/limits.h"
#include "shared/crypto/crypto.h"

/* SHA-256(0x00 ‖ leaf). */
struct cs_digest cs_merkle_leaf(struct cs_slice leaf);
/* Root over leaf hashes; count is 1 to CS_LIMIT_ORDERS_PER_REQUEST. `scratch` has room for count digests (may
 * be the input). */
struct cs_digest cs_merkle_root(const struct cs_digest *leaf_hashes, size_t count, struct cs_digest *scratch);
/* A tree with all its levels, one behind the other: the leaf hashes first, the root last. Whoever proves many
 * leaves keeps it: a proof is then one digest of each level and hashes nothing. */
size_t cs_merkle_tree_size(size_t count); /* in digests, fewer than 2 * count + CS_LIMIT_MERKLE_DEPTH */
/* `tree` begins with `count` leaf hashes and has room for cs_merkle_tree_size(count) digests. */
void cs_merkle_tree_build(struct cs_digest *tree, size_t count);
struct cs_digest cs_merkle_tree_root(const struct cs_digest *tree, size_t count);
/* Siblings from the leaf upwards, at most CS_LIMIT_MERKLE_DEPTH. */
size_t cs_merkle_tree_proof(const struct cs_digest *tree, size_t count, size_t index,
                            struct cs_digest ret_proof[CS_LIMIT_MERKLE_DEPTH]);
/* RFC 9162 section 2.1.3.2. False also for an index outside the tree, or a proof that is too short or too
 * long. */
bool cs_merkle_verify(const struct cs_digest *root, size_t count, size_t index,
                      const struct cs_digest *leaf_hash, const struct cs_slice *proof, size_t proof_len);

#endif
