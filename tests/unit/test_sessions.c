/* Signing in: a challenge is good once, for one server, for one operator; a session ends when it must. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "controller/sessions.h"

#include <stdio.h>

enum { IDLE_S = 1800, LIFE_S = 43200 };

struct scene {
    struct deployment d;
    struct ctl_sessions *sessions;
    char ended[64], why[64]; /* the last one */
    unsigned endings;
    uint8_t next; /* makes challenges and tokens differ */
};

static void on_ended(void *owner, const struct ctl_session_info *session, const char *why)
{
    struct scene *scene = owner;

    scene->endings++;
    snprintf(scene->ended, sizeof scene->ended, "%s", session->operator);
    snprintf(scene->why, sizeof scene->why, "%s", why);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    const struct ctl_sessions_options options = {
        .idle_s = IDLE_S, .life_s = LIFE_S, .on_ended = on_ended, .owner = scene};
    struct cs_err err;

    assert_non_null(scene);
    deployment_make(&scene->d);
    check_ok(ctl_sessions_new(&options, &scene->sessions, &err), err);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    ctl_sessions_free(scene->sessions);
    deployment_free(&scene->d);
    free(scene);
    return 0;
}

/* An opening by `who` that answers a fresh challenge. */
static void fill(struct scene *scene, const char *who, countersign_v1_SessionOpening *ret)
{
    uint8_t challenge[CS_SHA256_BYTES] = {++scene->next, 1};

    deployment_fill_opening(&scene->d, who, ret);
    CS_PB_SET(&ret->challenge, CS_SLICE_ARRAY(challenge));
    assert_int_equal(ctl_sessions_challenge(scene->sessions, challenge, scene->d.now_s),
                     scene->d.now_s + CTL_CHALLENGE_LIFE_S);
}

static int verify(struct scene *scene, const countersign_v1_SessionOpening *opening, const char *key_of,
                  struct cs_slice server, struct ctl_session_info *info, struct cs_err *err)
{
    struct cs_buf wire = deployment_sign(&scene->d, CS_STATEMENT_SESSION_OPENING,
                                         countersign_v1_SessionOpening_fields, opening, key_of);
    int code = ctl_sessions_verify(scene->sessions, scene->d.policy, cs_buf_slice(&wire), server,
                                   scene->d.now_s, info, err);

    cs_buf_free(&wire);
    return code;
}

/* Signs in, and gives the token. */
static void sign_in(struct scene *scene, const char *who, uint8_t ret_token[CTL_TOKEN_BYTES])
{
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_err err;

    fill(scene, who, &opening);
    check_ok(verify(scene, &opening, who, CS_SLICE_EMPTY, &info, &err), err);
    memset(ret_token, ++scene->next, CTL_TOKEN_BYTES);
    check_ok(ctl_sessions_open(scene->sessions, &info, ret_token, scene->d.now_s, &err), err);
}

static int use(struct scene *scene, const uint8_t token[CTL_TOKEN_BYTES], struct cs_err *err)
{
    const struct ctl_session_info *info = NULL;
    int code = ctl_sessions_use(scene->sessions, cs_policy_body(scene->d.policy), token, false,
                                scene->d.now_s, &info, err);

    assert_true((code == CS_OK) == (info != NULL));
    return code;
}

static void a_signed_challenge_opens_a_session(void **state)
{
    struct scene *scene = *state;
    const struct ctl_session_info *info;
    uint8_t token[CTL_TOKEN_BYTES];
    struct cs_err err;

    sign_in(scene, "bob", token);
    check_ok(ctl_sessions_use(scene->sessions, scene->d.body, token, false, scene->d.now_s, &info, &err),
             err);
    assert_string_equal(info->operator, "bob");
    assert_int_equal(ctl_sessions_count(scene->sessions), 1);
}

