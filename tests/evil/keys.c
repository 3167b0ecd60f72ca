/* keys.c - keys that the device makes on request and never gives away: requests that nobody signed, that are
 * for somebody else, or come again; and certificates for keys that were not made for them. */
#include "tests/evil/evil.h"

#include <stdio.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* ---- requests: signed by somebody, shown once */

struct asking {
    const char *says;
    struct evil_end end;
    void (*policy)(struct evil *e); /* edits d.body, published as version 2 and taken */
    void (*request)(struct evil *e, countersign_v1_KeyRequest *request);
    const char *forger; /* has signed it; NULL: people have */
    const char *who;    /* of the people; NULL: alice */
    void (*wire)(struct evil *e, struct cs_buf *wire);
    void (*device)(struct evil *e);
    void (*act)(struct evil *e, struct cs_slice wire); /* in place of showing it once */
};

static void fill(struct evil *e, countersign_v1_KeyRequest *ret)
{
    deployment_fill_key_request(&e->d, "gw-0", ret);
    /* As it was written, whatever policy has come since. */
    ret->policy_version = 1;
}

/* What it says. */
static void says_another_deployment(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    deployment_make_id("another deployment", request->deployment_id.bytes);
}
static void says_another_device(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    deployment_make_id("gw-1", request->device_id.bytes);
}
static void says_an_earlier_enrolment(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    deployment_make_id("gw-0, enrolled before", request->device_id.bytes);
}
static void says_another_device_elsewhere(struct evil *e, countersign_v1_KeyRequest *request)
{
    says_another_deployment(e, request);
    says_another_device(e, request);
}
static void says_no_connector_of_it(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->connector, "vpn", 4);
}
static void says_the_beginning_of_one(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->connector, "we", 3);
}
static void says_one_in_capitals(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->connector, "Web", 4);
}
static void says_no_dns_name(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->dns_names[0], "gw.example,DNS:x", 17);
}
static void says_the_next_policy(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    request->policy_version = 2;
}
static void says_bob(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "bob", 4);
}
static void says_carol(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "carol", 6);
}
static void says_ada(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "ada", 4);
}
static void says_eve(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "eve", 4);
}
static void says_dora(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "dora", 5);
}
static void says_mallory(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "mallory", 8);
}
static void says_the_controller(struct evil *e CS_UNUSED, countersign_v1_KeyRequest *request)
{
    memcpy(request->requester, "controller", 11);
}
static void lasts_longer_than_the_policy(struct evil *e, countersign_v1_KeyRequest *request)
{
    request->expires_at_s = e->d.body->expires_at_s + HOUR_S;
}

