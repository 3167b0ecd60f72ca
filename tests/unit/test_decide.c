/* Each verdict of the device in one case: a push that is whole and decided, with one thing wrong. */
#include "tests/support/check.h"

#include "agent/core/decide.h"
#include "agent/core/journal.h"
#include "tests/support/delivery.h"

struct world {
    struct deployment d;
    struct cs_key *kem, *other_kem;
    struct cs_buf other_pkcs8;
    struct cs_buf kept_chain, kept_key; /* PEM of an earlier generation */
    struct ag_connector web;
    struct ag_connectors connectors;
    struct ag_state state;
    uint8_t device_id[16];
    struct ag_facts facts;
};

struct spoiling {
    struct world *world;
    struct delivery_story *story;
};

struct case_ {
    const char *says;
    enum ag_verdict verdict;
    void (*before)(struct spoiling *s);  /* what is signed: cores, request */
    void (*decide)(struct spoiling *s);  /* in place of bob and carol */
    void (*message)(struct spoiling *s); /* what the controller sends */
    void (*delivery)(struct spoiling *s);
    void (*facts)(struct spoiling *s); /* what the device knows */
};

#define CORE(s)    (&(s)->story->push.cores[0])
#define REQUEST(s) (&(s)->story->push.request)

/* ---- what people sign */

static void other_device(struct spoiling *s)
{
    CORE(s)->device_id.bytes[0] ^= 1;
}
static void other_name(struct spoiling *s)
{
    CORE(s)->device_name[0] = 'x';
}
static void other_connector(struct spoiling *s)
{
    CORE(s)->connector[0] = 'x';
}
static void removes(struct spoiling *s)
{
    CORE(s)->action = countersign_v1_Action_ACTION_REMOVE;
    CORE(s)->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    CORE(s)->chain_digest.size = CORE(s)->leaf_spki_digest.size = 0;
    CORE(s)->expects.size = 32;
}
static void removes_what_is_there(struct spoiling *s)
{
    removes(s);
    memset(CORE(s)->expects.bytes, 7, 32);
}
static void unknown_action(struct spoiling *s)
{
    /* As a newer controller may have it; what signs and parses here knows three. */
    CORE(s)->action = (countersign_v1_Action)4;
}
static void rolls_back(struct spoiling *s)
{
    CORE(s)->action = countersign_v1_Action_ACTION_ROLL_BACK;
    CORE(s)->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    CORE(s)->generation = 2;
    CORE(s)->target_generation = 1;
    CORE(s)->expects.size = 32;
    memset(CORE(s)->expects.bytes, 7, 32);
}
static void key_on_device(struct spoiling *s)
{
    CORE(s)->key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE;
}
static void other_leaf_key(struct spoiling *s)
{
    CORE(s)->leaf_spki_digest.bytes[0] ^= 1;
}
static void generation_too_far(struct spoiling *s)
{
    CORE(s)->generation = CS_LIMIT_GENERATION_JUMP + 1;
}
static void generation_just_near(struct spoiling *s)
{
    CORE(s)->generation = CS_LIMIT_GENERATION_JUMP;
}
static void expects_something(struct spoiling *s)
{
    CORE(s)->expects.size = 32;
    memset(CORE(s)->expects.bytes, 7, 32);
}
static void expects_nothing(struct spoiling *s)
{
    CORE(s)->expects.size = 32;
}
static void sees_newer_policy(struct spoiling *s)
{
    REQUEST(s)->policy_version = 9;
}
static void requested_by_bob(struct spoiling *s)
{
    memcpy(REQUEST(s)->requester, "bob", 4);
}
static void allows_expired(struct spoiling *s)
{
    REQUEST(s)->overrides_count = 1;
    REQUEST(s)->overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED;
}

static void leaves_a_year_to_decide(struct spoiling *s)
{
    REQUEST(s)->decide_by_s += 365LL * 86400;
}
static void other_deployment(struct spoiling *s)
{
    REQUEST(s)->deployment_id.bytes[0] ^= 1;
}
/* People signed for exactly this chain, whatever it is. */
static void sign_for_chain(struct spoiling *s)
{
    struct cs_digest digest = cs_sha256(cs_buf_slice(&s->story->chain));

    CS_PB_SET(&CORE(s)->chain_digest, cs_digest_slice(&digest));
}
static void chain_with_more(struct spoiling *s)
{
    assert_int_equal(cs_buf_append(&s->story->chain, CS_SLICE_LIT("\x30\x03\x02")), CS_OK);
    sign_for_chain(s);
}
static void chain_with_a_stranger(struct spoiling *s)
{
    struct pki other = pki_make_ca("Stranger");

    assert_int_equal(cs_buf_append(&s->story->chain, cs_chain_bytes(other.chain)), CS_OK);
    sign_for_chain(s);
    pki_free(&other);
}

