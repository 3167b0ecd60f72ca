#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/trust/merkle.h"

#include <stdio.h>

enum { VECTOR_LEAVES = 8, LINE_BYTES = 1024 };

struct vectors {
    struct cs_digest leaves[VECTOR_LEAVES];
    struct cs_digest roots[VECTOR_LEAVES + 1]; /* by count */
    struct vector_proof {
        size_t count, index, len;
        struct cs_digest siblings[CS_LIMIT_MERKLE_DEPTH];
    } proofs[64];
    size_t proof_count;
};

static struct cs_digest digest_from_hex(const char *hex)
{
    struct cs_digest digest;

    assert_int_equal(cs_unhex(cs_slice_str(hex), digest.bytes, sizeof digest.bytes), CS_OK);
    return digest;
}

static void read_leaf(struct vectors *v, size_t index, const char *hex)
{
    uint8_t bytes[64];
    size_t len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

    assert_true(index < VECTOR_LEAVES && len <= sizeof bytes);
    assert_int_equal(cs_unhex(cs_slice(hex, 2 * len), bytes, len), CS_OK);
    v->leaves[index] = cs_merkle_leaf(cs_slice(bytes, len));
}

static void read_proof(struct vectors *v, size_t count, size_t index)
{
    struct vector_proof *proof = &v->proofs[v->proof_count++];
    char *hex;

    assert_true(v->proof_count <= CS_ARRAY_LEN(v->proofs));
    *proof = (struct vector_proof){.count = count, .index = index};
    while ((hex = strtok(NULL, " \n")) != NULL)
        proof->siblings[proof->len++] = digest_from_hex(hex);
}

static size_t next_number(void)
{
    const char *text = strtok(NULL, " \n");

    assert_non_null(text);
    return strtoul(text, NULL, 10);
}

static void read_vectors(struct vectors *v)
{
    FILE *file = fopen(CS_TEST_VECTORS "/merkle-rfc9162.txt", "r");
    char line[LINE_BYTES];

    assert_non_null(file);
    *v = (struct vectors){.proof_count = 0};
    while (fgets(line, sizeof line, file)) {
        const char *word = line[0] == '#' ? NULL : strtok(line, " \n");

        if (!word)
            continue;
        if (strcmp(word, "leaf") == 0) {
            size_t index = next_number();

            read_leaf(v, index, strtok(NULL, " \n"));
        } else if (strcmp(word, "root") == 0) {
            size_t count = next_number();

            v->roots[count] = digest_from_hex(strtok(NULL, " \n"));
        } else {
            size_t count = next_number(), index = next_number();

            read_proof(v, count, index);
        }
    }
    fclose(file);
    assert_int_equal(v->proof_count, 36);
}

/* A tree of its own memory; the caller frees it. */
static struct cs_digest *build(const struct cs_digest *leaves, size_t count)
{
    struct cs_digest *tree = calloc(cs_merkle_tree_size(count), sizeof *tree);

    assert_non_null(tree);
    memcpy(tree, leaves, count * sizeof *tree);
    cs_merkle_tree_build(tree, count);
    return tree;
}

static size_t prove(const struct cs_digest *leaves, size_t count, size_t index,
                    struct cs_digest ret_proof[CS_LIMIT_MERKLE_DEPTH])
{
    struct cs_digest *tree = build(leaves, count);
    size_t len = cs_merkle_tree_proof(tree, count, index, ret_proof);

    free(tree);
    return len;
}

static bool verify(const struct cs_digest *root, size_t count, size_t index, const struct cs_digest *leaf,
                   const struct cs_digest *siblings, size_t len)
{
    struct cs_slice proof[CS_LIMIT_MERKLE_DEPTH + 1];

    assert_true(len <= CS_ARRAY_LEN(proof));
    for (size_t i = 0; i < len; i++)
        proof[i] = cs_digest_slice(&siblings[i]);
    return cs_merkle_verify(root, count, index, leaf, proof, len);
}

static void has_the_published_roots(void **state)
{
    struct vectors v;

    (void)state;
    read_vectors(&v);
    for (size_t count = 1; count <= VECTOR_LEAVES; count++) {
        struct cs_digest scratch[VECTOR_LEAVES];
        struct cs_digest root = cs_merkle_root(v.leaves, count, scratch);

        check_slice(cs_digest_slice(&root), cs_digest_slice(&v.roots[count]));
    }
}