/* What becomes of the envelope. */
static void replace(struct cs_buf *wire, struct cs_buf with)
{
    cs_buf_free(wire);
    *wire = with;
}
static countersign_v1_Envelope *open(const struct cs_buf *wire)
{
    countersign_v1_Envelope *envelope = calloc(1, sizeof *envelope);
    struct cs_err err;

    cs_assert(envelope && cs_message_decode(countersign_v1_Envelope_fields, cs_buf_slice(wire), envelope,
                                            "it", &err) == CS_OK);
    return envelope;
}
static void close_again(countersign_v1_Envelope *envelope, struct cs_buf *wire)
{
    replace(wire, deployment_encode(countersign_v1_Envelope_fields, envelope));
    free(envelope);
}
static void without_signatures(struct evil *e CS_UNUSED, struct cs_buf *wire)
{
    countersign_v1_Envelope *envelope = open(wire);

    envelope->signatures_count = 0;
    close_again(envelope, wire);
}
static void with_its_signature(struct evil *e CS_UNUSED, struct cs_buf *wire)
{
    struct cs_buf cosigned = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(cs_envelope_cosign(cs_buf_slice(wire), deployment_key(&e->d, "controller"), &cosigned, &err) ==
              CS_OK);
    replace(wire, cosigned);
}
static void with_a_spoilt_signature_of_ben(struct evil *e, struct cs_buf *wire)
{
    struct cs_buf cosigned = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(cs_envelope_cosign(cs_buf_slice(wire), deployment_key(&e->d, "ben"), &cosigned, &err) == CS_OK);
    cosigned.ptr[cosigned.len - 1] ^= 1;
    replace(wire, cosigned);
}
static void cut(struct evil *e CS_UNUSED, struct cs_buf *wire)
{
    wire->len--;
}
static void nothing(struct evil *e CS_UNUSED, struct cs_buf *wire)
{
    wire->len = 0;
}
static void with_a_byte_behind(struct evil *e CS_UNUSED, struct cs_buf *wire)
{
    cs_assert(cs_buf_append(wire, CS_SLICE_LIT("\0")) == CS_OK);
}
static void payload_with_a_byte_behind(struct evil *e CS_UNUSED, struct cs_buf *wire)
{
    countersign_v1_Envelope *envelope = open(wire);

    envelope->payload.bytes[envelope->payload.size++] = 0;
    close_again(envelope, wire);
}
/* For another connector, under the signature of the request that alice signed for this one. */
static void signature_of_another_request(struct evil *e, struct cs_buf *wire)
{
    countersign_v1_Envelope *envelope = open(wire);
    cs_auto_free countersign_v1_KeyRequest *request = calloc(1, sizeof *request);

    cs_assert(request);
    fill(e, request);
    memcpy(request->connector, "mail", 5);
    struct cs_buf payload = deployment_encode(countersign_v1_KeyRequest_fields, request);

    CS_PB_SET(&envelope->payload, cs_buf_slice(&payload));
    cs_buf_free(&payload);
    close_again(envelope, wire);
}
/* Alice signed the bytes of a key request, as another statement. */
static void in_a_decision(struct evil *e, struct cs_buf *wire)
{
    cs_auto_free countersign_v1_KeyRequest *request = calloc(1, sizeof *request);

    cs_assert(request);
    fill(e, request);
    memcpy(request->connector, "mail", 5);
    replace(wire, deployment_sign(&e->d, CS_STATEMENT_DECISION, countersign_v1_KeyRequest_fields, request,
                                  "alice"));
}
static void in_a_decision_with_the_type_changed(struct evil *e, struct cs_buf *wire)
{
    in_a_decision(e, wire);
    countersign_v1_Envelope *envelope = open(wire);

    snprintf(envelope->payload_type, sizeof envelope->payload_type, "%s",
             cs_statement_type(CS_STATEMENT_KEY_REQUEST));
    close_again(envelope, wire);
}
static void a_push_request_in_its_place(struct evil *e, struct cs_buf *wire)
{
    struct delivery_story *other = evil_push(e, 2);

    wire->len = 0;
    cs_assert(cs_buf_append(wire, cs_buf_slice(&other->push.request_wire)) == CS_OK);
}

/* What the device knows. */
static void is_in_the_last_second(struct evil *e)
{
    e->victim.clock_s = e->d.now_s + DAY_S - 1;
}
static void is_past_its_end(struct evil *e)
{
    e->victim.clock_s = e->d.now_s + DAY_S;
}
static void has_lost_its_clock(struct evil *e)
{
    e->victim.clock_s = 0;
}
static void is_told_another_time(struct evil *e)
{
    is_past_its_end(e);
    e->victim.session_s = e->d.now_s;
}
static void is_told_a_time_past_its_end(struct evil *e)
{
    e->victim.clock_s = 0;
    e->victim.session_s = e->d.now_s + DAY_S;
}
static void is_past_the_policy(struct evil *e)
{
    e->victim.clock_s = e->d.body->expires_at_s + 1;
}
static void has_no_policy(struct evil *e)
{
    cs_policy_free(e->victim.policy);
    e->victim.policy = NULL;
}
static void keeps(struct evil *e, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cs_auto(cs_key_freep) struct cs_key *key = NULL;
        struct cs_digest request = cs_sha256(cs_slice((const uint8_t *)&i, sizeof i));
        struct cs_err err;

        cs_assert(cs_key_generate(CS_KEY_SIGN, &key, &err) == CS_OK);
        victim_keep_key(&e->victim, i % 2 ? "mail" : "web", &request, key);
    }
}
static void has_three_keys(struct evil *e)
{
    keeps(e, AG_LIMIT_KEYS_PENDING - 1);
}
static void has_four_keys(struct evil *e)
{
    keeps(e, AG_LIMIT_KEYS_PENDING);
}

