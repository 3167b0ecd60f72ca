/* What is to be done: certificates and keys, removals and roll backs; each verdict of the device in one case.
 */
#include "tests/unit/decide_world.h"

/* ---- what people sign */

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
static void allows_expired(struct spoiling *s)
{
    REQUEST(s)->overrides_count = 1;
    REQUEST(s)->overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED;
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

/* ---- what the controller sends */

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

/* ---- what the device knows */

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

static const struct case_ cases[] = {
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
    {.says = "refuses a chain that was not signed for", .verdict = AG_CHAIN_DIGEST, .message = other_chain},
    {.says = "refuses a chain that does not parse", .verdict = AG_CHAIN_MALFORMED, .before = chain_with_more},
    {.says = "refuses a chain with a certificate that issued none of it",
     .verdict = AG_CHAIN_LINKS,
     .before = chain_with_a_stranger},
    {.says = "refuses a leaf key that was not signed for", .verdict = AG_LEAF_KEY, .before = other_leaf_key},
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

static void every_verdict(void **unused CS_UNUSED)
{
    check_verdicts(cases, CS_ARRAY_LEN(cases));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict),
        cmocka_unit_test(an_expired_certificate_needs_the_request_to_say_so),
        cmocka_unit_test(a_certificate_of_the_future_waits_for_a_known_clock),
        cmocka_unit_test(the_key_is_installed_in_our_own_encoding),
    };

    return cmocka_run_group_tests_name("decide-content", tests, NULL, NULL);
}
