/* The pure part of remote.h: addresses and kept sessions between text and structs. */
#include "controller/cli/remote.h"

#include "shared/base/text.h"

#include <arpa/inet.h>
#include <ini.h>
#include <stdio.h>

enum { DEFAULT_PORT = 9443 };

static bool is_this_machine(const char *host)
{
    struct in_addr four;

    if (inet_pton(AF_INET, host, &four) == 1)
        return strncmp(host, "127.", 4) == 0;
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;
}

static bool copy_host(const char *text, size_t len, char ret[256])
{
    if (len == 0 || len >= 256)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:", text[i]))
            return false;
    memcpy(ret, text, len);
    ret[len] = '\0';
    return true;
}

static bool parse_authority(const char *text, struct cli_url *url)
{
    const char *host = text, *rest;
    size_t len;
    char *end;
    unsigned long port = DEFAULT_PORT;

    if (text[0] == '[') {
        host = text + 1;
        len = strcspn(host, "]");
        if (host[len] != ']')
            return false;
        rest = host + len + 1;
    } else {
        len = strcspn(text, ":/");
        rest = text + len;
    }
    if (!copy_host(host, len, url->host))
        return false;
    if (*rest == ':') {
        if (rest[1] < '0' || rest[1] > '9')
            return false;
        port = strtoul(rest + 1, &end, 10);
        rest = end;
    }
    url->port = (uint16_t)port;
    return port >= 1 && port <= UINT16_MAX && (*rest == '\0' || strcmp(rest, "/") == 0);
}

int cli_url_parse(const char *text, struct cli_url *ret, struct cs_err *err)
{
    struct cli_url url = {.tls = strncmp(text, "https://", 8) == 0};

    if ((!url.tls && strncmp(text, "http://", 7) != 0) || !parse_authority(text + (url.tls ? 8 : 7), &url))
        return cs_err_set(err, CS_EINVAL, "\"%.80s\" is no address of a controller: write https://HOST:PORT",
                          text);
    if (!url.tls && !is_this_machine(url.host))
        return cs_err_set(
            err, CS_EINVAL,
            "http:// is for this machine alone (127.0.0.1), because others can read along: write "
            "https://%.80s",
            url.host);
    *ret = url;
    return CS_OK;
}

int cli_url_write(const struct cli_url *url, struct cs_buf *out)
{
    bool six = strchr(url->host, ':') != NULL;

    return cs_buf_printf(out, "%s://%s%s%s:%u", url->tls ? "https" : "http", six ? "[" : "", url->host,
                         six ? "]" : "", url->port);
}

int cli_kept_session_write(const struct cli_kept_session *session, const char *url, struct cs_buf *out)
{
    return cs_buf_printf(out,
                         "; Whoever has this token speaks for the operator until it expires.\n"
                         "[session]\ncontroller = %s\noperator = %s\ntoken = %s\nexpires = %lld\n",
                         url, session->operator, session->token, (long long)session->expires_s);
}

struct reading {
    struct cli_kept_session session;
    const char *url;
    unsigned fields;
};

static int on_value(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    char *end;

    if (strcmp(section, "session") != 0)
        return 0;
    if (strcmp(name, "controller") == 0) {
        reading->fields |= 1;
        return strcmp(value, reading->url) == 0;
    }
    if (strcmp(name, "operator") == 0) {
        reading->fields |= 2;
        return snprintf(reading->session.operator, sizeof reading->session.operator, "%s", value) <
               (int)sizeof reading->session.operator;
    }
    if (strcmp(name, "token") == 0) {
        reading->fields |= 4;
        return *value && snprintf(reading->session.token, sizeof reading->session.token, "%s", value) <
                             (int)sizeof reading->session.token;
    }
    if (strcmp(name, "expires") == 0) {
        reading->fields |= 8;
        reading->session.expires_s = strtoll(value, &end, 10);
        return *value && !*end;
    }
    return 0;
}

static int on_line(void *user, const char *section, const char *name, const char *value, int line)
{
    (void)line;
    return on_value(user, section, name, value);
}

int cli_kept_session_parse(const char *text, const char *url, struct cli_kept_session *ret,
                           struct cs_err *err)
{
    struct reading reading = {.url = url};

    if (ini_parse_string(text, on_line, &reading) != 0 || reading.fields != 15)
        return cs_err_set(err, CS_EPARSE, "the kept session does not parse, or is another controller's");
    *ret = reading.session;
    return CS_OK;
}
