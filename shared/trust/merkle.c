#include "shared/trust/merkle.h"

static const uint8_t LEAF_PREFIX = 0x00;
static const uint8_t NODE_PREFIX = 0x01;

struct cs_digest cs_merkle_leaf(struct cs_slice leaf)
{
    const struct cs_slice parts[] = {cs_slice(&LEAF_PREFIX, 1), leaf};

    return cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
}

static struct cs_digest node(struct cs_slice left, struct cs_slice right)
{
    const struct cs_slice parts[] = {cs_slice(&NODE_PREFIX, 1), left, right};

    return cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
}

/* Level by level: neighbours join, and the last of an odd number rises as it is. That is RFC 9162's split at
 * the largest power of two, seen from below. */
struct cs_digest cs_merkle_root(const struct cs_digest *leaf_hashes, size_t count, struct cs_digest *scratch)
{
    cs_assert(count >= 1 && count <= CS_LIMIT_ORDERS_PER_REQUEST);
    if (scratch != leaf_hashes)
        memcpy(scratch, leaf_hashes, count * sizeof *scratch);
    while (count > 1) {
        for (size_t i = 0; i + 1 < count; i += 2)
            scratch[i / 2] = node(cs_digest_slice(&scratch[i]), cs_digest_slice(&scratch[i + 1]));
        if (count % 2 == 1)
            scratch[count / 2] = scratch[count - 1];
        count = (count + 1) / 2;
    }
    return scratch[0];
}

static size_t largest_power_of_two_below(size_t count)
{
    size_t power = 1;

    while (power * 2 < count)
        power *= 2;
    return power;
}

/* MTH of RFC 9162 section 2.1.1, as it is written there; at most CS_LIMIT_MERKLE_DEPTH calls deep. */
static struct cs_digest subtree(const struct cs_digest *leaf_hashes, size_t count)
{
    struct cs_digest left, right;
    size_t split;

    if (count == 1)
        return leaf_hashes[0];
    split = largest_power_of_two_below(count);
    left = subtree(leaf_hashes, split);
    right = subtree(leaf_hashes + split, count - split);
    return node(cs_digest_slice(&left), cs_digest_slice(&right));
}

/* PATH of RFC 9162 section 2.1.3.1. */
size_t cs_merkle_proof(const struct cs_digest *leaf_hashes, size_t count, size_t index,
                       struct cs_digest ret_proof[CS_LIMIT_MERKLE_DEPTH])
{
    size_t split, len;

    cs_assert(count >= 1 && count <= CS_LIMIT_ORDERS_PER_REQUEST && index < count);
    if (count == 1)
        return 0;
    split = largest_power_of_two_below(count);
    if (index < split) {
        len = cs_merkle_proof(leaf_hashes, split, index, ret_proof);
        ret_proof[len] = subtree(leaf_hashes + split, count - split);
    } else {
        len = cs_merkle_proof(leaf_hashes + split, count - split, index - split, ret_proof);
        ret_proof[len] = subtree(leaf_hashes, split);
    }
    return len + 1;
}

bool cs_merkle_verify(const struct cs_digest *root, size_t count, size_t index,
                      const struct cs_digest *leaf_hash, const struct cs_slice *proof, size_t proof_len)
{
    struct cs_digest hash = *leaf_hash;
    size_t at, last; /* fn and sn of the RFC: our place and the last one, in the level that is reached */

    if (count == 0 || count > CS_LIMIT_ORDERS_PER_REQUEST || index >= count)
        return false;
    at = index;
    last = count - 1;
    for (size_t i = 0; i < proof_len; i++) {
        if (last == 0 || proof[i].len != CS_SHA256_BYTES)
            return false;
        if (at % 2 == 1 || at == last) {
            hash = node(proof[i], cs_digest_slice(&hash));
            /* A node without a neighbour rises as it is, for as many levels as it has none. */
            while (at % 2 == 0 && at != 0) {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node(cs_digest_slice(&hash), proof[i]);
        }
        at /= 2;
        last /= 2;
    }
    return last == 0 && cs_digest_eq(&hash, root);
}
