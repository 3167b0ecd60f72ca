#include "agent/config_impl.h"

#include "shared/base/text.h"

#include <ini.h>
#include <stdio.h>

int ag_config_wrong(struct ag_loading *loading, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cs_err_setv(loading->err, CS_EINVAL, format, args);
    va_end(args);
    if (loading->preset)
        return cs_err_prefix(loading->err, "preset %s:%d", loading->preset, loading->line);
    return cs_err_prefix(loading->err, "%s:%d", loading->path, loading->line);
}

/* ---- values */

int ag_config_text(struct ag_loading *loading, const char *key, const char *value, char *out, size_t size)
{
    int len = snprintf(out, size, "%s", value);

    if (len <= 0 || (size_t)len >= size)
        return ag_config_wrong(loading, "%s takes 1 to %zu characters", key, size - 1);
    return CS_OK;
}

bool ag_config_host_port(const char *value, char *ret_host, size_t size, uint16_t *ret_port)
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
    if (!colon || !colon[1] || *end || port == 0 || port > UINT16_MAX || len == 0 || len >= size)
        return false;
    memcpy(ret_host, host, len);
    ret_host[len] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

static int take_address(struct ag_loading *loading, const char *key, const char *value,
                        struct ag_address *out)
{
    return ag_config_host_port(value, out->host, sizeof out->host, &out->port)
               ? CS_OK
               : ag_config_wrong(loading, "%s takes HOST:PORT, as in %s = controller.example:7443", key, key);
}

int ag_config_seconds(struct ag_loading *loading, const char *key, const char *value, uint32_t least,
                      uint32_t most, uint32_t *out)
{
    int64_t seconds = 0;

    if (cs_duration_parse(cs_slice_str(value), &seconds, NULL) != CS_OK || seconds < least || seconds > most)
        return ag_config_wrong(loading, "%s takes a duration from %us to %us, as in 30s or 5m", key, least,
                               most);
    *out = (uint32_t)seconds;
    return CS_OK;
}

/* ---- [agent] */

static int take_log_format(struct ag_loading *loading, const char *key, const char *value)
{
    if (strcmp(value, "logfmt") == 0)
        loading->config->log_format = CS_LOG_LOGFMT;
    else if (strcmp(value, "json") == 0)
        loading->config->log_format = CS_LOG_JSON;
    else
        return ag_config_wrong(loading, "%s takes logfmt or json", key);
    return CS_OK;
}

static int take_agent(struct ag_loading *loading, const char *key, const char *value)
{
    struct ag_config *config = loading->config;

    if (strcmp(key, "controller") == 0)
        return take_address(loading, key, value, &config->controller);
    if (strcmp(key, "enrolment") == 0)
        return take_address(loading, key, value, &config->enrolment);
    if (strcmp(key, "state") == 0) {
        if (value[0] != '/')
            return ag_config_wrong(loading, "state takes the absolute path of a folder");
        return ag_config_text(loading, key, value, config->state, sizeof config->state);
    }
    if (strcmp(key, "server_name") == 0)
        return ag_config_text(loading, key, value, config->server_name, sizeof config->server_name);
    if (strcmp(key, "log_format") == 0)
        return take_log_format(loading, key, value);
    if (strcmp(key, "log_level") == 0)
        return cs_log_level_parse(value, &config->log_level)
                   ? CS_OK
                   : ag_config_wrong(loading, "log_level takes debug, info, warn or error");
    if (strcmp(key, "keepalive") == 0)
        return ag_config_seconds(loading, key, value, 5, 3600, &config->keepalive_s);
    if (strcmp(key, "backoff_base") == 0)
        return ag_config_seconds(loading, key, value, 1, 600, &config->backoff_base_s);
    if (strcmp(key, "backoff_max") == 0)
        return ag_config_seconds(loading, key, value, 1, 86400, &config->backoff_max_s);
    if (strcmp(key, "check") == 0) {
        if (strcmp(value, "0") != 0)
            return ag_config_seconds(loading, key, value, 1, 86400, &config->check_s);
        config->check_s = 0;
        return CS_OK;
    }
    if (strcmp(key, "generations_kept") == 0) {
        char *end = NULL;
        unsigned long kept = strtoul(value, &end, 10);

        if (*end || kept < 1 || kept > 100)
            return ag_config_wrong(loading, "generations_kept takes a number from 1 to 100");
        config->generations_kept = (unsigned)kept;
        return CS_OK;
    }
    return ag_config_wrong(
        loading,
        "\"%s\" is not known in [agent]; it takes controller, enrolment, state, server_name, log_format, "
        "log_level, keepalive, backoff_base, backoff_max, check, generations_kept",
        key);
}

