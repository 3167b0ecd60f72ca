#include "agent/application.h"

#include "shared/base/text.h"
#include "shared/crypto/x509.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* Between two looks at what is served: most reloads are done in less. */
    LOOK_AGAIN_MS = 200,
    /* For one handshake: one that hangs must not use up the time of all others. */
    HANDSHAKE_MS = 3000,
};

static void begin(struct ag_application *application, struct ag_port *port,
                  const struct ag_connector *connector,
                  void (*on_end)(void *owner, const struct ag_answer *answer), void *owner)
{
    cs_assert(!application->connector);
    *application =
        (struct ag_application){.port = port, .connector = connector, .on_end = on_end, .owner = owner};
}

static void release(struct ag_application *application)
{
    cs_buf_wipe(&application->line);
    free(application->bundle);
    application->bundle = NULL;
    application->connector = NULL;
}

static void end(struct ag_application *application, enum ag_verdict verdict)
{
    application->answer.verdict = verdict;
    release(application);
    struct ag_answer answer = application->answer;

    application->on_end(application->owner, &answer);
}

static void end_saying(struct ag_application *application, enum ag_verdict verdict, const char *format, ...)
    CS_PRINTF(3, 4);
static void end_saying(struct ag_application *application, enum ag_verdict verdict, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(application->answer.detail, sizeof application->answer.detail, format, args);
    va_end(args);
    end(application, verdict);
}

void ag_application_stop(struct ag_application *application)
{
    if (!application->connector)
        return;
    application->port->stop(application->port);
    release(application);
}

/* ---- commands */

/* What a command's end means: `failed` and `late` are its verdicts. */
static void take_command(struct ag_application *application, const struct ag_command_result *result,
                         const char *program, unsigned timeout_s, enum ag_verdict failed,
                         enum ag_verdict late)
{
    const char *colon = result->output[0] ? ": " : "";

    snprintf(application->answer.unlimited, sizeof application->answer.unlimited, "%s",
             result->unlimited ? result->unlimited : "");
    switch (result->how) {
    case AG_COMMAND_EXITED:
        if (result->status == 0)
            end(application, AG_OK);
        else
            end_saying(application, failed, "%s ended with status %d%s%s", program, result->status, colon,
                       result->output);
        return;
    case AG_COMMAND_KILLED:
        end_saying(application, failed, "%s was ended by signal %d%s%s", program, result->status, colon,
                   result->output);
        return;
    case AG_COMMAND_TIMEOUT:
        end_saying(application, late, "%s did not end within %u s%s%s", program, timeout_s, colon,
                   result->output);
        return;
    case AG_COMMAND_NOT_STARTED:
        break;
    }
    end_saying(application, failed, "%s cannot be started%s%s", program, colon, result->output);
}

static void on_validated(void *owner, const struct ag_command_result *result)
{
    struct ag_application *application = owner;
    const struct ag_connector *connector = application->connector;

    take_command(application, result, connector->validate[0], connector->validate_timeout_s,
                 AG_VALIDATE_FAILED, AG_VALIDATE_TIMEOUT);
}

void ag_application_validate(struct ag_application *application, struct ag_port *port,
                             const struct ag_connector *connector,
                             void (*on_end)(void *owner, const struct ag_answer *answer), void *owner)
{
    const struct ag_command command = {connector->validate, connector->run_as,
                                       connector->validate_timeout_s * 1000, connector->processes};
    struct cs_err err = {0};

    begin(application, port, connector, on_end, owner);
    if (port->run(port, &command, on_validated, application, &err) != CS_OK)
        end_saying(application, AG_VALIDATE_FAILED, "%s cannot be started: %s", connector->validate[0],
                   err.msg);
}

static void on_reload_command(void *owner, const struct ag_command_result *result)
{
    struct ag_application *application = owner;
    const struct ag_connector *connector = application->connector;

    take_command(application, result, connector->reload.argv[0], connector->reload_timeout_s,
                 AG_RELOAD_FAILED, AG_RELOAD_TIMEOUT);
}

static void run_reload(struct ag_application *application)
{
    const struct ag_connector *connector = application->connector;
    const struct ag_command command = {connector->reload.argv, connector->run_as,
                                       connector->reload_timeout_s * 1000, connector->processes};
    struct cs_err err = {0};

    if (application->port->run(application->port, &command, on_reload_command, application, &err) != CS_OK)
        end_saying(application, AG_RELOAD_FAILED, "%s cannot be started: %s", connector->reload.argv[0],
                   err.msg);
}

/* ---- sockets */

static void on_talked(void *owner, const struct ag_talk_result *result);
static void on_set(void *owner, const struct ag_talk_result *result);