/* What its policy says by now. */
static void clockless(struct evil *e)
{
    e->d.body->clockless_devices_count = 1;
    memcpy(e->d.body->clockless_devices[0], "gw-0", 5);
}
static void issued_past_its_end(struct evil *e)
{
    e->d.body->issued_at_s = e->d.now_s + DAY_S;
}
static void alice_is_gone(struct evil *e)
{
    memcpy(deployment_operator(&e->d, "alice")->name, "alicia", 7);
}
static void alice_has_another_key(struct evil *e)
{
    CS_PB_SET(&deployment_operator(&e->d, "alice")->keys[0].spki,
              cs_key_spki(deployment_key(&e->d, "alice's new key")));
}
static void alice_is_an_approver(struct evil *e)
{
    deployment_operator(&e->d, "alice")->roles[0] = countersign_v1_Role_ROLE_APPROVER;
}

/* What is shown, and how often. */
static void makes_one(struct evil *e, struct cs_slice wire)
{
    size_t before = victim_pending(&e->victim);

    evil_show_key_request(e, wire);
    cs_assert(e->came.kind == EVIL_ADMITTED && victim_pending(&e->victim) == before + 1);
}
static void makes_no_other(struct evil *e, struct cs_slice wire)
{
    size_t before = victim_pending(&e->victim);

    evil_show_key_request(e, wire);
    if (victim_pending(&e->victim) != before) {
        e->came.kind = EVIL_UNKNOWN;
        snprintf(e->detail, sizeof e->detail, "one more key was made");
    }
}
static void twice(struct evil *e, struct cs_slice wire)
{
    makes_one(e, wire);
    makes_no_other(e, wire);
}
static void again_after_a_restart(struct evil *e, struct cs_slice wire)
{
    makes_one(e, wire);
    victim_restart(&e->victim);
    makes_no_other(e, wire);
}
static void again_past_its_end(struct evil *e, struct cs_slice wire)
{
    makes_one(e, wire);
    is_past_its_end(e);
    makes_no_other(e, wire);
}
static void again_with_another_signature(struct evil *e, struct cs_slice wire)
{
    struct cs_buf other = CS_BUF_EMPTY;

    makes_one(e, wire);
    cs_assert(cs_buf_append(&other, wire) == CS_OK);
    with_its_signature(e, &other);
    makes_no_other(e, cs_buf_slice(&other));
    cs_buf_free(&other);
}
/* The certificate for its key has been installed since. */
static void installs(struct evil *e, struct cs_slice wire)
{
    struct pki made = pki_make_ca("gw.example");
    struct cs_envelope envelope;
    struct cs_err err;

    cs_assert(cs_envelope_parse(wire, &envelope, &err) == CS_OK);
    struct cs_digest digest = cs_sha256(envelope.payload);

    victim_keep_key(&e->victim, "web", &digest, made.key);
    makes_no_other(e, wire);
    victim_has_installed(&e->victim, "web", 1, made.chain, made.key);
    cs_assert(victim_pending(&e->victim) == 0);
    pki_free(&made);
}
static void again_when_its_certificate_is_installed(struct evil *e, struct cs_slice wire)
{
    installs(e, wire);
    evil_show_key_request(e, wire);
}
static void again_past_its_end_when_installed(struct evil *e, struct cs_slice wire)
{
    installs(e, wire);
    is_past_its_end(e);
    makes_no_other(e, wire);
}

#define REFUSED(verdict) .end = EVIL_ENDS(verdict), .act = makes_no_other

