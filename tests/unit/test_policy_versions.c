/* From one trust policy to the next: pins, versions, and changes of roots. TUF specification, section 5.3. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

static int open_pinned(struct deployment *d, struct cs_buf wire, const struct cs_pin *pin, struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    int rc = cs_policy_open_pinned(cs_buf_slice(&wire), pin, &policy, err);

    (void)d;
    cs_buf_free(&wire);
    assert_true((rc == CS_OK) == (policy != NULL));
    return rc;
}

static int open_next(struct deployment *d, struct cs_buf wire, struct cs_err *err)
{
    struct cs_policy *policy cs_auto(cs_policy_freep) = NULL;
    int rc = cs_policy_open_next(cs_buf_slice(&wire), d->policy, &policy, err);

    cs_buf_free(&wire);
    assert_true((rc == CS_OK) == (policy != NULL));
    return rc;
}

static void make_next(struct deployment *d)
{
    struct cs_digest previous = cs_policy_digest(d->policy);

    d->body->version = cs_policy_version(d->policy) + 1;
    CS_PB_SET(&d->body->previous_digest, cs_digest_slice(&previous));
}

static void opens_a_first_policy_by_its_pinned_roots(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    check_ok(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), err);
    check_ok(open_pinned(d, deployment_sign_policy(d, 3), &pin, &err), err);
    assert_int_equal(cs_policy_version(d->policy), 1);
    assert_int_equal(cs_policy_body(d->policy)->operators_count, 8);
}

static void refuses_a_first_policy_of_other_roots(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    /* Complete and signed by its own three roots, one of which is not ours. */
    CS_PB_SET(&d->body->roots.keys[2], cs_key_spki(deployment_key(d, "mallory")));
    check_code(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), CS_EAUTH);
    check_says(err, "other roots");
}

static void refuses_a_first_policy_with_a_lower_threshold(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    d->body->roots.threshold = 1;
    check_code(open_pinned(d, deployment_sign_policy(d, 1), &pin, &err), CS_EAUTH);
    check_says(err, "other roots");
}

static void refuses_a_first_policy_that_too_few_signed(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    check_code(open_pinned(d, deployment_sign_policy(d, 1), &pin, &err), CS_EAUTH);
    check_says(err, "signed by 1");
    check_code(open_pinned(d, deployment_sign_policy(d, 0), &pin, &err), CS_EAUTH);
}

static void refuses_a_first_policy_of_another_deployment_or_below_the_pin(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;

    pin.deployment_id[0] ^= 1;
    check_code(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), CS_EDENIED);
    pin.deployment_id[0] ^= 1;
    pin.least_version = 2;
    check_code(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), CS_ESTALE);
    deployment_publish(d);
    check_ok(open_pinned(d, deployment_sign_policy(d, 2), &pin, &err), err);
}

static void opens_the_next_version_and_no_other(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_ESTALE);
    make_next(d);
    check_ok(open_next(d, deployment_sign_policy(d, 2), &err), err);
    d->body->version++;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_ESTATE);
    check_says(err, "missing");
}

static void refuses_a_next_version_of_another_past(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    d->body->previous_digest.bytes[0] ^= 1;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_EAUTH);
    d->body->previous_digest.bytes[0] ^= 1;
    d->body->deployment_id.bytes[0] ^= 1;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_EDENIED);
    d->body->deployment_id.bytes[0] ^= 1;
    d->body->issued_at_s--;
    check_code(open_next(d, deployment_sign_policy(d, 2), &err), CS_EINVAL);
}

static struct cs_buf sign_body(struct deployment *d, const char *const *names, size_t count)
{
    struct cs_buf payload = deployment_encode(countersign_v1_TrustPolicy_fields, d->body),
                  wire = CS_BUF_EMPTY;
    const struct cs_key *keys[8];
    struct cs_err err;