static void talk(struct ag_application *application, const char *expect,
                 void (*on_end)(void *owner, const struct ag_talk_result *result))
{
    const struct ag_connector *connector = application->connector;
    const struct ag_talk question = {connector->reload.address, cs_buf_slice(&application->line), expect,
                                     connector->reload_timeout_s * 1000};
    struct cs_err err = {0};

    if (application->port->talk(application->port, &question, on_end, application, &err) != CS_OK)
        end_saying(application, AG_RELOAD_FAILED, "%s: %s", connector->reload.address, err.msg);
}

static void end_talk(struct ag_application *application, const struct ag_talk_result *result)
{
    const char *address = application->connector->reload.address;

    if (result->timed_out)
        end_saying(application, AG_RELOAD_TIMEOUT, "%s did not answer within %u s%s%s", address,
                   application->connector->reload_timeout_s, result->answer[0] ? ": " : "", result->answer);
    else
        end_saying(application, AG_RELOAD_FAILED, "%s answered: %s", address, result->answer);
}

static void on_talked(void *owner, const struct ag_talk_result *result)
{
    struct ag_application *application = owner;

    if (result->good)
        end(application, AG_OK);
    else
        end_talk(application, result);
}

static void talk_admin(struct ag_application *application)
{
    const struct ag_reload *reload = &application->connector->reload;

    if (cs_buf_printf(&application->line, "%s\n", reload->send) != CS_OK)
        end_saying(application, AG_RELOAD_FAILED, "out of memory");
    else
        talk(application, reload->expect, on_talked);
}

/* haproxy's runtime API (Management Guide, "set ssl cert"): the new pair is set, then committed. It is in its
 * memory alone: the file is there for its next start. */
static void on_set(void *owner, const struct ag_talk_result *result)
{
    struct ag_application *application = owner;

    if (!result->good) {
        end_talk(application, result);
        return;
    }
    cs_buf_wipe(&application->line);
    if (cs_buf_printf(&application->line, "commit ssl cert %s\n", application->bundle) != CS_OK)
        end_saying(application, AG_RELOAD_FAILED, "out of memory");
    else
        talk(application, "Success", on_talked);
}

/* An empty line would end what is sent. */
static int append_lines(struct cs_buf *out, struct cs_slice text)
{
    int code = CS_OK;

    while (text.len > 0 && !code) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        size_t filled = len;

        while (filled > 0 && (text.ptr[filled - 1] == '\r' || text.ptr[filled - 1] == ' '))
            filled--;
        if (filled > 0)
            code = cs_buf_append(out, cs_slice(text.ptr, filled));
        if (filled > 0 && !code)
            code = cs_buf_append_u8(out, '\n');
        text = cs_slice_from(text, end ? len + 1 : len);
    }
    return code;
}

static void set_certificate(struct ag_application *application, const char *files)
{
    const struct ag_connector *connector = application->connector;
    cs_auto(cs_buf_wipe) struct cs_buf pem = CS_BUF_EMPTY;
    char path[AG_LIMIT_PATH_BYTES + 32];
    struct cs_err err = {0};
    int code;

    snprintf(path, sizeof path, "%s/%s", files, ag_file_leaf(connector, AG_FILE_BUNDLE));
    application->bundle = strdup(connector->paths[AG_FILE_BUNDLE]);
    /* In full at once: growing would copy the key. */
    code = application->bundle && cs_buf_reserve(&pem, CS_LIMIT_PEM_BYTES) == CS_OK &&
                   cs_buf_reserve(&application->line, CS_LIMIT_PEM_BYTES + AG_LIMIT_PATH_BYTES + 64) == CS_OK
               ? application->port->read_file(application->port, path, CS_LIMIT_PEM_BYTES, &pem, &err)
               : cs_err_nomem(&err);
    if (!code)
        code = cs_buf_printf(&application->line, "set ssl cert %s <<\n", application->bundle);
    if (!code)
        code = append_lines(&application->line, cs_buf_slice(&pem));
    if (!code)
        code = cs_buf_append_str(&application->line, "\n");
    if (code == CS_ENOTFOUND)
        end_saying(
            application, AG_RELOAD_FAILED,
            "haproxy cannot be told at its runtime socket to forget a certificate: take it out of haproxy's "
            "configuration, set reload to another way, and remove it then");
    else if (code)
        end_saying(application, AG_RELOAD_FAILED, "the bundle cannot be read for haproxy: %s",
                   err.code ? err.msg : "out of memory");
    else
        talk(application, "ransaction", on_set);
}

/* ---- signals, and all of them */

static void send_signal(struct ag_application *application)
{
    const struct ag_reload *reload = &application->connector->reload;
    struct cs_err err = {0};

    if (application->port->send_signal(application->port, reload->pid_file, reload->program, reload->signal,
                                       &err) != CS_OK)
        end_saying(application, AG_RELOAD_FAILED, "%s", err.msg);
    else
        end(application, AG_OK);
}

