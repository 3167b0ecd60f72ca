/* CONNECTING --> TEXT (STARTTLS only) --> SECURING --> LEAVING --> told
 *     |   ^        |                        |  |         |
 *     |   +-- once, for TLS 1.2: tls12_look.h -+         |
 *     +------------+------------------------+------------+--> the end of connection or time: told */
#include "agent/port/probe.h"

#include "agent/port/socket.h"
#include "agent/port/starttls.h"
#include "shared/crypto/crypto.h"
#include "shared/net/tls.h"
#include "shared/net/tls12_look.h"

/* How long a server has to answer our goodbye before the connection is ended without it. */
enum { GOODBYE_MS = 300 };

struct probe {
    struct ag_task task;
    struct ag_socket socket;
    struct ag_starttls_talk text;
    struct cs_tls_config *config;
    struct cs_tls *tls;
    struct cs_tls12_look old; /* for a server that does not speak TLS 1.3 */
    bool is_old, begins_anew;
    uv_loop_t *loop;
    const struct ag_probe *what; /* borrowed: as long as it is under way */
    uint64_t until_ms;           /* by the loop's clock */
    enum { CONNECTING, TEXT, SECURING, LEAVING } phase;
    struct ag_probe_result result;
    struct cs_err why;
    void (*on_end)(void *owner, const struct ag_probe_result *result);
    void *owner;
};

static struct probe *of_socket(struct ag_socket *socket)
{
    return CS_CONTAINER_OF(socket, struct probe, socket);
}

static void probe_free(struct probe *probe)
{
    cs_tls12_look_free(&probe->old);
    cs_tls_free(probe->tls);
    cs_tls_config_free(probe->config);
    free(probe);
}

static void end(struct probe *probe)
{
    ag_socket_close(&probe->socket);
    if (!ag_task_end(&probe->task))
        return;
    if (!probe->result.served)
        probe->result.why = probe->why.msg;
    probe->on_end(probe->owner, &probe->result);
}

static void fail(struct probe *probe, const struct cs_err *why)
{
    probe->why = *why;
    cs_err_prefix(&probe->why, "%s", probe->socket.where);
    end(probe);
}

static int send_pending(struct probe *probe, struct cs_err *err)
{
    struct cs_buf *pending = cs_tls_pending(probe->tls);
    int code = pending->len ? ag_socket_send(&probe->socket, cs_buf_slice(pending), err) : CS_OK;

    cs_buf_clear(pending);
    return code;
}

/* Whatever goes wrong now, it has been seen which leaf is served. */
static void leave(struct probe *probe)
{
    struct cs_slice goodbye = cs_slice_str(ag_starttls_goodbye(probe->text.protocol));
    struct cs_err ignored;

    probe->result.served = true;
    probe->result.leaf = cs_sha256(cs_tls_peer_certificate(probe->tls));
    probe->phase = LEAVING;
    if (cs_tls_established(probe->tls)) {
        (void)!cs_tls_write(probe->tls, goodbye, &ignored);
        cs_tls_close(probe->tls);
    }
    if (send_pending(probe, &ignored) == CS_OK)
        ag_socket_finish(&probe->socket, GOODBYE_MS);
    else
        end(probe);
}

static void secure(struct probe *probe, struct cs_slice cipher)
{
    cs_auto(cs_buf_free) struct cs_buf plain = CS_BUF_EMPTY;
    struct cs_err err, ignored;
    int code = cs_tls_feed(probe->tls, cipher, &plain, &err);

    /* A server may show its leaf and refuse us in the same breath. */
    if (cs_tls_peer_certificate(probe->tls).len > 0) {
        leave(probe);
        return;
    }
    if (code == CS_EUNSUPPORTED && !probe->is_old) {
        probe->is_old = probe->begins_anew = true;
        ag_socket_close(&probe->socket);
    } else if (code) {
        (void)!send_pending(probe, &ignored); /* the alert that says why */
        fail(probe, &err);
    } else if (send_pending(probe, &err) != CS_OK) {
        fail(probe, &err);
    }
}

/* An address is no name that a server could be asked for: RFC 6066 section 3. */
static const char *name_to_ask_for(const struct ag_probe *what)
{
    struct sockaddr_in6 ignored;
    const char *name = what->server_name;

    return name && uv_ip4_addr(name, 0, (struct sockaddr_in *)&ignored) != 0 &&
                   uv_ip6_addr(name, 0, &ignored) != 0
               ? name
               : NULL;
}

static void begin_old_tls(struct probe *probe)
{
    cs_auto(cs_buf_free) struct cs_buf hello = CS_BUF_EMPTY;
    struct cs_err err;

    probe->phase = SECURING;
    if (cs_tls12_look_hello(&probe->old, name_to_ask_for(probe->what), &hello, &err) != CS_OK ||
        ag_socket_send(&probe->socket, cs_buf_slice(&hello), &err) != CS_OK)
        fail(probe, &err);
}