static void a_token_counts_in_the_way_for_which_it_was_given(void **state)
{
    struct scene *scene = *state;

    for (int by_cookie = 0; by_cookie <= 1; by_cookie++) {
        countersign_v1_SessionOpening opening;
        const struct ctl_session_info *used;
        struct ctl_session_info info;
        uint8_t token[CTL_TOKEN_BYTES];
        struct cs_err err;

        fill(scene, "bob", &opening);
        check_ok(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), err);
        info.by_cookie = by_cookie;
        memset(token, ++scene->next, sizeof token);
        check_ok(ctl_sessions_open(scene->sessions, &info, token, scene->d.now_s, &err), err);
        check_code(
            ctl_sessions_use(scene->sessions, scene->d.body, token, !by_cookie, scene->d.now_s, &used, &err),
            CS_EAUTH);
        check_says(err, "counts only so");
        check_ok(
            ctl_sessions_use(scene->sessions, scene->d.body, token, by_cookie, scene->d.now_s, &used, &err),
            err);
    }
}

static void a_challenge_is_good_once(void **state)
{
    struct scene *scene = *state;
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_err err;

    fill(scene, "bob", &opening);
    check_ok(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), err);
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    check_says(err, "answers no challenge");
}

static void a_challenge_expires(void **state)
{
    struct scene *scene = *state;
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_err err;

    fill(scene, "bob", &opening);
    scene->d.now_s += CTL_CHALLENGE_LIFE_S;
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    scene->d.now_s += CTL_CHALLENGE_LIFE_S - 1;
    check_ok(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), err);
}

static void only_given_out_challenges_count(void **state)
{
    struct scene *scene = *state;
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_err err;

    deployment_fill_opening(&scene->d, "bob", &opening);
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    memset(opening.challenge.bytes, 0, sizeof opening.challenge.bytes);
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
}

