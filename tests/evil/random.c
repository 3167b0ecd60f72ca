/* random.c - random harm on top of the named: many mutants of valid pushes, of which none is accepted that is
 * not what people signed. 20,000, and 1,000,000 with CS_LONG=1; CS_SEED makes other ones. */
#include "shared/trust/merkle.h"
#include "tests/evil/mutate.h"

#include <stdio.h>
#include <time.h>

enum { SHORT_RUN = 20000, LONG_RUN = 1000000, A_BATCH = 16, A_TREE = 2 * A_BATCH + CS_LIMIT_MERKLE_DEPTH };

/* ---- signatures that were checked before: most mutants keep most of them, and checking is what takes time
 */

enum { REMEMBERED = 1 << 16 };
static struct {
    bool used;
    int result;
    struct cs_digest of;
} * remembered;

int __wrap_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature);
int __real_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature);
int __wrap_cs_chain_check_links(const struct cs_chain *chain, struct cs_err *err);
int __real_cs_chain_check_links(const struct cs_chain *chain, struct cs_err *err);

/* Where the result of this question is, or is to be. */
static size_t place_of(const struct cs_digest *question)
{
    return (size_t)question->bytes[0] << 8 | question->bytes[1];
}

static bool recall(const struct cs_digest *question, int *ret)
{
    size_t at = place_of(question);

    if (!remembered || !remembered[at].used || !cs_digest_eq(&remembered[at].of, question))
        return false;
    *ret = remembered[at].result;
    return true;
}

static void remember(const struct cs_digest *question, int result)
{
    size_t at = place_of(question);

    if (!remembered)
        return;
    remembered[at].used = true;
    remembered[at].result = result;
    remembered[at].of = *question;
}

int __wrap_cs_verify(struct cs_slice spki, const struct cs_slice *parts, size_t count,
                     struct cs_slice signature)
{
    struct cs_digest said = cs_sha256_parts(parts, count);
    /* Of fixed lengths but for the last, so that no two questions are one. */
    const struct cs_slice question_parts[] = {cs_digest_slice(&said), spki, signature};
    struct cs_digest question = cs_sha256_parts(question_parts, CS_ARRAY_LEN(question_parts));
    int result;

    if (recall(&question, &result))
        return result;
    result = __real_cs_verify(spki, parts, count, signature);
    remember(&question, result);
    return result;
}

int __wrap_cs_chain_check_links(const struct cs_chain *chain, struct cs_err *err)
{
    const struct cs_slice parts[] = {CS_SLICE_LIT("links"), cs_chain_bytes(chain)};
    struct cs_digest question = cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
    int result;

    if (recall(&question, &result))
        return result;
    result = __real_cs_chain_check_links(chain, err);
    remember(&question, result);
    return result;
}

/* ---- pushes to begin with: each is accepted as it is */

static void decide_as_one_may(struct mutate_pushes *pushes, size_t which, struct push_story *story)
{
    countersign_v1_Decision decision;

    if (which == 2) {
        story_fill_decision(story, "bob", 1, &decision);
        decision.orders.size = 1;
        decision.orders.bytes[0] = 1 << 1 | 1 << 2;
        story_add_decision(story, &decision, "bob");
        story_fill_decision(story, "ben", 1, &decision);
        decision.orders.size = 1;
        decision.orders.bytes[0] = 1 << 0;
        decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
        story_add_decision(story, &decision, "ben");
        story_decide(story, "carol", 2);
        return;
    }
    story_decide(story, "bob", 1);
    story_fill_decision(story, "carol", 2, &decision);
    if (which == 3) {
        decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
        decision.not_before_s = pushes->e->d.now_s;
    }
    story_add_decision(story, &decision, "carol");
}

static void make_pushes(struct evil *e, struct mutate_pushes *ret)
{
    static const struct {
        size_t orders, at;
    } shapes[MUTATE_PUSHES] = {{1, 0}, {5, 2}, {3, 1}, {2, 1}};
    uint8_t kem_spki[CS_SPKI_BYTES];

    evil_kem_spki("gw-0", kem_spki);
    *ret = (struct mutate_pushes){.e = e, .count = MUTATE_PUSHES};
    for (size_t i = 0; i < MUTATE_PUSHES; i++) {
        struct delivery_story *story =
            delivery_prepare_among(&e->d, "gw-0", e->victim.device_id, i + 1, shapes[i].orders, shapes[i].at);

        if (i == 3) {
            story->push.request.overrides_count = 1;
            story->push.request.overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED;
            delivery_core(story)->expects.size = 32;
        }
        delivery_submit(story);
        decide_as_one_may(ret, i, &story->push);
        delivery_assemble(story, CS_SLICE_ARRAY(kem_spki));
        delivery_wrap(story);
        ret->all[i] = e->others[e->other_count++] = story;
        victim_forget(&e->victim);
        evil_offer(e, story);
        cs_assert(e->came.kind == EVIL_ADMITTED);
    }
}

/* ---- one batch of mutants after the other */

struct run {
    struct mutate_random random;
    struct mutate_pushes pushes;
    struct cs_buf messages[A_BATCH];
    size_t of[A_BATCH];
    countersign_v1_PushDelivery delivery;
    unsigned verdicts[AG_VERDICT_COUNT];
    unsigned tried, unreadable, as_signed, other;
};

