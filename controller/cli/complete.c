#include "controller/cli/complete.h"

#include "controller/cli/ask.h"
#include "controller/cli/cert_list.h"
#include "controller/cli/fetch.h"
#include "controller/cli/nearest.h"
#include "controller/cli/nouns.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"
#include "shared/crypto/crl.h"

/* More than anybody reads; and so many pages are asked for, so that a large inventory is not read to its end
 * for the sake of one key. */
enum { CANDIDATES_MOST = 200, PAGES_MOST = 5, WITHIN_MS = 1000, DESCRIPTION_BYTES = 200 };

struct completing {
    struct cli *cli;
    const struct cli_complete *at;
    char *offered[CANDIDATES_MOST];
    unsigned count;
};

/* Prints it, once, if what is there begins it. Cleaned: a name must not become two candidates, nor a
 * description move the cursor. */
static void offer(struct completing *c, const char *candidate, const char *description)
{
    struct cs_buf line = CS_BUF_EMPTY;

    /* A certificate may be called "--yes". */
    if (*candidate == '-' && c->at->want == CLI_COMPLETE_VALUE)
        return;
    if (!*candidate || strncmp(candidate, c->at->word, strlen(c->at->word)) != 0 ||
        c->count == CANDIDATES_MOST)
        return;
    for (unsigned i = 0; i < c->count; i++)
        if (strcmp(c->offered[i], candidate) == 0)
            return;
    c->offered[c->count] = strdup(candidate);
    if (!c->offered[c->count])
        return;
    c->count++;
    if (cs_buf_append_str(&line, c->at->lead) == CS_OK &&
        cli_clean(cs_slice_str(candidate), &line) == CS_OK && cs_buf_append_u8(&line, '\t') == CS_OK &&
        cli_clean(cs_slice_str(description), &line) == CS_OK)
        printf("%.*s\n", (int)line.len, (const char *)line.ptr);
    cs_buf_free(&line);
}

static void offer_all(struct completing *c, const char *const *words)
{
    for (; *words; words++)
        offer(c, *words, "");
}

/* ---- from the table of commands */