static void has_the_proofs_of_the_vectors(void **state)
{
    struct vectors v;

    (void)state;
    read_vectors(&v);
    for (size_t i = 0; i < v.proof_count; i++) {
        const struct vector_proof *wanted = &v.proofs[i];
        struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];

        assert_int_equal(prove(v.leaves, wanted->count, wanted->index, proof), wanted->len);
        for (size_t k = 0; k < wanted->len; k++)
            check_slice(cs_digest_slice(&proof[k]), cs_digest_slice(&wanted->siblings[k]));
        assert_true(verify(&v.roots[wanted->count], wanted->count, wanted->index, &v.leaves[wanted->index],
                           proof, wanted->len));
    }
}

/* The RFC's definitions once more, as slowly as they are written there: MTH of section 2.1.1 and PATH of
 * section 2.1.3.1 over the leaves from `from` up to `to`. */
static struct cs_digest slow_root(const struct cs_digest *leaves, size_t from, size_t to)
{
    uint8_t bytes[1 + 2 * CS_SHA256_BYTES] = {1};
    size_t k = 1;

    if (to - from == 1)
        return leaves[from];
    while (2 * k < to - from)
        k *= 2;
    memcpy(bytes + 1, slow_root(leaves, from, from + k).bytes, CS_SHA256_BYTES);
    memcpy(bytes + 33, slow_root(leaves, from + k, to).bytes, CS_SHA256_BYTES);
    return cs_sha256(CS_SLICE_ARRAY(bytes));
}

static size_t slow_path(const struct cs_digest *leaves, size_t from, size_t to, size_t index,
                        struct cs_digest *proof)
{
    size_t k = 1, len;
    bool left;

    if (to - from == 1)
        return 0;
    while (2 * k < to - from)
        k *= 2;
    left = index < from + k;
    len = left ? slow_path(leaves, from, from + k, index, proof)
               : slow_path(leaves, from + k, to, index, proof);
    proof[len] = left ? slow_root(leaves, from + k, to) : slow_root(leaves, from, from + k);
    return len + 1;
}

/* Also: a proof holds for no other place, and not with a bit of it changed. */
static void check_proof(const struct cs_digest *tree, const struct cs_digest *root, size_t count,
                        size_t index, struct cs_buf *all)
{
    const struct cs_digest *leaves = tree; /* which begins with them */
    struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH], slow[CS_LIMIT_MERKLE_DEPTH];
    size_t len = cs_merkle_tree_proof(tree, count, index, proof);

    assert_int_equal(len, slow_path(leaves, 0, count, index, slow));
    assert_int_equal(cs_buf_append_u8(all, (uint8_t)len), CS_OK);
    for (size_t i = 0; i < len; i++) {
        check_slice(cs_digest_slice(&proof[i]), cs_digest_slice(&slow[i]));
        assert_int_equal(cs_buf_append(all, cs_digest_slice(&proof[i])), CS_OK);
    }
    assert_true(verify(root, count, index, &leaves[index], proof, len));
    for (size_t other = 0; other < count; other++)
        if (other != index)
            assert_false(verify(root, count, other, &leaves[index], proof, len));
    for (size_t i = 0; i < len; i++) {
        proof[i].bytes[index % CS_SHA256_BYTES] ^= 1;
        assert_false(verify(root, count, index, &leaves[index], proof, len));
        proof[i].bytes[index % CS_SHA256_BYTES] ^= 1;
    }
}

