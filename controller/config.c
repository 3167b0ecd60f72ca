#include "controller/config.h"

#include "controller/crl_fetch.h"

#include "shared/base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <sched.h>
#include <stdlib.h>

/* How a key's text becomes a field. A parser answers false for a value that is not allowed; what is allowed
 * is said by the table. */
enum value_kind {
    VALUE_PATH,
    VALUE_URL, /* may be given again */
    VALUE_SOCKET_PATH,
    VALUE_ADDRESS,
    VALUE_NUMBER,
    VALUE_DURATION,
    VALUE_OPERATORS,
    VALUE_TLS,
    VALUE_YES,
    VALUE_FORMAT,
    VALUE_LEVEL
};

struct key {
    const char *name;
    enum value_kind kind;
    size_t offset;
    uint32_t least, most; /* VALUE_NUMBER; VALUE_DURATION: least */
    const char *fallback; /* NULL: worked out in settle() */
    const char *allowed;
    const char *meaning;
};

#define FIELD(field) offsetof(struct ctl_config, field)

static const struct key keys[] = {
    {"state", VALUE_PATH, FIELD(state), 0, 0, "/var/lib/countersign", "an absolute path",
     "folder of the store and the keys"},
    {"kek", VALUE_PATH, FIELD(kek), 0, 0, NULL, "an absolute path",
     "file of the key-encryption key (default STATE/keys/kek)"},
    {"admin_socket", VALUE_SOCKET_PATH, FIELD(admin_socket), 0, 0, "/run/countersign/admin.sock",
     "an absolute path of at most 107 bytes", "unix socket for operators' clients, mode 0660"},
    {"agents", VALUE_ADDRESS, FIELD(agents), 0, 0, "0.0.0.0:7443", "IP:PORT or [IPv6]:PORT",
     "listener of the agents, mutual TLS"},
    {"enrolment", VALUE_ADDRESS, FIELD(enrolment), 0, 0, "0.0.0.0:7444", "IP:PORT or [IPv6]:PORT",
     "listener of enrolments, server TLS"},
    {"operators", VALUE_OPERATORS, FIELD(operators), 0, 0, NULL, "IP:PORT or [IPv6]:PORT",
     "listener for operators who sign in with their keys, as 0.0.0.0:9443 (default: none)"},
    {"operators_tls", VALUE_TLS, FIELD(operators_tls), 0, 0, "auto", "auto, on or off",
     "TLS there; auto: unless its address is a loopback one, where alone it may be off"},
    {"operators_certificate", VALUE_PATH, FIELD(operators_certificate), 0, 0, NULL, "an absolute path",
     "PEM file with its certificate chain (default: one of the deployment's agent CA, which clients verify "
     "by "
     "the trust policy)"},
    {"operators_key", VALUE_PATH, FIELD(operators_key), 0, 0, NULL, "an absolute path",
     "PEM file with the private key of operators_certificate"},
    {"session_idle", VALUE_DURATION, FIELD(session_idle_s), 1, 0, "30m", "a duration, as 30m",
     "an operator's session without a call ends after this"},
    {"session_lifetime", VALUE_DURATION, FIELD(session_life_s), 1, 0, "12h", "a duration, as 12h",
     "an operator's session ends after this"},
    {"console", VALUE_YES, FIELD(console), 0, 0, "no", "yes or no",
     "the console's pages on the operators' listener, for those who have only a browser; a key made "
     "there completes no push unless a rule of the trust policy allows it"},
    {"open_metrics", VALUE_YES, FIELD(open_metrics), 0, 0, "no", "yes or no",
     "/metrics on the operators' listener also with TLS, to whoever reaches it"},
    {"metrics_certificates", VALUE_NUMBER, FIELD(metrics_certificates), 0, 5000, "500",
     "a number from 0 to 5000", "attached certificates with series of their own in /metrics"},
    {"shards", VALUE_NUMBER, FIELD(shards), 1, CTL_LIMIT_SHARDS, NULL, "a number from 1 to 64",
     "threads for connections (default: one a processor)"},
    {"max_connections", VALUE_NUMBER, FIELD(max_connections), 1, 1000000, "100000",
     "a number from 1 to 1000000", "agents connected at once; beyond it new ones are closed"},
    {"identity_lifetime", VALUE_DURATION, FIELD(identity_life_s), 10, 0, "30d",
     "a duration of at least 10s, as 30d or 12h",
     "validity of a device's identity certificate; the device renews it when half of it is over"},
    {"enrolments_per_second", VALUE_NUMBER, FIELD(enrolments_per_s), 1, 10000, "5",
     "a number from 1 to 10000", "enrolments from one address; more where a fleet stands behind one"},
    {"keepalive_seconds", VALUE_NUMBER, FIELD(keepalive_s), 1, 3600, "30", "a number from 1 to 3600",
     "a silent agent is asked for a sign of life after this"},
    {"drain_seconds", VALUE_NUMBER, FIELD(drain_s), 0, 300, "5", "a number from 0 to 300",
     "calls under way may take this long when the controller stops"},
    {"colour_blue", VALUE_DURATION, FIELD(settings.blue_s), 1, 0, "90d", "a duration, as 90d",
     "a certificate that expires within this is blue"},
    {"colour_yellow", VALUE_DURATION, FIELD(settings.yellow_s), 1, 0, "30d", "a duration, as 30d",
     "and yellow; at most colour_blue"},
    {"colour_orange", VALUE_DURATION, FIELD(settings.orange_s), 1, 0, "10d", "a duration, as 10d",
     "and orange; at most colour_yellow"},
    {"silence", VALUE_DURATION, FIELD(settings.silence_s), 1, 0, "15m", "a duration, as 15m",
     "an order in progress of which the device says nothing for this long has failed"},
    {"retry_first", VALUE_DURATION, FIELD(settings.retry_first_s), 1, 0, "30s", "a duration, as 30s",
     "wait after a failed first attempt; doubled after each one that follows"},
    {"retry_most", VALUE_DURATION, FIELD(settings.retry_most_s), 1, 0, "1h", "a duration, as 1h",
     "longest wait between two attempts"},
    {"crls", VALUE_PATH, FIELD(crls), 0, 0, NULL, "an absolute path",
     "folder whose NAME.crl files are imported when they come or change, each verified by its issuer's "
     "certificate: from the inventory, or NAME.pem beside it (default: none)"},
    {"crl_url", VALUE_URL, FIELD(crl_urls), 0, 0, NULL, "http://HOST[:PORT]/PATH, at most 8 of them",
     "a CRL that is fetched from there; may be given several times"},
    {"crls_every", VALUE_DURATION, FIELD(crls_every_s), 1, 0, "10m", "a duration, as 10m",
     "the folder is looked at again, notices or not, and URLs are asked, after this"},
    {"log", VALUE_FORMAT, FIELD(log_format), 0, 0, "logfmt", "logfmt or json", "form of log lines"},
    {"log_level", VALUE_LEVEL, FIELD(log_level), 0, 0, "info", "debug, info, warn or error",
     "least important lines that are written"},
};