/* What a noun is good for: its verbs. */
static void list_verbs(const char *noun, char *out, size_t size)
{
    size_t used = 0;

    *out = '\0';
    for (const struct cli_command *command = cli_commands; command->noun && used < size; command++)
        if (command->verb && strcmp(command->noun, noun) == 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", command->verb);
}

static bool is_first_of_noun(const struct cli_command *command)
{
    for (const struct cli_command *before = cli_commands; before != command; before++)
        if (strcmp(before->noun, command->noun) == 0)
            return false;
    return true;
}

static void offer_commands(struct completing *c)
{
    for (const struct cli_command *command = cli_commands; command->noun; command++) {
        char verbs[DESCRIPTION_BYTES];

        if (!is_first_of_noun(command))
            continue;
        list_verbs(command->noun, verbs, sizeof verbs);
        offer(c, command->noun, command->verb ? verbs : command->summary);
    }
    offer(c, "help", "Help of a command");
}

static void offer_verbs(struct completing *c)
{
    for (const struct cli_command *command = cli_commands; command->noun; command++)
        if (command->verb && strcmp(command->noun, c->at->noun) == 0)
            offer(c, command->verb, command->summary);
}

static bool is_given(const struct cli_args *args, const struct cli_option *option)
{
    for (size_t i = 0; i < args->option_count; i++)
        if (strcmp(args->options[i].name, option->name) == 0)
            return !option->repeated;
    return false;
}

static void offer_options(struct completing *c)
{
    const struct cli_option *lists[] = {c->at->command ? c->at->command->options : NULL, cli_common_options};

    for (size_t i = 0; i < CS_ARRAY_LEN(lists); i++) {
        for (const struct cli_option *option = lists[i]; option && option->name; option++) {
            char text[64];

            if (is_given(&c->at->args, option))
                continue;
            snprintf(text, sizeof text, "%s%s", option->name[1] ? "--" : "-", option->name);
            offer(c, text, option->help);
        }
    }
    offer(c, "--help", "this command's help, with examples");
}

/* ---- words that are fixed */

static void offer_states(struct completing *c)
{
    offer_all(c, cli_show_state_options);
}

static void offer_colours(struct completing *c)
{
    for (unsigned colour = 1; colour <= _countersign_v1_Colour_MAX; colour++)
        offer(c, cli_show_colour_word((countersign_v1_Colour)colour),
              cli_show_colour_meaning((countersign_v1_Colour)colour));
}

static void offer_roles(struct completing *c)
{
    for (unsigned role = 1; role <= _countersign_v1_Role_MAX; role++)
        offer(c, cli_show_role_word((countersign_v1_Role)role), "");
}

/* RFC 5280 section 5.3.1 has 0 to 10; a hold is not for people to give. */
static void offer_reasons(struct completing *c)
{
    for (unsigned reason = 0; reason <= 10; reason++)
        if (reason != CS_CRL_REASON_HOLD && cs_crl_reason_text(reason))
            offer(c, cs_crl_reason_text(reason), "");
}

/* Of `cert list`. */
static void offer_list_words(struct completing *c)
{
    const char *word;

    for (size_t i = 0; (word = cli_cert_list_word(c->at->option->name, i)) != NULL; i++)
        offer(c, word, "");
}

static void offer_formats(struct completing *c)
{
    offer_all(c, cli_format_words);
}

static void offer_files(struct completing *c)
{
    (void)c;
    puts(":files");
}

static void offer_folders(struct completing *c)
{
    (void)c;
    puts(":dirs");
}

/* ---- from the home */

/* An empty one where none is kept. The caller frees *ret. */
static const countersign_v1_TrustPolicy *kept_policy(struct completing *c, struct cs_policy **ret)
{
    static const countersign_v1_TrustPolicy none;
    struct cs_err ignored;

    return cli_policy_kept(c->cli, ret, &ignored) == CS_OK ? cs_policy_body(*ret) : &none;
}

static void offer_people(struct completing *c)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    const countersign_v1_TrustPolicy *body = kept_policy(c, &policy);

    for (pb_size_t i = 0; i < body->operators_count; i++) {
        char roles[DESCRIPTION_BYTES] = "";
        size_t used = 0;

        for (pb_size_t k = 0; k < body->operators[i].roles_count && used < sizeof roles; k++)
            used += (size_t)snprintf(roles + used, sizeof roles - used, "%s%s", k ? ", " : "",
                                     cli_show_role_word(body->operators[i].roles[k]));
        offer(c, body->operators[i].name, roles);
    }
}

static void offer_rules(struct completing *c)
{
    cs_auto(cs_policy_freep) struct cs_policy *policy = NULL;
    const countersign_v1_TrustPolicy *body = kept_policy(c, &policy);

    for (pb_size_t i = 0; i < body->rules_count; i++)
        offer(c, body->rules[i].name, "");
}

/* ---- from the controller */

/* What a list of certificates is gone through for. */
typedef void (*offer_certificate_fn)(struct completing *c, const countersign_v1_Certificate *certificate);

static void offer_groups_of(struct completing *c, const countersign_v1_Certificate *certificate)
{
    for (pb_size_t i = 0; i < certificate->groups_count; i++)
        offer(c, certificate->groups[i], "");
}

static void offer_certificate(struct completing *c, const countersign_v1_Certificate *certificate)
{
    char id[2 * sizeof certificate->id.bytes + 1], until[CS_TIME_TEXT_BYTES], text[DESCRIPTION_BYTES];

    cs_time_text(certificate->not_after_s, until);
    snprintf(text, sizeof text, "%s, valid until %.10s", cli_show_colour_word(certificate->colour), until);
    offer(c, certificate->common_name, text);
    if (!*c->at->word)
        return;
    cs_hex(CS_PB_BYTES(&certificate->id), id);
    id[12] = '\0';
    snprintf(text, sizeof text, "%.100s, valid until %.10s", certificate->common_name, until);
    offer(c, id, text);
}