/* ---- what is decided */

static void only_bob(struct spoiling *s)
{
    story_decide(&s->story->push, "bob", 1);
}
static void carol_rejects(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    decision.verdict = countersign_v1_Verdict_VERDICT_REJECT;
    story_add_decision(&s->story->push, &decision, "carol");
}
static void carol_says_later(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    decision.mode = countersign_v1_Mode_MODE_SCHEDULED;
    decision.not_before_s = s->world->d.now_s + 3600;
    story_add_decision(&s->story->push, &decision, "carol");
}
static void carol_decides_past_the_policys_expiry(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    decision.decided_at_s = s->world->d.body->expires_at_s + 1;
    story_add_decision(&s->story->push, &decision, "carol");
}
static void mallory_signs_for_carol(struct spoiling *s)
{
    countersign_v1_Decision decision;

    only_bob(s);
    story_fill_decision(&s->story->push, "carol", 2, &decision);
    story_add_decision(&s->story->push, &decision, "mallory");
}
static void alice_decides(struct spoiling *s)
{
    story_decide(&s->story->push, "alice", 1);
}
static void carol_goes_first(struct spoiling *s)
{
    story_decide(&s->story->push, "carol", 2);
}
static void bob_decides_a_third_stage(struct spoiling *s)
{
    only_bob(s);
    story_decide(&s->story->push, "carol", 3);
}
static void decided_before_it_was_asked(struct spoiling *s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story->push, "bob", 1, &decision);
    decision.decided_at_s = 1;
    story_add_decision(&s->story->push, &decision, "bob");
}
static void decides_another_request(struct spoiling *s)
{
    countersign_v1_Decision decision;

    story_fill_decision(&s->story->push, "bob", 1, &decision);
    decision.request_digest.bytes[0] ^= 1;
    story_add_decision(&s->story->push, &decision, "bob");
}
static void bob_decides_twice(struct spoiling *s)
{
    story_decide(&s->story->push, "dora", 1);
    story_decide(&s->story->push, "dora", 2);
}

/* ---- what the controller sends */

static void other_core(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;

    CORE(s)->number++;
    wire = deployment_encode(countersign_v1_OrderCore_fields, CORE(s));
    CORE(s)->number--;
    CS_PB_SET(&s->story->message.order_core, cs_buf_slice(&wire));
}
static void core_with_more(struct spoiling *s)
{
    s->story->message.order_core.bytes[s->story->message.order_core.size++] = 0;
}
static void other_chain(struct spoiling *s)
{
    s->story->message.chain.bytes[s->story->message.chain.size - 1] ^= 1;
}
static void nothing_with_it(struct spoiling *s)
{
    s->story->message.chain.size = 0;
    s->story->message.has_sealed_key = false;
}
static void no_key(struct spoiling *s)
{
    s->story->message.has_sealed_key = false;
    memset(&s->story->message.sealed_key, 0, sizeof s->story->message.sealed_key);
}
static void key_for_another(struct spoiling *s)
{
    s->story->message.sealed_key.ciphertext.size = 0;
    delivery_assemble(s->story, cs_key_spki(s->world->other_kem));
}
static void garbage_sealed(struct spoiling *s)
{
    delivery_seal(s->story, cs_key_spki(s->world->kem), CS_SLICE_LIT("not a key"));
}
static void seal_as_key(struct spoiling *s, struct cs_slice pkcs8)
{
    countersign_v1_SealedKeyPlain *plain = calloc(1, sizeof *plain);

    assert_non_null(plain);
    CS_PB_SET(&plain->pkcs8, pkcs8);
    struct cs_buf wire = deployment_encode(countersign_v1_SealedKeyPlain_fields, plain);

    delivery_seal(s->story, cs_key_spki(s->world->kem), cs_buf_slice(&wire));
    cs_buf_free(&wire);
    free(plain);
}
static void key_sealed_as_pem(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_key_export_pem(s->story->certificate.key, CS_SLICE_EMPTY, &pem, &err), err);
    seal_as_key(s, cs_buf_slice(&pem));
}
/* The point ends the encoding; what reads the scalar alone takes the key for the right one. */
static void key_sealed_with_another_point(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf pkcs8 = CS_BUF_EMPTY;

    assert_int_equal(cs_buf_append(&pkcs8, cs_buf_slice(&s->story->pkcs8)), CS_OK);
    memcpy(pkcs8.ptr + pkcs8.len - CS_POINT_BYTES, cs_key_point(s->world->kem).ptr, CS_POINT_BYTES);
    seal_as_key(s, cs_buf_slice(&pkcs8));
}
static void zeros_sealed(struct spoiling *s)
{
    static const uint8_t zeros[138];

    seal_as_key(s, CS_SLICE_ARRAY(zeros));
}
static void other_key_sealed(struct spoiling *s)
{
    struct pki other = pki_make_ca("Other");
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_free) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    struct cs_err err;

    check_ok(cs_key_export_pem(other.key, CS_SLICE_EMPTY, &pem, &err), err);
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &pkcs8, &err), err);
    seal_as_key(s, cs_buf_slice(&pkcs8));
    pki_free(&other);
}
static void request_altered(struct spoiling *s)
{
    s->story->message.request.bytes[s->story->message.request.size - 1] ^= 1;
}
static void decision_dropped(struct spoiling *s)
{
    s->story->message.decisions_count--;
}

