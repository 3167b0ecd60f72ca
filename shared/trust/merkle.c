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
 * the largest power of two, seen from below. In place it works because a level is written behind where it is
 * read. */
static void join(const struct cs_digest *level, size_t count, struct cs_digest *ret_next)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        ret_next[i / 2] = node(cs_digest_slice(&level[i]), cs_digest_slice(&level[i + 1]));
    if (count % 2 == 1)
        ret_next[count / 2] = level[count - 1];
}

struct cs_digest cs_merkle_root(const struct cs_digest *leaf_hashes, size_t count, struct cs_digest *scratch)
{
    cs_assert(count >= 1 && count <= CS_LIMIT_ORDERS_PER_REQUEST);
    if (scratch != leaf_hashes)
        memcpy(scratch, leaf_hashes, count * sizeof *scratch);
    for (; count > 1; count = (count + 1) / 2)
        join(scratch, count, scratch);
    return scratch[0];
}

size_t cs_merkle_tree_size(size_t count)
{
    size_t size = count;

    cs_assert(count >= 1 && count <= CS_LIMIT_ORDERS_PER_REQUEST);
    while (count > 1) {
        count = (count + 1) / 2;
        size += count;
    }
    return size;
}

void cs_merkle_tree_build(struct cs_digest *tree, size_t count)
{
    cs_assert(count >= 1 && count <= CS_LIMIT_ORDERS_PER_REQUEST);
    for (; count > 1; count = (count + 1) / 2) {
        join(tree, count, tree + count);
        tree += count;
    }
}

struct cs_digest cs_merkle_tree_root(const struct cs_digest *tree, size_t count)
{
    return tree[cs_merkle_tree_size(count) - 1];
}

size_t cs_merkle_tree_proof(const struct cs_digest *tree, size_t count, size_t index,
                            struct cs_digest ret_proof[CS_LIMIT_MERKLE_DEPTH])
{
    size_t len = 0;

    cs_assert(count >= 1 && count <= CS_LIMIT_ORDERS_PER_REQUEST && index < count);
    for (; count > 1; count = (count + 1) / 2) {
        size_t sibling = index ^ 1;

        if (sibling < count) /* else it rises as it is */
            ret_proof[len++] = tree[sibling];
        tree += count;
        index /= 2;
    }
    return len;
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
