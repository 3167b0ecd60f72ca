/* Each verdict on a key request in one case: a request that is well signed, with one thing wrong. */
#include "tests/support/check.h"

#include "agent/core/key_request.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/deployment.h"

struct world {
    struct deployment d;
    struct ag_connector web;
    struct ag_connectors connectors;
    struct ag_pending_key pending[AG_LIMIT_KEYS_PENDING];
    uint8_t device_id[16];
    countersign_v1_KeyRequest request;
    struct cs_buf wire;
    struct ag_key_facts facts;
};

struct case_ {
    const char *says;
    enum ag_verdict verdict;
    void (*request)(struct world *w); /* before it is signed */
    const char *signer;               /* NULL: alice */
    void (*wire)(struct world *w);
    void (*facts)(struct world *w);
};

/* ---- what is signed */

static void another_deployment(struct world *w)
{
    w->request.deployment_id.bytes[0] ^= 1;
}
static void another_device(struct world *w)
{
    w->request.device_id.bytes[0] ^= 1;
}
static void another_connector(struct world *w)
{
    w->request.connector[0] = 'x';
}
static void newer_policy(struct world *w)
{
    w->request.policy_version++;
}
static void by_bob(struct world *w)
{
    memcpy(w->request.requester, "bob", 4);
}
static void a_name_that_is_none(struct world *w)
{
    memcpy(w->request.dns_names[0], "a b", 4);
}
static void no_names(struct world *w)
{
    w->request.dns_names_count = 0;
}

/* ---- what arrives */

static void altered_signature(struct world *w)
{
    w->wire.ptr[w->wire.len - 1] ^= 1;
}
static void cut(struct world *w)
{
    w->wire.len--;
}
static void another_statement(struct world *w)
{
    cs_buf_free(&w->wire);
    w->wire = deployment_example(&w->d, CS_STATEMENT_DECISION);
}

/* ---- what the device knows */

static void no_policy(struct world *w)
{
    w->facts.policy = NULL;
}
static void at_the_last_moment(struct world *w)
{
    w->facts.now_s = w->request.expires_at_s - 1;
}
static void too_late(struct world *w)
{
    w->facts.now_s = w->request.expires_at_s;
}
static void after_the_policy(struct world *w)
{
    w->facts.now_s = w->d.body->expires_at_s + 1;
}
static void three_keys_wait(struct world *w)
{
    w->facts.pending_count = AG_LIMIT_KEYS_PENDING - 1;
}
static void four_keys_wait(struct world *w)
{
    w->facts.pending_count = AG_LIMIT_KEYS_PENDING;
}
static void one_of_four_is_for_it(struct world *w)
{
    cs_auto(cs_buf_free) struct cs_buf payload =
        deployment_encode(countersign_v1_KeyRequest_fields, &w->request);

    four_keys_wait(w);
    w->pending[2].request_digest = cs_sha256(cs_buf_slice(&payload));
}
static void made_before_it_expired(struct world *w)
{
    one_of_four_is_for_it(w);
    too_late(w);
}

static const struct case_ cases[] = {
    {.says = "makes what a requester asks for", .verdict = AG_OK},
    {.says = "makes it without DNS names", .verdict = AG_OK, .request = no_names},
    {.says = "makes it at the last moment", .verdict = AG_OK, .facts = at_the_last_moment},
    {.says = "makes a fourth", .verdict = AG_OK, .facts = three_keys_wait},
    {.says = "answers again when four wait", .verdict = AG_OK, .facts = one_of_four_is_for_it},
    {.says = "answers again after its time", .verdict = AG_OK, .facts = made_before_it_expired},
    {.says = "refuses what is cut", .verdict = AG_KEY_REQUEST_MALFORMED, .wire = cut},
    {.says = "refuses another statement", .verdict = AG_KEY_REQUEST_MALFORMED, .wire = another_statement},
    {.says = "refuses a name that no CSR can have",
     .verdict = AG_KEY_REQUEST_MALFORMED,
     .request = a_name_that_is_none},
    {.says = "refuses without a policy", .verdict = AG_NO_POLICY, .facts = no_policy},
    {.says = "wants newer policies first", .verdict = AG_POLICY_TOO_OLD, .request = newer_policy},
    {.says = "wants newer policies before it looks at a signature",
     .verdict = AG_POLICY_TOO_OLD,
     .request = newer_policy,
     .signer = "somebody new"},
    {.says = "refuses an altered signature", .verdict = AG_KEY_REQUEST_SIGNATURE, .wire = altered_signature},
    {.says = "refuses a stranger's signature", .verdict = AG_KEY_REQUEST_SIGNATURE, .signer = "mallory"},
    {.says = "refuses another operator's signature", .verdict = AG_KEY_REQUEST_SIGNATURE, .signer = "carol"},
    {.says = "refuses who is no requester", .verdict = AG_REQUESTER_ROLE, .request = by_bob, .signer = "bob"},
    {.says = "refuses past the policy's expiry", .verdict = AG_POLICY_EXPIRED, .facts = after_the_policy},
    {.says = "refuses another deployment's", .verdict = AG_WRONG_DEPLOYMENT, .request = another_deployment},
    {.says = "refuses another device's", .verdict = AG_WRONG_DEVICE, .request = another_device},
    {.says = "refuses a connector that is not declared",
     .verdict = AG_UNKNOWN_CONNECTOR,
     .request = another_connector},
    {.says = "refuses what has expired", .verdict = AG_KEY_REQUEST_EXPIRED, .facts = too_late},
    {.says = "refuses a fifth", .verdict = AG_KEYS_PENDING, .facts = four_keys_wait},
};

