/* Keys that the controller does not have: requests that devices answer, certificates that are bound to their
 * keys, and keys that a requester's client sealed. */
#include "tests/support/check.h"

#include "controller/core/query_rows.h"
#include "controller/core/run.h"
#include "tests/support/story.h"

#define STATE(name) countersign_v1_KeyRequestState_KEY_REQUEST_STATE_##name

static int begin(void **state)
{
    struct control *c;

    control_begin(state);
    c = *state;
    control_device(c, "gw-0");
    control_device(c, "gw-1");
    return 0;
}

/* ---- key requests */

struct asked {
    countersign_v1_KeyRequest request;
    struct cs_digest digest;
};

static void fill(struct control *c, const char *device, const char *id, struct asked *ret)
{
    ctl_device_row row = control_device_row(c, device);

    *ret = (struct asked){.request = countersign_v1_KeyRequest_init_zero};
    deployment_fill_key_request(&c->d, device, &ret->request);
    deployment_make_id(id, ret->request.key_request_id.bytes);
    CTL_BYTES_COPY(ret->request.device_id, row.device_id);
}

static int send(struct control *c, struct asked *asked)
{
    cs_auto(cs_buf_free) struct cs_buf payload =
        deployment_encode(countersign_v1_KeyRequest_fields, &asked->request);
    cs_auto(cs_buf_free) struct cs_buf wire = deployment_sign(
        &c->d, CS_STATEMENT_KEY_REQUEST, countersign_v1_KeyRequest_fields, &asked->request, "alice");
    countersign_v1_RequestKeyResponse reply;

    asked->digest = cs_sha256(cs_buf_slice(&payload));
    struct ctl_request_key body = {cs_buf_slice(&wire), &asked->request, asked->digest,
                                   cs_policy_version(c->d.policy)};

    return control_run(c, CTL_REQUEST_KEY, &body, &reply);
}

static int ask(struct control *c, const char *device, const char *id, struct asked *ret)
{
    fill(c, device, id, ret);
    return send(c, ret);
}

static ctl_key_request_row row_of(struct control *c, const struct asked *asked)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_KEY_REQUEST, CTL_BYTES(asked->request.key_request_id));
    ctl_key_request_row row;

    assert_true(control_get(c, &key, countersign_store_v1_KeyRequest_fields, &row));
    return row;
}

/* The device's answer as the shard hands it on; `spki` NULL: what it sent is no CSR. */
static int answer(struct control *c, const struct asked *asked, const char *verdict, const char *connector,
                  const struct cs_digest *spki)
{
    countersign_v1_DeviceCsr csr;
    struct ctl_device_csr body = {.said = {.session_id = c->session,
                                           .envelope = CS_SLICE_LIT("the device's envelope"),
                                           .statement = &csr},
                                  .holds = spki != NULL};

    deployment_fill_device_csr(&c->d, "gw-0", &csr);
    csr.sequence = ++c->sequence;
    CTL_BYTES_COPY(csr.device_id, asked->request.device_id);
    CTL_BYTES_SET(csr.key_request_digest, cs_digest_slice(&asked->digest));
    CTL_TEXT_SET(csr.verdict, verdict);
    CTL_TEXT_SET(csr.connector, connector);
    CTL_TEXT_SET(csr.detail, "says the device");
    if (spki)
        body.spki_digest = *spki;
    memcpy(body.said.device_id, asked->request.device_id.bytes, sizeof body.said.device_id);
    return control_run(c, CTL_DEVICE_CSR, &body, NULL);
}

static bool acknowledged(const struct control *c)
{
    return c->outcome.effect_count == 1 && c->outcome.effects[0].kind == CTL_EFFECT_ACK &&
           c->outcome.effects[0].sequence == c->sequence;
}

static bool count_one(void *data, struct cs_slice envelope)
{
    assert_true(envelope.len > 0);
    ++*(unsigned *)data;
    return true;
}

/* How many wait to be sent to the device. */
static unsigned waiting(struct control *c, const struct asked *asked)
{
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;
    unsigned count = 0;

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(
        ctl_query_key_requests(view, asked->request.device_id.bytes, c->d.now_s, count_one, &count, &c->err),
        c->err);
    ctl_view_free(view);
    return count;
}

static struct cs_digest spki_of(struct control *c, const char *certificate)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, cs_digest_slice(&id));
    struct cs_digest spki;
    ctl_certificate_row row;

    assert_true(control_get(c, &key, countersign_store_v1_Certificate_fields, &row));
    memcpy(spki.bytes, row.spki_digest.bytes, sizeof spki.bytes);
    return spki;
}

