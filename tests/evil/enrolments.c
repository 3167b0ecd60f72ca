/* enrolments.c - what a device pins when it enrols, and what it takes from a controller afterwards. The token
 * comes from the admin's client; the controller stands at the other end of the connection. */
#include "agent/core/identity.h"
#include "agent/core/token.h"
#include "tests/evil/change.h"
#include "tests/evil/evil.h"

#include <stdio.h>

/* The token of the admin's client, with the CA that the controller has. */
static void fill_token(struct evil *e, const struct pki *ca, countersign_v1_EnrolmentToken *ret)
{
    struct cs_pin pin = deployment_pin(&e->d);
    uint8_t random[16];

    *ret = (countersign_v1_EnrolmentToken){.policy_version = 1, .expires_at_s = e->d.now_s + 3600};
    CS_PB_SET(&ret->deployment_id, CS_SLICE_ARRAY(pin.deployment_id));
    memcpy(ret->device_name, "gw-0", 5);
    deployment_make_id("authentication", random);
    CS_PB_SET(&ret->authentication, CS_SLICE_ARRAY(random));
    deployment_make_id("binding", random);
    CS_PB_SET(&ret->binding, CS_SLICE_ARRAY(random));
    CS_PB_SET(&ret->roots_digest, cs_digest_slice(&pin.roots_digest));
    CS_PB_SET(&ret->agent_ca, cs_chain_der(ca->chain, 0));
}

static countersign_v1_EnrolmentToken *parsed(const countersign_v1_EnrolmentToken *token)
{
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;
    countersign_v1_EnrolmentToken *ret = NULL;
    struct cs_err err;

    cs_assert(ag_token_write(token, &text, &err) == CS_OK &&
              ag_token_parse(cs_buf_slice(&text), &ret, &err) == CS_OK);
    return ret;
}

/* As agent/link/enrol.c keeps it; then a restart. */
static void enrol(struct evil *e, const countersign_v1_EnrolmentToken *from)
{
    countersign_v1_EnrolmentToken *token = parsed(from);
    struct ag_identity identity = {.pin.least_version = token->policy_version}, again;
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;

    memcpy(identity.pin.deployment_id, token->deployment_id.bytes, 16);
    memcpy(identity.pin.roots_digest.bytes, token->roots_digest.bytes, CS_SHA256_BYTES);
    memcpy(identity.device_name, token->device_name, sizeof identity.device_name);
    cs_assert(ag_identity_encode(&identity, &bytes, &err) == CS_OK &&
              ag_identity_decode(cs_buf_slice(&bytes), &again, &err) == CS_OK);
    cs_policy_free(e->victim.policy);
    e->victim.policy = NULL;
    e->victim.pin = again.pin;
    ag_identity_free(&identity);
    ag_identity_free(&again);
    free(token);
}

enum token { AS_IT_IS, OTHER_ROOTS, OTHER_DEPLOYMENT, NEWER };

/* A token that says something else than what the controller has, and the policy that it has. */
static void token_against_policy(struct evil *e)
{
    struct pki ca = pki_make_ca("agent CA");
    countersign_v1_EnrolmentToken token;

    fill_token(e, &ca, &token);
    if (e->with == OTHER_ROOTS)
        token.roots_digest.bytes[0] ^= 1;
    else if (e->with == OTHER_DEPLOYMENT)
        token.deployment_id.bytes[0] ^= 1;
    else if (e->with == NEWER)
        token.policy_version = 2;
    enrol(e, &token);
    evil_show_policy(e, cs_policy_wire(e->d.policy));
    pki_free(&ca);
}

/* The server's certificate under the token's anchor, as TLS asks for it. */
static void server_under(struct evil *e)
{
    struct pki of_token = pki_make_ca("agent CA"), of_server = pki_make_ca("agent CA");
    const struct pki *issuer = e->with == AS_IT_IS ? &of_token : &of_server;
    struct pki server = pki_make_server(issuer);
    cs_auto(cs_chain_freep) struct cs_chain *anchor = NULL;
    countersign_v1_EnrolmentToken token;
    struct cs_err err = {0};

    fill_token(e, &of_token, &token);
    countersign_v1_EnrolmentToken *known = parsed(&token);

    cs_assert(cs_chain_parse(CS_PB_BYTES(&known->agent_ca), &anchor, &err) == CS_OK);
    evil_note_code(e, cs_chain_check_anchored(server.chain, anchor, pki_now(), &err), &err);
    free(known);
    pki_free(&server);
    pki_free(&of_server);
    pki_free(&of_token);
}