static void go_through_certificates(struct completing *c, const char *search, offer_certificate_fn each)
{
    struct cs_err ignored;
    cs_auto_free countersign_v1_ListCertificatesRequest *ask =
        CLI_NEW(countersign_v1_ListCertificatesRequest, &ignored);
    cs_auto_free countersign_v1_ListCertificatesResponse *reply =
        CLI_NEW(countersign_v1_ListCertificatesResponse, &ignored);

    if (!ask || !reply)
        return;
    snprintf(ask->search, sizeof ask->search, "%s", search);
    for (unsigned page = 0; page < PAGES_MOST; page++) {
        if (cli_call(c->cli, &cli_rpc_ListCertificates, ask, reply, &ignored) != CS_OK)
            return;
        for (pb_size_t i = 0; i < reply->certificates_count; i++)
            each(c, &reply->certificates[i]);
        if (!reply->more || !reply->next_page_token.size || c->count == CANDIDATES_MOST)
            return;
        CS_PB_SET(&ask->page_token, CS_PB_BYTES(&reply->next_page_token));
    }
}

static void offer_sessions(struct completing *c)
{
    struct cs_err ignored;
    cs_auto_free countersign_v1_ListSessionsResponse *reply =
        CLI_NEW(countersign_v1_ListSessionsResponse, &ignored);
    const countersign_v1_ListSessionsRequest ask = {0};

    if (!reply || cli_call(c->cli, &cli_rpc_ListSessions, &ask, reply, &ignored) != CS_OK)
        return;
    for (pb_size_t i = 0; i < reply->sessions_count; i++) {
        const countersign_v1_SessionInfo *one = &reply->sessions[i];
        char id[2 * sizeof one->id.bytes + 1], text[DESCRIPTION_BYTES];

        cs_hex(CS_PB_BYTES(&one->id), id);
        id[12] = '\0';
        snprintf(text, sizeof text, "%s, %s key, from %s", one->operator,
                 cli_show_key_kind_word(one->key_kind), one->peer);
        offer(c, id, text);
    }
}

static void offer_certificates(struct completing *c)
{
    go_through_certificates(c, c->at->word, offer_certificate);
}

static void offer_certificate_groups(struct completing *c)
{
    go_through_certificates(c, "", offer_groups_of);
}

/* What of a device is offered. */
enum of_device { OF_NAME, OF_TARGETS, OF_GROUPS };

static void offer_device(struct completing *c, const countersign_v1_Device *device, enum of_device what)
{
    char target[CLI_TEXT_BYTES];

    if (what == OF_NAME)
        offer(c, device->name, cli_show_presence(device));
    for (pb_size_t i = 0; what == OF_TARGETS && i < device->connectors_count; i++)
        offer(c, cli_show_target(device->name, device->connectors[i].name, target),
              device->connectors[i].application);
    for (pb_size_t i = 0; what == OF_GROUPS && i < device->groups_count; i++)
        offer(c, device->groups[i], "");
}

static void go_through_devices(struct completing *c, enum of_device what)
{
    struct cs_err ignored;
    cs_auto_free countersign_v1_ListDevicesResponse *reply =
        CLI_NEW(countersign_v1_ListDevicesResponse, &ignored);
    countersign_v1_ListDevicesRequest ask = {0};

    if (!reply)
        return;
    if (what != OF_GROUPS)
        snprintf(ask.search, sizeof ask.search, "%.*s", (int)strcspn(c->at->word, "/"), c->at->word);
    for (unsigned page = 0; page < PAGES_MOST; page++) {
        if (cli_call(c->cli, &cli_rpc_ListDevices, &ask, reply, &ignored) != CS_OK)
            return;
        for (pb_size_t i = 0; i < reply->devices_count; i++) {
            offer_device(c, &reply->devices[i], what);
            memcpy(ask.after_name, reply->devices[i].name, sizeof ask.after_name);
        }
        if (!reply->more || c->count == CANDIDATES_MOST)
            return;
    }
}

static void offer_devices(struct completing *c)
{
    go_through_devices(c, OF_NAME);
}

static void offer_targets(struct completing *c)
{
    go_through_devices(c, OF_TARGETS);
}