static void message_with_more(struct spoiling *s)
{
    s->story->delivery.message.bytes[s->story->delivery.message.size++] = 0;
    cs_auto(cs_buf_free) struct cs_buf batch =
        story_batch(&s->story->push, CS_PB_BYTES(&s->story->delivery.message));

    CS_PB_SET(&s->story->delivery.batch, cs_buf_slice(&batch));
}
static void batch_of_another(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf batch = story_batch(&s->story->push, CS_SLICE_LIT("another message"));

    CS_PB_SET(&s->story->delivery.batch, cs_buf_slice(&batch));
}
static void batch_altered(struct spoiling *s)
{
    s->story->delivery.batch.bytes[s->story->delivery.batch.size - 1] ^= 1;
}
static void batch_cut(struct spoiling *s)
{
    s->story->delivery.batch.size--;
}
static void other_place_in_batch(struct spoiling *s)
{
    s->story->delivery.index = 1;
}

/* ---- what the device knows */

static void of_another_deployment(struct spoiling *s)
{
    static const uint8_t other[16] = "another";

    s->world->facts.deployment_id = CS_SLICE_ARRAY(other);
}

static void something_is_installed(struct spoiling *s)
{
    struct ag_connector_state *connector = NULL;
    struct cs_err err;

    check_ok(ag_state_connector_make(&s->world->state, "web", &connector, &err), err);
    connector->installed_generation = 1;
    memset(connector->installed_digest.bytes, 7, sizeof connector->installed_digest.bytes);
}
static void keeps(struct spoiling *s, struct cs_slice chain_der, struct cs_slice pkcs8)
{
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_err err;

    something_is_installed(s);
    check_ok(cs_chain_parse(chain_der, &chain, &err), err);
    check_ok(cs_chain_write_pem(chain, &s->world->kept_chain, &err), err);
    check_ok(cs_pem_write("PRIVATE KEY", pkcs8, &s->world->kept_key, &err), err);
    s->world->facts.kept_chain = cs_buf_slice(&s->world->kept_chain);
    s->world->facts.kept_key = cs_buf_slice(&s->world->kept_key);
}
static void keeps_it(struct spoiling *s)
{
    keeps(s, cs_buf_slice(&s->story->chain), cs_buf_slice(&s->story->pkcs8));
}
static void keeps_another(struct spoiling *s)
{
    keeps(s, cs_chain_der(s->story->ca.chain, 0), cs_buf_slice(&s->story->pkcs8));
}
static void keeps_what_is_no_chain(struct spoiling *s)
{
    keeps_it(s);
    s->world->facts.kept_chain = CS_SLICE_LIT("no chain");
}
static void keeps_it_with_another_key(struct spoiling *s)
{
    keeps(s, cs_buf_slice(&s->story->chain), cs_buf_slice(&s->world->other_pkcs8));
}
static void keeps_it_without_a_key(struct spoiling *s)
{
    keeps(s, cs_buf_slice(&s->story->chain), CS_SLICE_LIT("no key"));
}
static void wants_its_name(struct spoiling *s)
{
    static char name[] = "WEB.example";

    s->world->web.names[0] = name;
}
static void wants_another_name(struct spoiling *s)
{
    static char name[] = "web.example", other[] = "mail.example";

    s->world->web.names[0] = name;
    s->world->web.names[1] = other;
}
static void something_with_a_name_is_installed(struct spoiling *s)
{
    something_is_installed(s);
    wants_its_name(s);
}
static void has_made_the_key(struct spoiling *s)
{
    s->world->facts.own_key = cs_buf_slice(&s->story->pkcs8);
}
static void has_made_another_key(struct spoiling *s)
{
    s->world->facts.own_key = cs_buf_slice(&s->world->other_pkcs8);
}
static void no_policy(struct spoiling *s)
{
    s->world->facts.policy = NULL;
}
static void long_after(struct spoiling *s)
{
    s->world->facts.now_s += 9 * 3600;
}
static void after_the_policy(struct spoiling *s)
{
    s->world->facts.now_s += 91LL * 86400;
}
static void clock_behind(struct spoiling *s)
{
    s->world->facts.now_s -= 3600;
}
static void seen_before(struct spoiling *s)
{
    struct ag_connector_state *connector = NULL;
    struct cs_err err;

    check_ok(ag_state_connector_make(&s->world->state, "web", &connector, &err), err);
    connector->highest_generation = 1;
}
static struct ag_order *journalled(struct spoiling *s)
{
    cs_auto(cs_buf_free) struct cs_buf core = deployment_encode(countersign_v1_OrderCore_fields, CORE(s));
    const struct ag_acceptance acceptance = {.connector = "web",
                                             .order_id = CS_PB_BYTES(&CORE(s)->order_id),
                                             .core_digest = cs_sha256(cs_buf_slice(&core)),
                                             .generation = 1};
    struct ag_order *order = NULL;
    struct cs_err err;

