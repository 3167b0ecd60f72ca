#include "agent/config.h"

#include "shared/base/text.h"

#include <ini.h>
#include <stdio.h>

struct loading {
    const char *path;
    struct ag_config *config;
    struct ag_connector *connector; /* of the section that is being read */
    char section[CS_LIMIT_NAME_BYTES + 32];
    int line;
    struct cs_err *err;
};

static int wrong(struct loading *loading, const char *format, ...) CS_PRINTF(2, 3);

/* The sentence with file and line before it. */
static int wrong(struct loading *loading, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cs_err_setv(loading->err, CS_EINVAL, format, args);
    va_end(args);
    return cs_err_prefix(loading->err, "%s:%d", loading->path, loading->line);
}

/* ---- values */

static int take_text(struct loading *loading, const char *key, const char *value, char *out, size_t size)
{
    int len = snprintf(out, size, "%s", value);

    if (len <= 0 || (size_t)len >= size)
        return wrong(loading, "%s takes 1 to %zu characters", key, size - 1);
    return CS_OK;
}

static int take_address(struct loading *loading, const char *key, const char *value, struct ag_address *out)
{
    const char *colon = strrchr(value, ':');
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    const char *host = value;
    size_t len = colon ? (size_t)(colon - value) : 0;

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (!colon || !colon[1] || *end || port == 0 || port > UINT16_MAX || len == 0 || len >= sizeof out->host)
        return wrong(loading, "%s takes HOST:PORT, as in %s = controller.example:7443", key, key);
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    out->port = (uint16_t)port;
    return CS_OK;
}

static int take_seconds(struct loading *loading, const char *key, const char *value, uint32_t least,
                        uint32_t most, uint32_t *out)
{
    int64_t seconds = 0;

    if (cs_duration_parse(cs_slice_str(value), &seconds, NULL) != CS_OK || seconds < least || seconds > most)
        return wrong(loading, "%s takes a duration from %us to %us, as in 30s or 5m", key, least, most);
    *out = (uint32_t)seconds;
    return CS_OK;
}

static int take_bool(struct loading *loading, const char *key, const char *value, bool *out)
{
    *out = strcmp(value, "yes") == 0;
    return *out || strcmp(value, "no") == 0 ? CS_OK : wrong(loading, "%s takes yes or no", key);
}

static int take_path(struct loading *loading, const char *key, const char *value, char **out)
{
    if (value[0] != '/' || strlen(value) >= AG_LIMIT_PATH_BYTES - 32 || value[strlen(value) - 1] == '/')
        return wrong(loading, "%s takes the absolute path of a file", key);
    free(*out);
    *out = strdup(value);
    return *out ? CS_OK : cs_err_nomem(loading->err);
}

static int take_copy(struct loading *loading, const char *key, const char *value, char **out)
{
    if (!value[0] || strlen(value) > CS_LIMIT_NAME_BYTES)
        return wrong(loading, "%s takes a name or a number", key);
    free(*out);
    *out = strdup(value);
    return *out ? CS_OK : cs_err_nomem(loading->err);
}

/* ---- [agent] */

static int take_log_format(struct loading *loading, const char *key, const char *value)
{
    if (strcmp(value, "logfmt") == 0)
        loading->config->log_format = CS_LOG_LOGFMT;
    else if (strcmp(value, "json") == 0)
        loading->config->log_format = CS_LOG_JSON;
    else
        return wrong(loading, "%s takes logfmt or json", key);
    return CS_OK;
}