/* tests/vectors/merkle-64.txt, which a program in another language wrote. */
static void has_every_root_and_proof_of_trees_up_to_64_leaves(void **state)
{
    FILE *file = fopen(CS_TEST_VECTORS "/merkle-64.txt", "r");
    struct cs_digest leaves[64], scratch[64], tree[2 * 64 + CS_LIMIT_MERKLE_DEPTH];
    char line[LINE_BYTES];
    size_t seen = 0;

    (void)state;
    assert_non_null(file);
    for (size_t i = 0; i < 64; i++) {
        uint8_t bytes[64];

        memset(bytes, (int)i, i);
        leaves[i] = cs_merkle_leaf(cs_slice(bytes, i));
    }
    while (fgets(line, sizeof line, file)) {
        struct cs_buf all = CS_BUF_EMPTY;
        struct cs_digest root, proofs, wanted;
        size_t count;

        if (strcmp(strtok(line, " \n"), "tree") != 0)
            continue;
        count = next_number();
        assert_int_equal(count, ++seen);
        root = cs_merkle_root(leaves, count, scratch);
        wanted = digest_from_hex(strtok(NULL, " \n"));
        check_slice(cs_digest_slice(&root), cs_digest_slice(&wanted));
        memcpy(tree, leaves, count * sizeof *leaves);
        cs_merkle_tree_build(tree, count);
        for (size_t index = 0; index < count; index++)
            check_proof(tree, &root, count, index, &all);
        proofs = cs_sha256(cs_buf_slice(&all));
        wanted = digest_from_hex(strtok(NULL, " \n"));
        check_slice(cs_digest_slice(&proofs), cs_digest_slice(&wanted));
        cs_buf_free(&all);
    }
    fclose(file);
    assert_int_equal(seen, 64);
}

static void fill_leaves(struct cs_digest *leaves, size_t count)
{
    for (uint32_t i = 0; i < count; i++)
        leaves[i] = cs_merkle_leaf(cs_slice(&i, sizeof i));
}

static void proves_every_leaf_of_trees_of_many_sizes(void **state)
{
    static const size_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100};
    struct cs_digest leaves[100], scratch[100];

    (void)state;
    fill_leaves(leaves, CS_ARRAY_LEN(leaves));
    for (size_t c = 0; c < CS_ARRAY_LEN(counts); c++) {
        size_t count = counts[c];
        struct cs_digest root = cs_merkle_root(leaves, count, scratch);

        for (size_t index = 0; index < count; index++) {
            struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];
            size_t len = prove(leaves, count, index, proof);

            assert_true(verify(&root, count, index, &leaves[index], proof, len));
            for (size_t other = 0; other < count; other++)
                if (other != index)
                    assert_false(verify(&root, count, other, &leaves[index], proof, len));
        }
    }
}

/* RFC 9162 sections 2.1.1 (MTH) and 2.1.3.1 (PATH) as they are written there: the witness. */
static size_t split_of(size_t count)
{
    size_t power = 1;

    while (power * 2 < count)
        power *= 2;
    return power;
}

static struct cs_digest rfc_root(const struct cs_digest *leaves, size_t count)
{
    static const uint8_t prefix = 0x01;
    struct cs_digest left, right;

    if (count == 1)
        return leaves[0];
    left = rfc_root(leaves, split_of(count));
    right = rfc_root(leaves + split_of(count), count - split_of(count));
    const struct cs_slice parts[] = {cs_slice(&prefix, 1), cs_digest_slice(&left), cs_digest_slice(&right)};

    return cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
}

static size_t rfc_path(const struct cs_digest *leaves, size_t count, size_t index, struct cs_digest *ret)
{
    size_t split = split_of(count), len;

    if (count == 1)
        return 0;
    if (index < split) {
        len = rfc_path(leaves, split, index, ret);
        ret[len] = rfc_root(leaves + split, count - split);
    } else {
        len = rfc_path(leaves + split, count - split, index - split, ret);
        ret[len] = rfc_root(leaves, split);
    }
    return len + 1;
}

static void kept_trees_prove_what_the_rfc_writes(void **state)
{
    static const size_t counts[] = {1, 2, 3, 7, 8, 9, 100, 1023, 1025};
    cs_auto_free struct cs_digest *leaves = calloc(1025, sizeof *leaves);

    (void)state;
    assert_non_null(leaves);
    fill_leaves(leaves, 1025);
    for (size_t c = 0; c < CS_ARRAY_LEN(counts); c++) {
        struct cs_digest *tree = build(leaves, counts[c]);
        struct cs_digest root = cs_merkle_tree_root(tree, counts[c]), wanted = rfc_root(leaves, counts[c]);

        check_slice(cs_digest_slice(&root), cs_digest_slice(&wanted));
        for (size_t index = 0; index < counts[c]; index += counts[c] / 50 + 1) {
            struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH], path[CS_LIMIT_MERKLE_DEPTH];
            size_t len = cs_merkle_tree_proof(tree, counts[c], index, proof);

            assert_int_equal(len, rfc_path(leaves, counts[c], index, path));
            assert_memory_equal(proof, path, len * sizeof proof[0]);
        }
        free(tree);
    }
}