    for (size_t i = 0; i < count; i++)
        keys[i] = deployment_key(d, names[i]);
    check_ok(cs_envelope_sign(CS_STATEMENT_TRUST_POLICY, cs_buf_slice(&payload), keys, count, &wire, &err),
             err);
    cs_buf_free(&payload);
    return wire;
}
#define SIGN(d, ...)                                                                                         \
    sign_body((d), (const char *const[]){__VA_ARGS__}, CS_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void changes_roots_with_the_signatures_of_old_and_new(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    CS_PB_SET(&d->body->roots.keys[1], cs_key_spki(deployment_key(d, "new-1")));
    CS_PB_SET(&d->body->roots.keys[2], cs_key_spki(deployment_key(d, "new-2")));
    check_code(open_next(d, SIGN(d, "root-0", "root-1"), &err), CS_EAUTH); /* one of the new */
    check_code(open_next(d, SIGN(d, "new-1", "new-2"), &err), CS_EAUTH);   /* none of the old */
    check_code(open_next(d, SIGN(d, "root-0", "new-1"), &err), CS_EAUTH);  /* one of the old */
    check_ok(open_next(d, SIGN(d, "root-0", "root-1", "new-1"), &err), err);
    check_ok(open_next(d, SIGN(d, "root-1", "root-2", "new-1", "new-2"), &err), err);
}

static void takes_as_many_signatures_as_the_new_threshold_says(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    d->body->roots.threshold = 3;
    check_code(open_next(d, SIGN(d, "root-0", "root-1"), &err), CS_EAUTH);
    check_says(err, "signed by 2 of its own roots, and needs 3");
    check_ok(open_next(d, SIGN(d, "root-0", "root-1", "root-2"), &err), err);
    /* A lower one counts from the version after it. */
    d->body->roots.threshold = 1;
    check_code(open_next(d, SIGN(d, "root-0"), &err), CS_EAUTH);
    check_says(err, "signed by 1 of the current roots, and needs 2");
    check_ok(open_next(d, SIGN(d, "root-0", "root-2"), &err), err);
}

/* TUF specification 5.3.6: what is passed through on the way to the newest may have expired; and 5.3.5: what
 * has expired still says which versions are over. */
static void follows_and_counts_policies_that_have_expired(void **state)
{
    struct deployment *d = *state;
    struct cs_buf second = CS_BUF_EMPTY;
    struct cs_policy *next = NULL;
    struct cs_err err;

    d->body->expires_at_s = d->body->issued_at_s + 1;
    deployment_publish(d);
    assert_true(cs_policy_expired(d->policy, d->now_s + 2));
    assert_int_equal(cs_buf_append(&second, cs_policy_wire(d->policy)), CS_OK);
    deployment_publish(d);
    assert_int_equal(cs_policy_version(d->policy), 3);
    check_code(cs_policy_open_next(cs_buf_slice(&second), d->policy, &next, &err), CS_ESTALE);
    cs_buf_free(&second);
}

static void a_draft_follows_as_what_is_signed_will(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    check_code(cs_policy_check_next(d->body, d->policy, &err), CS_ESTALE);
    make_next(d);
    check_ok(cs_policy_check_next(d->body, d->policy, &err), err);
    d->body->version++;
    check_code(cs_policy_check_next(d->body, d->policy, &err), CS_ESTATE);
    d->body->version--;
    d->body->previous_digest.bytes[31] ^= 1;
    check_code(cs_policy_check_next(d->body, d->policy, &err), CS_EAUTH);
}

static void refuses_operators_as_roots(void **state)
{
    struct deployment *d = *state;
    struct cs_err err;

    make_next(d);
    check_code(open_next(d, SIGN(d, "ada", "alice"), &err), CS_EAUTH);
    check_code(open_next(d, SIGN(d, "root-0", "ada"), &err), CS_EAUTH);
}

static void refuses_every_flipped_byte(void **state)
{
    struct deployment *d = *state;
    struct cs_pin pin = deployment_pin(d);
    struct cs_buf wire = deployment_sign_policy(d, 2);

    for (size_t at = 0; at < wire.len; at++) {
        struct cs_policy *policy = NULL;
        struct cs_err err;

        wire.ptr[at] ^= 0x10;
        if (cs_policy_open_pinned(cs_buf_slice(&wire), &pin, &policy, &err) == CS_OK)
            fail_msg("the flip at %zu was taken", at);
        wire.ptr[at] ^= 0x10;
    }
    cs_buf_free(&wire);
}

static void opens_its_own_stored_copy(void **state)
{
    struct deployment *d = *state;
    struct cs_policy *again cs_auto(cs_policy_freep) = NULL;
    struct cs_digest digest = cs_policy_digest(d->policy), digest_again;
    struct cs_buf decision = deployment_example(d, CS_STATEMENT_DECISION);
    struct cs_err err;

    check_ok(cs_policy_open_stored(cs_policy_wire(d->policy), &again, &err), err);
    digest_again = cs_policy_digest(again);
    assert_true(cs_digest_eq(&digest, &digest_again));
    check_code(cs_policy_open_stored(cs_buf_slice(&decision), &again, &err), CS_EPARSE);
    cs_buf_free(&decision);
}

static void expires_after_its_last_second(void **state)
{
    struct deployment *d = *state;

    assert_false(cs_policy_expired(d->policy, d->body->expires_at_s));
    assert_true(cs_policy_expired(d->policy, d->body->expires_at_s + 1));
    assert_false(cs_policy_expired(d->policy, CS_TIME_UNKNOWN));
}

/* Opening a first policy and its successor; what runs out of memory leaves nothing behind and is no verdict.
 */
static void open_both_short_of_memory(void *data)
{
    struct deployment *d = data;
    struct cs_policy *first cs_auto(cs_policy_freep) = NULL, *next cs_auto(cs_policy_freep) = NULL;
    struct cs_pin pin = deployment_pin(d);
    struct cs_err err;
    int rc = cs_policy_open_pinned(cs_policy_wire(d->policy), &pin, &first, &err);

    if (rc == CS_OK)
        rc = cs_policy_open_next(cs_policy_wire(d->policy), first, &next, &err);
    if (rc != CS_ESTALE) /* the same once more is not newer */
        check_code(rc, CS_ENOMEM);
    assert_true(rc == CS_ESTALE || alloc_fail_happened());
}

static void without_memory_it_refuses_nothing_for_good(void **state)
{
    assert_true(alloc_fail_sample(open_both_short_of_memory, *state, 200) > 50);
    assert_true(alloc_fail_large(open_both_short_of_memory, *state, 512) > 4);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, deployment_set_up, deployment_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(opens_a_first_policy_by_its_pinned_roots),
        TEST(refuses_a_first_policy_of_other_roots),
        TEST(refuses_a_first_policy_with_a_lower_threshold),
        TEST(refuses_a_first_policy_that_too_few_signed),
        TEST(refuses_a_first_policy_of_another_deployment_or_below_the_pin),
        TEST(opens_the_next_version_and_no_other),
        TEST(refuses_a_next_version_of_another_past),
        TEST(changes_roots_with_the_signatures_of_old_and_new),
        TEST(takes_as_many_signatures_as_the_new_threshold_says),
        TEST(follows_and_counts_policies_that_have_expired),
        TEST(a_draft_follows_as_what_is_signed_will),
        TEST(refuses_operators_as_roots),
        TEST(refuses_every_flipped_byte),
        TEST(opens_its_own_stored_copy),
        TEST(expires_after_its_last_second),
        TEST(without_memory_it_refuses_nothing_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
