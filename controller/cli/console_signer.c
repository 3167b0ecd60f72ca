#include "controller/cli/console_signer.h"

#include "controller/cli/console_guard.h"
#include "controller/cli/console_statement.h"

#include "shared/base/list.h"
#include "shared/base/version.h"
#include "shared/trust/spoken.h"

#include "countersign/v1/signer.pb.h"

#include <stdio.h>
#include <time.h>

struct cli_console_signing {
    struct cli_console_signing_options options;
    struct cs_list waiting;
};

/* A call that waits for the top of the loop, and is answered there. Where that runs the loop, whoever asked
 * may have gone afterwards. */
struct asked {
    struct cs_list node;
    struct cs_call *call; /* NULL: gone */
    void (*answer)(struct cli_console_signing *signing, struct asked *asked);
    struct cs_buf request;
};

/* To the person at the terminal; it may scroll there for days. */
static void tell(const char *format, ...) CS_PRINTF(1, 2);
static void tell(const char *format, ...)
{
    time_t now = time(NULL);
    struct tm local;
    va_list args;

    localtime_r(&now, &local);
    fprintf(stderr, "%02d:%02d:%02d ", local.tm_hour, local.tm_min, local.tm_sec);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* Where whoever asked is still there. */
static void reply(struct cs_call *call, const pb_msgdesc_t *fields, const void *message)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_err err;

    if (!call)
        return;
    if (cs_message_encode(fields, message, &bytes, &err) == CS_OK)
        cs_call_reply(call, cs_buf_slice(&bytes));
    else
        cs_call_fail(call, &err);
}

/* ---- OpenLink */

static void refuse_link(struct cs_call *call, enum cli_link_said said, bool tell_wrong)
{
    if (said == CLI_LINK_USED_BEFORE) {
        tell("The link was opened a second time, and refused");
        cs_call_finish(call, CS_STATUS_PERMISSION_DENIED,
                       "this link has been used: press Enter in the terminal of `countersign console` for "
                       "another one");
        return;
    }
    if (tell_wrong)
        tell("Somebody tried a wrong link, and was refused; more of them are not told before the next link");
    cs_call_finish(call, CS_STATUS_PERMISSION_DENIED,
                   "this is not the link: open the one that `countersign console` printed last");
}

static void open_link_on_message(struct cs_call *call, struct cs_slice message)
{
    struct cli_console_signing *signing = cs_call_service(call);
    const struct cli_console_signing_options *options = &signing->options;
    countersign_v1_OpenLinkRequest request;
    countersign_v1_OpenLinkResponse response = {.token = ""};
    uint8_t random[CLI_LINK_BYTES];
    char token[CLI_LINK_TEXT_BYTES];
    bool told_wrong = options->links->wrong_was_tried;
    enum cli_link_said said;
    struct cs_err err;

    if (cs_message_decode(countersign_v1_OpenLinkRequest_fields, message, &request, "the request", &err) !=
        CS_OK) {
        cs_call_fail(call, &err);
        return;
    }
    cs_random(random, sizeof random);
    said = cli_links_open(options->links, CS_PB_BYTES(&request.secret), random, token);
    cs_wipe(random, sizeof random);
    cs_wipe(&request, sizeof request);
    if (said != CLI_LINK_OPENED) {
        refuse_link(call, said, !told_wrong);
        return;
    }
    tell("The link was opened in a browser");
    memcpy(response.token, token, sizeof token);
    reply(call, countersign_v1_OpenLinkResponse_fields, &response);
    cs_wipe(&response, sizeof response);
    cs_wipe(token, sizeof token);
    options->on_opened(options->owner);
}

static void close_link_on_message(struct cs_call *call, struct cs_slice message)
{
    struct cli_console_signing *signing = cs_call_service(call);
    countersign_v1_CloseLinkResponse response = countersign_v1_CloseLinkResponse_init_zero;

    (void)message;
    cli_links_close(signing->options.links, cli_console_token_of(cs_call_metadata(call, "authorization")));
    tell("A page signed out");
    reply(call, countersign_v1_CloseLinkResponse_fields, &response);
}

/* ---- what waits */

/* The policy may have changed since it was looked at last. Without the controller what is known stays. */
static int look_again(struct cli *cli, struct cs_err *err)
{
    struct cs_policy *before = cs_steal(cli->policy);
    const struct cs_policy *newest;
    int rc;

    cli->signed_in_anew = false;
    rc = cli_policy(cli, &newest, err);
    if (rc == CS_OK)
        cs_policy_free(before);
    else
        cli->policy = before;
    return rc;
}