static void offer_device_groups(struct completing *c)
{
    go_through_devices(c, OF_GROUPS);
}

/* The device that was named before: as the operand just before it, or with --device. */
static const char *device_before(const struct completing *c)
{
    const struct cli_args *args = &c->at->args;

    for (size_t i = 0; i < args->option_count; i++)
        if (strcmp(args->options[i].name, "device") == 0)
            return args->options[i].value;
    return args->operand_count ? args->operands[args->operand_count - 1] : "";
}

static void offer_connectors(struct completing *c)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = NULL;
    struct cs_err ignored;

    if (cli_fetch_device(c->cli, device_before(c), &reply, &ignored) != CS_OK)
        return;
    for (pb_size_t i = 0; i < reply->device.connectors_count; i++)
        offer(c, reply->device.connectors[i].name, reply->device.connectors[i].application);
}

static void offer_requests(struct completing *c)
{
    struct cs_err ignored;
    cs_auto_free countersign_v1_ListRequestsResponse *reply =
        CLI_NEW(countersign_v1_ListRequestsResponse, &ignored);
    countersign_v1_ListRequestsRequest ask = {.open_only = true};

    for (unsigned page = 0; reply && page < PAGES_MOST; page++) {
        if (cli_call(c->cli, &cli_rpc_ListRequests, &ask, reply, &ignored) != CS_OK)
            return;
        for (pb_size_t i = 0; i < reply->requests_count; i++) {
            const countersign_v1_Request *request = &reply->requests[i];
            char number[CLI_TEXT_BYTES], text[DESCRIPTION_BYTES];

            snprintf(text, sizeof text, "%s: %.80s, by %s", cli_show_state_word(request->state),
                     request->certificate_name, request->requester);
            offer(c, cli_show_request_number(request->number, number), text);
            ask.before_number = request->number;
        }
        if (!reply->more || !reply->requests_count)
            return;
    }
}

/* Those of the request that was named before, or the newest. */
static void offer_orders(struct completing *c)
{
    struct cs_err ignored;
    cs_auto_free countersign_v1_ListOrdersResponse *reply =
        CLI_NEW(countersign_v1_ListOrdersResponse, &ignored);
    countersign_v1_ListOrdersRequest ask = {0};

    if (c->at->args.operand_count &&
        cli_args_number(c->at->args.operands[0], "REQ-", &ask.request_number, &ignored) != CS_OK)
        return;
    if (!reply || cli_call(c->cli, &cli_rpc_ListOrders, &ask, reply, &ignored) != CS_OK)
        return;
    for (pb_size_t i = 0; i < reply->orders_count; i++) {
        const countersign_v1_Order *order = &reply->orders[i];
        char number[CLI_TEXT_BYTES], target[CLI_TEXT_BYTES], text[DESCRIPTION_BYTES];

        snprintf(text, sizeof text, "%.60s: %.120s", cli_show_order_state(order),
                 cli_show_target(order->device_name, order->connector, target));
        offer(c, cli_show_order_number(order->number, number), text);
    }
}

/* ---- which is which */

/* By what stands for the value in help, and by the option or the noun where one word means several things.
 * The first that fits. */
static const struct {
    const char *value, *option, *noun;
    void (*offer)(struct completing *c);
} sources[] = {
    {"CERT", NULL, NULL, offer_certificates},
    {"DEVICE", NULL, NULL, offer_devices},
    {"CONNECTOR", NULL, NULL, offer_connectors},
    {"DEVICE/CONNECTOR", NULL, NULL, offer_targets},
    {"REQ-n", NULL, NULL, offer_requests},
    {"WO-n", NULL, NULL, offer_orders},
    {"WO-1,WO-4..WO-9", NULL, NULL, offer_orders},
    {"FORMAT", NULL, NULL, offer_formats},
    {"STATE", NULL, NULL, offer_states},
    {"COLOUR", NULL, NULL, offer_colours},
    {"ROLE", NULL, NULL, offer_roles},
    {"REASON", NULL, NULL, offer_reasons},
    {"ORDER", "sort", NULL, offer_list_words},
    {"KIND", "key-kind", NULL, offer_list_words},
    {"WHERE", "private-key", NULL, offer_list_words},
    {"RULE", NULL, NULL, offer_rules},
    {"NAME", "group", "cert", offer_certificate_groups},
    {"NAME", "group", NULL, offer_device_groups},
    {"GROUP", NULL, "device", offer_device_groups},
    {"FILE", NULL, NULL, offer_files},
    {"PATH", NULL, NULL, offer_files},
    {"DIR", NULL, NULL, offer_folders},
    {"NAME", "device", NULL, offer_devices},
    {"NAME", "connector", NULL, offer_connectors},
    {"NAME", "as", NULL, offer_people},
    {"NAME", "operator", NULL, offer_people},
    {"NAME", "", "device", offer_devices},
    {"NAME", "", "trust", offer_people},
    {"NAME", "", "operator", offer_people},
    {"ID", "", "session", offer_sessions},
};

