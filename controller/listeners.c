#include "controller/listeners.h"

#include "controller/api/api.h"
#include "controller/api/health.h"
#include "controller/api/monitor.h"
#include "controller/api/sign_in.h"
#include "controller/api/transcode.h"
#include "controller/console/pages.h"
#include "controller/files.h"
#include "controller/fleet/fleet.h"
#include "shared/base/log.h"
#include "shared/net/server.h"

enum { SOCKET_MODE = 0660, DAY_MS = 24 * 60 * 60 * 1000 };
/* At once on a connection of whom nobody knows yet: twice what one may watch by. */
enum { OPERATOR_STREAMS = 2 * CTL_LIMIT_WATCHERS_CONNECTION };

enum which { AGENTS, ENROLMENT, ADMIN, OPERATORS, LISTENER_COUNT };
static const char *const names[LISTENER_COUNT] = {"agents", "enrolment", "admin", "operators"};

_Static_assert((unsigned)LISTENER_COUNT == (unsigned)CTL_LISTENERS, "what monitoring counts by");

struct listener {
    struct ctl_listeners *all;
    enum which which;
    struct cs_registry *registry;
    struct cs_server *server; /* NULL: not open on this shard, or closed */
};

struct ctl_listeners {
    struct ctl_shard *shard;
    struct listener each[LISTENER_COUNT];
    void (*on_closed)(struct ctl_shard *shard);
};

static int tls_new(const struct ctl_shared *shared, const struct cs_chain *anchors,
                   struct cs_tls_config **ret, struct cs_err *err)
{
    const struct cs_tls_options options = {
        .is_server = true,
        .certificate = ctl_vault_server_chain(shared->vault),
        .key = ctl_vault_server_key(shared->vault),
        .anchors = anchors,
        .require_peer = anchors != NULL,
        .alpn = "h2",
    };

    return cs_tls_config_new(&options, ret, err);
}

enum { CERTIFICATE_FILE_BYTES = 64 * 1024 };

/* The configuration's own certificate and key for the operators' listener. */
static int read_files(const struct ctl_config *config, struct cs_chain **ret_chain, struct cs_key **ret_key,
                      struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf pem = CS_BUF_EMPTY;
    cs_auto(cs_buf_wipe) struct cs_buf key_pem = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    int code = ctl_file_read(config->operators_certificate, CERTIFICATE_FILE_BYTES, false, &pem, err);

    if (code == CS_OK)
        code = cs_chain_parse_pem(cs_buf_slice(&pem), &chain, err);
    if (code != CS_OK)
        return cs_err_prefix(err, "operators_certificate");
    code = ctl_file_read(config->operators_key, CTL_LIMIT_KEY_FILE_BYTES, true, &key_pem, err);
    if (code == CS_OK)
        code = cs_key_parse(cs_buf_slice(&key_pem), CS_SLICE_EMPTY, CS_KEY_SIGN, &key, err);
    if (code != CS_OK)
        return cs_err_prefix(err, "operators_key, which must be a P-256 key without a passphrase");
    if (!cs_slice_eq(cs_chain_leaf_spki(chain), cs_key_spki(key)))
        return cs_err_set(err, CS_EINVAL,
                          "operators_key is not the key of the first certificate in operators_certificate");
    *ret_chain = cs_steal(chain);
    *ret_key = cs_steal(key);
    return CS_OK;
}

static int operators_tls_new(struct ctl_shared *shared, struct cs_err *err)
{
    const struct ctl_config *config = shared->config;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_tls_options options = {
        .is_server = true,
        .certificate = ctl_vault_server_chain(shared->vault),
        .key = ctl_vault_server_key(shared->vault),
        .alpn = "h2,http/1.1",
    };
    int code = CS_OK;

    if (!config->has_operators || config->operators_tls != CTL_OPERATORS_TLS_ON)
        return CS_OK;
    if (config->operators_certificate[0]) {
        code = read_files(config, &chain, &shared->operators_key, err);
        options.certificate = chain;
        options.key = shared->operators_key;
    }
    if (code == CS_OK && cs_buf_append(&shared->operators_spki, cs_key_spki(options.key)) != CS_OK)
        code = cs_err_nomem(err);
    return code == CS_OK ? cs_tls_config_new(&options, &shared->operators_tls, err) : code;
}