/* The operator's key of the policy that is the one here; NULL: none, or no more. */
static const countersign_v1_OperatorKey *find_key(const struct cli_console_signing *signing)
{
    const struct cli_console_signing_options *options = &signing->options;
    const struct cli *cli = options->cli;
    const countersign_v1_Operator *who =
        options->operator? cs_policy_operator(cli->policy, options->operator) : NULL;

    for (pb_size_t i = 0; who && cli->key && i < who->keys_count; i++)
        if (cs_slice_eq(CS_PB_BYTES(&who->keys[i].spki), cs_key_spki(cli->key)))
            return &who->keys[i];
    return NULL;
}

static void answer_get_signer(struct cli_console_signing *signing, struct asked *asked)
{
    struct cli *cli = signing->options.cli;
    struct cs_err err;
    cs_auto_free countersign_v1_GetSignerResponse *response = CLI_NEW(countersign_v1_GetSignerResponse, &err);
    const countersign_v1_OperatorKey *key;

    if (!response) {
        cs_call_fail(asked->call, &err);
        return;
    }
    if (look_again(cli, &err) != CS_OK)
        tell("The trust policy could not be looked up anew: %s", err.msg);
    if (signing->options.operator)
        snprintf(response->operator, sizeof response->operator, "%s", signing->options.operator);
    key = find_key(signing);
    if (key) {
        CS_PB_SET(&response->spki, CS_PB_BYTES(&key->spki));
        response->key_kind = key->kind;
    }
    CS_PB_SET(&response->policy, cs_policy_wire(cli->policy));
    snprintf(response->controller, sizeof response->controller, "%.319s",
             cli->home.controller[0] ? cli->home.controller : cli->home.socket);
    snprintf(response->version, sizeof response->version, "%s", CS_VERSION);
    reply(asked->call, countersign_v1_GetSignerResponse_fields, response);
}

static int look(struct cli_console_signing *signing, enum cs_statement_kind kind, struct cs_slice payload,
                struct cs_buf *line, struct cs_err *err)
{
    struct cli *cli = signing->options.cli;
    struct cli_console_signer signer = {
        .deployment_id = cli->home.pin.deployment_id,
        .operator= signing->options.operator,
        .policy_version = cs_policy_version(cli->policy),
    };
    int rc = cli_console_look(kind, payload, &signer, line, err);

    /* The page may have learned of a newer one first. */
    if (rc == CS_ESTALE && look_again(cli, err) == CS_OK) {
        signer.policy_version = cs_policy_version(cli->policy);
        cs_buf_clear(line);
        rc = cli_console_look(kind, payload, &signer, line, err);
    }
    return rc;
}

static int sign(struct cli_console_signing *signing, const struct asked *asked,
                const countersign_v1_SignRequest *request, struct cs_buf *envelope, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf line = CS_BUF_EMPTY;
    struct cs_slice payload = CS_PB_BYTES(&request->payload);
    enum cs_statement_kind kind = cs_statement_kind_of(cs_slice_str(request->payload_type));
    const struct cs_key *keys[] = {signing->options.cli->key};
    const char *operator= signing->options.operator;
    struct cs_digest digest = cs_sha256(payload);
    char words[CS_SPOKEN_TEXT_BYTES];
    int rc;

    if (!operator|| !keys[0])
        return cs_err_set(
            err, CS_EDENIED,
            "there is no key here to sign with, so this console only looks: see what its terminal "
            "says");
    rc = look(signing, kind, payload, &line, err);
    if (rc == CS_OK && !find_key(signing))
        rc =
            cs_err_set(err, CS_EDENIED, "the key here is not one that the trust policy has for %s", operator);
    /* Nobody would get it. */
    if (rc == CS_OK && !asked->call)
        rc = cs_err_set(err, CS_ECANCELLED, "the page has gone");
    if (rc == CS_OK)
        rc = cs_envelope_sign(kind, payload, keys, 1, envelope, err);
    if (rc == CS_OK)
        tell("Signed as %s: %.*s (%s)", operator,(int) line.len, (const char *)line.ptr,
             cs_spoken_text(&digest, words));
    else
        tell("Refused to sign: %s", err->msg);
    return rc;
}