static bool fits(size_t i, const struct cli_complete *at)
{
    const char *option = at->option ? at->option->name : "";

    return strcmp(sources[i].value, at->value) == 0 &&
           (!sources[i].option || strcmp(sources[i].option, option) == 0) &&
           (!sources[i].noun || strcmp(sources[i].noun, at->noun ? at->noun : "") == 0);
}

/* "bash|zsh|fish", or "orders|REQ-n": a word as it stands, or what such a value can be. */
static void offer_choices(struct completing *c)
{
    const char *at = c->at->value;

    while (*at) {
        size_t len = strcspn(at, "|");
        char word[64];
        bool known = false;

        snprintf(word, sizeof word, "%.*s", (int)len, at);
        for (size_t i = 0; i < CS_ARRAY_LEN(sources); i++) {
            if (strcmp(sources[i].value, word) != 0 || sources[i].option || sources[i].noun)
                continue;
            sources[i].offer(c);
            known = true;
        }
        if (!known)
            offer(c, word, "");
        at += len;
        at += *at == '|';
    }
}

static void offer_values(struct completing *c)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(sources); i++) {
        if (fits(i, c->at)) {
            sources[i].offer(c);
            return;
        }
    }
    if (strchr(c->at->value, '|'))
        offer_choices(c);
}

void cli_complete_run(struct cli *cli, int count, char *const *words)
{
    cs_auto_free struct cli_complete *at = calloc(1, sizeof *at);
    struct completing completing = {.cli = cli, .at = at};
    struct cs_err ignored;

    if (!at)
        return;
    cli_ask_never();
    cli_complete_at(count, words, at);
    cli->args = at->args;
    cli->hurry_ms = WITHIN_MS;
    cli->asks_nobody = true;
    switch (at->want) {
    case CLI_COMPLETE_NOTHING:
        break;
    case CLI_COMPLETE_COMMAND:
        offer_commands(&completing);
        break;
    case CLI_COMPLETE_VERB:
        offer_verbs(&completing);
        if (at->command && cli_complete_operand(at->command->operands, 0, at->value) &&
            cli_prepare(cli, &ignored) == CS_OK)
            offer_values(&completing);
        break;
    case CLI_COMPLETE_OPTION:
        offer_options(&completing);
        break;
    case CLI_COMPLETE_VALUE:
        if (cli_prepare(cli, &ignored) == CS_OK)
            offer_values(&completing);
        break;
    }
    for (unsigned i = 0; i < completing.count; i++)
        free(completing.offered[i]);
}

int cli_completion_run(struct cli *cli, struct cs_err *err)
{
    static const char *const shells[] = {"bash", "zsh", "fish", NULL};
    const char *const scripts[] = {cli_completion_bash, cli_completion_zsh, cli_completion_fish};
    size_t shell;
    int rc = cli_choose(cli->args.operands[0], "the shell", shells, &shell, err);

    if (rc != CS_OK) {
        cli->failure = CLI_USAGE;
        return rc;
    }
    fputs(scripts[shell], stdout);
    if (fflush(stdout) != 0)
        return cs_err_set(err, CS_EIO, "writing the script failed: is the disk full, or the pipe closed?");
    return CS_OK;
}
