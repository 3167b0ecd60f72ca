#include "agent/config_impl.h"

#include "agent/connectors/presets.h"

#include <ini.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- values */

static int keep(struct ag_loading *loading, const char *value, char **out)
{
    free(*out);
    *out = strdup(value);
    return *out ? CS_OK : cs_err_nomem(loading->err);
}

static int take_path(struct ag_loading *loading, const char *key, const char *value, char **out)
{
    if (strcmp(value, "none") == 0) {
        free(*out);
        *out = NULL;
        return CS_OK;
    }
    if (value[0] != '/' || strlen(value) >= AG_LIMIT_PATH_BYTES - 32 || value[strlen(value) - 1] == '/' ||
        strstr(value, "/../") || strstr(value, "//"))
        return ag_config_wrong(loading, "%s takes the absolute path of a file, without .. in it", key);
    return keep(loading, value, out);
}

static int take_name(struct ag_loading *loading, const char *key, const char *value, char **out)
{
    if (!value[0] || strlen(value) > CS_LIMIT_NAME_BYTES)
        return ag_config_wrong(loading, "%s takes a name or a number, or none", key);
    if (strcmp(value, "none") == 0) {
        free(*out);
        *out = NULL;
        return CS_OK;
    }
    return keep(loading, value, out);
}

static int take_choice(struct ag_loading *loading, const char *key, const char *value,
                       const char *const *words, int *out)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) != 0)
            continue;
        *out = i;
        return CS_OK;
    }
    return words[2] ? ag_config_wrong(loading, "%s takes %s, %s or %s", key, words[0], words[1], words[2])
                    : ag_config_wrong(loading, "%s takes %s or %s", key, words[0], words[1]);
}

static int take_mode(struct ag_loading *loading, const char *value)
{
    char *end = NULL;
    unsigned long mode = strtoul(value, &end, 8);

    if (*end || (mode & 0400) == 0 || (mode & ~0660UL) != 0)
        return ag_config_wrong(loading,
                               "key_mode takes an octal mode without rights for others, as in 0600 or 0640");
    loading->connector->key_mode = (unsigned)mode;
    return CS_OK;
}

/* A list of at most `most`, by the rules of argument lists. */
static int take_list(struct ag_loading *loading, const char *key, const char *value, char **out, size_t most)
{
    char *words[AG_LIMIT_ARGUMENTS + 1];
    size_t count = 0;

    if (!ag_arguments_split(value, words))
        return ag_config_wrong(loading, "%s has an open quote, or too many words", key);
    while (words[count])
        count++;
    if (count > most) {
        for (size_t i = 0; i < count; i++)
            free(words[i]);
        return ag_config_wrong(loading, "%s takes at most %zu", key, most);
    }
    for (size_t i = 0; out[i]; i++)
        free(out[i]);
    memcpy(out, words, (count + 1) * sizeof *words);
    return CS_OK;
}

static int take_command(struct ag_loading *loading, const char *key, const char *value, char **out)
{
    if (strcmp(value, "none") == 0)
        value = "";
    int code = take_list(loading, key, value, out, AG_LIMIT_ARGUMENTS);

    if (!code && out[0] && out[0][0] != '/')
        return ag_config_wrong(
            loading, "%s takes the absolute path of a program and its arguments; it is no shell line", key);
    return code;
}

/* ---- reload = … */

static int usage(struct ag_loading *loading)
{
    return ag_config_wrong(
        loading, "reload takes /PROGRAM ARGUMENT…, unit NAME, restart-unit NAME, signal HUP PIDFILE PROGRAM, "
                 "haproxy SOCKET, admin ADDRESS \"LINE\" [\"EXPECTED\"], or none");
}

static int take_signal(struct ag_loading *loading, const char *name, int *out)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};

    for (size_t i = 0; i < CS_ARRAY_LEN(signals); i++) {
        if (strcmp(signals[i].name, name) != 0)
            continue;
        *out = signals[i].number;
        return CS_OK;
    }
    return ag_config_wrong(loading, "reload = signal takes HUP, USR1 or USR2");
}