/* ---- sections */

static int begin_connector(struct ag_loading *loading, struct cs_slice name)
{
    struct ag_connectors *all = &loading->config->connectors;

    if (cs_name_check(name, "a connector's name", loading->err) != CS_OK)
        return cs_err_prefix(loading->err, "%s:%d", loading->path, loading->line);
    if (all->count == CS_LIMIT_CONNECTORS_PER_DEVICE)
        return ag_config_wrong(loading, "a device has at most %d connectors",
                               (int)CS_LIMIT_CONNECTORS_PER_DEVICE);
    struct ag_connector *grown = realloc(all->items, (all->count + 1) * sizeof *grown);

    if (!grown)
        return cs_err_nomem(loading->err);
    all->items = grown;
    loading->connector = &grown[all->count];
    ag_config_connector_begin(loading->connector);
    loading->keys = 0;
    memcpy(loading->connector->name, name.ptr, name.len);
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].name, loading->connector->name) == 0)
            return ag_config_wrong(loading, "connector \"%s\" is declared twice", loading->connector->name);
    }
    all->count++;
    return CS_OK;
}

static int begin_section(struct ag_loading *loading, const char *section)
{
    struct cs_slice text = cs_slice_str(section);
    struct cs_slice head = CS_SLICE_LIT("connector \"");

    loading->connector = NULL;
    if (snprintf(loading->section, sizeof loading->section, "%s", section) >= (int)sizeof loading->section)
        return ag_config_wrong(loading, "the section's name is too long");
    if (strcmp(section, "agent") == 0)
        return CS_OK;
    if (!cs_slice_starts_with(text, head) || text.len <= head.len + 1 || text.ptr[text.len - 1] != '"')
        return ag_config_wrong(
            loading, "there is no section [%s]; there are [agent] and [connector \"NAME\"]", section);
    return begin_connector(loading, cs_slice(text.ptr + head.len, text.len - head.len - 1));
}

/* inih: 0 stops. */
static int on_value(void *user, const char *section, const char *key, const char *value, int line)
{
    struct ag_loading *loading = user;
    int code = CS_OK;

    loading->line = line;
    if (strcmp(section, loading->section) != 0 || !section[0])
        code = begin_section(loading, section);
    if (!code)
        code =
            loading->connector ? ag_config_connector(loading, key, value) : take_agent(loading, key, value);
    return code == CS_OK;
}

/* Two connectors with one path would take it from each other. */
static int check_apart(struct ag_loading *loading, const struct ag_connector *one,
                       const struct ag_connector *other)
{
    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        for (size_t k = 0; k < AG_FILE_COUNT; k++) {
            if (one->paths[i] && other->paths[k] && strcmp(one->paths[i], other->paths[k]) == 0)
                return cs_err_set(loading->err, CS_EINVAL, "%s: connectors \"%s\" and \"%s\" both have %s",
                                  loading->path, other->name, one->name, one->paths[i]);
        }
    }
    return CS_OK;
}

static int check(struct ag_loading *loading)
{
    struct ag_config *config = loading->config;

    if (config->backoff_max_s < config->backoff_base_s)
        return cs_err_set(loading->err, CS_EINVAL, "%s: backoff_max is below backoff_base", loading->path);
    for (size_t i = 0; i < config->connectors.count; i++) {
        const struct ag_connector *one = &config->connectors.items[i];
        int code = ag_config_connector_check(loading->path, one, loading->err);

        for (size_t k = 0; !code && k < i; k++)
            code = check_apart(loading, one, &config->connectors.items[k]);
        if (code)
            return code;
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
        .check_s = 3600,
        .generations_kept = 3,
    };
    struct ag_loading loading = {.path = path, .config = &config, .err = err};
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