int ctl_listeners_tls_new(struct ctl_shared *shared, struct cs_err *err)
{
    int code = tls_new(shared, ctl_vault_agent_ca(shared->vault), &shared->agents_tls, err);

    if (code == CS_OK)
        code = tls_new(shared, NULL, &shared->enrolment_tls, err);
    return code == CS_OK ? operators_tls_new(shared, err) : code;
}

void ctl_listeners_tls_free(struct ctl_shared *shared)
{
    cs_tls_config_free(cs_steal(shared->agents_tls));
    cs_tls_config_free(cs_steal(shared->enrolment_tls));
    cs_tls_config_free(cs_steal(shared->operators_tls));
    cs_key_free(cs_steal(shared->operators_key));
    cs_buf_free(&shared->operators_spki);
}

/* One line for each peer that did not get as far as a call. */
static void on_refused(void *owner, const struct cs_peer *peer, const struct cs_err *why)
{
    const struct listener *listener = owner;

    cs_log(CS_LOG_WARN, "listener", "connection refused", CS_F("listener", names[listener->which]),
           CS_F("peer", peer->address), CS_F("error", why->msg), CS_FEND);
}

static int add_services(struct ctl_listeners *listeners, enum which which, struct cs_err *err)
{
    struct cs_registry *registry;
    int code = cs_registry_new(&listeners->each[which].registry, err);

    if (code != CS_OK)
        return code;
    registry = listeners->each[which].registry;
    switch (which) {
    case AGENTS:
        return cs_registry_add(registry, ctl_agent_methods, ctl_agent_methods_count, listeners->shard, err);
    case ENROLMENT:
        return cs_registry_add(registry, ctl_enrolment_methods, ctl_enrolment_methods_count, listeners->shard,
                               err);
    default:
        code = ctl_api_register(registry, listeners->shard, err);
        return code == CS_OK ? cs_registry_add(registry, ctl_health_methods, ctl_health_methods_count,
                                               listeners->shard, err)
                             : code;
    }
}

/* Over TLS others than this machine's reach the pages: /metrics takes a session there, unless it is opened.
 */
static struct cs_web web_of(const struct listener *listener)
{
    const struct ctl_shard *shard = listener->all->shard;
    const struct ctl_config *config = shard->shared->config;
    bool guarded = listener->which == OPERATORS && shard->shared->operators_tls && !config->open_metrics;

    return (struct cs_web){
        .connect = true,
        .transcode = &ctl_transcode,
        .routes = ctl_monitor_routes(shard->monitor, guarded),
        .route_count = CTL_MONITOR_ROUTES,
        .otherwise = listener->which == OPERATORS && config->console ? &ctl_pages_of_countersignd : NULL,
    };
}

static struct cs_server_options options_for(struct listener *listener)
{
    const struct ctl_shared *shared = listener->all->shard->shared;
    const struct ctl_config *config = shared->config;
    struct cs_server_options options = {
        .registry = listener->registry,
        .on_refused = on_refused,
        .owner = listener,
    };

    switch (listener->which) {
    case AGENTS:
        options.tls = shared->agents_tls;
        options.max_connections = config->max_connections / shared->shard_count + 1;
        options.keepalive_ms = config->keepalive_s * 1000;
        options.max_age_ms = DAY_MS;
        options.max_streams = 4; /* an agent needs one */
        options.slim = true;
        break;
    case ENROLMENT:
        options.tls = shared->enrolment_tls;
        options.max_connections = 1000;
        options.max_age_ms = 60 * 1000;
        options.max_streams = 4;
        break;
    case OPERATORS:
        options.tls = shared->operators_tls;
        options.max_connections = 1000;
        options.keepalive_ms = config->keepalive_s * 1000;
        options.max_age_ms = shared->operators_tls ? DAY_MS : 0;
        options.max_streams = OPERATOR_STREAMS;
        options.http1 = true;
        options.web = web_of(listener);
        break;
    default:
        options.max_connections = 1000;
        options.trust_peer_uid = true;
        options.http1 = true;
        options.web = web_of(listener);
        break;
    }
    return options;
}

