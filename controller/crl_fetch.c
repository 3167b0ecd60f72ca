#include "controller/crl_fetch.h"

#include "controller/crl_import.h"
#include "shared/base/log.h"
#include "shared/base/version.h"
#include "shared/net/http1_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 60 * 1000, CONNECT_MS = 10 * 1000, CHUNK_BYTES = 16 * 1024 };

struct url {
    const char *text; /* of the configuration */
    char last_modified[48];
    bool complained;
};

struct ctl_crl_fetch {
    struct ctl_crl_importer importer;
    int64_t every_s;
    struct url urls[CTL_LIMIT_CRL_URLS];
    size_t count;
    int ended; /* eventfd: readable once the thread has to end */
    pthread_t thread;
    bool started;
};

/* ---- URLs */

struct place {
    char host[256], port[8];
    const char *path;
};

static bool take_host(const char *at, size_t len, char *out, size_t room)
{
    if (len > 2 && at[0] == '[' && at[len - 1] == ']') {
        at++;
        len -= 2;
    }
    if (len == 0 || len >= room)
        return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return strspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") == len;
}

static bool split(const char *url, struct place *ret)
{
    static const char scheme[] = "http://";
    const char *host = url + strlen(scheme), *path, *colon = NULL;
    size_t host_len;

    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return false;
    path = strchr(host, '/');
    if (!path)
        return false;
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at >= 0x7f || *at == '#')
            return false;
    for (const char *at = host; at < path; at++)
        colon = *at == ':' ? at : *at == ']' ? NULL : colon;
    host_len = (size_t)((colon ? colon : path) - host);
    snprintf(ret->port, sizeof ret->port, "%.*s", colon ? (int)(path - colon - 1) : 2,
             colon ? colon + 1 : "80");
    ret->path = path;
    return take_host(host, host_len, ret->host, sizeof ret->host) && ret->port[0] && strlen(ret->port) <= 5 &&
           strspn(ret->port, "0123456789") == strlen(ret->port);
}

bool ctl_crl_url_check(const char *url)
{
    struct place place;

    return split(url, &place);
}

/* ---- one exchange, within a time */