static int take_agent(struct loading *loading, const char *key, const char *value)
{
    struct ag_config *config = loading->config;

    if (strcmp(key, "controller") == 0)
        return take_address(loading, key, value, &config->controller);
    if (strcmp(key, "enrolment") == 0)
        return take_address(loading, key, value, &config->enrolment);
    if (strcmp(key, "state") == 0) {
        if (value[0] != '/')
            return wrong(loading, "state takes the absolute path of a folder");
        return take_text(loading, key, value, config->state, sizeof config->state);
    }
    if (strcmp(key, "server_name") == 0)
        return take_text(loading, key, value, config->server_name, sizeof config->server_name);
    if (strcmp(key, "log_format") == 0)
        return take_log_format(loading, key, value);
    if (strcmp(key, "log_level") == 0)
        return cs_log_level_parse(value, &config->log_level)
                   ? CS_OK
                   : wrong(loading, "log_level takes debug, info, warn or error");
    if (strcmp(key, "keepalive") == 0)
        return take_seconds(loading, key, value, 5, 3600, &config->keepalive_s);
    if (strcmp(key, "backoff_base") == 0)
        return take_seconds(loading, key, value, 1, 600, &config->backoff_base_s);
    if (strcmp(key, "backoff_max") == 0)
        return take_seconds(loading, key, value, 1, 86400, &config->backoff_max_s);
    if (strcmp(key, "check") == 0) {
        if (strcmp(value, "0") != 0)
            return take_seconds(loading, key, value, 1, 86400, &config->check_s);
        config->check_s = 0;
        return CS_OK;
    }
    if (strcmp(key, "generations_kept") == 0) {
        char *end = NULL;
        unsigned long kept = strtoul(value, &end, 10);

        if (*end || kept < 1 || kept > 100)
            return wrong(loading, "generations_kept takes a number from 1 to 100");
        config->generations_kept = (unsigned)kept;
        return CS_OK;
    }
    return wrong(
        loading,
        "\"%s\" is not known in [agent]; it takes controller, enrolment, state, server_name, log_format, "
        "log_level, keepalive, backoff_base, backoff_max, check, generations_kept",
        key);
}

/* ---- [connector "NAME"] */

static int take_reload(struct loading *loading, const char *value)
{
    struct ag_connector *connector = loading->connector;

    for (char **argument = connector->reload; *argument; argument++)
        free(*argument);
    if (!ag_arguments_split(value, connector->reload) || !connector->reload[0])
        return wrong(
            loading,
            "reload takes a program and its arguments, at most %d, with quotes closed; it is no shell line",
            (int)AG_LIMIT_ARGUMENTS);
    return CS_OK;
}

static int take_key_mode(struct loading *loading, const char *value)
{
    char *end = NULL;
    unsigned long mode = strtoul(value, &end, 8);

    if (*end || (mode & 0400) == 0 || (mode & ~0660UL) != 0)
        return wrong(loading, "key_mode takes an octal mode without rights for others, as in 0600 or 0640");
    loading->connector->key_mode = (unsigned)mode;
    return CS_OK;
}

static int take_connector(struct loading *loading, const char *key, const char *value)
{
    struct ag_connector *connector = loading->connector;

    if (strcmp(key, "application") == 0)
        return take_text(loading, key, value, connector->application, sizeof connector->application);
    if (strcmp(key, "certificate") == 0)
        return take_path(loading, key, value, &connector->certificate);
    if (strcmp(key, "key") == 0)
        return take_path(loading, key, value, &connector->key);
    if (strcmp(key, "bundle") == 0)
        return take_path(loading, key, value, &connector->bundle);
    if (strcmp(key, "owner") == 0)
        return take_copy(loading, key, value, &connector->owner);
    if (strcmp(key, "group") == 0)
        return take_copy(loading, key, value, &connector->group);
    if (strcmp(key, "key_mode") == 0)
        return take_key_mode(loading, value);
    if (strcmp(key, "adopt") == 0)
        return take_bool(loading, key, value, &connector->adopt);
    if (strcmp(key, "reload") == 0)
        return take_reload(loading, value);
    if (strcmp(key, "reload_timeout") == 0)
        return take_seconds(loading, key, value, 1, 3600, &connector->reload_timeout_s);
    return wrong(
        loading,
        "\"%s\" is not known in a connector; it takes application, certificate, key, bundle, owner, group, "
        "key_mode, adopt, reload, reload_timeout",
        key);
}

/* ---- sections */