static bool is_address(const char *text)
{
    char host[256];
    uint16_t port;

    return (text[0] == '/' && strlen(text) < 100) || ag_config_host_port(text, host, sizeof host, &port);
}

static int take_unit(struct ag_loading *loading, const char *verb, const char *unit)
{
    struct ag_reload *reload = &loading->connector->reload;
    const char *const argv[] = {"/usr/bin/systemctl", "--no-ask-password", verb, unit};

    reload->kind = AG_RELOAD_UNIT;
    for (size_t i = 0; i < CS_ARRAY_LEN(argv); i++) {
        int code = keep(loading, argv[i], &reload->argv[i]);

        if (code)
            return code;
    }
    return CS_OK;
}

/* `words` are the ones of the line; the reload is empty. */
static int take_reload_words(struct ag_loading *loading, char **words, size_t count)
{
    struct ag_reload *reload = &loading->connector->reload;
    int code = CS_OK;

    if (count == 2 && strcmp(words[0], "unit") == 0)
        return take_unit(loading, "reload", words[1]);
    if (count == 2 && strcmp(words[0], "restart-unit") == 0)
        return take_unit(loading, "restart", words[1]);
    if (count == 4 && strcmp(words[0], "signal") == 0 && words[2][0] == '/') {
        reload->kind = AG_RELOAD_SIGNAL;
        code = take_signal(loading, words[1], &reload->signal);
        if (!code)
            code = keep(loading, words[2], &reload->pid_file);
        return code ? code : keep(loading, words[3], &reload->program);
    }
    if (count == 2 && strcmp(words[0], "haproxy") == 0 && is_address(words[1])) {
        reload->kind = AG_RELOAD_HAPROXY;
        return keep(loading, words[1], &reload->address);
    }
    if ((count == 3 || count == 4) && strcmp(words[0], "admin") == 0 && is_address(words[1])) {
        reload->kind = AG_RELOAD_ADMIN;
        code = keep(loading, words[1], &reload->address);
        if (!code)
            code = keep(loading, words[2], &reload->send);
        return code || count == 3 ? code : keep(loading, words[3], &reload->expect);
    }
    return usage(loading);
}

static int take_reload(struct ag_loading *loading, const char *value)
{
    struct ag_reload *reload = &loading->connector->reload;
    char *words[AG_LIMIT_ARGUMENTS + 1];
    size_t count = 0;
    int code = CS_OK;

    ag_reload_clear(reload);
    if (strcmp(value, "none") == 0)
        return CS_OK;
    if (!ag_arguments_split(value, words) || !words[0])
        return usage(loading);
    while (words[count])
        count++;
    if (words[0][0] == '/') {
        reload->kind = AG_RELOAD_COMMAND;
        memcpy(reload->argv, words, sizeof words[0] * (count + 1));
        return CS_OK;
    }
    code = take_reload_words(loading, words, count);
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    return code;
}

/* ---- probe = … */

static int take_probe(struct ag_loading *loading, const char *value)
{
    struct ag_probe *probe = &loading->connector->probe;
    char host[256];

    if (strcmp(value, "none") == 0) {
        free(probe->host);
        probe->host = NULL;
        return CS_OK;
    }
    if (!ag_config_host_port(value, host, sizeof host, &probe->port))
        return ag_config_wrong(loading,
                               "probe takes HOST:PORT where the application serves its certificate, or none");
    return keep(loading, host, &probe->host);
}

/* ---- presets */

static int on_preset_value(void *user, const char *section, const char *key, const char *value, int line)
{
    struct ag_loading *loading = user;

    loading->line = line;
    if (section[0])
        return ag_config_wrong(loading, "a preset has no sections") == CS_OK;
    return ag_config_connector(loading, key, value) == CS_OK;
}