static int open_one(struct ctl_listeners *listeners, enum which which, struct ctl_address *address,
                    struct cs_err *err)
{
    struct listener *listener = &listeners->each[which];
    struct cs_server_options options;
    char text[CTL_ADDRESS_TEXT_BYTES];
    int code;

    listener->all = listeners;
    listener->which = which;
    code = add_services(listeners, which, err);
    if (code != CS_OK)
        return code;
    options = options_for(listener);
    code = cs_server_new(&listeners->shard->loop, &options, &listener->server, err);
    if (code != CS_OK)
        return code;
    if (which == ADMIN)
        return cs_server_listen_unix(listener->server, listeners->shard->shared->config->admin_socket,
                                     SOCKET_MODE, err);
    code = cs_server_listen_tcp(listener->server, address->ip, address->port, which == AGENTS, &address->port,
                                err);
    return code == CS_OK
               ? code
               : cs_err_prefix(err, "listener %s on %s", names[which], ctl_address_text(address, text));
}

int ctl_listeners_open(struct ctl_shard *shard, struct ctl_addresses *addresses, struct cs_err *err)
{
    struct ctl_listeners *listeners = calloc(1, sizeof *listeners);
    int code;

    if (!listeners)
        return cs_err_nomem(err);
    listeners->shard = shard;
    shard->listeners = listeners; /* closed and freed with the shard, also half-open */
    code = open_one(listeners, AGENTS, &addresses->agents, err);
    if (shard->index != 0)
        return code;
    if (code == CS_OK)
        code = ctl_sign_in_new(shard, &shard->sign_in, err);
    if (code == CS_OK)
        code = ctl_monitor_new(shard, &shard->monitor, err);
    if (code == CS_OK)
        code = ctl_health_new(shard, &shard->health, err);
    if (code == CS_OK)
        code = open_one(listeners, ENROLMENT, &addresses->enrolment, err);
    if (code == CS_OK)
        code = open_one(listeners, ADMIN, NULL, err);
    if (code == CS_OK && shard->shared->config->has_operators)
        code = open_one(listeners, OPERATORS, &addresses->operators, err);
    if (code == CS_OK && shard->shared->config->console && !ctl_pages_are_built())
        cs_log(CS_LOG_WARN, "listener",
               "console = yes, and this build has none of its pages: build it where there is Node", CS_FEND);
    if (code == CS_OK && shard->shared->config->console && !shard->shared->operators_tls)
        cs_log(CS_LOG_WARN, "listener",
               "console = yes without TLS: every service on this address that the browser visits is sent its "
               "session's cookie",
               CS_FEND);
    return code;
}

static void maybe_closed(struct ctl_listeners *listeners)
{
    void (*on_closed)(struct ctl_shard *) = listeners->on_closed;

    for (size_t i = 0; i < LISTENER_COUNT; i++)
        if (listeners->each[i].server)
            return;
    listeners->on_closed = NULL;
    if (on_closed)
        on_closed(listeners->shard);
}

static void on_server_closed(void *owner)
{
    struct listener *listener = owner;

    listener->server = NULL;
    maybe_closed(listener->all);
}

void ctl_listeners_close(struct ctl_listeners *listeners, uint32_t grace_ms,
                         void (*on_closed)(struct ctl_shard *shard))
{
    listeners->on_closed = on_closed;
    for (size_t i = 0; i < LISTENER_COUNT; i++)
        if (listeners->each[i].server)
            cs_server_close(listeners->each[i].server, grace_ms, on_server_closed);
    maybe_closed(listeners);
}

void ctl_listeners_free(struct ctl_listeners *listeners)
{
    if (!listeners)
        return;
    for (size_t i = 0; i < LISTENER_COUNT; i++) {
        cs_assert(!listeners->each[i].server);
        cs_registry_free(listeners->each[i].registry);
    }
    free(listeners);
}

const char *ctl_listeners_name(unsigned which)
{
    cs_assert(which < LISTENER_COUNT);
    return names[which];
}

bool ctl_listeners_stats(const struct ctl_listeners *listeners, unsigned which, struct cs_server_stats *ret)
{
    cs_assert(which < LISTENER_COUNT);
    if (!listeners->each[which].server)
        return false;
    cs_server_stats(listeners->each[which].server, ret);
    return true;
}