/* Whoever asks for very many pushes the oldest out, and no more than these. */
static void the_oldest_challenge_gives_way(void **state)
{
    struct scene *scene = *state;
    countersign_v1_SessionOpening first, second;
    struct ctl_session_info info;
    struct cs_err err;

    fill(scene, "bob", &first);
    fill(scene, "bob", &second);
    for (unsigned i = 0; i < CTL_LIMIT_CHALLENGES - 1; i++) {
        uint8_t challenge[CS_SHA256_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), 2};

        ctl_sessions_challenge(scene->sessions, challenge, scene->d.now_s);
    }
    check_code(verify(scene, &first, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    check_ok(verify(scene, &second, "bob", CS_SLICE_EMPTY, &info, &err), err);
}

/* A server in between shows its own key, and hands the challenge of the real one on. */
static void an_opening_for_another_server_s_key_is_refused(void **state)
{
    struct scene *scene = *state;
    struct cs_slice own = cs_key_spki(deployment_key(&scene->d, "controller"));
    struct cs_slice other = cs_key_spki(deployment_key(&scene->d, "mallory"));
    struct cs_digest own_digest = cs_sha256(own), other_digest = cs_sha256(other);
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_err err;

    fill(scene, "bob", &opening);
    CS_PB_SET(&opening.server_spki_digest, cs_digest_slice(&other_digest));
    check_code(verify(scene, &opening, "bob", own, &info, &err), CS_EAUTH);
    check_says(err, "another server's key");
    fill(scene, "bob", &opening); /* one for a listener without TLS */
    check_code(verify(scene, &opening, "bob", own, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    CS_PB_SET(&opening.server_spki_digest, cs_digest_slice(&own_digest));
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    CS_PB_SET(&opening.server_spki_digest, cs_digest_slice(&own_digest));
    check_ok(verify(scene, &opening, "bob", own, &info, &err), err);
}

/* A page cannot see the server's key. The browser's own key may leave it out; a file's may not, also where
 * both sign. */
static void a_browser_s_key_opens_without_the_server_s(void **state)
{
    struct scene *scene = *state;
    struct cs_slice own = cs_key_spki(deployment_key(&scene->d, "controller"));
    struct cs_digest other = cs_sha256(cs_key_spki(deployment_key(&scene->d, "mallory"))),
                     eve = cs_key_id(cs_key_spki(deployment_key(&scene->d, "eve")));
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_err err;

    fill(scene, "eve", &opening);
    check_ok(verify(scene, &opening, "eve", own, &info, &err), err);
    assert_int_equal(info.key_kind, countersign_v1_KeyKind_KEY_KIND_BROWSER);
    assert_true(cs_digest_eq(&info.key_id, &eve));
    fill(scene, "eve", &opening);
    CS_PB_SET(&opening.server_spki_digest, cs_digest_slice(&other));
    check_code(verify(scene, &opening, "eve", own, &info, &err), CS_EAUTH);
    check_says(err, "another server's key");
    fill(scene, "bob", &opening);
    check_code(verify(scene, &opening, "bob", own, &info, &err), CS_EAUTH);
    check_says(err, "another server's key");
    /* One key of each kind: the opening is by whichever signed it. */
    deployment_operator(&scene->d, "bob")->keys[1] = deployment_operator(&scene->d, "eve")->keys[0];
    deployment_operator(&scene->d, "bob")->keys_count = 2;
    CS_PB_SET(&deployment_operator(&scene->d, "bob")->keys[1].spki,
              cs_key_spki(deployment_key(&scene->d, "bob's browser")));
    deployment_publish(&scene->d);
    fill(scene, "bob", &opening);
    check_code(verify(scene, &opening, "bob", own, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    check_ok(verify(scene, &opening, "bob's browser", own, &info, &err), err);
    assert_int_equal(info.key_kind, countersign_v1_KeyKind_KEY_KIND_BROWSER);
}

static void refuses_openings_that_are_not_the_operator_s(void **state)
{
    struct scene *scene = *state;
    countersign_v1_SessionOpening opening;
    struct ctl_session_info info;
    struct cs_buf request;
    struct cs_err err;

    fill(scene, "bob", &opening);
    check_code(verify(scene, &opening, "ben", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    check_code(verify(scene, &opening, "mallory", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    fill(scene, "mallory", &opening);
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    opening.deployment_id.bytes[0] ^= 1;
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_EAUTH);
    fill(scene, "bob", &opening);
    opening.policy_version++;
    check_code(verify(scene, &opening, "bob", CS_SLICE_EMPTY, &info, &err), CS_ESTALE);
    request = deployment_example(&scene->d, CS_STATEMENT_PUSH_REQUEST);
    check_code(ctl_sessions_verify(scene->sessions, scene->d.policy, cs_buf_slice(&request), CS_SLICE_EMPTY,
                                   scene->d.now_s, &info, &err),
               CS_EPARSE);
    check_code(ctl_sessions_verify(scene->sessions, NULL, cs_buf_slice(&request), CS_SLICE_EMPTY,
                                   scene->d.now_s, &info, &err),
               CS_ESTATE);
    cs_buf_free(&request);
}

static void a_session_ends_when_it_is_idle(void **state)
{
    struct scene *scene = *state;
    uint8_t token[CTL_TOKEN_BYTES];
    struct cs_err err;

    sign_in(scene, "bob", token);
    scene->d.now_s += IDLE_S - 1;
    check_ok(use(scene, token, &err), err);
    scene->d.now_s += IDLE_S - 1;
    check_ok(use(scene, token, &err), err);
    scene->d.now_s += IDLE_S;
    check_code(use(scene, token, &err), CS_EAUTH);
    check_says(err, "the session has ended (idle)");
    assert_string_equal(scene->ended, "bob");
    assert_string_equal(scene->why, "idle");
    check_code(use(scene, token, &err), CS_EAUTH);
    assert_int_equal(scene->endings, 1);
}

static void a_session_ends_when_it_is_old_however_busy(void **state)
{
    struct scene *scene = *state;
    uint8_t token[CTL_TOKEN_BYTES];
    struct cs_err err;

    sign_in(scene, "bob", token);
    for (int64_t end_s = scene->d.now_s + LIFE_S - 60; scene->d.now_s < end_s; scene->d.now_s += 600)
        check_ok(use(scene, token, &err), err);
    scene->d.now_s += 600;
    check_code(use(scene, token, &err), CS_EAUTH);
    assert_string_equal(scene->why, "too old");
}

static void a_session_ends_with_the_operator_or_the_key(void **state)
{
    struct scene *scene = *state;
    uint8_t of_ben[CTL_TOKEN_BYTES], of_bob[CTL_TOKEN_BYTES], of_carol[CTL_TOKEN_BYTES];
    struct cs_slice fresh = cs_key_spki(deployment_key(&scene->d, "bob's next"));
    struct cs_err err;

    sign_in(scene, "ben", of_ben);
    sign_in(scene, "bob", of_bob);
    sign_in(scene, "carol", of_carol);
    memcpy(deployment_operator(&scene->d, "ben")->name, "zed", sizeof "zed");
    CS_PB_SET(&deployment_operator(&scene->d, "bob")->keys[0].spki, fresh);
    deployment_publish(&scene->d);
    check_code(use(scene, of_ben, &err), CS_EAUTH);
    check_says(err, "the operator is no longer in the trust policy");
    ctl_sessions_sweep(scene->sessions, scene->d.body, scene->d.now_s);
    assert_string_equal(scene->ended, "bob");
    assert_string_equal(scene->why, "the key is no longer in the trust policy");
    check_ok(use(scene, of_carol, &err), err);
    assert_int_equal(ctl_sessions_count(scene->sessions), 1);
    ctl_sessions_sweep(scene->sessions, NULL, scene->d.now_s);
    assert_int_equal(ctl_sessions_count(scene->sessions), 0);
}

static void an_operator_has_so_many_sessions_and_no_more(void **state)
{
    struct scene *scene = *state;
    uint8_t tokens[CTL_LIMIT_OPERATOR_SESSIONS + 1][CTL_TOKEN_BYTES];
    struct cs_err err;

    for (unsigned i = 0; i < CTL_LIMIT_OPERATOR_SESSIONS; i++) {
        sign_in(scene, "bob", tokens[i]);
        scene->d.now_s++;
    }
    check_ok(use(scene, tokens[0], &err), err); /* so that the second is unused for longest */
    sign_in(scene, "bob", tokens[CTL_LIMIT_OPERATOR_SESSIONS]);
    assert_int_equal(ctl_sessions_count(scene->sessions), CTL_LIMIT_OPERATOR_SESSIONS);
    check_ok(use(scene, tokens[0], &err), err);
    check_code(use(scene, tokens[1], &err), CS_EAUTH);
    check_ok(use(scene, tokens[CTL_LIMIT_OPERATOR_SESSIONS], &err), err);
}

static void closing_ends_it_and_nothing_else(void **state)
{
    struct scene *scene = *state;
    uint8_t first[CTL_TOKEN_BYTES], second[CTL_TOKEN_BYTES];
    struct ctl_session_info info;
    struct cs_err err;

    sign_in(scene, "bob", first);
    sign_in(scene, "bob", second);
    assert_true(ctl_sessions_close(scene->sessions, first, &info));
    assert_string_equal(info.operator, "bob");
    assert_false(ctl_sessions_close(scene->sessions, first, &info));
    check_code(use(scene, first, &err), CS_EAUTH);
    check_ok(use(scene, second, &err), err);
    second[31] ^= 1;
    check_code(use(scene, second, &err), CS_EAUTH);
}

static void sessions_are_listed_and_ended_by_their_ids(void **state)
{
    struct scene *scene = *state;
    uint8_t first[CTL_TOKEN_BYTES], second[CTL_TOKEN_BYTES], third[CTL_TOKEN_BYTES];
    const struct ctl_session_info *info;
    struct ctl_session_info ended;
    struct cs_digest id;
    size_t count = 0;
    struct cs_err err;

    sign_in(scene, "bob", first);
    sign_in(scene, "carol", second);
    sign_in(scene, "bob", third);
    id = cs_sha256(CS_SLICE_ARRAY(second));
    assert_true(ctl_sessions_end(scene->sessions, cs_digest_slice(&id), &ended));
    assert_string_equal(ended.operator, "carol");
    assert_false(ctl_sessions_end(scene->sessions, cs_digest_slice(&id), &ended));
    assert_false(ctl_sessions_end(scene->sessions, CS_SLICE_EMPTY, &ended));
    assert_null(ctl_sessions_find(scene->sessions, cs_digest_slice(&id)));
    check_code(use(scene, second, &err), CS_EAUTH);
    for (size_t cursor = 0; (info = ctl_sessions_next(scene->sessions, &cursor)) != NULL; count++) {
        assert_string_equal(info->operator, "bob");
        assert_ptr_equal(ctl_sessions_find(scene->sessions, cs_digest_slice(&info->id)), info);
    }
    assert_int_equal(count, 2);
    id = cs_sha256(CS_SLICE_ARRAY(third));
    assert_non_null(ctl_sessions_find(scene->sessions, cs_digest_slice(&id)));
    check_ok(use(scene, third, &err), err);
    assert_int_equal(scene->endings, 0);
}

/* More operators than any policy has, over several policies. */
static void all_sessions_together_are_bounded(void **state)
{
    struct scene *scene = *state;
    struct ctl_session_info info = {.peer = "test"};
    uint8_t token[CTL_TOKEN_BYTES] = {0};
    struct cs_err err;

    for (unsigned i = 0; i < CTL_LIMIT_SESSIONS; i++) {
        snprintf(info.operator, sizeof info.operator, "o%u", i);
        memcpy(token, &i, sizeof i);
        check_ok(ctl_sessions_open(scene->sessions, &info, token, scene->d.now_s, &err), err);
    }
    memcpy(info.operator, "one", sizeof "one");
    check_code(ctl_sessions_open(scene->sessions, &info, token, scene->d.now_s, &err), CS_EBUSY);
}

static void a_token_goes_through_its_text(void **state)
{
    static const char *const wrong[] = {"Bearer",
                                        "Bearer ",
                                        "bearer AAAA",
                                        "Basic AAAA",
                                        "Bearer AAAA",
                                        "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!",
                                        "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    uint8_t token[CTL_TOKEN_BYTES] = {1, 2, 0xff}, again[CTL_TOKEN_BYTES];
    char text[CTL_TOKEN_TEXT_BYTES], header[64];
    struct cs_err err;

    (void)state;
    ctl_sessions_token_text(token, text);
    assert_int_equal(strlen(text), CTL_TOKEN_TEXT_BYTES - 1);
    snprintf(header, sizeof header, "Bearer %s", text);
    check_ok(ctl_sessions_parse(cs_slice_str(header), again, &err), err);
    assert_memory_equal(token, again, sizeof token);
    for (size_t i = 0; i < CS_ARRAY_LEN(wrong); i++)
        check_code(ctl_sessions_parse(cs_slice_str(wrong[i]), again, &err), CS_EAUTH);
    check_code(ctl_sessions_parse(CS_SLICE_EMPTY, again, &err), CS_EAUTH);
    check_says(err, "this takes a session");
}

static void parse_short_of_memory(void *data)
{
    uint8_t token[CTL_TOKEN_BYTES];
    struct cs_err err;

    (void)data;
    assert_true(ctl_sessions_parse(cs_slice_str("Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), token,
                                   &err) == CS_OK ||
                alloc_fail_happened());
}

static void without_memory_nobody_is_let_in(void **state)
{
    (void)state;
    assert_true(alloc_fail_run(parse_short_of_memory, NULL) > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_signed_challenge_opens_a_session),
        TEST(a_token_counts_in_the_way_for_which_it_was_given),
        TEST(a_challenge_is_good_once),
        TEST(a_challenge_expires),
        TEST(only_given_out_challenges_count),
        TEST(the_oldest_challenge_gives_way),
        TEST(an_opening_for_another_server_s_key_is_refused),
        TEST(a_browser_s_key_opens_without_the_server_s),
        TEST(refuses_openings_that_are_not_the_operator_s),
        TEST(a_session_ends_when_it_is_idle),
        TEST(a_session_ends_when_it_is_old_however_busy),
        TEST(a_session_ends_with_the_operator_or_the_key),
        TEST(an_operator_has_so_many_sessions_and_no_more),
        TEST(closing_ends_it_and_nothing_else),
        TEST(sessions_are_listed_and_ended_by_their_ids),
        TEST(all_sessions_together_are_bounded),
        TEST(a_token_goes_through_its_text),
        TEST(without_memory_nobody_is_let_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