static void a_request_waits_until_its_device_answers(void **state)
{
    struct control *c = *state;
    struct cs_digest spki = cs_sha256(CS_SLICE_LIT("a key"));
    struct asked asked;

    check_ok(ask(c, "gw-0", "one", &asked), c->err);
    assert_int_equal(c->outcome.effect_count, 1);
    assert_int_equal(c->outcome.effects[0].kind, CTL_EFFECT_KEY_REQUEST);
    assert_int_equal(waiting(c, &asked), 1);
    /* Said once more: nothing changes. */
    check_ok(send(c, &asked), c->err);
    assert_false(c->outcome.changed);
    control_restart(c);
    assert_int_equal(waiting(c, &asked), 1);

    check_ok(answer(c, &asked, "ok", "web", &spki), c->err);
    assert_true(acknowledged(c));
    assert_int_equal(row_of(c, &asked).state, STATE(ANSWERED));
    assert_int_equal(waiting(c, &asked), 0);
    check_ok(answer(c, &asked, "ok", "web", &spki), c->err);
    assert_true(acknowledged(c));
    assert_false(c->outcome.changed);
    asked.request.common_name[0] = 'x';
    check_code(send(c, &asked), CS_EEXISTS);
}

static void what_is_wrong_with_an_answer_ends_the_request(void **state)
{
    struct control *c = *state;
    struct cs_digest spki = cs_sha256(CS_SLICE_LIT("a key"));
    const struct {
        const char *says, *verdict, *connector;
        const struct cs_digest *spki;
        const char *reason;
    } cases[] = {
        {"a refusal", "keys-pending", "web", NULL, "keys-pending: says the device"},
        {"no CSR", "ok", "web", NULL, "has not signed"},
        {"another connector", "ok", "mail", &spki, "another app connector"},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct asked asked;

        check_ok(ask(c, "gw-0", cases[i].says, &asked), c->err);
        check_ok(answer(c, &asked, cases[i].verdict, cases[i].connector, cases[i].spki), c->err);
        assert_true(acknowledged(c));
        assert_int_equal(row_of(c, &asked).state, STATE(REFUSED));
        if (!strstr(row_of(c, &asked).reason, cases[i].reason))
            fail_msg("%s: '%s'", cases[i].says, row_of(c, &asked).reason);
        assert_int_equal(waiting(c, &asked), 0);
    }
}

static void one_key_answers_one_request(void **state)
{
    struct control *c = *state;
    struct cs_digest spki = cs_sha256(CS_SLICE_LIT("a key"));
    struct asked first, second;

    check_ok(ask(c, "gw-0", "one", &first), c->err);
    check_ok(ask(c, "gw-0", "two", &second), c->err);
    check_ok(answer(c, &first, "ok", "web", &spki), c->err);
    check_ok(answer(c, &second, "ok", "web", &spki), c->err);
    assert_int_equal(row_of(c, &first).state, STATE(ANSWERED));
    assert_int_equal(row_of(c, &second).state, STATE(REFUSED));
}

static void what_cannot_be_answered_is_not_asked(void **state)
{
    struct control *c = *state;
    struct asked asked;

    fill(c, "gw-0", "one", &asked);
    asked.request.device_id.bytes[0] ^= 1;
    check_code(send(c, &asked), CS_ENOTFOUND);
    fill(c, "gw-0", "one", &asked);
    CTL_TEXT_SET(asked.request.connector, "mail");
    check_code(send(c, &asked), CS_ENOTFOUND);
    check_says(c->err, "does not advertise an app connector mail");
    fill(c, "gw-0", "one", &asked);
    asked.request.deployment_id.bytes[0] ^= 1;
    check_code(send(c, &asked), CS_EINVAL);
    fill(c, "gw-0", "one", &asked);
    asked.request.requested_at_s = c->d.now_s + CTL_CLOCK_SKEW_S + 1;
    check_code(send(c, &asked), CS_EINVAL);
    check_says(c->err, "future");
    fill(c, "gw-0", "one", &asked);
    asked.request.requested_at_s = c->d.now_s - 10;
    asked.request.expires_at_s = c->d.now_s;
    check_code(send(c, &asked), CS_EINVAL);
    check_says(c->err, "expired");
    fill(c, "gw-0", "one", &asked);
    asked.request.expires_at_s = asked.request.requested_at_s + CTL_KEY_REQUEST_MOST_S + 1;
    check_code(send(c, &asked), CS_EINVAL);
}