static int unknown_preset(struct ag_loading *loading, const char *name)
{
    char all[256];
    size_t len = 0;

    for (size_t i = 0; i < ag_preset_count && len < sizeof all; i++) {
        int added = snprintf(all + len, sizeof all - len, "%s%s", i > 0 ? ", " : "", ag_presets[i].name);

        len += added > 0 ? (size_t)added : 0;
    }
    return ag_config_wrong(loading, "there is no preset \"%s\"; there are %s", name, all);
}

static int take_preset(struct ag_loading *loading, const char *value)
{
    const struct ag_preset *preset = ag_preset_find(value);
    int line = loading->line;

    if (loading->preset || loading->keys > 0)
        return ag_config_wrong(loading,
                               "preset stands first in its section, so that what follows can override it");
    if (!preset)
        return unknown_preset(loading, value);
    loading->preset = preset->name;
    int wrong_line = ini_parse_string(preset->text, on_preset_value, loading);

    loading->preset = NULL;
    loading->line = line;
    if (wrong_line > 0 && !loading->err->code)
        return ag_config_wrong(loading, "preset %s:%d is neither a comment nor `key = value`", value,
                               wrong_line);
    return wrong_line == 0 ? CS_OK : CS_EINVAL;
}

/* ---- all keys */

static int take_bool(struct ag_loading *loading, const char *key, const char *value, bool *out)
{
    static const char *const words[] = {"yes", "no", NULL};
    int choice = 0;
    int code = take_choice(loading, key, value, words, &choice);

    *out = !code && choice == 0;
    return code;
}

static int take_processes(struct ag_loading *loading, const char *value)
{
    char *end = NULL;
    unsigned long processes = strtoul(value, &end, 10);

    if (!value[0] || *end || processes < 4 || processes > 100000)
        return ag_config_wrong(loading, "processes takes a number from 4 to 100000");
    loading->connector->processes = (unsigned)processes;
    return CS_OK;
}

/* CS_ENOTFOUND: it is none of these. */
static int take_files(struct ag_loading *loading, const char *key, const char *value)
{
    static const char *const files[AG_FILE_COUNT] = {"key", "certificate", "intermediates", "bundle"};
    static const char *const placements[] = {"links", "copies", NULL};
    static const char *const formats[] = {"pem", "der", NULL};
    static const char *const orders[] = {"certificate-first", "key-first", NULL};
    struct ag_connector *connector = loading->connector;
    int choice = 0, code;

    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        if (strcmp(key, files[i]) == 0)
            return take_path(loading, key, value, &connector->paths[i]);
    }
    if (strcmp(key, "placement") == 0) {
        code = take_choice(loading, key, value, placements, &choice);
        connector->placement = (enum ag_placement)choice;
        return code;
    }
    if (strcmp(key, "format") == 0) {
        code = take_choice(loading, key, value, formats, &choice);
        connector->format = (enum ag_format)choice;
        return code;
    }
    if (strcmp(key, "bundle_order") == 0) {
        code = take_choice(loading, key, value, orders, &choice);
        connector->key_first = choice == 1;
        return code;
    }
    if (strcmp(key, "owner") == 0)
        return take_name(loading, key, value, &connector->owner);
    if (strcmp(key, "group") == 0)
        return take_name(loading, key, value, &connector->group);
    if (strcmp(key, "key_mode") == 0)
        return take_mode(loading, value);
    if (strcmp(key, "adopt") == 0)
        return take_bool(loading, key, value, &connector->adopt);
    if (strcmp(key, "names") == 0)
        return take_list(loading, key, value, connector->names, AG_LIMIT_CONNECTOR_NAMES);
    return CS_ENOTFOUND;
}