static void answer_sign(struct cli_console_signing *signing, struct asked *asked)
{
    cs_auto(cs_buf_free) struct cs_buf envelope = CS_BUF_EMPTY;
    struct cs_err err;
    cs_auto_free countersign_v1_SignRequest *request = CLI_NEW(countersign_v1_SignRequest, &err);
    cs_auto_free countersign_v1_SignResponse *response = CLI_NEW(countersign_v1_SignResponse, &err);
    int rc = request && response
                 ? cs_message_decode(countersign_v1_SignRequest_fields, cs_buf_slice(&asked->request),
                                     request, "the request", &err)
                 : CS_ENOMEM;

    if (rc == CS_OK)
        rc = sign(signing, asked, request, &envelope, &err);
    if (rc == CS_OK && envelope.len > sizeof response->envelope.bytes)
        rc = cs_err_set(&err, CS_ETOOBIG, "the signed statement is larger than a statement may be");
    if (rc == CS_OK) {
        CS_PB_SET(&response->envelope, cs_buf_slice(&envelope));
        reply(asked->call, countersign_v1_SignResponse_fields, response);
    } else if (asked->call) {
        cs_call_fail(asked->call, &err);
    }
}

/* ---- calls */

static void put_off(struct cs_call *call, struct cs_slice message,
                    void (*answer)(struct cli_console_signing *, struct asked *))
{
    struct cli_console_signing *signing = cs_call_service(call);
    struct asked *asked = calloc(1, sizeof *asked);

    if (!asked || cs_buf_append(&asked->request, message) != CS_OK) {
        free(asked);
        cs_call_finish(call, CS_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    asked->call = call;
    asked->answer = answer;
    cs_list_append(&signing->waiting, &asked->node);
    cs_call_set_data(call, asked);
}

static void get_signer_on_message(struct cs_call *call, struct cs_slice message)
{
    put_off(call, message, answer_get_signer);
}

static void sign_on_message(struct cs_call *call, struct cs_slice message)
{
    put_off(call, message, answer_sign);
}

static void on_end(struct cs_call *call, enum cs_status how)
{
    struct asked *asked = cs_call_data(call);

    (void)how;
    if (!asked)
        return;
    asked->call = NULL;
    if (cs_list_empty(&asked->node))
        return; /* it is being answered, and freed afterwards */
    cs_list_remove(&asked->node);
    cs_buf_free(&asked->request);
    free(asked);
}

static const struct cs_call_handler open_link_handler = {.on_message = open_link_on_message},
                                    close_link_handler = {.on_message = close_link_on_message},
                                    get_signer_handler = {.on_message = get_signer_on_message,
                                                          .on_end = on_end},
                                    sign_handler = {.on_message = sign_on_message, .on_end = on_end};

static const struct cs_method methods[] = {
    {"countersign.v1.SignerService", "OpenLink", CS_CALL_UNARY, 256, &open_link_handler, 0},
    {"countersign.v1.SignerService", "CloseLink", CS_CALL_UNARY, 256, &close_link_handler, 0},
    {"countersign.v1.SignerService", "GetSigner", CS_CALL_UNARY, 256, &get_signer_handler, 0},
    {"countersign.v1.SignerService", "Sign", CS_CALL_UNARY, 8 * 1024, &sign_handler, 0},
};

/* ---- the top of the loop, and life */

void cli_console_signing_run(struct cli_console_signing *signing)
{
    struct cs_list *node;

    while ((node = cs_list_pop(&signing->waiting)) != NULL) {
        struct asked *asked = CS_CONTAINER_OF(node, struct asked, node);

        asked->answer(signing, asked);
        if (asked->call)
            cs_call_set_data(asked->call, NULL);
        cs_buf_free(&asked->request);
        free(asked);
    }
}

bool cli_console_signing_waits(const struct cli_console_signing *signing)
{
    return !cs_list_empty(&signing->waiting);
}

int cli_console_signing_new(const struct cli_console_signing_options *options, struct cs_registry *registry,
                            struct cli_console_signing **ret, struct cs_err *err)
{
    struct cli_console_signing *signing = calloc(1, sizeof *signing);
    int rc;

    if (!signing)
        return cs_err_nomem(err);
    signing->options = *options;
    cs_list_init(&signing->waiting);
    rc = cs_registry_add(registry, methods, CS_ARRAY_LEN(methods), signing, err);
    if (rc == CS_OK)
        *ret = signing;
    else
        free(signing);
    return rc;
}

void cli_console_signing_free(struct cli_console_signing *signing)
{
    if (!signing)
        return;
    cs_assert(cs_list_empty(&signing->waiting));
    free(signing);
}
