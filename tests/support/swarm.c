/* The devices' side of swarm.h: enrolment, streams, reports. */
#include "tests/support/swarm.h"

#include "shared/trust/envelope.h"

#include "countersign/v1/agent.pb.h"

#include <stdio.h>
#include <time.h>

/* ---- enrolment */

struct one_call {
    uv_loop_t *loop;
    struct cs_buf reply;
    struct cs_err err;
    int status;
    bool up, ended;
};

static void on_up(struct cs_client *client, void *owner)
{
    (void)client;
    ((struct one_call *)owner)->up = true;
    uv_stop(((struct one_call *)owner)->loop);
}

static void on_down(struct cs_client *client, const struct cs_err *why, void *owner)
{
    struct one_call *call = owner;

    (void)client;
    call->err = *why;
    call->status = why->code;
    call->ended = true;
    uv_stop(call->loop);
}

static void on_reply(struct cs_client_call *client_call, struct cs_slice message, void *data)
{
    struct one_call *call = data;

    (void)client_call;
    cs_buf_clear(&call->reply);
    if (cs_buf_append(&call->reply, message) != CS_OK)
        call->status = cs_err_nomem(&call->err);
}

static void on_reply_end(struct cs_client_call *client_call, enum cs_status status, const char *message,
                         void *data)
{
    struct one_call *call = data;

    (void)client_call;
    if (status != CS_STATUS_OK)
        call->status = cs_err_set(&call->err, cs_code_from_status(status), "%s", message ? message : "");
    call->ended = true;
    uv_stop(call->loop);
}

static int unary(struct one_call *call, struct cs_client *client, const char *path, struct cs_slice request,
                 struct cs_err *err)
{
    static const struct cs_client_events events = {.on_message = on_reply, .on_end = on_reply_end};
    struct cs_client_call_options options = {.path = path, .timeout_ms = 20000};
    struct cs_client_call *client_call;
    int rc;

    call->ended = false;
    call->status = CS_OK;
    rc = cs_client_call_new(client, &options, &events, call, &client_call, err);
    if (rc != CS_OK)
        return rc;
    (void)cs_client_call_send(client_call, request);
    cs_client_call_half_close(client_call);
    while (!call->ended)
        uv_run(call->loop, UV_RUN_DEFAULT);
    if (call->status != CS_OK)
        *err = call->err;
    return call->status;
}

static int create_token(struct cli_rpc *rpc, const struct swarm_agent *agent,
                        const uint8_t authentication[16], struct cs_err *err)
{
    countersign_v1_CreateTokenRequest create = countersign_v1_CreateTokenRequest_init_zero;
    countersign_v1_CreateTokenResponse created;
    struct cs_digest digest = cs_sha256(cs_slice(authentication, 16));

    snprintf(create.device_name, sizeof create.device_name, "%s", agent->name);
    CS_PB_SET(&create.authentication_digest, cs_digest_slice(&digest));
    create.expires_at_s = time(NULL) + 3000;
    return cli_rpc_call(rpc, &cli_rpc_CreateToken, &create, &created, err);
}

static int admit(struct cli_rpc *rpc, const struct swarm *swarm, const struct swarm_agent *agent,
                 struct cs_err *err)
{
    countersign_v1_Admission admission = countersign_v1_Admission_init_zero;
    countersign_v1_AdmitDeviceRequest request = countersign_v1_AdmitDeviceRequest_init_zero;
    countersign_v1_AdmitDeviceResponse admitted;
    const struct cs_key *admin = swarm->people->requester;
    struct cs_buf payload = CS_BUF_EMPTY, wire = CS_BUF_EMPTY;
    int rc;

    CS_PB_SET(&admission.deployment_id, CS_SLICE_ARRAY(swarm->people->deployment_id));
    admission.policy_version = 1;
    snprintf(admission.admin, sizeof admission.admin, "ada");
    snprintf(admission.device_name, sizeof admission.device_name, "%s", agent->name);
    CS_PB_SET(&admission.device_id, CS_SLICE_ARRAY(agent->device_id));
    CS_PB_SET(&admission.identity_spki, cs_key_spki(agent->identity));
    CS_PB_SET(&admission.kem_spki, cs_key_spki(swarm->kem));
    admission.admitted_at_s = time(NULL);
    rc = cs_message_encode(countersign_v1_Admission_fields, &admission, &payload, err);
    if (rc == CS_OK)
        rc = cs_envelope_sign(CS_STATEMENT_ADMISSION, cs_buf_slice(&payload), &admin, 1, &wire, err);
    if (rc == CS_OK) {
        CS_PB_SET(&request.envelope, cs_buf_slice(&wire));
        rc = cli_rpc_call(rpc, &cli_rpc_AdmitDevice, &request, &admitted, err);
    }
    cs_buf_free(&payload);
    cs_buf_free(&wire);
    return rc;
}