enum { KEY_COUNT = CS_ARRAY_LEN(keys) };

struct parse {
    const char *file;
    struct ctl_config *config;
    unsigned line_of[KEY_COUNT]; /* where the key was given; 0: not yet */
    struct cs_err *err;
    bool failed;
};

bool ctl_address_parse(const char *text, struct ctl_address *ret)
{
    const char *colon = strrchr(text, ':');
    const char *ip = text;
    struct ctl_address address = {0};
    unsigned char binary[sizeof(struct in6_addr)];
    size_t ip_len;
    char *end;
    unsigned long port;

    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
        return false;
    ip_len = (size_t)(colon - text);
    if (text[0] == '[') {
        if (colon[-1] != ']' || ip_len < 3)
            return false;
        ip++;
        ip_len -= 2;
    }
    if (ip_len >= sizeof address.ip)
        return false;
    memcpy(address.ip, ip, ip_len);
    if (inet_pton(text[0] == '[' ? AF_INET6 : AF_INET, address.ip, binary) != 1)
        return false;
    errno = 0;
    port = strtoul(colon + 1, &end, 10);
    if (errno || *end || port > UINT16_MAX)
        return false;
    address.port = (uint16_t)port;
    *ret = address;
    return true;
}

char *ctl_address_text(const struct ctl_address *address, char *out)
{
    const char *format = strchr(address->ip, ':') ? "[%s]:%u" : "%s:%u";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, CTL_ADDRESS_TEXT_BYTES, format, address->ip, address->port);
#pragma GCC diagnostic pop
    return out;
}

