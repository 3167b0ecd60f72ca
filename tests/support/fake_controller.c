#include "tests/support/fake_controller.h"

#include "agent/core/token.h"
#include "shared/net/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { ORDERS = 512, SEQUENCES = 64 };

struct fake_order {
    uint8_t order_id[16];
    struct cs_buf delivery; /* an encoded ControllerMessage */
    bool due;               /* to be sent on the stream that is there */
    bool cancel;            /* likewise, a CancelOrder, behind it */
    struct fake_reports reports;
    uint64_t sequences[SEQUENCES];
    size_t sequence_count;
};

struct fake_controller {
    struct deployment *d;
    struct cs_buf policy;
    struct pki ca, server;
    struct cs_tls_config *agents_tls, *enrolment_tls;
    struct cs_registry *registry;
    struct cs_server *agents, *enrolment;
    uint16_t agent_port, enrolment_port;
    uint8_t authentication[16], binding[16];

    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    pthread_mutex_t lock; /* of all below */
    bool stopping, drop, acks, enrolled, streaming;
    uint8_t device_id[16], identity_spki[CS_SPKI_BYTES], kem_spki[CS_SPKI_BYTES];
    struct cs_call *stream;
    unsigned sessions;
    uint64_t highest_sequence;
    struct fake_order orders[ORDERS];
    size_t order_count;
    countersign_v1_DeviceAdvertisement advertisement;
};

static void must(int code)
{
    cs_assert(code == CS_OK);
}

static struct fake_order *find_order(struct fake_controller *c, struct cs_slice order_id)
{
    for (size_t i = 0; i < c->order_count; i++) {
        if (cs_slice_eq(CS_SLICE_ARRAY(c->orders[i].order_id), order_id))
            return &c->orders[i];
    }
    return NULL;
}

static bool ended(const struct fake_order *order)
{
    return order->reports.completed + order->reports.failed + order->reports.refused > 0;
}

/* ---- sending; the lock is held */

static void send_message(struct fake_controller *c, const countersign_v1_ControllerMessage *message)
{
    cs_auto(cs_buf_free) struct cs_buf wire =
        deployment_encode(countersign_v1_ControllerMessage_fields, message);

    if (c->stream)
        (void)cs_call_send(c->stream, cs_buf_slice(&wire));
}

/* CS_EFULL: not taken, the agent does not read so fast; on_writable comes. */
static int send_cancel(struct fake_controller *c, const uint8_t order_id[16])
{
    countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);

    cs_assert(message);
    message->which_body = countersign_v1_ControllerMessage_cancel_tag;
    CS_PB_SET(&message->body.cancel.order_id, cs_slice(order_id, 16));
    struct cs_buf wire = deployment_encode(countersign_v1_ControllerMessage_fields, message);

    free(message);
    int code = cs_call_send(c->stream, cs_buf_slice(&wire));

    cs_buf_free(&wire);
    return code;
}

static void send_due(struct fake_controller *c)
{
    for (size_t i = 0; c->stream && c->streaming && i < c->order_count; i++) {
        struct fake_order *order = &c->orders[i];

        if (order->due && cs_call_send(c->stream, cs_buf_slice(&order->delivery)) == CS_EFULL)
            return;
        order->due = false;
        if (order->cancel && send_cancel(c, order->order_id) == CS_EFULL)
            return;
        order->cancel = false;
    }
}

static void send_policies(struct fake_controller *c, uint32_t from)
{
    countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);

    cs_assert(message);
    message->which_body = countersign_v1_ControllerMessage_policy_tag;
    CS_PB_SET(&message->body.policy, cs_buf_slice(&c->policy));
    if (from <= c->d->body->version)
        send_message(c, message);
    free(message);
}

static void send_welcome(struct fake_controller *c)
{
    countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);

    cs_assert(message);
    message->which_body = countersign_v1_ControllerMessage_welcome_tag;
    message->body.welcome = (countersign_v1_Welcome){pki_now(), c->d->body->version, true};
    send_message(c, message);
    free(message);
}

static void send_ack(struct fake_controller *c, uint64_t sequence)
{
    countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);

    cs_assert(message);
    message->which_body = countersign_v1_ControllerMessage_ack_tag;
    message->body.ack.sequence = sequence;
    if (c->acks)
        send_message(c, message);
    free(message);
}