/* Sends the keys and keeps the certificate that comes back. The binding half is not looked at by anyone here.
 */
static int enrol(struct swarm_agent *agent, struct one_call *call, struct cs_client *client,
                 const uint8_t authentication[16], struct cs_err *err)
{
    countersign_v1_EnrolRequest *request = calloc(1, sizeof *request);
    countersign_v1_EnrolResponse *response = calloc(1, sizeof *response);
    struct cs_buf csr = CS_BUF_EMPTY, wire = CS_BUF_EMPTY;
    int rc = request && response ? CS_OK : cs_err_nomem(err);

    if (rc == CS_OK)
        rc = cs_csr_make(agent->identity, agent->name, &csr, err);
    if (rc == CS_OK) {
        CS_PB_SET(&request->authentication, cs_slice(authentication, 16));
        snprintf(request->device_name, sizeof request->device_name, "%s", agent->name);
        CS_PB_SET(&request->device_id, CS_SLICE_ARRAY(agent->device_id));
        CS_PB_SET(&request->csr, cs_buf_slice(&csr));
        CS_PB_SET(&request->kem_spki, cs_key_spki(agent->swarm->kem));
        request->binding_mac.size = 32;
        rc = cs_message_encode(countersign_v1_EnrolRequest_fields, request, &wire, err);
    }
    if (rc == CS_OK)
        rc = unary(call, client, "/countersign.v1.EnrolmentService/Enrol", cs_buf_slice(&wire), err);
    if (rc == CS_OK)
        rc = cs_message_decode(countersign_v1_EnrolResponse_fields, cs_buf_slice(&call->reply), response,
                               "the answer", err);
    if (rc == CS_OK)
        rc = cs_chain_parse(CS_PB_BYTES(&response->certificate), &agent->certificate, err);
    cs_buf_free(&csr);
    cs_buf_free(&wire);
    free(request);
    free(response);
    return rc;
}

static int make_agent(struct swarm *swarm, size_t index, struct cli_rpc *rpc, struct one_call *call,
                      struct cs_client *client, struct cs_err *err)
{
    struct swarm_agent *agent = &swarm->agents[index];
    uint8_t authentication[16];
    int rc;

    agent->swarm = swarm;
    snprintf(agent->name, sizeof agent->name, "bench-%05zu", index);
    cs_random(agent->device_id, sizeof agent->device_id);
    cs_random(authentication, sizeof authentication);
    rc = cs_key_generate(CS_KEY_SIGN, &agent->identity, err);
    if (rc == CS_OK)
        rc = create_token(rpc, agent, authentication, err);
    if (rc == CS_OK)
        rc = enrol(agent, call, client, authentication, err);
    if (rc == CS_OK)
        rc = admit(rpc, swarm, agent, err);
    if (rc == CS_OK) {
        struct cs_tls_options options = {.certificate = agent->certificate,
                                         .key = agent->identity,
                                         .anchors = swarm->people->agent_ca,
                                         .alpn = "h2"};

        rc = cs_tls_config_new(&options, &agent->tls, err);
    }
    return rc;
}

/* One connection of the enrolment listener, which ends each after a minute: so only for a part of many
 * devices. */
static int enrol_some(struct swarm *swarm, size_t until, struct cli_rpc *rpc,
                      const struct cs_client_options *where, struct cs_err *err)
{
    struct one_call call = {.loop = swarm->loop};
    struct cs_client_options options = *where;
    struct cs_client *client = NULL;
    int rc;

    options.on_up = on_up;
    options.on_down = on_down;
    options.owner = &call;
    rc = cs_client_new(swarm->loop, &options, &client, err);
    while (rc == CS_OK && !call.up && !call.ended)
        uv_run(swarm->loop, UV_RUN_DEFAULT);
    if (rc == CS_OK && !call.up)
        rc = cs_err_set(err, CS_ECLOSED, "the enrolment listener: %s", call.err.msg);
    for (; rc == CS_OK && swarm->count < until; swarm->count++)
        rc = make_agent(swarm, swarm->count, rpc, &call, client, err);
    if (client)
        cs_client_close(client, NULL);
    uv_run(swarm->loop, UV_RUN_DEFAULT);
    cs_buf_free(&call.reply);
    return rc;
}

int swarm_enrol(struct swarm *swarm, size_t count, struct cli_rpc *rpc, uint16_t enrolment_port,
                struct cs_err *err)
{
    enum { A_CONNECTION = 500 };
    struct cs_tls_options tls_options = {.anchors = swarm->people->agent_ca, .alpn = "h2"};
    struct cs_client_options options = {
        .host = "127.0.0.1", .port = enrolment_port, .server_name = "countersignd"};
    struct cs_tls_config *tls = NULL;
    int rc = cs_key_generate(CS_KEY_AGREE, &swarm->kem, err);