    check_ok(ag_journal_accept(&s->world->state, &acceptance, &order, &err), err);
    return order;
}
static void in_progress(struct spoiling *s)
{
    journalled(s);
}
static void other_content_before(struct spoiling *s)
{
    journalled(s)->core_digest.bytes[0] ^= 1;
}
static void completed_before(struct spoiling *s)
{
    struct cs_err err;

    check_ok(ag_journal_end(&s->world->state, journalled(s), CS_SLICE_EMPTY, &err), err);
}
static struct ag_order *put_back_before(struct spoiling *s)
{
    struct ag_order *order = journalled(s);
    struct cs_err err;

    check_ok(ag_journal_begin_put_back(order, CS_SLICE_EMPTY, &err), err);
    check_ok(ag_journal_end(&s->world->state, order, CS_SLICE_EMPTY, &err), err);
    return order;
}
static void put_back_and_unknown(struct spoiling *s)
{
    put_back_before(s);
}
static void put_back_and_known(struct spoiling *s)
{
    put_back_before(s)->acknowledged = true;
}
static void tried_three_times(struct spoiling *s)
{
    struct ag_order *order = put_back_before(s);

    order->acknowledged = true;
    order->attempt = 3;
}
static void put_back_and_overtaken(struct spoiling *s)
{
    put_back_and_known(s);
    s->world->state.connectors[0].highest_generation = 2;
}
static const struct case_ cases[] = {
    {.says = "accepts what is whole and decided", .verdict = AG_OK},
    {.says = "accepts a jump of exactly the limit", .verdict = AG_OK, .before = generation_just_near},
    {.says = "accepts nothing installed where nothing is expected",
     .verdict = AG_OK,
     .before = expects_nothing},
    {.says = "takes the time of the decision where its clock is behind",
     .verdict = AG_OK,
     .facts = clock_behind},
    {.says = "tries again what was put back and reported", .verdict = AG_OK, .facts = put_back_and_known},

    {.says = "refuses without a policy", .verdict = AG_NO_POLICY, .facts = no_policy},
    {.says = "refuses a message with bytes behind it",
     .verdict = AG_MESSAGE_MALFORMED,
     .delivery = message_with_more},
    {.says = "refuses an order core with bytes behind it",
     .verdict = AG_ORDER_MALFORMED,
     .message = core_with_more},
    {.says = "refuses a batch that is cut", .verdict = AG_BATCH_MALFORMED, .delivery = batch_cut},
    {.says = "refuses a batch whose signature is altered",
     .verdict = AG_BATCH_SIGNATURE,
     .delivery = batch_altered},
    {.says = "refuses a message of another batch", .verdict = AG_NOT_IN_BATCH, .delivery = batch_of_another},
    {.says = "refuses another place in the batch",
     .verdict = AG_NOT_IN_BATCH,
     .delivery = other_place_in_batch},

    {.says = "refuses a batch of another deployment",
     .verdict = AG_WRONG_DEPLOYMENT,
     .facts = of_another_deployment},
    {.says = "refuses a request for another deployment",
     .verdict = AG_WRONG_DEPLOYMENT,
     .before = other_deployment},

    {.says = "refuses an order for another device-id", .verdict = AG_WRONG_DEVICE, .before = other_device},
    {.says = "refuses an order with another device name", .verdict = AG_WRONG_NAME, .before = other_name},
    {.says = "refuses a connector that is not declared",
     .verdict = AG_UNKNOWN_CONNECTOR,
     .before = other_connector},
    {.says = "refuses an action that nobody here knows",
     .verdict = AG_ORDER_MALFORMED,
     .before = unknown_action},

    {.says = "removes what is installed",
     .verdict = AG_OK,
     .before = removes_what_is_there,
     .message = nothing_with_it,
     .facts = something_is_installed},
    {.says = "removes whatever names the connector wants",
     .verdict = AG_OK,
     .before = removes_what_is_there,
     .message = nothing_with_it,
     .facts = something_with_a_name_is_installed},
    {.says = "refuses to remove where nothing is installed", .verdict = AG_EXPECTS_OTHER, .before = removes},
    {.says = "refuses to remove something else",
     .verdict = AG_EXPECTS_OTHER,
     .before = removes,
     .facts = something_is_installed},
    {.says = "goes back to what it keeps",
     .verdict = AG_OK,
     .before = rolls_back,
     .message = nothing_with_it,
     .facts = keeps_it},
    {.says = "looks at no chain and key that come with a roll back",
     .verdict = AG_OK,
     .before = rolls_back,
     .facts = keeps_it},
    {.says = "goes back to nothing that it does not keep",
     .verdict = AG_GENERATION_GONE,
     .before = rolls_back,
     .facts = something_is_installed},
    {.says = "goes back to no chain that was not signed for",
     .verdict = AG_GENERATION_OTHER,
     .before = rolls_back,
     .facts = keeps_another},
    {.says = "goes back to nothing that is no chain",
     .verdict = AG_GENERATION_OTHER,
     .before = rolls_back,
     .facts = keeps_what_is_no_chain},
    {.says = "goes back to no key that does not fit",
     .verdict = AG_KEY_MISMATCH,
     .before = rolls_back,
     .facts = keeps_it_with_another_key},
    {.says = "goes back to nothing that is no key",
     .verdict = AG_GENERATION_OTHER,
     .before = rolls_back,
     .facts = keeps_it_without_a_key},
    {.says = "takes a certificate with the name that the connector wants",
     .verdict = AG_OK,
     .facts = wants_its_name},
    {.says = "refuses a certificate without a name that the connector wants",
     .verdict = AG_NAMES_OTHER,
     .facts = wants_another_name},
    {.says = "refuses an order that nobody signed for", .verdict = AG_NOT_IN_REQUEST, .message = other_core},

    {.says = "refuses a chain that was not signed for", .verdict = AG_CHAIN_DIGEST, .message = other_chain},
    {.says = "refuses a chain that does not parse", .verdict = AG_CHAIN_MALFORMED, .before = chain_with_more},
    {.says = "refuses a chain with a certificate that issued none of it",
     .verdict = AG_CHAIN_LINKS,
     .before = chain_with_a_stranger},
    {.says = "refuses a leaf key that was not signed for", .verdict = AG_LEAF_KEY, .before = other_leaf_key},

    {.says = "refuses a request that was altered",
     .verdict = AG_REQUEST_SIGNATURE,
     .message = request_altered},
    {.says = "refuses a requester without the role",
     .verdict = AG_REQUESTER_ROLE,
     .before = requested_by_bob},
    {.says = "wants newer policies first", .verdict = AG_POLICY_TOO_OLD, .before = sees_newer_policy},
    {.says = "refuses past the policy's expiry", .verdict = AG_POLICY_EXPIRED, .facts = after_the_policy},
    {.says = "refuses what was decided past the policy's expiry, where its clock is behind",
     .verdict = AG_POLICY_EXPIRED,
     .before = leaves_a_year_to_decide,
     .decide = carol_decides_past_the_policys_expiry},
    {.says = "refuses what only one decided", .verdict = AG_UNDECIDED, .decide = only_bob},
    {.says = "refuses when a decision is left out", .verdict = AG_UNDECIDED, .message = decision_dropped},
    {.says = "refuses what was rejected", .verdict = AG_REJECTED, .decide = carol_rejects},
    {.says = "refuses a decision signed by another",
     .verdict = AG_DECISION_SIGNATURE,
     .decide = mallory_signs_for_carol},
    {.says = "refuses the same person for two stages",
     .verdict = AG_DECIDER_TWICE,
     .decide = bob_decides_twice},

    {.says = "refuses the requester as a decider",
     .verdict = AG_DECIDER_IS_REQUESTER,
     .decide = alice_decides},
    {.says = "refuses the second stage before the first",
     .verdict = AG_STAGE_NOT_OPEN,
     .decide = carol_goes_first},
    {.says = "refuses a stage that the policy has not",
     .verdict = AG_STAGE_UNKNOWN,
     .decide = bob_decides_a_third_stage},
    {.says = "refuses a decision from before the request",
     .verdict = AG_DECISION_EARLY,
     .decide = decided_before_it_was_asked},
    {.says = "refuses a decision on another request",
     .verdict = AG_DECISION_OTHER_REQUEST,
     .decide = decides_another_request},

    {.says = "refuses a generation seen before", .verdict = AG_GENERATION_SEEN, .facts = seen_before},
    {.says = "refuses a jump over the limit", .verdict = AG_GENERATION_JUMP, .before = generation_too_far},
    {.says = "leaves alone what is in progress", .verdict = AG_IN_PROGRESS, .facts = in_progress},
    {.says = "refuses other content under a known id",
     .verdict = AG_ORDER_CHANGED,
     .facts = other_content_before},
    {.says = "answers what was completed with its report",
     .verdict = AG_ENDED_BEFORE,
     .facts = completed_before},
    {.says = "answers what was put back and not yet reported",
     .verdict = AG_ENDED_BEFORE,
     .facts = put_back_and_unknown},
    {.says = "refuses a try too many", .verdict = AG_ATTEMPTS_USED, .facts = tried_three_times},
    {.says = "refuses to try again what was overtaken",
     .verdict = AG_GENERATION_SEEN,
     .facts = put_back_and_overtaken},
    {.says = "waits for the time", .verdict = AG_NOT_YET, .decide = carol_says_later},
    {.says = "refuses after the window", .verdict = AG_WINDOW_PASSED, .facts = long_after},
    {.says = "refuses when something else is expected",
     .verdict = AG_EXPECTS_OTHER,
     .before = expects_something},

    {.says = "refuses without a key", .verdict = AG_KEY_MISSING, .message = no_key},
    {.says = "takes the key that was made here",
     .verdict = AG_OK,
     .before = key_on_device,
     .message = no_key,
     .facts = has_made_the_key},
    {.says = "looks at no key that comes with a certificate for its own",
     .verdict = AG_OK,
     .before = key_on_device,
     .message = garbage_sealed,
     .facts = has_made_the_key},
    {.says = "takes no key that comes in place of its own",
     .verdict = AG_KEY_MISSING,
     .before = key_on_device},
    {.says = "refuses a certificate for another key than its own",
     .verdict = AG_KEY_MISMATCH,
     .before = key_on_device,
     .message = no_key,
     .facts = has_made_another_key},
    {.says = "refuses a key sealed to another", .verdict = AG_KEY_SEAL, .message = key_for_another},
    {.says = "refuses what is no key", .verdict = AG_KEY_MALFORMED, .message = garbage_sealed},
    {.says = "refuses what is sealed as a key and is none",
     .verdict = AG_KEY_MALFORMED,
     .message = zeros_sealed},
    {.says = "refuses a key that does not fit", .verdict = AG_KEY_MISMATCH, .message = other_key_sealed},
};