static void proves_the_largest_tree(void **state)
{
    static const size_t indices[] = {0, 1, 511, 8191, 8192, 16382, 16383};
    const size_t count = CS_LIMIT_ORDERS_PER_REQUEST;
    cs_auto_free struct cs_digest *leaves = calloc(count, sizeof *leaves);
    cs_auto_free struct cs_digest *tree = NULL;
    struct cs_digest root;

    (void)state;
    assert_non_null(leaves);
    fill_leaves(leaves, count);
    tree = build(leaves, count);
    root = cs_merkle_root(leaves, count, leaves);
    for (size_t i = 0; i < CS_ARRAY_LEN(indices); i++) {
        struct cs_digest proof[CS_LIMIT_MERKLE_DEPTH];
        size_t len = cs_merkle_tree_proof(tree, count, indices[i], proof);

        assert_int_equal(len, CS_LIMIT_MERKLE_DEPTH);
        assert_true(verify(&root, count, indices[i], &tree[indices[i]], proof, len));
    }
}

static void may_use_its_input_as_scratch(void **state)
{
    struct cs_digest leaves[7], scratch[7], apart, in_place;

    (void)state;
    fill_leaves(leaves, 7);
    apart = cs_merkle_root(leaves, 7, scratch);
    in_place = cs_merkle_root(leaves, 7, leaves);
    assert_true(cs_digest_eq(&apart, &in_place));
}

static void refuses_every_flipped_byte(void **state)
{
    struct cs_digest leaves[5], scratch[5], proof[CS_LIMIT_MERKLE_DEPTH], root;
    size_t len;

    (void)state;
    fill_leaves(leaves, 5);
    root = cs_merkle_root(leaves, 5, scratch);
    len = prove(leaves, 5, 2, proof);
    for (size_t i = 0; i < len * CS_SHA256_BYTES; i++) {
        uint8_t *byte = &proof[i / CS_SHA256_BYTES].bytes[i % CS_SHA256_BYTES];

        *byte ^= 1;
        assert_false(verify(&root, 5, 2, &leaves[2], proof, len));
        *byte ^= 1;
    }
    assert_true(verify(&root, 5, 2, &leaves[2], proof, len));
}

static void refuses_what_does_not_have_the_form_of_a_proof(void **state)
{
    struct cs_digest leaves[5], scratch[5], proof[CS_LIMIT_MERKLE_DEPTH + 1], root;
    struct cs_slice short_sibling[3];
    size_t len;

    (void)state;
    fill_leaves(leaves, 5);
    root = cs_merkle_root(leaves, 5, scratch);
    len = prove(leaves, 5, 2, proof);
    proof[len] = root;
    assert_false(verify(&root, 5, 2, &leaves[2], proof, len - 1));
    assert_false(verify(&root, 5, 2, &leaves[2], proof, len + 1));
    assert_false(verify(&root, 5, 5, &leaves[2], proof, len));
    assert_false(verify(&root, 5, SIZE_MAX, &leaves[2], proof, len));
    assert_false(verify(&root, 0, 0, &root, proof, 0));
    assert_false(verify(&root, CS_LIMIT_ORDERS_PER_REQUEST + 1, 0, &root, proof, 0));
    /* The root is a leaf of no tree but its own. */
    assert_false(verify(&root, 5, 0, &root, proof, 0));
    for (size_t i = 0; i < len; i++)
        short_sibling[i] = cs_digest_slice(&proof[i]);
    short_sibling[1].len--;
    assert_false(cs_merkle_verify(&root, 5, 2, &leaves[2], short_sibling, len));
}

static int set_up(void **state)
{
    struct cs_err err;

    (void)state;
    return cs_crypto_init(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_published_roots),
        cmocka_unit_test(has_the_proofs_of_the_vectors),
        cmocka_unit_test(has_every_root_and_proof_of_trees_up_to_64_leaves),
        cmocka_unit_test(proves_every_leaf_of_trees_of_many_sizes),
        cmocka_unit_test(kept_trees_prove_what_the_rfc_writes),
        cmocka_unit_test(proves_the_largest_tree),
        cmocka_unit_test(may_use_its_input_as_scratch),
        cmocka_unit_test(refuses_every_flipped_byte),
        cmocka_unit_test(refuses_what_does_not_have_the_form_of_a_proof),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