static const struct asking askings[] = {
    {.says = "asks for the key that alice wants", .end = EVIL_ADMITS(NOTHING), .act = makes_one},
    {.says = "asks for a key that dora wants, who does more",
     .end = EVIL_ADMITS(NOTHING),
     .request = says_dora,
     .who = "dora"},

    {.says = "asks for a key that is for another deployment",
     REFUSED(WRONG_DEPLOYMENT),
     .request = says_another_deployment},
    {.says = "asks for a key that is for another device",
     REFUSED(WRONG_DEVICE),
     .request = says_another_device},
    {.says = "asks for a key that was for an earlier enrolment of the device",
     REFUSED(WRONG_DEVICE),
     .request = says_an_earlier_enrolment},
    {.says = "asks for a key that is for another deployment's device",
     REFUSED(WRONG_DEPLOYMENT),
     .request = says_another_device_elsewhere},
    {.says = "asks for a key for a connector that is not declared",
     REFUSED(UNKNOWN_CONNECTOR),
     .request = says_no_connector_of_it},
    {.says = "asks for a key for what a connector's name begins with",
     REFUSED(UNKNOWN_CONNECTOR),
     .request = says_the_beginning_of_one},
    {.says = "asks for a key for a connector in other letters",
     REFUSED(UNKNOWN_CONNECTOR),
     .request = says_one_in_capitals},
    {.says = "asks for a key for a DNS name that hides another one",
     REFUSED(KEY_REQUEST_MALFORMED),
     .request = says_no_dns_name},

    {.says = "asks for a key, signed by a made-up requester",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .request = says_mallory,
     .forger = "mallory"},
    {.says = "asks for a key as a requester of its own, with the message key",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .request = says_the_controller,
     .forger = "controller"},
    {.says = "asks for a key as alice, with the message key",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .forger = "controller"},
    {.says = "asks for a key as alice, with the agent CA's key",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .forger = "agent-ca"},
    {.says = "asks for a key as alice, with a key that it made",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .forger = "mallory"},
    {.says = "asks for a key as alice, with a root's signature",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .forger = "root-0"},
    {.says = "asks for a key as alice, with bob's signature",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .forger = "bob"},
    {.says = "asks for a key as alice, with dora's signature",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .forger = "dora"},
    {.says = "asks for a key as dora, with alice's signature",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .request = says_dora},
    {.says = "asks for a key that an approver wants",
     REFUSED(REQUESTER_ROLE),
     .request = says_bob,
     .who = "bob"},
    {.says = "asks for a key that an implementer wants",
     REFUSED(REQUESTER_ROLE),
     .request = says_carol,
     .who = "carol"},
    {.says = "asks for a key that an admin wants",
     REFUSED(REQUESTER_ROLE),
     .request = says_ada,
     .who = "ada"},
    {.says = "asks for a key that eve wants from her browser",
     REFUSED(REQUESTER_ROLE),
     .request = says_eve,
     .who = "eve"},

    {.says = "asks for a key without a signature",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .wire = without_signatures},
    {.says = "asks for a key with a signature of its own beside alice's",
     .end = EVIL_ADMITS(NOTHING),
     .wire = with_its_signature},
    {.says = "asks for a key with a spoilt signature of ben's beside alice's",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .wire = with_a_spoilt_signature_of_ben},
    {.says = "asks for a key with a request that is cut", REFUSED(KEY_REQUEST_MALFORMED), .wire = cut},
    {.says = "asks for a key with nothing", REFUSED(KEY_REQUEST_MALFORMED), .wire = nothing},
    {.says = "asks for a key with a byte behind the request",
     REFUSED(KEY_REQUEST_MALFORMED),
     .wire = with_a_byte_behind},
    {.says = "asks for a key with a byte behind what is signed",
     REFUSED(KEY_REQUEST_MALFORMED),
     .wire = payload_with_a_byte_behind},
    {.says = "asks for a key for another connector, with the signature for this one",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .wire = signature_of_another_request},
    {.says = "asks for a key with what alice signed as another statement",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .wire = in_a_decision_with_the_type_changed},
    {.says = "asks for a key with another statement that alice signed, and that reads like a request",
     REFUSED(KEY_REQUEST_MALFORMED),
     .wire = in_a_decision},
    {.says = "asks for a key with the envelope of a push request",
     REFUSED(KEY_REQUEST_MALFORMED),
     .wire = a_push_request_in_its_place},

    {.says = "asks for a key in the request's last second",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .device = is_in_the_last_second},
    {.says = "asks for a key when the request has expired",
     REFUSED(KEY_REQUEST_EXPIRED),
     .device = is_past_its_end},
    {.says = "asks for a key when the request has expired, and tells a device with a clock another time",
     REFUSED(KEY_REQUEST_EXPIRED),
     .device = is_told_another_time},
    {.says = "asks a device that has lost its clock for a key",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .device = has_lost_its_clock},
    {.says = "asks a device that has lost its clock for a key when its policy is newer than the request",
     REFUSED(KEY_REQUEST_EXPIRED),
     .policy = issued_past_its_end,
     .device = has_lost_its_clock},
    {.says = "asks a clockless device for a key, and tells it a time at which that is wanted",
     .end = EVIL_ADMITS(TELLS_THE_TIME),
     .policy = clockless,
     .device = is_told_another_time},
    {.says = "asks a clockless device for a key, and tells it that it is too late",
     REFUSED(KEY_REQUEST_EXPIRED),
     .policy = clockless,
     .device = is_told_a_time_past_its_end},

    {.says = "asks for a key of a device that has no policy", REFUSED(NO_POLICY), .device = has_no_policy},
    {.says = "asks for a key, and withholds the policy that the requester saw",
     REFUSED(POLICY_TOO_OLD),
     .request = says_the_next_policy},
    {.says = "asks for a key when the policy has expired",
     REFUSED(POLICY_EXPIRED),
     .request = lasts_longer_than_the_policy,
     .device = is_past_the_policy},
    {.says = "asks for a key of whose requester the policy knows nothing any more",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .policy = alice_is_gone},
    {.says = "asks for a key, with the key that the requester had before",
     REFUSED(KEY_REQUEST_SIGNATURE),
     .policy = alice_has_another_key},
    {.says = "asks for a key that somebody wants who may no longer request",
     REFUSED(REQUESTER_ROLE),
     .policy = alice_is_an_approver},

    {.says = "asks for a key when three wait",
     .end = EVIL_ADMITS(NOTHING),
     .device = has_three_keys,
     .act = makes_one},
    {.says = "asks for a key when four wait", REFUSED(KEYS_PENDING), .device = has_four_keys},
    {.says = "asks again for a key, when it is the fourth that waits",
     .end = EVIL_ADMITS(NOTHING),
     .device = has_three_keys,
     .act = twice},
    {.says = "asks for the same key twice", .end = EVIL_ADMITS(NOTHING), .act = twice},
    {.says = "asks for the same key again after a restart",
     .end = EVIL_ADMITS(NOTHING),
     .act = again_after_a_restart},
    {.says = "asks for the same key again when the request has expired",
     .end = EVIL_ADMITS(NOTHING),
     .act = again_past_its_end},
    {.says = "asks for the same key again in an envelope that it signed as well",
     .end = EVIL_ADMITS(NOTHING),
     .act = again_with_another_signature},
    {.says = "asks for a key again when the certificate of the first is installed",
     .end = EVIL_ADMITS(CHOOSES_WHEN),
     .act = again_when_its_certificate_is_installed},
    {.says =
         "asks for a key again when the certificate of the first is installed, and the request has expired",
     .end = EVIL_ENDS(KEY_REQUEST_EXPIRED),
     .act = again_past_its_end_when_installed},
};