static void make_world(struct world *world)
{
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    struct cs_err err;

    memset(world, 0, sizeof *world);
    deployment_make(&world->d);
    check_ok(cs_key_generate(CS_KEY_AGREE, &world->kem, &err), err);
    check_ok(cs_key_generate(CS_KEY_AGREE, &world->other_kem, &err), err);
    check_ok(cs_key_export_pem(world->other_kem, CS_SLICE_EMPTY, &pem, &err), err);
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&pem), CS_SLICE_EMPTY, &world->other_pkcs8, &err), err);
    deployment_make_id("gw-0", world->device_id);
    memcpy(world->web.name, "web", 4);
    world->connectors = (struct ag_connectors){&world->web, 1};
    ag_state_init(&world->state, CS_SLICE_ARRAY(world->device_id));
}

static void free_world(struct world *world)
{
    ag_state_free(&world->state);
    cs_key_free(world->kem);
    cs_key_free(world->other_kem);
    cs_buf_wipe(&world->other_pkcs8);
    cs_buf_free(&world->kept_chain);
    cs_buf_wipe(&world->kept_key);
    deployment_free(&world->d);
}

static void set_facts(struct world *world)
{
    world->facts = (struct ag_facts){
        .deployment_id = CS_SLICE_ARRAY(world->d.id),
        .device_id = CS_SLICE_ARRAY(world->device_id),
        .device_name = "gw-0",
        .policy = world->d.policy,
        .state = &world->state,
        .connectors = &world->connectors,
        .kem_key = world->kem,
        .now_s = world->d.now_s,
        .time_known = true,
    };
}