static int take_behaviour(struct ag_loading *loading, const char *key, const char *value)
{
    static const char *const protocols[] = {"none", "smtp", "imap", NULL};
    struct ag_connector *connector = loading->connector;
    int choice = 0, code;

    if (strcmp(key, "validate") == 0)
        return take_command(loading, key, value, connector->validate);
    if (strcmp(key, "validate_timeout") == 0)
        return ag_config_seconds(loading, key, value, 1, 3600, &connector->validate_timeout_s);
    if (strcmp(key, "reload") == 0)
        return take_reload(loading, value);
    if (strcmp(key, "reload_timeout") == 0)
        return ag_config_seconds(loading, key, value, 1, 3600, &connector->reload_timeout_s);
    if (strcmp(key, "run_as") == 0)
        return take_name(loading, key, value, &connector->run_as);
    if (strcmp(key, "processes") == 0)
        return take_processes(loading, value);
    if (strcmp(key, "probe") == 0)
        return take_probe(loading, value);
    if (strcmp(key, "probe_name") == 0)
        return take_name(loading, key, value, &connector->probe.server_name);
    if (strcmp(key, "probe_timeout") == 0)
        return ag_config_seconds(loading, key, value, 1, 3600, &connector->probe_timeout_s);
    if (strcmp(key, "probe_starttls") == 0) {
        code = take_choice(loading, key, value, protocols, &choice);
        connector->probe.starttls = (enum ag_starttls)choice;
        return code;
    }
    if (strcmp(key, "writes") == 0)
        return take_list(loading, key, value, connector->writes, AG_LIMIT_CONNECTOR_WRITES);
    return CS_ENOTFOUND;
}

int ag_config_connector(struct ag_loading *loading, const char *key, const char *value)
{
    struct ag_connector *connector = loading->connector;
    int code;

    if (strcmp(key, "preset") == 0)
        code = take_preset(loading, value);
    else if (strcmp(key, "application") == 0)
        code = ag_config_text(loading, key, value, connector->application, sizeof connector->application);
    else
        code = take_files(loading, key, value);
    if (code == CS_ENOTFOUND)
        code = take_behaviour(loading, key, value);
    loading->keys++;
    if (code != CS_ENOTFOUND)
        return code;
    return ag_config_wrong(
        loading,
        "\"%s\" is not known in a connector; it takes preset, application, certificate, key, intermediates, "
        "bundle, bundle_order, format, placement, owner, group, key_mode, adopt, names, validate, "
        "validate_timeout, reload, reload_timeout, run_as, processes, probe, probe_name, probe_starttls, "
        "probe_timeout, "
        "writes",
        key);
}

void ag_config_connector_begin(struct ag_connector *connector)
{
    *connector = (struct ag_connector){
        .application = "file",
        .key_mode = 0600,
        .processes = AG_LIMIT_COMMAND_PROCESSES,
        .validate_timeout_s = 30,
        .reload_timeout_s = 30,
        .probe_timeout_s = 10,
    };
}

int ag_config_connector_check(const char *path, const struct ag_connector *connector, struct cs_err *err)
{
    char *const *paths = connector->paths;

    if (!paths[AG_FILE_BUNDLE] && (!paths[AG_FILE_CERTIFICATE] || !paths[AG_FILE_KEY]))
        return cs_err_set(err, CS_EINVAL, "%s: connector \"%s\" needs certificate and key, or bundle", path,
                          connector->name);
    for (size_t i = 0; i < AG_FILE_COUNT; i++) {
        for (size_t k = 0; k < i; k++) {
            if (paths[i] && paths[k] && strcmp(paths[i], paths[k]) == 0)
                return cs_err_set(
                    err, CS_EINVAL,
                    "%s: connector \"%s\" names one path twice; for one file with both use bundle", path,
                    connector->name);
        }
    }
    if (connector->reload.kind == AG_RELOAD_HAPROXY && !paths[AG_FILE_BUNDLE])
        return cs_err_set(err, CS_EINVAL, "%s: connector \"%s\" reloads haproxy, which takes a bundle", path,
                          connector->name);
    return CS_OK;
}