/* ---- statements */

static bool seen(struct fake_order *order, uint64_t sequence)
{
    for (size_t i = 0; i < order->sequence_count; i++) {
        if (order->sequences[i] == sequence)
            return true;
    }
    cs_assert(order->sequence_count < SEQUENCES);
    order->sequences[order->sequence_count++] = sequence;
    return false;
}

static void count_report(struct fake_controller *c, struct fake_order *order,
                         const countersign_v1_DeviceReport *report)
{
    struct fake_reports *reports = &order->reports;

    if (seen(order, report->sequence)) {
        reports->repeated++;
        return;
    }
    if (report->sequence <= c->highest_sequence)
        reports->out_of_order = true;
    reports->last = *report;
    reports->accepted += report->outcome == countersign_v1_Outcome_OUTCOME_ACCEPTED;
    reports->completed += report->outcome == countersign_v1_Outcome_OUTCOME_COMPLETED;
    reports->failed += report->outcome == countersign_v1_Outcome_OUTCOME_FAILED;
    reports->refused += report->outcome == countersign_v1_Outcome_OUTCOME_REFUSED;
    reports->not_yet += report->outcome == countersign_v1_Outcome_OUTCOME_NOT_YET;
}

static void take_report(struct fake_controller *c, struct cs_slice payload)
{
    countersign_v1_DeviceReport *report = NULL;
    struct cs_err err;

    must(cs_report_decode(payload, &report, &err));
    struct fake_order *order = find_order(c, CS_PB_BYTES(&report->order_id));

    if (order)
        count_report(c, order, report);
    if (report->sequence > c->highest_sequence)
        c->highest_sequence = report->sequence;
    send_ack(c, report->sequence);
    free(report);
}

static void take_advertisement(struct fake_controller *c, struct cs_slice payload)
{
    countersign_v1_DeviceAdvertisement *advertisement = NULL;
    struct cs_err err;

    must(cs_advertisement_decode(payload, &advertisement, &err));
    cs_assert(advertisement->sequence > c->highest_sequence);
    c->highest_sequence = advertisement->sequence;
    c->advertisement = *advertisement;
    free(advertisement);
    c->streaming = true;
    for (size_t i = 0; i < c->order_count; i++)
        c->orders[i].due = c->orders[i].due || !ended(&c->orders[i]);
    send_due(c);
}

static void take_statement(struct fake_controller *c, struct cs_slice wire)
{
    struct cs_slice spki = CS_SLICE_ARRAY(c->identity_spki);
    struct cs_envelope envelope;
    struct cs_verified verified;
    struct cs_err err;

    must(cs_envelope_parse(wire, &envelope, &err));
    must(cs_envelope_verify_one(wire, envelope.kind, spki, &verified, &err));
    if (verified.kind == CS_STATEMENT_DEVICE_REPORT)
        take_report(c, verified.payload);
    else
        take_advertisement(c, verified.payload);
}

/* ---- the stream */

static void on_open(struct cs_call *call)
{
    struct fake_controller *c = cs_call_service(call);

    pthread_mutex_lock(&c->lock);
    c->stream = call;
    c->streaming = false;
    c->sessions++;
    pthread_mutex_unlock(&c->lock);
}

static void on_message(struct cs_call *call, struct cs_slice bytes)
{
    struct fake_controller *c = cs_call_service(call);
    countersign_v1_AgentMessage *message = calloc(1, sizeof *message);
    struct cs_err err;

    cs_assert(message);
    pthread_mutex_lock(&c->lock);
    must(cs_message_decode(countersign_v1_AgentMessage_fields, bytes, message, "the agent's message", &err));
    if (call == c->stream) {
        if (message->which_body == countersign_v1_AgentMessage_hello_tag)
            send_welcome(c);
        else if (message->which_body == countersign_v1_AgentMessage_policy_ask_tag)
            send_policies(c, message->body.policy_ask.from_version);
        else if (message->which_body == countersign_v1_AgentMessage_statement_tag)
            take_statement(c, CS_PB_BYTES(&message->body.statement));
    }
    pthread_mutex_unlock(&c->lock);
    free(message);
}