    swarm->agents = calloc(count, sizeof *swarm->agents);
    if (rc == CS_OK && !swarm->agents)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cs_tls_config_new(&tls_options, &tls, err);
    options.tls = tls;
    while (rc == CS_OK && swarm->count < count) {
        size_t until = swarm->count + A_CONNECTION;

        rc = enrol_some(swarm, until < count ? until : count, rpc, &options, err);
    }
    cs_tls_config_free(tls);
    return rc;
}

/* ---- sessions */

static void send_message(struct swarm_agent *agent, const countersign_v1_AgentMessage *message)
{
    struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    if (cs_message_encode(countersign_v1_AgentMessage_fields, message, &wire, &err) == CS_OK)
        (void)cs_client_call_send(agent->stream, cs_buf_slice(&wire));
    cs_buf_free(&wire);
}

static void send_statement(struct swarm_agent *agent, enum cs_statement_kind kind, const pb_msgdesc_t *fields,
                           const void *statement)
{
    countersign_v1_AgentMessage *message = calloc(1, sizeof *message);
    const struct cs_key *key = agent->identity;
    struct cs_buf payload = CS_BUF_EMPTY, wire = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(message);
    if (cs_message_encode(fields, statement, &payload, &err) == CS_OK &&
        cs_envelope_sign(kind, cs_buf_slice(&payload), &key, 1, &wire, &err) == CS_OK) {
        message->which_body = countersign_v1_AgentMessage_statement_tag;
        CS_PB_SET(&message->body.statement, cs_buf_slice(&wire));
        send_message(agent, message);
    }
    cs_buf_free(&payload);
    cs_buf_free(&wire);
    free(message);
}

static void advertise(struct swarm_agent *agent)
{
    countersign_v1_DeviceAdvertisement *statement = calloc(1, sizeof *statement);

    cs_assert(statement);
    CS_PB_SET(&statement->deployment_id, CS_SLICE_ARRAY(agent->swarm->people->deployment_id));
    CS_PB_SET(&statement->device_id, CS_SLICE_ARRAY(agent->device_id));
    statement->sequence = ++agent->sequence;
    statement->made_at_s = time(NULL);
    snprintf(statement->agent_version, sizeof statement->agent_version, "bench");
    snprintf(statement->platform, sizeof statement->platform, "bench");
    statement->connectors_count = 1;
    snprintf(statement->connectors[0].name, sizeof statement->connectors[0].name, "app");
    snprintf(statement->connectors[0].application, sizeof statement->connectors[0].application, "file");
    send_statement(agent, CS_STATEMENT_DEVICE_ADVERTISEMENT, countersign_v1_DeviceAdvertisement_fields,
                   statement);
    free(statement);
}

static void report(struct swarm_agent *agent, const countersign_v1_OrderCore *core,
                   countersign_v1_Outcome outcome)
{
    countersign_v1_DeviceReport *statement = calloc(1, sizeof *statement);

    cs_assert(statement);
    CS_PB_SET(&statement->deployment_id, CS_SLICE_ARRAY(agent->swarm->people->deployment_id));
    CS_PB_SET(&statement->device_id, CS_SLICE_ARRAY(agent->device_id));
    statement->sequence = ++agent->sequence;
    statement->made_at_s = time(NULL);
    CS_PB_SET(&statement->order_id, CS_PB_BYTES(&core->order_id));
    snprintf(statement->connector, sizeof statement->connector, "%s", core->connector);
    statement->generation = core->generation;
    statement->attempt = 1;
    statement->outcome = outcome;
    snprintf(statement->verdict, sizeof statement->verdict, "ok");
    CS_PB_SET(&statement->installed_digest, CS_PB_BYTES(&core->chain_digest));
    statement->policy_version = 1;
    snprintf(statement->rule, sizeof statement->rule, "default");
    send_statement(agent, CS_STATEMENT_DEVICE_REPORT, countersign_v1_DeviceReport_fields, statement);
    free(statement);
}

static void take_push(struct swarm_agent *agent, const countersign_v1_PushDelivery *delivery)
{
    countersign_v1_PushMessage *message = NULL;
    countersign_v1_OrderCore *core = NULL;
    struct cs_err err;

    if (cs_push_message_decode(CS_PB_BYTES(&delivery->message), &message, &err) == CS_OK &&
        cs_core_decode(CS_PB_BYTES(&message->order_core), &core, &err) == CS_OK) {
        report(agent, core, countersign_v1_Outcome_OUTCOME_ACCEPTED);
        report(agent, core, countersign_v1_Outcome_OUTCOME_COMPLETED);
        agent->final_sequence = agent->sequence;
    }
    free(message);
    free(core);
}