/* All of a batch get past the first gate: the tree is over them as they are, and the signature holds. */
static void make_batch(struct run *run, struct cs_digest tree[A_TREE])
{
    struct delivery_story *signing = run->pushes.all[0];
    struct cs_digest root;
    countersign_v1_PushBatch batch;

    for (size_t i = 0; i < A_BATCH; i++) {
        run->of[i] = mutate_below(&run->random, (uint32_t)run->pushes.count);
        mutate_message(&run->random, &run->pushes, run->of[i], &run->messages[i]);
        tree[i] = cs_merkle_leaf(cs_buf_slice(&run->messages[i]));
    }
    cs_merkle_tree_build(tree, A_BATCH);
    root = cs_merkle_tree_root(tree, A_BATCH);
    deployment_fill_batch(&run->pushes.e->d, &batch);
    CS_PB_SET(&batch.root, cs_digest_slice(&root));
    batch.count = A_BATCH;
    delivery_sign_batch(signing, &batch);
    run->delivery.batch.size = signing->delivery.batch.size;
    memcpy(run->delivery.batch.bytes, signing->delivery.batch.bytes, signing->delivery.batch.size);
}

/* What the batch does not cover, and the batch itself. False: the bytes are no delivery any more. */
static bool spoil_delivery(struct run *run, countersign_v1_PushDelivery *delivery)
{
    cs_auto(cs_buf_free) struct cs_buf bytes =
        deployment_encode(countersign_v1_PushDelivery_fields, delivery);

    mutate_bytes(&run->random, &bytes, CS_LIMIT_MESSAGE_BYTES);
    memset(delivery, 0, sizeof *delivery);
    return cs_message_decode(countersign_v1_PushDelivery_fields, cs_buf_slice(&bytes), delivery, "it",
                             NULL) == CS_OK;
}

static bool is_of_somebody(const struct run *run, const countersign_v1_PushDelivery *delivery,
                           const struct ag_decision *decision)
{
    for (size_t i = 0; i < run->pushes.count; i++)
        if (evil_is_as_signed(run->pushes.all[i], delivery, decision))
            return true;
    return false;
}

/* In full: keys and signatures are made anew in each run, so that the seed alone does not bring it back. */
static void print_accepted(const struct run *run, const countersign_v1_PushDelivery *delivery, size_t of)
{
    printf("mutant %u, of push %zu, was accepted and is not what people signed:\n", run->tried, of);
    for (size_t i = 0; i < delivery->message.size; i++)
        printf("%02x", delivery->message.bytes[i]);
    printf("\n");
}

static void offer(struct run *run, const countersign_v1_PushDelivery *delivery, size_t of)
{
    struct victim *victim = &run->pushes.e->victim;
    cs_auto(ag_decision_freep) struct ag_decision *decision = victim_offer(victim, delivery);

    run->verdicts[decision->verdict]++;
    if (decision->verdict != AG_OK)
        return;
    if (is_of_somebody(run, delivery, decision)) {
        run->as_signed++;
    } else {
        run->other++;
        print_accepted(run, delivery, of);
    }
    victim_forget(victim);
}

static void try_batch(struct run *run)
{
    countersign_v1_PushDelivery *delivery = malloc(sizeof *delivery);
    struct cs_digest tree[A_TREE], proof[CS_LIMIT_MERKLE_DEPTH];

    cs_assert(delivery);
    make_batch(run, tree);
    for (size_t i = 0; i < A_BATCH; i++) {
        run->delivery.index = (uint32_t)i;
        run->delivery.proof_count = (pb_size_t)cs_merkle_tree_proof(tree, A_BATCH, i, proof);
        for (size_t k = 0; k < run->delivery.proof_count; k++)
            CS_PB_SET(&run->delivery.proof[k], cs_digest_slice(&proof[k]));
        CS_PB_SET(&run->delivery.message, cs_buf_slice(&run->messages[i]));
        *delivery = run->delivery;
        if (mutate_below(&run->random, 8) == 0 && !spoil_delivery(run, delivery))
            run->unreadable++;
        else
            offer(run, delivery, run->of[i]);
        run->tried++;
    }
    free(delivery);
}

static void print(const struct run *run, uint64_t seed, unsigned count, double seconds)
{
    printf(
        "%u mutants (CS_SEED=%llu) in %.1f s: %u unreadable, %u accepted as people signed them, %u accepted "
        "otherwise\n",
        count, (unsigned long long)seed, seconds, run->unreadable, run->as_signed, run->other);
    for (size_t i = 0; i < AG_VERDICT_COUNT; i++)
        if (run->verdicts[i] > 0)
            printf("%8u %s\n", run->verdicts[i], ag_verdict_word((enum ag_verdict)i));
}

unsigned evil_random(void)
{
    const char *is_long = getenv("CS_LONG"), *seed_text = getenv("CS_SEED");
    unsigned count = is_long && strcmp(is_long, "1") == 0 ? LONG_RUN : SHORT_RUN;
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    struct run *run = calloc(1, sizeof *run);
    struct evil *e = calloc(1, sizeof *e);
    struct timespec from, to;

    remembered = calloc(REMEMBERED, sizeof *remembered);
    cs_assert(run && e && remembered);
    evil_make(e);
    make_pushes(e, &run->pushes);
    victim_forget(&e->victim);
    run->random.state = seed;
    clock_gettime(CLOCK_MONOTONIC, &from);
    while (run->tried < count)
        try_batch(run);
    clock_gettime(CLOCK_MONOTONIC, &to);
    print(run, seed, run->tried,
          (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    unsigned other = run->other;

    for (size_t i = 0; i < A_BATCH; i++)
        cs_buf_free(&run->messages[i]);
    evil_free(e);
    free(e);
    free(run);
    free(remembered);
    remembered = NULL;
    return other;
}