static void on_writable(struct cs_call *call)
{
    struct fake_controller *c = cs_call_service(call);

    pthread_mutex_lock(&c->lock);
    if (call == c->stream)
        send_due(c);
    pthread_mutex_unlock(&c->lock);
}

static void on_end(struct cs_call *call, enum cs_status how CS_UNUSED)
{
    struct fake_controller *c = cs_call_service(call);

    pthread_mutex_lock(&c->lock);
    if (c->stream == call)
        c->stream = NULL;
    pthread_mutex_unlock(&c->lock);
}

/* ---- enrolment */

static void check_binding(struct fake_controller *c, const countersign_v1_EnrolRequest *request)
{
    countersign_v1_EnrolmentToken *token = calloc(1, sizeof *token);

    cs_assert(token);
    CS_PB_SET(&token->deployment_id, CS_SLICE_ARRAY(c->d->id));
    memcpy(token->device_name, request->device_name, sizeof token->device_name);
    CS_PB_SET(&token->binding, CS_SLICE_ARRAY(c->binding));
    struct cs_digest mac =
        ag_token_binding_mac(token, CS_PB_BYTES(&request->device_id), CS_SLICE_ARRAY(c->identity_spki),
                             CS_PB_BYTES(&request->kem_spki));

    cs_assert(cs_slice_eq(cs_digest_slice(&mac), CS_PB_BYTES(&request->binding_mac)));
    free(token);
}

static void on_enrol(struct cs_call *call, struct cs_slice bytes)
{
    struct fake_controller *c = cs_call_service(call);
    countersign_v1_EnrolRequest *request = calloc(1, sizeof *request);
    countersign_v1_EnrolResponse *response = calloc(1, sizeof *response);
    cs_auto(cs_buf_free) struct cs_buf der = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(request && response);
    must(cs_message_decode(countersign_v1_EnrolRequest_fields, bytes, request, "the request", &err));
    pthread_mutex_lock(&c->lock);
    if (!cs_slice_eq(CS_PB_BYTES(&request->authentication), CS_SLICE_ARRAY(c->authentication))) {
        cs_call_finish(call, CS_STATUS_PERMISSION_DENIED, "this token is not known here");
    } else {
        must(cs_csr_check(CS_PB_BYTES(&request->csr), c->identity_spki, &err));
        check_binding(c, request);
        memcpy(c->device_id, request->device_id.bytes, sizeof c->device_id);
        memcpy(c->kem_spki, request->kem_spki.bytes, sizeof c->kem_spki);
        c->enrolled = true;
        const struct cs_issue what = {
            .common_name = request->device_name,
            .subject_spki = CS_SLICE_ARRAY(c->identity_spki),
            .not_before_s = pki_now() - 60,
            .not_after_s = pki_now() + 86400,
            .client_auth = true,
        };

        must(cs_cert_issue(&what, c->ca.chain, c->ca.key, &der, &err));
        CS_PB_SET(&response->certificate, cs_buf_slice(&der));
        response->time_s = pki_now();
        struct cs_buf wire = deployment_encode(countersign_v1_EnrolResponse_fields, response);

        cs_call_reply(call, cs_buf_slice(&wire));
        cs_buf_free(&wire);
    }
    pthread_mutex_unlock(&c->lock);
    free(request);
    free(response);
}

static const struct cs_call_handler enrol_handler = {.on_message = on_enrol};
static const struct cs_call_handler connect_handler = {
    .on_open = on_open, .on_message = on_message, .on_writable = on_writable, .on_end = on_end};
static const struct cs_method methods[] = {
    {"countersign.v1.EnrolmentService", "Enrol", CS_CALL_UNARY, 0, &enrol_handler, 0},
    {"countersign.v1.AgentService", "Connect", CS_CALL_BIDI, 0, &connect_handler, 0},
};

/* ---- beginning and end */