static void on_message(struct cs_client_call *call, struct cs_slice bytes, void *data)
{
    struct swarm_agent *agent = data;
    struct swarm *swarm = agent->swarm;
    countersign_v1_ControllerMessage *message = calloc(1, sizeof *message);
    struct cs_err err;

    (void)call;
    cs_assert(message);
    if (cs_message_decode(countersign_v1_ControllerMessage_fields, bytes, message, "a message", &err) !=
        CS_OK) {
        fprintf(stderr, "%s: %s\n", agent->name, err.msg);
    } else if (message->which_body == countersign_v1_ControllerMessage_welcome_tag) {
        swarm->welcomed++;
        advertise(agent);
    } else if (message->which_body == countersign_v1_ControllerMessage_push_tag) {
        take_push(agent, &message->body.push);
    } else if (message->which_body == countersign_v1_ControllerMessage_ack_tag) {
        if (message->body.ack.sequence == 1)
            swarm->advertised++;
        if (agent->final_sequence && message->body.ack.sequence >= agent->final_sequence) {
            agent->final_sequence = 0;
            swarm->completed++;
            swarm->last_completed_ns = uv_hrtime();
            uv_stop(swarm->loop);
        }
    }
    free(message);
}

static void on_stream_end(struct cs_client_call *call, enum cs_status status, const char *message, void *data)
{
    struct swarm_agent *agent = data;

    (void)call;
    agent->stream = NULL;
    agent->swarm->lost++;
    if (status != CS_STATUS_CANCELLED)
        fprintf(stderr, "%s: stream ended: %s: %s\n", agent->name, cs_status_name(status),
                message ? message : "");
}

static void on_agent_up(struct cs_client *client, void *owner)
{
    static const struct cs_client_events events = {.on_message = on_message, .on_end = on_stream_end};
    struct cs_client_call_options options = {.path = "/countersign.v1.AgentService/Connect"};
    struct swarm_agent *agent = owner;
    countersign_v1_AgentMessage *hello = calloc(1, sizeof *hello);
    struct cs_err err;

    cs_assert(hello);
    agent->up = true;
    hello->which_body = countersign_v1_AgentMessage_hello_tag;
    snprintf(hello->body.hello.agent_version, sizeof hello->body.hello.agent_version, "bench");
    hello->body.hello.process_nonce.size = 16;
    cs_random(hello->body.hello.process_nonce.bytes, 16);
    hello->body.hello.policy_version = 1;
    if (cs_client_call_new(client, &options, &events, agent, &agent->stream, &err) == CS_OK)
        send_message(agent, hello);
    else
        fprintf(stderr, "%s: %s\n", agent->name, err.msg);
    free(hello);
}

static void on_agent_down(struct cs_client *client, const struct cs_err *why, void *owner)
{
    struct swarm_agent *agent = owner;

    fprintf(stderr, "%s: connection: %s\n", agent->name, why->msg);
    agent->up = false;
    agent->client = NULL;
    cs_client_close(client, NULL);
}

int swarm_connect(struct swarm *swarm, size_t index, struct cs_err *err)
{
    struct swarm_agent *agent = &swarm->agents[index];
    struct cs_client_options options = {.host = "127.0.0.1",
                                        .port = swarm->agents_port,
                                        .tls = agent->tls,
                                        .server_name = "countersignd",
                                        .connect_timeout_ms = 60000,
                                        .slim = true,
                                        .on_up = on_agent_up,
                                        .on_down = on_agent_down,
                                        .owner = agent};

    return cs_client_new(swarm->loop, &options, &agent->client, err);
}

bool swarm_run_until(struct swarm *swarm, const size_t *counter, size_t goal, uint64_t timeout_ms)
{
    uint64_t end_ns = uv_hrtime() + timeout_ms * 1000000;

    while (*counter < goal && uv_hrtime() < end_ns) {
        if (uv_run(swarm->loop, UV_RUN_NOWAIT) == 0)
            return *counter >= goal;
        if (*counter < goal)
            uv_sleep(0);
    }
    return *counter >= goal;
}

void swarm_free(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->agents[i].client)
            cs_client_close(swarm->agents[i].client, NULL);
    uv_run(swarm->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < swarm->count; i++) {
        cs_tls_config_free(swarm->agents[i].tls);
        cs_chain_free(swarm->agents[i].certificate);
        cs_key_free(swarm->agents[i].identity);
    }
    free(swarm->agents);
    cs_key_free(swarm->kem);
}