static void look_at_old(struct probe *probe, struct cs_slice bytes)
{
    struct cs_err err;

    if (cs_tls12_look_feed(&probe->old, bytes, &err) != CS_OK) {
        fail(probe, &err);
    } else if (probe->old.proven) {
        probe->result.served = true;
        probe->result.leaf = cs_sha256(cs_chain_der(probe->old.leaf, 0));
        end(probe);
    }
}

static void begin_tls(struct probe *probe)
{
    struct cs_err err;

    if (probe->is_old) {
        begin_old_tls(probe);
        return;
    }
    probe->phase = SECURING;
    if (cs_tls_start(probe->tls, &err) != CS_OK || send_pending(probe, &err) != CS_OK)
        fail(probe, &err);
}

static void hear_text(struct probe *probe, struct cs_slice bytes)
{
    const char *answer;
    struct cs_err err;

    if (ag_starttls_feed(&probe->text, bytes, &answer, &err) != CS_OK ||
        (answer && ag_socket_send(&probe->socket, cs_slice_str(answer), &err) != CS_OK))
        fail(probe, &err);
    else if (probe->text.step == AG_STARTTLS_READY)
        begin_tls(probe);
}

static void on_connected(struct ag_socket *socket)
{
    struct probe *probe = of_socket(socket);

    if (probe->text.protocol == AG_STARTTLS_NONE)
        begin_tls(probe);
    else
        probe->phase = TEXT;
}

static void on_bytes(struct ag_socket *socket, struct cs_slice bytes)
{
    struct probe *probe = of_socket(socket);

    if (probe->phase == TEXT)
        hear_text(probe, bytes);
    else if (probe->phase == SECURING && probe->is_old)
        look_at_old(probe, bytes);
    else if (probe->phase == SECURING)
        secure(probe, bytes);
}

static void on_over(struct ag_socket *socket, const struct cs_err *why)
{
    struct probe *probe = of_socket(socket);

    probe->why = *why;
    if (probe->phase == SECURING && why->code == CS_ECLOSED)
        cs_err_set(&probe->why, CS_ECLOSED,
                   "%s ended the connection during the TLS handshake: is TLS on there, and what does the "
                   "application's log say?",
                   socket->where);
    end(probe);
}

static void abandon(struct ag_task *task)
{
    ag_socket_close(&CS_CONTAINER_OF(task, struct probe, task)->socket);
}

static const struct ag_socket_events events;

/* The first connection is gone: one more, within the same time. */
static void begin_anew(struct probe *probe)
{
    uv_loop_t *loop = probe->loop;
    uint64_t now_ms = uv_now(loop);
    uint32_t left_ms = now_ms < probe->until_ms ? (uint32_t)(probe->until_ms - now_ms) : 1;
    struct cs_err err;

    probe->begins_anew = false;
    probe->phase = CONNECTING;
    probe->text = (struct ag_starttls_talk){.protocol = probe->what->starttls};
    memset(&probe->socket, 0, sizeof probe->socket);
    if (ag_socket_open(&probe->socket, loop, probe->what->host, probe->what->port, left_ms, &events, &err) ==
        CS_OK)
        return;
    probe->why = err;
    probe->result.why = probe->why.msg;
    if (ag_task_end(&probe->task))
        probe->on_end(probe->owner, &probe->result);
    probe_free(probe);
}

static void on_closed(struct ag_socket *socket)
{
    struct probe *probe = of_socket(socket);

    if (probe->begins_anew && probe->task.slot)
        begin_anew(probe);
    else
        probe_free(probe);
}

static const struct ag_socket_events events = {
    .on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_over = on_over,
    .on_closed = on_closed,
};

static int set_up(struct probe *probe, uv_loop_t *loop, const struct ag_probe *what, uint32_t timeout_ms,
                  struct cs_err *err)
{
    const struct cs_tls_options options = {.only_looks = true};
    int code = cs_tls_config_new(&options, &probe->config, err);

    if (!code)
        code = cs_tls_new(probe->config, name_to_ask_for(what), &probe->tls, err);
    if (!code)
        code = ag_socket_open(&probe->socket, loop, what->host, what->port, timeout_ms, &events, err);
    return code;
}

int ag_probe_begin(uv_loop_t *loop, struct ag_task **slot, const struct ag_probe *what, uint32_t timeout_ms,
                   void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                   struct cs_err *err)
{
    struct probe *probe = calloc(1, sizeof *probe);

    if (!probe)
        return cs_err_nomem(err);
    probe->on_end = on_end;
    probe->owner = owner;
    probe->text.protocol = what->starttls;
    probe->what = what;
    probe->loop = loop;
    probe->until_ms = uv_now(loop) + timeout_ms;
    int code = set_up(probe, loop, what, timeout_ms, err);

    if (code) {
        probe_free(probe);
        return code;
    }
    ag_task_begin(&probe->task, slot, abandon);
    return CS_OK;
}