void ag_application_reload(struct ag_application *application, struct ag_port *port,
                           const struct ag_connector *connector, const char *files,
                           void (*on_end)(void *owner, const struct ag_answer *answer), void *owner)
{
    begin(application, port, connector, on_end, owner);
    switch (connector->reload.kind) {
    case AG_RELOAD_NONE:
        end(application, AG_OK);
        return;
    case AG_RELOAD_COMMAND:
    case AG_RELOAD_UNIT:
        run_reload(application);
        return;
    case AG_RELOAD_SIGNAL:
        send_signal(application);
        return;
    case AG_RELOAD_HAPROXY:
        set_certificate(application, files);
        return;
    case AG_RELOAD_ADMIN:
        talk_admin(application);
        return;
    }
}

/* ---- what is served */

static void look(void *owner);

/* The first bytes of a digest, as the other tools show them. */
static const char *short_hex(const struct cs_digest *digest, char out[17])
{
    return cs_hex(cs_slice(digest->bytes, 8), out);
}

static void say_what_is_served(struct ag_application *application, const struct ag_probe_result *result)
{
    const struct ag_probe *probe = &application->connector->probe;
    struct ag_answer *answer = &application->answer;
    char hex[17];

    answer->served = result->served;
    answer->leaf = result->leaf;
    /* The reason begins with the address. */
    if (!result->served)
        snprintf(answer->detail, sizeof answer->detail, "nothing is served: %s", result->why);
    else
        snprintf(answer->detail, sizeof answer->detail, "%s:%u serves the certificate %s…", probe->host,
                 (unsigned)probe->port, short_hex(&result->leaf, hex));
}

static void on_probed(void *owner, const struct ag_probe_result *result)
{
    struct ag_application *application = owner;
    struct ag_port *port = application->port;
    bool is_it = result->served && cs_digest_eq(&result->leaf, &application->proof.leaf);
    struct cs_err err = {0};

    say_what_is_served(application, result);
    /* Nobody there may be somebody who is just starting: asked once more before it counts as gone. */
    bool is_unsure = application->proof.is_gone && !result->served && !application->was_silent;

    application->was_silent = !result->served;
    if (is_it != application->proof.is_gone && !is_unsure) {
        end(application, AG_OK);
        return;
    }
    if ((is_unsure || port->ticks_ms(port) < application->until_ms) &&
        port->wait(port, LOOK_AGAIN_MS, look, application, &err) == CS_OK)
        return;
    end(application, AG_PROBE_FAILED);
}

static void look(void *owner)
{
    struct ag_application *application = owner;
    struct ag_port *port = application->port;
    int64_t left_ms = application->until_ms - port->ticks_ms(port);
    struct cs_err err = {0};

    if (left_ms < LOOK_AGAIN_MS)
        left_ms = LOOK_AGAIN_MS;
    if (left_ms > HANDSHAKE_MS)
        left_ms = HANDSHAKE_MS;
    if (port->probe(port, &application->connector->probe, (uint32_t)left_ms, on_probed, application, &err) !=
        CS_OK)
        end_saying(application, AG_PROBE_FAILED, "cannot look at what is served: %s", err.msg);
}

void ag_application_prove(struct ag_application *application, struct ag_port *port,
                          const struct ag_connector *connector, const struct ag_proof *proof,
                          void (*on_end)(void *owner, const struct ag_answer *answer), void *owner)
{
    begin(application, port, connector, on_end, owner);
    application->proof = *proof;
    application->until_ms = port->ticks_ms(port) + (int64_t)connector->probe_timeout_s * 1000;
    look(application);
}

/* ---- the leaf of a generation */

static int read_leaf(struct ag_port *port, const char *files, const char *name, bool der,
                     struct cs_digest *ret, struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    char path[AG_LIMIT_PATH_BYTES + 32];
    int code;

    snprintf(path, sizeof path, "%s/%s", files, name);
    if (cs_buf_reserve(&bytes, CS_LIMIT_PEM_BYTES) != CS_OK)
        return cs_err_nomem(err);
    code = port->read_file(port, path, CS_LIMIT_PEM_BYTES, &bytes, err);
    if (!code)
        code = der ? cs_chain_parse(cs_buf_slice(&bytes), &chain, err)
                   : cs_chain_parse_pem(cs_buf_slice(&bytes), &chain, err);
    if (!code)
        *ret = cs_sha256(cs_chain_der(chain, 0));
    return code;
}

int ag_application_leaf(struct ag_port *port, const struct ag_connector *connector, const char *files,
                        struct cs_digest *ret, struct cs_err *err)
{
    int code = read_leaf(port, files, "chain.pem", false, ret, err);

    /* What was there before the first push may be in the application's own form alone. */
    if (code == CS_ENOTFOUND)
        code = read_leaf(port, files, ag_file_leaf(connector, AG_FILE_BUNDLE), false, ret, err);
    if (code == CS_ENOTFOUND && connector->format == AG_FORMAT_DER)
        code = read_leaf(port, files, ag_file_leaf(connector, AG_FILE_CERTIFICATE), true, ret, err);
    return code;
}