static void call(void (*spoil)(struct spoiling *s), struct spoiling *s)
{
    if (spoil)
        spoil(s);
}

static struct ag_decision *play(const struct case_ *one, struct world *world)
{
    struct spoiling s = {world, delivery_prepare(&world->d, "gw-0", world->device_id, 1)};

    call(one->before, &s);
    delivery_submit(s.story);
    if (one->decide) {
        one->decide(&s);
    } else {
        story_decide(&s.story->push, "bob", 1);
        story_decide(&s.story->push, "carol", 2);
    }
    delivery_assemble(s.story, cs_key_spki(world->kem));
    call(one->message, &s);
    delivery_wrap(s.story);
    call(one->delivery, &s);
    set_facts(world);
    call(one->facts, &s);
    struct ag_decision *decision = ag_decide(&world->facts, &s.story->delivery);

    delivery_free(s.story);
    assert_non_null(decision);
    return decision;
}

static void every_verdict(void **unused CS_UNUSED)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct world world;

        make_world(&world);
        cs_auto(ag_decision_freep) struct ag_decision *decision = play(&cases[i], &world);

        if (decision->verdict != cases[i].verdict)
            fail_msg("%s: '%s' (%s) where '%s' was wanted", cases[i].says, ag_verdict_word(decision->verdict),
                     decision->report.detail, ag_verdict_word(cases[i].verdict));
        assert_string_equal(decision->report.verdict, ag_verdict_word(cases[i].verdict));
        assert_true(decision->report.detail[0] != '\0');
        free_world(&world);
    }
}