static void on_wake(uv_async_t *wake)
{
    struct fake_controller *c = wake->data;

    pthread_mutex_lock(&c->lock);
    struct cs_call *dropped = c->drop ? c->stream : NULL;

    c->drop = false;
    send_due(c);
    bool stopping = c->stopping;

    if (stopping)
        c->stream = NULL;
    pthread_mutex_unlock(&c->lock);
    if (dropped)
        cs_call_finish(dropped, CS_STATUS_UNAVAILABLE, "restarting");
    if (stopping && !uv_is_closing((uv_handle_t *)wake)) {
        cs_server_close(c->agents, 0, NULL);
        cs_server_close(c->enrolment, 0, NULL);
        uv_close((uv_handle_t *)wake, NULL);
    }
}

static void *run(void *data)
{
    struct fake_controller *c = data;

    uv_run(&c->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void listen_both(struct fake_controller *c)
{
    const struct cs_tls_options agents = {.is_server = true,
                                          .certificate = c->server.chain,
                                          .key = c->server.key,
                                          .anchors = c->ca.chain,
                                          .require_peer = true,
                                          .alpn = "h2"};
    const struct cs_tls_options enrolment = {
        .is_server = true, .certificate = c->server.chain, .key = c->server.key, .alpn = "h2"};
    struct cs_err err;

    must(cs_tls_config_new(&agents, &c->agents_tls, &err));
    must(cs_tls_config_new(&enrolment, &c->enrolment_tls, &err));
    must(cs_registry_new(&c->registry, &err));
    must(cs_registry_add(c->registry, methods, CS_ARRAY_LEN(methods), c, &err));
    struct cs_server_options options = {.registry = c->registry, .tls = c->agents_tls};

    must(cs_server_new(&c->loop, &options, &c->agents, &err));
    options.tls = c->enrolment_tls;
    must(cs_server_new(&c->loop, &options, &c->enrolment, &err));
    must(cs_server_listen_tcp(c->agents, "127.0.0.1", 0, false, &c->agent_port, &err));
    must(cs_server_listen_tcp(c->enrolment, "127.0.0.1", 0, false, &c->enrolment_port, &err));
}

struct fake_controller *fake_controller_start(struct deployment *d)
{
    struct fake_controller *c = calloc(1, sizeof *c);

    cs_assert(c);
    c->d = d;
    c->policy = deployment_sign_policy(d, DEPLOYMENT_ROOT_THRESHOLD);
    c->acks = true;
    c->ca = pki_make_ca("Agent CA");
    c->server = pki_issue(
        &c->ca,
        (struct cs_issue){.common_name = "countersignd", .server_auth = true, .dns_name = "countersignd"});
    cs_random(c->authentication, sizeof c->authentication);
    cs_random(c->binding, sizeof c->binding);
    pthread_mutex_init(&c->lock, NULL);
    /* As every program does: writing to an agent that was killed is an error, not the end. */
    signal(SIGPIPE, SIG_IGN);
    cs_assert(uv_loop_init(&c->loop) == 0);
    cs_assert(uv_async_init(&c->loop, &c->wake, on_wake) == 0);
    c->wake.data = c;
    listen_both(c);
    cs_assert(pthread_create(&c->thread, NULL, run, c) == 0);
    return c;
}

void fake_controller_stop(struct fake_controller *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_mutex_unlock(&c->lock);
    uv_async_send(&c->wake);
    pthread_join(c->thread, NULL);
    cs_assert(uv_loop_close(&c->loop) == 0);
    cs_registry_free(c->registry);
    cs_tls_config_free(c->agents_tls);
    cs_tls_config_free(c->enrolment_tls);
    for (size_t i = 0; i < c->order_count; i++)
        cs_buf_free(&c->orders[i].delivery);
    cs_buf_free(&c->policy);
    pki_free(&c->server);
    pki_free(&c->ca);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- from the test */

uint16_t fake_controller_agent_port(const struct fake_controller *c)
{
    return c->agent_port;
}

uint16_t fake_controller_enrolment_port(const struct fake_controller *c)
{
    return c->enrolment_port;
}

struct cs_buf fake_controller_token(const struct fake_controller *c, const char *device_name)
{
    countersign_v1_EnrolmentToken *token = calloc(1, sizeof *token);
    struct cs_pin pin = deployment_pin(c->d);
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(token);
    CS_PB_SET(&token->deployment_id, CS_SLICE_ARRAY(c->d->id));
    snprintf(token->device_name, sizeof token->device_name, "%s", device_name);
    CS_PB_SET(&token->authentication, CS_SLICE_ARRAY(c->authentication));
    CS_PB_SET(&token->binding, CS_SLICE_ARRAY(c->binding));
    CS_PB_SET(&token->roots_digest, cs_digest_slice(&pin.roots_digest));
    token->policy_version = 1;
    token->expires_at_s = pki_now() + 3600;
    CS_PB_SET(&token->agent_ca, cs_chain_der(c->ca.chain, 0));
    must(ag_token_write(token, &text, &err));
    free(token);
    return text;
}

bool fake_controller_enrolled(struct fake_controller *c, uint8_t ret_device_id[16],
                              uint8_t ret_kem_spki[CS_SPKI_BYTES])
{
    pthread_mutex_lock(&c->lock);
    bool enrolled = c->enrolled;

    memcpy(ret_device_id, c->device_id, sizeof c->device_id);
    memcpy(ret_kem_spki, c->kem_spki, sizeof c->kem_spki);
    pthread_mutex_unlock(&c->lock);
    return enrolled;
}

unsigned fake_controller_sessions(struct fake_controller *c)
{
    pthread_mutex_lock(&c->lock);
    unsigned sessions = c->sessions;

    pthread_mutex_unlock(&c->lock);
    return sessions;
}

void fake_controller_drop_stream(struct fake_controller *c)
{
    pthread_mutex_lock(&c->lock);
    c->drop = true;
    pthread_mutex_unlock(&c->lock);
    uv_async_send(&c->wake);
}

void fake_controller_set_acks(struct fake_controller *c, bool acks)
{
    pthread_mutex_lock(&c->lock);
    c->acks = acks;
    pthread_mutex_unlock(&c->lock);
}

void fake_controller_push(struct fake_controller *c, const struct delivery_story *story)
{
    countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);

    cs_assert(message && c->order_count < ORDERS);
    message->which_body = countersign_v1_ControllerMessage_push_tag;
    message->body.push = story->delivery;
    struct cs_buf wire = deployment_encode(countersign_v1_ControllerMessage_fields, message);

    free(message);
    pthread_mutex_lock(&c->lock);
    struct fake_order *order = &c->orders[c->order_count++];

    memcpy(order->order_id, story->push.cores[0].order_id.bytes, sizeof order->order_id);
    order->delivery = wire;
    order->due = true;
    pthread_mutex_unlock(&c->lock);
    uv_async_send(&c->wake);
}

void fake_controller_push_again(struct fake_controller *c, const uint8_t order_id[16])
{
    pthread_mutex_lock(&c->lock);
    find_order(c, cs_slice(order_id, 16))->due = true;
    pthread_mutex_unlock(&c->lock);
    uv_async_send(&c->wake);
}

void fake_controller_cancel(struct fake_controller *c, const uint8_t order_id[16])
{
    pthread_mutex_lock(&c->lock);
    find_order(c, cs_slice(order_id, 16))->cancel = true;
    pthread_mutex_unlock(&c->lock);
    uv_async_send(&c->wake);
}

void fake_controller_reports(struct fake_controller *c, const uint8_t order_id[16], struct fake_reports *ret)
{
    pthread_mutex_lock(&c->lock);
    *ret = find_order(c, cs_slice(order_id, 16))->reports;
    pthread_mutex_unlock(&c->lock);
}

bool fake_controller_wait(struct fake_controller *c, const uint8_t order_id[16], unsigned seconds)
{
    time_t until = time(NULL) + (time_t)seconds;

    for (;;) {
        pthread_mutex_lock(&c->lock);
        bool done = ended(find_order(c, cs_slice(order_id, 16)));

        pthread_mutex_unlock(&c->lock);
        if (done || time(NULL) > until)
            return done;
        usleep(5000);
    }
}

bool fake_controller_advertised(struct fake_controller *c, const char *connector,
                                countersign_v1_AdvertisedConnector *ret)
{
    bool found = false;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->advertisement.connectors_count; i++) {
        if (strcmp(c->advertisement.connectors[i].name, connector) != 0)
            continue;
        *ret = c->advertisement.connectors[i];
        found = true;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}