static bool parse_text(const char *text, char *out, size_t room)
{
    size_t len = strlen(text);

    if (len >= room)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool parse_path(const char *text, char *out, size_t room)
{
    return text[0] == '/' && parse_text(text, out, room);
}

static bool parse_number(const char *text, const struct key *key, uint32_t *out)
{
    char *end;
    unsigned long number;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno || *end || number < key->least || number > key->most)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool parse_duration(const char *text, const struct key *key, int64_t *out)
{
    return cs_duration_parse(cs_slice_str(text), out, NULL) == CS_OK && *out >= key->least;
}

static bool parse_tls(const char *text, enum ctl_operators_tls *out)
{
    static const char *const words[] = {
        [CTL_OPERATORS_TLS_AUTO] = "auto", [CTL_OPERATORS_TLS_ON] = "on", [CTL_OPERATORS_TLS_OFF] = "off"};

    for (size_t i = 0; i < CS_ARRAY_LEN(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum ctl_operators_tls)i;
            return true;
        }
    return false;
}

static bool parse_yes(const char *text, bool *out)
{
    *out = strcmp(text, "yes") == 0;
    return *out || strcmp(text, "no") == 0;
}

static bool parse_format(const char *text, enum cs_log_format *out)
{
    bool json = strcmp(text, "json") == 0;

    if (!json && strcmp(text, "logfmt") != 0)
        return false;
    *out = json ? CS_LOG_JSON : CS_LOG_LOGFMT;
    return true;
}

static bool parse_value(const struct key *key, const char *text, struct ctl_config *config)
{
    void *field = (char *)config + key->offset;

    switch (key->kind) {
    case VALUE_PATH:
        return parse_path(text, field, CTL_LIMIT_PATH_BYTES);
    case VALUE_URL:
        return config->crl_url_count < CTL_LIMIT_CRL_URLS && ctl_crl_url_check(text) &&
               parse_text(text, config->crl_urls[config->crl_url_count++], CTL_LIMIT_PATH_BYTES);
    case VALUE_SOCKET_PATH:
        return parse_path(text, field, CTL_LIMIT_SOCKET_PATH_BYTES);
    case VALUE_ADDRESS:
        return ctl_address_parse(text, field);
    case VALUE_OPERATORS:
        config->has_operators = true;
        return ctl_address_parse(text, field);
    case VALUE_TLS:
        return parse_tls(text, field);
    case VALUE_YES:
        return parse_yes(text, field);
    case VALUE_NUMBER:
        return parse_number(text, key, field);
    case VALUE_DURATION:
        return parse_duration(text, key, field);
    case VALUE_FORMAT:
        return parse_format(text, field);
    case VALUE_LEVEL:
        return cs_log_level_parse(text, field);
    }
    return false;
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int refuse(struct parse *parse, int line, const char *format, ...) CS_PRINTF(3, 4);
static int refuse(struct parse *parse, int line, const char *format, ...)
{
    va_list args;

    parse->failed = true;
    va_start(args, format);
    cs_err_setv(parse->err, CS_EINVAL, format, args);
    va_end(args);
    cs_err_prefix(parse->err, "%s:%d", parse->file, line);
    return 0; /* inih's word for "stop" */
}

static int refuse_key(struct parse *parse, int line, const char *name)
{
    return refuse(parse, line, "unknown key '%.40s'; countersignd --help lists those that there are", name);
}

static int on_uid(struct parse *parse, uint32_t uid, const char *name, const char *value, int line)
{
    struct cs_err err;

    if (strcmp(name, "operators") != 0)
        return refuse(parse, line, "unknown key '%.40s'; [uid \"%u\"] has operators", name, (unsigned)uid);
    if (ctl_uids_add(&parse->config->uids, uid, value, &err) != CS_OK)
        return refuse(parse, line, "%s; write names of operators, as alice, bob", err.msg);
    return 1;
}

/* inih calls it for each `key = value`. */
static int on_value(void *data, const char *section, const char *name, const char *value, int line)
{
    struct parse *parse = data;
    const struct key *key;

    uint32_t uid;

    if (ctl_uids_section(section, &uid))
        return on_uid(parse, uid, name, value, line);
    if (strcmp(section, "controller") != 0)
        return refuse(parse, line, "unknown section [%.40s]; there are [controller] and [uid \"NUMBER\"]",
                      section);
    key = find_key(name);
    if (!key)
        return refuse_key(parse, line, name);
    if (parse->line_of[key - keys] && key->kind != VALUE_URL)
        return refuse(parse, line, "'%s' was given before, in line %u", name, parse->line_of[key - keys]);
    if (!parse_value(key, value, parse->config))
        return refuse(parse, line, "'%.60s' is not allowed for '%s'; write %s", value, name, key->allowed);
    parse->line_of[key - keys] = (unsigned)line;
    return 1;
}

static void set_defaults(struct ctl_config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].fallback)
            cs_assert(parse_value(&keys[i], keys[i].fallback, config));
}