static void expired_yesterday(struct spoiling *s)
{
    int64_t now_s = s->world->d.now_s;

    delivery_certify(s->story, now_s - 2LL * 86400, now_s - 86400);
}
static void expired_and_allowed(struct spoiling *s)
{
    expired_yesterday(s);
    allows_expired(s);
}
static void valid_tomorrow(struct spoiling *s)
{
    int64_t now_s = s->world->d.now_s;

    delivery_certify(s->story, now_s + 86400, now_s + 2LL * 86400);
}
static void time_unknown(struct spoiling *s)
{
    s->world->facts.time_known = false;
}

static void an_expired_certificate_needs_the_request_to_say_so(void **unused CS_UNUSED)
{
    static const struct case_ silent = {.before = expired_yesterday},
                              says_so = {.before = expired_and_allowed};
    struct world world;

    make_world(&world);
    cs_auto(ag_decision_freep) struct ag_decision *refused = play(&silent, &world);
    cs_auto(ag_decision_freep) struct ag_decision *accepted = play(&says_so, &world);

    assert_string_equal(refused->report.verdict, "certificate-expired");
    assert_string_equal(accepted->report.verdict, "ok");
    free_world(&world);
}

static void a_certificate_of_the_future_waits_for_a_known_clock(void **unused CS_UNUSED)
{
    static const struct case_ clock_known = {.before = valid_tomorrow},
                              unknown = {.before = valid_tomorrow, .facts = time_unknown};
    struct world world;

    make_world(&world);
    cs_auto(ag_decision_freep) struct ag_decision *refused = play(&clock_known, &world);
    cs_auto(ag_decision_freep) struct ag_decision *accepted = play(&unknown, &world);

    assert_string_equal(refused->report.verdict, "certificate-not-yet-valid");
    assert_string_equal(accepted->report.verdict, "ok");
    free_world(&world);
}