static void a_banned_device_is_asked_for_no_key(void **state)
{
    struct control *c = *state;
    const countersign_v1_BanDeviceRequest body = {.name = "gw-0", .comment = "stolen"};
    countersign_v1_BanDeviceResponse reply;
    struct asked before, asked;
    ctl_key_request_row row;

    check_ok(ask(c, "gw-0", "before", &before), c->err);
    check_ok(control_run(c, CTL_BAN_DEVICE, &body, &reply), c->err);
    check_code(ask(c, "gw-0", "one", &asked), CS_EDENIED);
    check_says(c->err, "banned");
    row = row_of(c, &before);
    assert_int_equal(row.state, countersign_v1_KeyRequestState_KEY_REQUEST_STATE_REFUSED);
    assert_string_equal(row.reason, "the device was banned: stolen");
    assert_int_equal(waiting(c, &before), 0);
}

static void few_requests_wait_for_one_device(void **state)
{
    struct control *c = *state;
    struct asked asked;
    char id[16];

    for (unsigned i = 0; i < CTL_KEY_REQUESTS; i++) {
        id[0] = (char)('a' + i);
        id[1] = '\0';
        check_ok(ask(c, "gw-0", id, &asked), c->err);
    }
    check_code(ask(c, "gw-0", "another", &asked), CS_EFULL);
    check_ok(ask(c, "gw-1", "another device's", &asked), c->err);
    /* Those that have expired take no place, and are not sent. */
    c->d.now_s += 2 * 86400;
    check_ok(ask(c, "gw-0", "another", &asked), c->err);
    assert_int_equal(waiting(c, &asked), 1);
}

static void an_answer_that_was_under_way_counts_after_the_request_expired(void **state)
{
    struct control *c = *state;
    struct cs_digest spki = cs_sha256(CS_SLICE_LIT("a key"));
    struct asked asked;

    check_ok(ask(c, "gw-0", "one", &asked), c->err);
    c->d.now_s = asked.request.expires_at_s + 60;
    assert_int_equal(waiting(c, &asked), 0);
    check_ok(answer(c, &asked, "ok", "web", &spki), c->err);
    assert_int_equal(row_of(c, &asked).state, STATE(ANSWERED));
}

static void a_new_enrolment_ends_what_waits(void **state)
{
    struct control *c = *state;
    struct asked asked;

    check_ok(ask(c, "gw-0", "one", &asked), c->err);
    check_ok(control_token(c, "gw-0", "again"), c->err);
    check_ok(control_enrol(c, "gw-0", "again", 2), c->err);
    check_ok(control_admit(c, "gw-0", 2), c->err);
    assert_int_equal(row_of(c, &asked).state, STATE(REFUSED));
    assert_non_null(strstr(row_of(c, &asked).reason, "enrolled anew"));
}

/* ---- certificates for keys that devices made */

static int import(struct control *c, const char *name, struct cs_slice sealed,
                  countersign_v1_ImportCertificateResponse *reply)
{
    struct cs_cert_info info;
    struct pki *pki = NULL;

    (void)control_certificate_id(c, name); /* makes it */
    for (size_t i = 0; i < CONTROL_CERTIFICATES; i++)
        if (strcmp(c->certificates[i].name, name) == 0)
            pki = &c->certificates[i].pki;
    assert_non_null(pki);
    cs_chain_info(pki->chain, 0, &info);
    struct ctl_import_certificate body = {cs_chain_bytes(pki->chain), &info,
                                          (uint32_t)cs_chain_count(pki->chain), sealed};

    *reply = (countersign_v1_ImportCertificateResponse)countersign_v1_ImportCertificateResponse_init_zero;
    return control_run(c, CTL_IMPORT_CERTIFICATE, &body, reply);
}

static void answer_with_key_of(struct control *c, const char *certificate, struct asked *asked)
{
    countersign_v1_ImportCertificateResponse reply;

    /* Known before its key is: it stays what it was until it is imported again. */
    check_ok(import(c, certificate, CS_SLICE_EMPTY, &reply), c->err);
    assert_int_equal(reply.certificate.key_mode, countersign_v1_KeyMode_KEY_MODE_NONE);
    struct cs_digest spki = spki_of(c, certificate);

    check_ok(ask(c, "gw-0", certificate, asked), c->err);
    check_ok(answer(c, asked, "ok", "web", &spki), c->err);
}