static int begin_connector(struct loading *loading, struct cs_slice name)
{
    struct ag_connectors *all = &loading->config->connectors;

    if (cs_name_check(name, "a connector's name", loading->err) != CS_OK)
        return cs_err_prefix(loading->err, "%s:%d", loading->path, loading->line);
    if (all->count == CS_LIMIT_CONNECTORS_PER_DEVICE)
        return wrong(loading, "a device has at most %d connectors", (int)CS_LIMIT_CONNECTORS_PER_DEVICE);
    struct ag_connector *grown = realloc(all->items, (all->count + 1) * sizeof *grown);

    if (!grown)
        return cs_err_nomem(loading->err);
    all->items = grown;
    loading->connector = &grown[all->count];
    *loading->connector =
        (struct ag_connector){.application = "file", .key_mode = 0600, .reload_timeout_s = 30};
    memcpy(loading->connector->name, name.ptr, name.len);
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].name, loading->connector->name) == 0)
            return wrong(loading, "connector \"%s\" is declared twice", loading->connector->name);
    }
    all->count++;
    return CS_OK;
}

static int begin_section(struct loading *loading, const char *section)
{
    struct cs_slice text = cs_slice_str(section);
    struct cs_slice head = CS_SLICE_LIT("connector \"");

    loading->connector = NULL;
    if (snprintf(loading->section, sizeof loading->section, "%s", section) >= (int)sizeof loading->section)
        return wrong(loading, "the section's name is too long");
    if (strcmp(section, "agent") == 0)
        return CS_OK;
    if (!cs_slice_starts_with(text, head) || text.len <= head.len + 1 || text.ptr[text.len - 1] != '"')
        return wrong(loading, "there is no section [%s]; there are [agent] and [connector \"NAME\"]",
                     section);
    return begin_connector(loading, cs_slice(text.ptr + head.len, text.len - head.len - 1));
}

/* inih: 0 stops. */
static int on_value(void *user, const char *section, const char *key, const char *value, int line)
{
    struct loading *loading = user;
    int code = CS_OK;

    loading->line = line;
    if (strcmp(section, loading->section) != 0 || !section[0])
        code = begin_section(loading, section);
    if (!code)
        code = loading->connector ? take_connector(loading, key, value) : take_agent(loading, key, value);
    return code == CS_OK;
}

static int check(struct loading *loading)
{
    struct ag_config *config = loading->config;

    if (config->backoff_max_s < config->backoff_base_s)
        return cs_err_set(loading->err, CS_EINVAL, "%s: backoff_max is below backoff_base", loading->path);
    for (size_t i = 0; i < config->connectors.count; i++) {
        const struct ag_connector *one = &config->connectors.items[i];

        if (!one->certificate || !one->key)
            return cs_err_set(loading->err, CS_EINVAL, "%s: connector \"%s\" needs certificate and key",
                              loading->path, one->name);
        if (strcmp(one->certificate, one->key) == 0 ||
            (one->bundle &&
             (strcmp(one->bundle, one->key) == 0 || strcmp(one->bundle, one->certificate) == 0)))
            return cs_err_set(loading->err, CS_EINVAL,
                              "%s: connector \"%s\" names one path twice; for one file with both use bundle",
                              loading->path, one->name);
    }
    return CS_OK;
}

int ag_config_load(const char *path, struct ag_config *ret, struct cs_err *err)
{
    struct ag_config config = {
        .state = "/var/lib/countersign-agent",
        .server_name = "countersignd",
        .log_level = CS_LOG_INFO,
        .keepalive_s = 60,
        .backoff_base_s = 4,
        .backoff_max_s = 300,
        .check_s = 60,
        .generations_kept = 3,
    };
    struct loading loading = {.path = path, .config = &config, .err = err};
    int line = ini_parse(path, on_value, &loading);
    int code = CS_OK;

    if (line < 0)
        code = cs_err_set(err, CS_ENOTFOUND, "cannot read the configuration %s; -c FILE names another", path);
    else if (line > 0)
        code = loading.line == line
                   ? CS_EINVAL
                   : cs_err_set(err, CS_EINVAL, "%s:%d: neither a section nor `key = value`", path, line);
    if (!code)
        code = check(&loading);
    if (code)
        ag_config_free(&config);
    else
        *ret = config;
    return code;
}

void ag_config_free(struct ag_config *config)
{
    ag_connectors_free(&config->connectors);
}