static void make_world(struct world *w)
{
    memset(w, 0, sizeof *w);
    deployment_make(&w->d);
    deployment_make_id("gw-0", w->device_id);
    memcpy(w->web.name, "web", 4);
    w->connectors = (struct ag_connectors){&w->web, 1};
    deployment_fill_key_request(&w->d, "gw-0", &w->request);
    w->facts = (struct ag_key_facts){
        .deployment_id = CS_SLICE_ARRAY(w->d.id),
        .device_id = CS_SLICE_ARRAY(w->device_id),
        .policy = w->d.policy,
        .connectors = &w->connectors,
        .pending = w->pending,
        .now_s = w->d.now_s,
    };
}

static void free_world(struct world *w)
{
    cs_buf_free(&w->wire);
    deployment_free(&w->d);
}

static void call(void (*spoil)(struct world *w), struct world *w)
{
    if (spoil)
        spoil(w);
}

static struct ag_key_decision *play(const struct case_ *one, struct world *w)
{
    make_world(w);
    call(one->request, w);
    w->wire = deployment_sign(&w->d, CS_STATEMENT_KEY_REQUEST, countersign_v1_KeyRequest_fields, &w->request,
                              one->signer ? one->signer : "alice");
    call(one->wire, w);
    call(one->facts, w);
    return ag_key_decide(&w->facts, cs_buf_slice(&w->wire));
}

static void every_verdict(void **unused CS_UNUSED)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct world w;
        cs_auto(ag_key_decision_freep) struct ag_key_decision *decision = play(&cases[i], &w);

        assert_non_null(decision);
        if (decision->verdict != cases[i].verdict)
            fail_msg("%s: '%s' (%s) where '%s' was wanted", cases[i].says, ag_verdict_word(decision->verdict),
                     decision->detail, ag_verdict_word(cases[i].verdict));
        assert_true(decision->detail[0] != '\0');
        assert_true((decision->known != NULL) == (strstr(cases[i].says, "answers again") != NULL));
        free_world(&w);
    }
}

/* Nobody is told in the words of a push what became of a request for a key. */
static void each_verdict_has_a_sentence_of_its_own(void **unused CS_UNUSED)
{
    char seen[AG_VERDICT_COUNT][256] = {{0}};

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct world w;
        cs_auto(ag_key_decision_freep) struct ag_key_decision *decision = play(&cases[i], &w);

        assert_non_null(decision);
        assert_null(strstr(decision->detail, "order"));
        assert_null(strstr(decision->detail, "push"));
        memcpy(seen[cases[i].verdict], decision->detail, sizeof seen[0]);
        free_world(&w);
    }
    for (size_t i = 0; i < AG_VERDICT_COUNT; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(!seen[i][0] || strcmp(seen[i], seen[k]) != 0);
}

static void decide_short_of_memory(void *data)
{
    struct world *w = data;
    cs_auto(ag_key_decision_freep) struct ag_key_decision *decision =
        ag_key_decide(&w->facts, cs_buf_slice(&w->wire));

    if (decision && decision->verdict != AG_OK)
        assert_int_equal(decision->verdict, AG_UNDECIDED);
    if (!decision || decision->verdict != AG_OK)
        assert_true(alloc_fail_happened());
}

static void too_little_memory_is_no_verdict(void **unused CS_UNUSED)
{
    struct world w;

    ag_key_decision_free(play(&cases[0], &w));
    assert_true(alloc_fail_sample(decide_short_of_memory, &w, 200) > 20);
    assert_true(alloc_fail_large(decide_short_of_memory, &w, 512) > 1);
    free_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict),
        cmocka_unit_test(each_verdict_has_a_sentence_of_its_own),
        cmocka_unit_test(too_little_memory_is_no_verdict),
    };

    return cmocka_run_group_tests_name("key_request", tests, NULL, NULL);
}
