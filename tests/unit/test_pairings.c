/* Links by which browsers are paired: for one key, for ten minutes, and they say little to who has none. */
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "controller/pairings.h"

#include <stdio.h>

struct scene {
    struct deployment d;
    struct ctl_pairings *pairings;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct cs_err err;

    assert_non_null(scene);
    deployment_make(&scene->d);
    check_ok(ctl_pairings_new(&scene->pairings, &err), err);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    ctl_pairings_free(scene->pairings);
    deployment_free(&scene->d);
    free(scene);
    return 0;
}

/* A link whose half is 32 times this byte. */
static struct cs_digest half(uint8_t byte)
{
    struct cs_digest half;

    memset(half.bytes, byte, sizeof half.bytes);
    return half;
}

static int create(struct scene *scene, const char *who, uint8_t byte, int64_t life_s, struct cs_err *err)
{
    struct cs_digest secret = half(byte), digest = cs_sha256(cs_digest_slice(&secret));
    const struct ctl_pairing_wish wish = {
        .operator= who,
        .authentication_digest = cs_digest_slice(&digest),
        .expires_s = scene->d.now_s + life_s,
    };

    return ctl_pairings_create(scene->pairings, scene->d.policy, &wish, scene->d.now_s, err);
}

static int follow(struct scene *scene, uint8_t byte, const char *key, const struct ctl_pairing **ret,
                  struct cs_err *err)
{
    struct cs_digest secret = half(byte), mac = half(0x77);
    const struct ctl_pairing_answer answer = {
        .authentication = cs_digest_slice(&secret),
        .spki = cs_key_spki(deployment_key(&scene->d, key)),
        .binding_mac = cs_digest_slice(&mac),
    };

    return ctl_pairings_pair(scene->pairings, scene->d.policy, &answer, scene->d.now_s, ret, err);
}

static int get(struct scene *scene, uint8_t byte, const struct ctl_pairing **ret, struct cs_err *err)
{
    struct cs_digest secret = half(byte), digest = cs_sha256(cs_digest_slice(&secret));

    return ctl_pairings_get(scene->pairings, cs_digest_slice(&digest), scene->d.now_s, ret, err);
}

static void a_link_is_followed_by_one_browser(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err err;

    check_ok(create(scene, "bob", 1, CTL_PAIRING_LIFE_S, &err), err);
    check_ok(get(scene, 1, &pairing, &err), err);
    assert_false(pairing->is_used);
    check_ok(follow(scene, 1, "laptop", &pairing, &err), err);
    assert_string_equal(pairing->operator, "bob");
    assert_true(pairing->is_used && !pairing->is_recorded);
    ctl_pairings_record(scene->pairings, &pairing->authentication);
    check_ok(get(scene, 1, &pairing, &err), err);
    assert_true(pairing->is_recorded);
    check_slice(CS_SLICE_ARRAY(pairing->spki), cs_key_spki(deployment_key(&scene->d, "laptop")));
    assert_int_equal(pairing->mac.bytes[31], 0x77);
    /* A lost answer does no harm; another browser gets nothing. */
    check_ok(follow(scene, 1, "laptop", &pairing, &err), err);
    check_code(follow(scene, 1, "phone", &pairing, &err), CS_EDENIED);
    check_ok(get(scene, 1, &pairing, &err), err);
    check_slice(CS_SLICE_ARRAY(pairing->spki), cs_key_spki(deployment_key(&scene->d, "laptop")));
}

/* Wrong, used by another, expired, never made: who guesses does not learn which. */
static void every_refusal_says_the_same(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err wrong, used, late, err;
    const struct ctl_pairing_answer nothing = {.authentication = CS_SLICE_EMPTY};

    check_ok(create(scene, "bob", 1, CTL_PAIRING_LIFE_S, &err), err);
    check_ok(create(scene, "carol", 2, CTL_PAIRING_LIFE_S, &err), err);
    check_code(follow(scene, 9, "laptop", &pairing, &wrong), CS_EDENIED);
    check_ok(follow(scene, 1, "laptop", &pairing, &err), err);
    check_code(follow(scene, 1, "phone", &pairing, &used), CS_EDENIED);
    scene->d.now_s += CTL_PAIRING_LIFE_S;
    check_code(follow(scene, 2, "phone", &pairing, &late), CS_EDENIED);
    assert_string_equal(wrong.msg, used.msg);
    assert_string_equal(wrong.msg, late.msg);
    check_code(ctl_pairings_pair(scene->pairings, scene->d.policy, &nothing, scene->d.now_s, &pairing, &err),
               CS_EDENIED);
    assert_string_equal(wrong.msg, err.msg);
    check_code(ctl_pairings_pair(scene->pairings, NULL, &nothing, scene->d.now_s, &pairing, &err),
               CS_EDENIED);
}