static void a_certificate_is_bound_to_the_key_of_a_device(void **state)
{
    struct control *c = *state;
    countersign_v1_ImportCertificateResponse reply;
    struct asked asked;
    uint64_t number;

    answer_with_key_of(c, "shop", &asked);
    check_code(import(c, "shop", CS_SLICE_LIT("a held key"), &reply), CS_EINVAL);
    check_says(c->err, "leave the private key out");
    check_ok(import(c, "shop", CS_SLICE_EMPTY, &reply), c->err);
    assert_int_equal(reply.certificate.key_mode, countersign_v1_KeyMode_KEY_MODE_ON_DEVICE);
    assert_string_equal(reply.certificate.device_name, "gw-0");
    assert_string_equal(reply.certificate.connector, "web");
    assert_int_equal(row_of(c, &asked).state, STATE(IMPORTED));
    check_ok(import(c, "shop", CS_SLICE_EMPTY, &reply), c->err);
    assert_false(c->outcome.changed);

    check_code(control_attach(c, "shop", "gw-1"), CS_ESTATE);
    check_says(c->err, "only there");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    number = control_push(c, "shop");
    assert_int_equal(control_request(c, number).key_mode, countersign_v1_KeyMode_KEY_MODE_ON_DEVICE);
}

static void it_is_pushed_nowhere_else(void **state)
{
    struct control *c = *state;
    countersign_v1_ImportCertificateResponse reply;
    struct asked asked;
    uint64_t number;

    answer_with_key_of(c, "shop", &asked);
    check_ok(control_attach(c, "shop", "gw-1"), c->err); /* while it was nobody's */
    check_ok(import(c, "shop", CS_SLICE_EMPTY, &reply), c->err);
    check_code(control_prepare(c, "shop", NULL, &number), CS_ESTATE);
    check_says(c->err, "cannot be pushed to web on gw-1");
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    check_ok(control_prepare(c, "shop", "gw-0", &number), c->err);
    /* The device that made it is no more. */
    check_ok(control_token(c, "gw-0", "again"), c->err);
    check_ok(control_enrol(c, "gw-0", "again", 2), c->err);
    check_ok(control_admit(c, "gw-0", 2), c->err);
    check_code(control_prepare(c, "shop", "gw-0", &number), CS_ESTATE);
    check_says(c->err, "before it was enrolled anew");
}

/* ---- sealed keys */

static int prepare_sealed(struct control *c, const char *certificate, uint64_t *ret)
{
    struct cs_digest id = control_certificate_id(c, certificate);
    cs_auto_free countersign_v1_PreparePushRequest *body = calloc(1, sizeof *body);
    countersign_v1_PreparePushResponse reply = countersign_v1_PreparePushResponse_init_zero;
    int rc;

    assert_non_null(body);
    CTL_BYTES_SET(body->certificate_id, cs_digest_slice(&id));
    body->key_mode = countersign_v1_KeyMode_KEY_MODE_SEALED;
    rc = control_run(c, CTL_PREPARE_PUSH, body, &reply);
    *ret = reply.number;
    return rc;
}

static int put(struct control *c, uint64_t number, uint32_t from_index, size_t count, size_t enc_len)
{
    cs_auto_free countersign_v1_PutSealedKeysRequest *body = calloc(1, sizeof *body);
    countersign_v1_PutSealedKeysResponse reply;

    assert_non_null(body);
    body->number = number;
    body->from_index = from_index;
    body->keys_count = (pb_size_t)count;
    for (size_t i = 0; i < count; i++) {
        body->keys[i].enc.size = (pb_size_t)enc_len;
        body->keys[i].ciphertext.size = 528;
        body->keys[i].ciphertext.bytes[0] = (uint8_t)(from_index + i);
    }
    return control_run(c, CTL_PUT_SEALED_KEYS, body, &reply);
}

static size_t sealed_keys(struct control *c, uint64_t number)
{
    size_t count = 0;

    for (uint32_t i = 0; i < 8; i++) {
        struct ctl_key key = ctl_key_numbers(CTL_TABLE_SEALED_KEY, number, i);
        countersign_v1_SealedKey row;

        count += control_get(c, &key, countersign_v1_SealedKey_fields, &row);
    }
    return count;
}

static void begin_sealed(struct control *c, uint64_t *ret_number)
{
    countersign_v1_ImportCertificateResponse reply;

    check_ok(import(c, "shop", CS_SLICE_EMPTY, &reply), c->err);
    check_ok(control_attach(c, "shop", "gw-0"), c->err);
    check_ok(control_attach(c, "shop", "gw-1"), c->err);
    check_ok(prepare_sealed(c, "shop", ret_number), c->err);
}