static struct cs_buf sign_asking(struct evil *e, const struct asking *asking)
{
    cs_auto_free countersign_v1_KeyRequest *request = calloc(1, sizeof *request);

    cs_assert(request);
    fill(e, request);
    if (asking->request)
        asking->request(e, request);
    struct cs_buf wire = asking->forger
                             ? deployment_sign(&e->d, CS_STATEMENT_KEY_REQUEST,
                                               countersign_v1_KeyRequest_fields, request, asking->forger)
                             : evil_sign_key_request(e, request, asking->who ? asking->who : "alice");

    if (asking->wire)
        asking->wire(e, &wire);
    return wire;
}

static void ask(struct evil_tally *tally, const struct asking *asking)
{
    struct evil *e = calloc(1, sizeof *e);

    cs_assert(e);
    evil_make(e);
    cs_auto(cs_buf_free) struct cs_buf wire = sign_asking(e, asking);

    if (asking->policy) {
        asking->policy(e);
        deployment_publish(&e->d);
        evil_show_policy(e, cs_policy_wire(e->d.policy));
        cs_assert(e->came.kind == EVIL_ADMITTED);
    }
    if (asking->device)
        asking->device(e);
    if (asking->act)
        asking->act(e, cs_buf_slice(&wire));
    else
        evil_show_key_request(e, cs_buf_slice(&wire));
    evil_tally_add(tally, asking->says, &asking->end, &e->came, e->detail);
    evil_free(e);
    free(e);
}

void evil_keys(struct evil_tally *tally)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(askings); i++)
        ask(tally, &askings[i]);
}
