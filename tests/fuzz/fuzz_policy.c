/* Trust policies, one after the other, signed by whoever the input says: exactly those are followed that
 * should be, by a model that knows who signed. Five bytes are one policy that comes. */
#include "tests/support/deployment.h"

enum { ROOTS = 5, ROOT_SETS = 2, STEP_BYTES = 5, MOST_STEPS = 8, NOT_OURS = -1, FIRST = -2 };

/* Two of three, each: root-2 is in both. */
static const uint8_t root_sets[ROOT_SETS] = {0x07, 0x1c};

/* What the input may bring. `previous` is the policy that it names as the one before. */
static const struct candidate {
    uint32_t version;
    int previous;
    size_t roots;
    bool other_deployment;
    int issued_s;
} candidates[] = {
    {1, FIRST, 0, false, 0}, {2, 0, 0, false, 10}, {3, 1, 0, false, 20},
    {3, 1, 1, false, 20}, /* the roots change hands */
    {4, 3, 1, false, 30},    {4, 2, 0, false, 30}, {2, NOT_OURS, 0, false, 10},
    {2, 0, 0, true, 10},     {2, 0, 0, false, -1}, /* issued before the first */
    {4, 1, 0, false, 30},                          /* leaves one out */
    {1, FIRST, 1, false, 0}, {5, 4, 0, false, 40}, /* and back to the first roots */
    {1, FIRST, 0, true, 0},
};
enum { CANDIDATES = CS_ARRAY_LEN(candidates) };

static struct {
    struct deployment d;
    struct cs_buf payloads[CANDIDATES];
    struct cs_digest digests[CANDIDATES];
    const struct cs_key *roots[ROOTS + 1]; /* the last is nobody's */
    struct cs_pin pins[ROOT_SETS];
} w;

static void fill_roots(countersign_v1_RootSet *roots, uint8_t set)
{
    *roots = (countersign_v1_RootSet){.threshold = 2};
    for (size_t i = 0; i < ROOTS; i++) {
        if (!(set & 1u << i))
            continue;
        CS_PB_SET(&roots->keys[roots->keys_count], cs_key_spki(w.roots[i]));
        roots->keys_count++;
    }
}

static void make_candidate(size_t at)
{
    const struct candidate *c = &candidates[at];
    countersign_v1_TrustPolicy *body = w.d.body;
    struct cs_digest previous = {{1}};

    if (c->previous >= 0)
        previous = w.digests[c->previous];
    body->version = c->version;
    body->issued_at_s = w.d.now_s + c->issued_s;
    fill_roots(&body->roots, root_sets[c->roots]);
    body->deployment_id.bytes[0] ^= c->other_deployment;
    CS_PB_SET(&body->previous_digest, c->previous == FIRST ? CS_SLICE_EMPTY : cs_digest_slice(&previous));
    w.payloads[at] = deployment_encode(countersign_v1_TrustPolicy_fields, body);
    w.digests[at] = cs_sha256(cs_buf_slice(&w.payloads[at]));
    body->deployment_id.bytes[0] ^= c->other_deployment;
}

static void make_once(void)
{
    static const char *const names[ROOTS + 1] = {"root-0", "root-1", "root-2", "root-3", "root-4", "mallory"};
    countersign_v1_TrustPolicy *body;

    if (w.d.policy)
        return;
    deployment_make(&w.d);
    body = malloc(sizeof *body);
    cs_assert(body);
    *body = *w.d.body;
    for (size_t i = 0; i <= ROOTS; i++)
        w.roots[i] = deployment_key(&w.d, names[i]);
    for (size_t at = 0; at < CANDIDATES; at++)
        make_candidate(at);
    *w.d.body = *body;
    free(body);
    for (size_t i = 0; i < ROOT_SETS; i++) {
        countersign_v1_RootSet roots;

        fill_roots(&roots, root_sets[i]);
        w.pins[i] = deployment_pin(&w.d);
        w.pins[i].roots_digest = cs_roots_digest(&roots);
    }
}

static bool enough(uint8_t signers, size_t set)
{
    return __builtin_popcount(signers & root_sets[set]) >= 2;
}

static bool should_pin(const struct candidate *c, uint8_t signers, size_t set, const struct cs_pin *pin)
{
    return c->roots == set && enough(signers, set) && !c->other_deployment &&
           c->version >= pin->least_version;
}

static bool should_follow(const struct candidate *c, uint8_t signers, int current)
{
    const struct candidate *before = &candidates[current];

    return enough(signers, before->roots) && enough(signers, c->roots) &&
           c->other_deployment == before->other_deployment && c->previous == current &&
           c->version == before->version + 1 && c->issued_s >= before->issued_s;
}

static struct cs_buf sign(size_t at, uint8_t signers, struct cs_slice alter, size_t place)
{
    const struct cs_key *keys[ROOTS + 1];
    struct cs_buf wire = CS_BUF_EMPTY;
    size_t count = 0;

    for (size_t i = 0; i <= ROOTS; i++)
        if (signers & 1u << i)
            keys[count++] = w.roots[i];
    cs_assert(cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&w.payloads[at]), keys, count, &wire,
                               NULL) == CS_OK);
    for (size_t i = 0; i < alter.len; i++)
        wire.ptr[(place * 7 + i) % wire.len] ^= alter.ptr[i];
    return wire;
}

/* Bytes of a step: which candidate; who signs; bit 0: pinned, bit 1: the second set of roots, bits 2 and 3:
 * the least version of the pin, bit 4: altered; where; with what. */
static void step(const uint8_t bytes[STEP_BYTES], struct cs_policy **current, int *at)
{
    size_t which = bytes[0] % CANDIDATES, set = bytes[2] >> 1 & 1;
    const struct candidate *c = &candidates[which];
    bool pinned = (bytes[2] & 1) || !*current;
    struct cs_slice alter = bytes[2] & 0x10 ? cs_slice(&bytes[4], 1) : CS_SLICE_EMPTY;
    struct cs_buf wire = sign(which, bytes[1], alter, bytes[3]);
    struct cs_pin pin = w.pins[set];
    struct cs_policy *next = NULL;
    struct cs_err err;
    bool should;
    int rc;

    pin.least_version = bytes[2] >> 2 & 3;
    if (pinned) {
        should = should_pin(c, bytes[1], set, &pin);
        rc = cs_policy_open_pinned(cs_buf_slice(&wire), &pin, &next, &err);
    } else {
        should = should_follow(c, bytes[1], *at);
        rc = cs_policy_open_next(cs_buf_slice(&wire), *current, &next, &err);
    }
    cs_assert(rc == CS_OK ? should : next == NULL);
    if (alter.len == 0 || alter.ptr[0] == 0)
        cs_assert((rc == CS_OK) == should);
    if (rc == CS_OK) {
        struct cs_digest digest = cs_policy_digest(next);

        cs_assert(cs_digest_eq(&digest, &w.digests[which]) && cs_policy_version(next) == c->version);
        cs_policy_free(*current);
        *current = next;
        *at = (int)which;
    }
    cs_buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_policy *current = NULL;
    int at = NOT_OURS;

    make_once();
    for (size_t i = 0; i < MOST_STEPS && (i + 1) * STEP_BYTES <= size; i++)
        step(data + i * STEP_BYTES, &current, &at);
    cs_policy_free(current);
    return 0;
}