static void the_key_is_new_and_a_p256_key(void **state)
{
    static const uint8_t zeros[CS_SPKI_BYTES];
    struct scene *scene = *state;
    struct cs_digest secret = half(1), mac = half(2);
    uint8_t off_curve[CS_SPKI_BYTES];
    struct ctl_pairing_answer answer = {.authentication = cs_digest_slice(&secret),
                                        .binding_mac = cs_digest_slice(&mac)};
    const char *const known[] = {"bob", "carol", "root-0", "controller"};
    struct cs_slice good = cs_key_spki(deployment_key(&scene->d, "laptop"));
    const struct ctl_pairing *pairing;
    struct cs_err err;

    check_ok(create(scene, "bob", 1, CTL_PAIRING_LIFE_S, &err), err);
    memcpy(off_curve, good.ptr, sizeof off_curve);
    off_curve[CS_SPKI_BYTES - 1] ^= 1;
    const struct cs_slice malformed[] = {CS_SLICE_EMPTY, CS_SLICE_ARRAY(zeros),
                                         cs_slice(good.ptr, good.len - 1), CS_SLICE_ARRAY(off_curve)};
    for (size_t i = 0; i < CS_ARRAY_LEN(malformed); i++) {
        answer.spki = malformed[i];
        check_code(
            ctl_pairings_pair(scene->pairings, scene->d.policy, &answer, scene->d.now_s, &pairing, &err),
            CS_EINVAL);
        check_says(err, "has to be a P-256 key");
    }
    for (size_t i = 0; i < CS_ARRAY_LEN(known); i++) {
        check_code(follow(scene, 1, known[i], &pairing, &err), CS_EEXISTS);
        check_says(err, "in the trust policy already");
    }
    answer.spki = good;
    answer.binding_mac = cs_slice(mac.bytes, 31);
    check_code(ctl_pairings_pair(scene->pairings, scene->d.policy, &answer, scene->d.now_s, &pairing, &err),
               CS_EINVAL);
    check_says(err, "binding MAC");
    /* None of that used the link up. */
    check_ok(follow(scene, 1, "laptop", &pairing, &err), err);
}

static void refuses_links_that_make_no_sense(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing_wish short_digest = {
        .operator= "bob", .authentication_digest = CS_SLICE_LIT("abc"), .expires_s = scene->d.now_s + 60};
    struct cs_err err;

    check_code(create(scene, "nobody", 1, 60, &err), CS_ENOTFOUND);
    check_says(err, "nobody is no operator of the trust policy");
    check_code(create(scene, "bob", 1, 0, &err), CS_EINVAL);
    check_code(create(scene, "bob", 1, CTL_PAIRING_LIFE_S + CTL_PAIRING_SKEW_S + 1, &err), CS_EINVAL);
    check_code(ctl_pairings_create(scene->pairings, scene->d.policy, &short_digest, scene->d.now_s, &err),
               CS_EINVAL);
    check_ok(create(scene, "bob", 1, 60, &err), err);
    check_code(create(scene, "bob", 1, 60, &err), CS_EEXISTS);
    check_code(create(scene, "carol", 1, 60, &err), CS_EEXISTS);
    check_code(ctl_pairings_create(scene->pairings, NULL, &short_digest, scene->d.now_s, &err), CS_EINVAL);
}

/* A clock that is ahead makes no link live longer. */
static void a_link_lives_for_ten_minutes_at_most(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err err;

    check_ok(create(scene, "bob", 1, CTL_PAIRING_LIFE_S + CTL_PAIRING_SKEW_S, &err), err);
    scene->d.now_s += CTL_PAIRING_LIFE_S;
    check_code(follow(scene, 1, "laptop", &pairing, &err), CS_EDENIED);
    check_code(get(scene, 1, &pairing, &err), CS_ENOTFOUND);
    check_says(err, "make another");
}

static void the_key_can_be_read_for_a_while(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err err;

    check_ok(create(scene, "bob", 1, CTL_PAIRING_LIFE_S, &err), err);
    check_ok(follow(scene, 1, "laptop", &pairing, &err), err);
    scene->d.now_s += CTL_PAIRING_LIFE_S + CTL_PAIRING_KEPT_S - 1;
    check_ok(get(scene, 1, &pairing, &err), err);
    scene->d.now_s++;
    check_code(get(scene, 1, &pairing, &err), CS_ENOTFOUND);
}

/* Who lost a link makes another, and the lost one is worth nothing. One that was followed stays. */
static void a_new_link_withdraws_the_one_before(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err err;

    check_ok(create(scene, "bob", 1, 60, &err), err);
    check_ok(create(scene, "carol", 2, 60, &err), err);
    check_ok(create(scene, "bob", 3, 60, &err), err);
    check_code(follow(scene, 1, "laptop", &pairing, &err), CS_EDENIED);
    check_ok(follow(scene, 2, "tablet", &pairing, &err), err);
    check_ok(follow(scene, 3, "laptop", &pairing, &err), err);
    check_ok(create(scene, "bob", 4, 60, &err), err);
    check_ok(follow(scene, 3, "laptop", &pairing, &err), err);
    check_ok(follow(scene, 4, "phone", &pairing, &err), err);
}

static void a_person_who_has_left_is_not_paired(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err err;

    check_ok(create(scene, "ben", 1, 60, &err), err);
    memcpy(deployment_operator(&scene->d, "ben")->name, "zed", sizeof "zed");
    deployment_publish(&scene->d);
    check_code(follow(scene, 1, "laptop", &pairing, &err), CS_EDENIED);
}

static void all_links_together_are_bounded(void **state)
{
    struct scene *scene = *state;
    const struct ctl_pairing *pairing;
    struct cs_err err;
    char key[16];

    for (unsigned i = 0; i < CTL_LIMIT_PAIRINGS; i++) {
        snprintf(key, sizeof key, "browser-%u", i % 8);
        check_ok(create(scene, "bob", (uint8_t)(i + 1), 60, &err), err);
        check_ok(follow(scene, (uint8_t)(i + 1), key, &pairing, &err), err);
    }
    check_code(create(scene, "bob", 0xfe, 60, &err), CS_EFULL);
    scene->d.now_s += 60 + CTL_PAIRING_KEPT_S;
    check_ok(create(scene, "bob", 0xfe, 60, &err), err);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_link_is_followed_by_one_browser),    TEST(every_refusal_says_the_same),
        TEST(the_key_is_new_and_a_p256_key),        TEST(refuses_links_that_make_no_sense),
        TEST(a_link_lives_for_ten_minutes_at_most), TEST(the_key_can_be_read_for_a_while),
        TEST(a_new_link_withdraws_the_one_before),  TEST(a_person_who_has_left_is_not_paired),
        TEST(all_links_together_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