/* What a stranger's token proves to the admin's client: nothing, without the binding half. */
static void binding_of_another(struct evil *e)
{
    struct pki ca = pki_make_ca("agent CA");
    countersign_v1_EnrolmentToken token;
    struct cs_slice identity = cs_key_spki(deployment_key(&e->d, "gw-0"));
    struct cs_slice kem = cs_key_spki(e->victim.kem), kem_of_controller;
    struct cs_err err = {0};

    fill_token(e, &ca, &token);
    struct cs_digest mac = ag_token_binding_mac(&token, CS_SLICE_ARRAY(e->victim.device_id), identity, kem);

    kem_of_controller = cs_key_spki(deployment_key(&e->d, "controller"));
    if (e->with == 0)
        kem = kem_of_controller;
    else if (e->with == 1)
        identity = kem_of_controller;
    else if (e->with == 2)
        token.device_name[3] = '1';
    else if (e->with == 3)
        e->victim.device_id[0] ^= 1;
    else
        token.deployment_id.bytes[0] ^= 1;
    struct cs_digest other = ag_token_binding_mac(&token, CS_SLICE_ARRAY(e->victim.device_id), identity, kem);

    evil_note_code(e,
                   cs_digest_eq(&mac, &other)
                       ? CS_OK
                       : cs_err_set(&err, CS_EAUTH, "the binding does not fit what the device sent"),
                   &err);
    pki_free(&ca);
}

#define DEVICE .without_push = true
static const struct evil_strategy strategies[] = {
    {DEVICE, .says = "enrols a device, and shows it its policy", .end = EVIL_ADMITS(NOTHING),
     .act = token_against_policy},
    {DEVICE, .says = "enrols a device whose token pins other roots", .end = EVIL_TURNED(EAUTH, "other roots"),
     .act = token_against_policy, .with = OTHER_ROOTS},
    {DEVICE, .says = "enrols a device whose token is of another deployment",
     .end = EVIL_TURNED(EDENIED, "another deployment"), .act = token_against_policy,
     .with = OTHER_DEPLOYMENT},
    {DEVICE, .says = "shows a policy below the token's least version",
     .end = EVIL_TURNED(ESTALE, "at least 2 is due"), .act = token_against_policy, .with = NEWER},
    {DEVICE, .says = "meets a device with a certificate of the token's agent CA", .end = EVIL_ADMITS(NOTHING),
     .act = server_under},
    {DEVICE, .says = "meets a device with a certificate of another agent CA of the same name",
     .end = EVIL_TURNED(EAUTH, ""), .act = server_under, .with = 1},
    {DEVICE, .says = "passes on another key-encryption key than the device sent",
     .end = EVIL_TURNED(EAUTH, "does not fit"), .act = binding_of_another},
    {DEVICE, .says = "passes on another identity key than the device sent",
     .end = EVIL_TURNED(EAUTH, "does not fit"), .act = binding_of_another, .with = 1},
    {DEVICE, .says = "passes on the enrolment under another name", .end = EVIL_TURNED(EAUTH, "does not fit"),
     .act = binding_of_another, .with = 2},
    {DEVICE, .says = "passes on another device-id than the device sent",
     .end = EVIL_TURNED(EAUTH, "does not fit"), .act = binding_of_another, .with = 3},
    {DEVICE, .says = "passes on the enrolment to another deployment",
     .end = EVIL_TURNED(EAUTH, "does not fit"), .act = binding_of_another, .with = 4},
};

/* ---- tokens that lack something: the device does not begin */

static const struct {
    const char *name;
    uint32_t tag;
} fields[] = {
#define FIELD(a, atype, htype, ltype, name, tag) {#name, tag},
    countersign_v1_EnrolmentToken_FIELDLIST(FIELD, )
#undef FIELD
};

static void without_field(struct evil *e)
{
    struct pki ca = pki_make_ca("agent CA");
    cs_auto(cs_buf_free) struct cs_buf text = CS_BUF_EMPTY;
    countersign_v1_EnrolmentToken token, *ret = NULL;
    struct cs_err err = {0};

    fill_token(e, &ca, &token);
    cs_assert(change_field(countersign_v1_EnrolmentToken_fields, &token, (struct change_path){{0}, 0},
                           fields[e->with].tag, CHANGE_EMPTY));
    cs_assert(ag_token_write(&token, &text, &err) == CS_OK);
    evil_note_code(e, ag_token_parse(cs_buf_slice(&text), &ret, &err), &err);
    free(ret);
    pki_free(&ca);
}

void evil_enrolments(struct evil_tally *tally)
{
    char says[EVIL_SENTENCE_BYTES];

    evil_play(tally, strategies, CS_ARRAY_LEN(strategies));
    for (unsigned i = 0; i < CS_ARRAY_LEN(fields); i++) {
        struct evil_strategy strategy = {DEVICE, .says = says, .act = without_field, .with = i};

        /* Any version may be the first; whether the token is valid still is for the controller to say. */
        if (fields[i].tag == countersign_v1_EnrolmentToken_policy_version_tag ||
            fields[i].tag == countersign_v1_EnrolmentToken_expires_at_s_tag)
            strategy.end = (struct evil_end)EVIL_ADMITS(NOTHING);
        else if (fields[i].tag == countersign_v1_EnrolmentToken_device_name_tag)
            strategy.end = (struct evil_end)EVIL_TURNED(EINVAL, "device name");
        else
            strategy.end = (struct evil_end)EVIL_TURNED(EPARSE, "is not complete");
        snprintf(says, sizeof says, "enrols a device by a token without %s", fields[i].name);
        evil_play(tally, &strategy, 1);
    }
}