/* Is the address of this machine alone? */
static bool is_loopback(const struct ctl_address *address)
{
    struct in6_addr six;

    if (inet_pton(AF_INET6, address->ip, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strncmp(address->ip, "127.", 4) == 0;
}

static int settle_operators(struct ctl_config *config, struct cs_err *err)
{
    bool has_files = config->operators_certificate[0] || config->operators_key[0];

    if (has_files && (!config->operators_certificate[0] || !config->operators_key[0]))
        return cs_err_set(err, CS_EINVAL,
                          "operators_certificate and operators_key belong together: give both");
    if (!config->has_operators && config->console)
        return cs_err_set(err, CS_EINVAL,
                          "console is yes, and there is no listener to serve it: give `operators`, as "
                          "0.0.0.0:9443");
    if (!config->has_operators)
        return CS_OK;
    if (config->operators_tls == CTL_OPERATORS_TLS_AUTO)
        config->operators_tls =
            is_loopback(&config->operators) && !has_files ? CTL_OPERATORS_TLS_OFF : CTL_OPERATORS_TLS_ON;
    if (config->operators_tls == CTL_OPERATORS_TLS_OFF && !is_loopback(&config->operators))
        return cs_err_set(
            err, CS_EINVAL,
            "operators_tls is off, and %s can be reached from other machines: leave operators_tls "
            "out, or listen on 127.0.0.1 or [::1]",
            config->operators.ip);
    if (config->operators_tls == CTL_OPERATORS_TLS_OFF && has_files)
        return cs_err_set(err, CS_EINVAL, "operators_tls is off, and operators_certificate is given");
    return CS_OK;
}

/* Defaults that depend on other values or on the machine. */
static int settle(struct ctl_config *config, const char *file, struct cs_err *err)
{
    if (!config->kek[0] &&
        snprintf(config->kek, sizeof config->kek, "%s/keys/kek", config->state) >= (int)sizeof config->kek)
        return cs_err_set(err, CS_EINVAL, "the path of the state folder is too long: '%s'", config->state);
    if (!config->shards) {
        cpu_set_t cpus;
        int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;

        config->shards = count > CTL_LIMIT_SHARDS ? CTL_LIMIT_SHARDS : (uint32_t)count;
    }
    if (ctl_settings_check(&config->settings, err) != CS_OK || settle_operators(config, err) != CS_OK)
        return cs_err_prefix(err, "%s", file);
    return CS_OK;
}

/* `outcome` is inih's: the first line that it could not read, negative for trouble with the file. */
static int finish(struct parse *parse, int outcome, struct ctl_config *ret, struct cs_err *err)
{
    int code;

    if (parse->failed)
        return CS_EINVAL;
    if (outcome > 0)
        return cs_err_set(err, CS_EINVAL, "%s:%d: expected '[controller]', 'key = value' or a comment",
                          parse->file, outcome);
    code = settle(parse->config, parse->file, err);
    if (code == CS_OK)
        *ret = *parse->config;
    return code;
}

int ctl_config_parse(const char *text, const char *name, struct ctl_config *ret, struct cs_err *err)
{
    struct ctl_config config;
    struct parse parse = {.file = name, .config = &config, .err = err};

    set_defaults(&config);
    return finish(&parse, ini_parse_string(text, on_value, &parse), ret, err);
}

int ctl_config_load(const char *path, struct ctl_config *ret, struct cs_err *err)
{
    struct ctl_config config;
    struct parse parse = {.file = path, .config = &config, .err = err};
    FILE *file;
    int outcome;

    set_defaults(&config);
    if (!path)
        return finish(&parse, 0, ret, err);
    file = fopen(path, "re");
    if (!file)
        return cs_err_set(err, errno == ENOENT ? CS_ENOTFOUND : CS_EIO,
                          "cannot read the configuration %s: %s", path, strerror(errno));
    outcome = ini_parse_file(file, on_value, &parse);
    fclose(file);
    return finish(&parse, outcome, ret, err);
}

void ctl_config_describe(FILE *out)
{
    fputs("[controller]\n", out);
    for (size_t i = 0; i < KEY_COUNT; i++)
        fprintf(out, "  %-18s %s%s%s%s; %s\n", keys[i].name, keys[i].meaning,
                keys[i].fallback ? " (default " : "", keys[i].fallback ? keys[i].fallback : "",
                keys[i].fallback ? ")" : "", keys[i].allowed);
    fputs("\n[uid \"NUMBER\"]\n"
          "  operators          whom this user of the machine may call as, on the admin socket: NAME, NAME; "
          "root "
          "and the user that\n"
          "                     countersignd runs as may call as anybody, and as the administrator\n",
          out);
}