static void check_key_in_our_encoding(void (*seal)(struct spoiling *s))
{
    const struct case_ sealed_so = {.message = seal};
    struct world world;

    make_world(&world);
    cs_auto(ag_decision_freep) struct ag_decision *decision = play(&sealed_so, &world);
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    cs_auto(cs_buf_free) struct cs_buf again = CS_BUF_EMPTY;
    struct cs_err err;

    assert_string_equal(decision->report.verdict, "ok");
    check_ok(cs_key_parse(cs_buf_slice(&decision->pkcs8), CS_SLICE_EMPTY, CS_KEY_SIGN, &key, &err), err);
    check_slice(cs_key_spki(key), cs_chain_leaf_spki(decision->chain));
    check_ok(cs_private_key_to_pkcs8(cs_buf_slice(&decision->pkcs8), CS_SLICE_EMPTY, &again, &err), err);
    check_slice(cs_buf_slice(&decision->pkcs8), cs_buf_slice(&again));
    check_slice(cs_slice_from(cs_buf_slice(&decision->pkcs8), decision->pkcs8.len - CS_POINT_BYTES),
                cs_key_point(key));
    free_world(&world);
}

static void the_key_is_installed_in_our_own_encoding(void **unused CS_UNUSED)
{
    check_key_in_our_encoding(key_sealed_as_pem);
    check_key_in_our_encoding(key_sealed_with_another_point);
}

static void the_account_names_requester_deciders_and_rule(void **unused CS_UNUSED)
{
    struct world world;

    make_world(&world);
    cs_auto(ag_decision_freep) struct ag_decision *decision = play(&cases[0], &world);

    assert_string_equal(decision->report.requester, "alice");
    assert_int_equal(decision->report.deciders_count, 2);
    assert_string_equal(decision->report.deciders[0], "approve: bob");
    assert_string_equal(decision->report.deciders[1], "implement: carol");
    assert_string_equal(decision->report.rule, "default");
    assert_int_equal(decision->report.policy_version, 1);
    assert_ptr_equal(decision->connector, &world.web);
    assert_true(decision->pkcs8.len > 0);
    free_world(&world);
}

static void a_hint_names_what_cannot_be_read_and_nothing_else(void **unused CS_UNUSED)
{
    struct world world;

    make_world(&world);
    struct delivery_story *story =
        delivery_make(&world.d, "gw-0", world.device_id, 1, cs_key_spki(world.kem));
    struct cs_slice hint = CS_SLICE_ARRAY(world.device_id), id = CS_PB_BYTES(&story->push.cores[0].order_id);

    set_facts(&world);
    CS_PB_SET(&story->delivery.order_id, hint);
    cs_auto(ag_decision_freep) struct ag_decision *whole = ag_decide(&world.facts, &story->delivery);

    assert_string_equal(whole->report.verdict, "ok");
    check_slice(CS_PB_BYTES(&whole->report.order_id), id);
    story->delivery.message.size--;
    cs_auto(ag_decision_freep) struct ag_decision *torn = ag_decide(&world.facts, &story->delivery);

    assert_string_equal(torn->report.verdict, "message-malformed");
    check_slice(CS_PB_BYTES(&torn->report.order_id), hint);
    assert_string_equal(torn->report.connector, "");
    story->delivery.order_id.size = 3;
    cs_auto(ag_decision_freep) struct ag_decision *no_id = ag_decide(&world.facts, &story->delivery);

    assert_int_equal(no_id->report.order_id.size, 0);
    delivery_free(story);
    free_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict),
        cmocka_unit_test(an_expired_certificate_needs_the_request_to_say_so),
        cmocka_unit_test(a_certificate_of_the_future_waits_for_a_known_clock),
        cmocka_unit_test(the_key_is_installed_in_our_own_encoding),
        cmocka_unit_test(the_account_names_requester_deciders_and_rule),
        cmocka_unit_test(a_hint_names_what_cannot_be_read_and_nothing_else),
    };

    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