struct exchange {
    const struct ctl_crl_fetch *fetch;
    int fd;
    int64_t until_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the socket is ready, the time is over, or the controller stops. */
static int wait_for(const struct exchange *exchange, short events, struct cs_err *err)
{
    struct pollfd polls[] = {{.fd = exchange->fd, .events = events},
                             {.fd = exchange->fetch->ended, .events = POLLIN}};
    int64_t left_ms = exchange->until_ms - now_ms();
    int ready = left_ms > 0 ? poll(polls, CS_ARRAY_LEN(polls), (int)left_ms) : 0;

    if (ready > 0 && polls[1].revents)
        return cs_err_set(err, CS_ECLOSED, "the controller is stopping");
    if (ready == 0)
        return cs_err_set(err, CS_ETIMEOUT, "the server did not answer in time");
    return CS_OK; /* an error of the socket shows when it is used */
}

static int from_errno(const char *doing, struct cs_err *err)
{
    return cs_err_set(err, CS_EIO, "cannot %s: %s", doing, strerror(errno));
}

static int connect_to(struct exchange *exchange, const struct addrinfo *address, struct cs_err *err)
{
    int error = 0, rc;
    socklen_t len = sizeof error;

    exchange->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (exchange->fd < 0)
        return from_errno("open a socket", err);
    if (connect(exchange->fd, address->ai_addr, address->ai_addrlen) == 0)
        return CS_OK;
    if (errno != EINPROGRESS)
        return from_errno("connect", err);
    exchange->until_ms = now_ms() + CONNECT_MS;
    rc = wait_for(exchange, POLLOUT, err);
    if (rc == CS_OK && (getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)) {
        errno = error;
        rc = from_errno("connect", err);
    }
    return rc;
}

static void hang_up(struct exchange *exchange)
{
    if (exchange->fd >= 0)
        close(exchange->fd);
    exchange->fd = -1;
}

static int connect_any(struct exchange *exchange, const struct place *place, struct cs_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *addresses = NULL;
    int rc = getaddrinfo(place->host, place->port, &hints, &addresses);

    if (rc != 0)
        return cs_err_set(err, CS_EIO, "cannot find %.100s: %s", place->host, gai_strerror(rc));
    rc = CS_EIO;
    for (const struct addrinfo *at = addresses; at && rc != CS_OK && rc != CS_ECLOSED; at = at->ai_next) {
        hang_up(exchange);
        rc = connect_to(exchange, at, err);
    }
    freeaddrinfo(addresses);
    return rc;
}

static int send_all(struct exchange *exchange, struct cs_slice bytes, struct cs_err *err)
{
    while (bytes.len) {
        ssize_t sent = send(exchange->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        int rc;

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return from_errno("send", err);
        if (sent > 0) {
            bytes = cs_slice_from(bytes, (size_t)sent);
            continue;
        }
        rc = wait_for(exchange, POLLOUT, err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static int receive(struct exchange *exchange, struct cs_http1_reply *reply, struct cs_err *err)
{
    uint8_t chunk[CHUNK_BYTES];
    int rc = CS_OK;

    while (rc == CS_OK && !cs_http1_reply_is_complete(reply)) {
        ssize_t got = recv(exchange->fd, chunk, sizeof chunk, 0);

        if (got == 0)
            return cs_http1_reply_end(reply, err);
        if (got > 0)
            rc = cs_http1_reply_feed(reply, cs_slice(chunk, (size_t)got), err);
        else if (errno == EAGAIN || errno == EINTR)
            rc = wait_for(exchange, POLLIN, err);
        else
            rc = from_errno("receive", err);
    }
    return rc;
}

static int ask(struct ctl_crl_fetch *fetch, const struct url *url, struct cs_http1_reply *reply,
               struct cs_err *err)
{
    struct exchange exchange = {.fetch = fetch, .fd = -1};
    cs_auto(cs_buf_free) struct cs_buf request = CS_BUF_EMPTY;
    struct place place;
    int rc = CS_OK;

    cs_assert(split(url->text, &place));
    if (cs_buf_printf(&request,
                      "GET %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: countersignd/%s\r\nAccept: "
                      "application/pkix-crl\r\nConnection: close\r\n",
                      place.path, (int)(place.path - url->text - 7), url->text + 7, CS_VERSION) != CS_OK ||
        (url->last_modified[0] &&
         cs_buf_printf(&request, "If-Modified-Since: %s\r\n", url->last_modified) != CS_OK) ||
        cs_buf_append_str(&request, "\r\n") != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK)
        rc = connect_any(&exchange, &place, err);
    exchange.until_ms = now_ms() + ANSWER_MS;
    if (rc == CS_OK)
        rc = send_all(&exchange, cs_buf_slice(&request), err);
    if (rc == CS_OK)
        rc = receive(&exchange, reply, err);
    hang_up(&exchange);
    return rc;
}

/* ---- one URL */

static int fetch_one(struct ctl_crl_fetch *fetch, struct url *url, struct cs_err *err)
{
    enum { OK = 200, NOT_MODIFIED = 304 };
    cs_auto(cs_http1_reply_freep) struct cs_http1_reply *reply = NULL;
    unsigned status;
    int rc = cs_http1_reply_new(CS_LIMIT_CRL_BYTES / 2 * 3, &reply, err);

    if (rc == CS_OK)
        rc = ask(fetch, url, reply, err);
    if (rc != CS_OK)
        return rc;
    status = cs_http1_reply_status(reply);
    if (status == NOT_MODIFIED && url->last_modified[0])
        return CS_OK;
    if (status != OK)
        return cs_err_set(err, CS_EIO, "the server answered with status %u, where 200 was wanted%s", status,
                          status >= 300 && status < 400 ? " (redirects are not followed)" : "");
    rc = ctl_crl_import(&fetch->importer, cs_http1_reply_body(reply), CS_SLICE_EMPTY, url->text, err);
    if (rc == CS_OK)
        snprintf(url->last_modified, sizeof url->last_modified, "%s", cs_http1_reply_last_modified(reply));
    return rc;
}

static void look_at(struct ctl_crl_fetch *fetch, struct url *url)
{
    struct cs_err err;
    int rc = fetch_one(fetch, url, &err);

    if (rc == CS_OK) {
        url->complained = false;
        return;
    }
    if (rc == CS_ECLOSED || rc == CS_EBUSY || url->complained)
        return;
    url->complained = true;
    cs_log(CS_LOG_WARN, "crl", "CRL not fetched; it is tried again", CS_F("source", url->text),
           CS_F("error", err.msg), CS_FEND);
}

/* ---- the thread */

static void *thread_main(void *data)
{
    struct ctl_crl_fetch *fetch = data;
    struct pollfd ended = {.fd = fetch->ended, .events = POLLIN};
    int64_t every_ms = fetch->every_s < 24 * 3600 ? fetch->every_s * 1000 : 24 * 3600 * 1000;

    pthread_setname_np(pthread_self(), "crl-fetch");
    while (!fetch->importer.ending) {
        for (size_t i = 0; i < fetch->count && !fetch->importer.ending; i++)
            look_at(fetch, &fetch->urls[i]);
        (void)poll(&ended, 1, (int)every_ms);
    }
    return NULL;
}

int ctl_crl_fetch_new(const struct ctl_config *config, struct ctl_store *store, struct ctl_core_thread *core,
                      struct ctl_crl_fetch **ret, struct cs_err *err)
{
    struct ctl_crl_fetch *fetch = calloc(1, sizeof *fetch);

    if (!fetch)
        return cs_err_nomem(err);
    fetch->ended = eventfd(0, EFD_CLOEXEC);
    if (fetch->ended < 0) {
        free(fetch);
        return from_errno("make an event", err);
    }
    ctl_crl_importer_init(&fetch->importer, store, core);
    fetch->every_s = config->crls_every_s;
    fetch->count = config->crl_url_count;
    for (size_t i = 0; i < fetch->count; i++)
        fetch->urls[i].text = config->crl_urls[i];
    *ret = fetch;
    return CS_OK;
}

int ctl_crl_fetch_start(struct ctl_crl_fetch *fetch, struct cs_err *err)
{
    if (pthread_create(&fetch->thread, NULL, thread_main, fetch) != 0)
        return cs_err_set(err, CS_ENOMEM, "cannot start the thread that fetches CRLs");
    fetch->started = true;
    return CS_OK;
}

void ctl_crl_fetch_free(struct ctl_crl_fetch *fetch)
{
    if (!fetch)
        return;
    fetch->importer.ending = true;
    if (fetch->started) {
        cs_assert(eventfd_write(fetch->ended, 1) == 0);
        pthread_join(fetch->thread, NULL);
    }
    close(fetch->ended);
    ctl_crl_importer_free(&fetch->importer);
    free(fetch);
}