static void submits_only_with_every_sealed_key(void **state)
{
    struct control *c = *state;
    struct ctl_delivery_request request = {0};
    struct ctl_delivery delivery;
    ctl_order_row order;
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;
    uint64_t number;

    begin_sealed(c, &number);
    check_code(control_submit(c, number), CS_ESTATE);
    check_says(c->err, "2 of 2 work orders are missing, the first is WO-1");
    check_ok(put(c, number, 1, 1, CS_POINT_BYTES), c->err);
    check_code(control_submit(c, number), CS_ESTATE);
    check_says(c->err, "1 of 2 work orders are missing, the first is WO-1");
    check_ok(put(c, number, 0, 2, CS_POINT_BYTES), c->err);
    check_ok(control_submit(c, number), c->err);
    control_approve(c, number);

    check_ok(ctl_view_new(&source, &view, &c->err), c->err);
    check_ok(ctl_find_order(view, 2, &order, &c->err), c->err);
    check_ok(ctl_query_delivery_request(view, number, &request, &c->err), c->err);
    check_ok(ctl_query_delivery(view, &request, &order, &delivery, &c->err), c->err);
    assert_int_equal(request.held_key.len, 0);
    assert_true(delivery.sealed_key.len > 528);
    ctl_delivery_request_free(&request);
    ctl_view_free(view);
}

static void a_sealed_key_goes_when_its_order_ends(void **state)
{
    struct control *c = *state;
    uint64_t number;

    begin_sealed(c, &number);
    check_ok(put(c, number, 0, 2, CS_POINT_BYTES), c->err);
    check_ok(control_submit(c, number), c->err);
    assert_int_equal(sealed_keys(c, number), 2);
    control_approve(c, number);
    check_ok(control_open(c, "gw-0"), c->err);
    check_ok(control_tick(c), c->err);
    check_ok(control_report(c, 1, countersign_v1_Outcome_OUTCOME_ACCEPTED), c->err);
    assert_int_equal(sealed_keys(c, number), 2);
    check_ok(control_report(c, 1, countersign_v1_Outcome_OUTCOME_COMPLETED), c->err);
    assert_int_equal(sealed_keys(c, number), 1);
    check_ok(control_cancel(c, number), c->err);
    assert_int_equal(sealed_keys(c, number), 0);
}

static void sealed_keys_go_with_a_reservation_that_lapses(void **state)
{
    struct control *c = *state;
    uint64_t number;

    begin_sealed(c, &number);
    check_ok(put(c, number, 0, 2, CS_POINT_BYTES), c->err);
    assert_int_equal(sealed_keys(c, number), 2);
    c->d.now_s += CTL_RESERVATION_S + 1;
    check_ok(control_tick(c), c->err);
    assert_int_equal(sealed_keys(c, number), 0);
}

static void pages_of_sealed_keys_fit_what_was_prepared(void **state)
{
    struct control *c = *state;
    uint64_t number, other;

    begin_sealed(c, &number);
    check_code(put(c, number, 0, 0, CS_POINT_BYTES), CS_EINVAL);
    check_code(put(c, number, 0, 3, CS_POINT_BYTES), CS_EINVAL);
    check_code(put(c, number, 2, 1, CS_POINT_BYTES), CS_EINVAL);
    check_code(put(c, number, UINT32_MAX, 1, CS_POINT_BYTES), CS_EINVAL);
    check_code(put(c, number, 0, 1, CS_POINT_BYTES - 1), CS_EINVAL);
    check_code(put(c, number + 9, 0, 1, CS_POINT_BYTES), CS_ENOTFOUND);
    control_certificate(c, "mail");
    check_ok(control_attach(c, "mail", "gw-0"), c->err);
    check_ok(control_prepare(c, "mail", NULL, &other), c->err);
    check_code(put(c, other, 0, 1, CS_POINT_BYTES), CS_ESTATE);
    /* What is held may be sealed all the same; what is not there cannot be sent without. */
    check_ok(prepare_sealed(c, "mail", &other), c->err);
    check_code(control_prepare(c, "shop", NULL, &other), CS_ESTATE);
    check_says(c->err, "seal the key");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, control_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_waits_until_its_device_answers),
        TEST(what_is_wrong_with_an_answer_ends_the_request),
        TEST(one_key_answers_one_request),
        TEST(what_cannot_be_answered_is_not_asked),
        TEST(a_banned_device_is_asked_for_no_key),
        TEST(few_requests_wait_for_one_device),
        TEST(an_answer_that_was_under_way_counts_after_the_request_expired),
        TEST(a_new_enrolment_ends_what_waits),
        TEST(a_certificate_is_bound_to_the_key_of_a_device),
        TEST(it_is_pushed_nowhere_else),
        TEST(submits_only_with_every_sealed_key),
        TEST(a_sealed_key_goes_when_its_order_ends),
        TEST(sealed_keys_go_with_a_reservation_that_lapses),
        TEST(pages_of_sealed_keys_fit_what_was_prepared),
    };

    return cmocka_run_group_tests_name("core_keys", tests, NULL, NULL);
}
