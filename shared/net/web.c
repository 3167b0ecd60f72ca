#include "shared/net/web_impl.h"

#include "shared/net/connect.h"
#include "shared/net/connect_wire.h"
#include "shared/net/grpc_wire.h"

void cs_web_session_init(struct cs_web_session *session, const struct cs_web *web,
                         const struct cs_grpc_server_options *options)
{
    *session = (struct cs_web_session){
        .web = web,
        .registry = options->registry,
        .peer = options->peer,
        .alarms = options->alarms,
        .counters = options->counters,
        .wake = options->wake,
        .owner = options->owner,
    };
    cs_list_init(&session->calls);
    cs_list_init(&session->resumed);
}

bool cs_web_is_open(const struct cs_web *web)
{
    return web->connect || web->route_count > 0 || web->otherwise || web->guard;
}

enum cs_status cs_web_check(const struct cs_web *web, struct cs_slice method, struct cs_slice target,
                            const struct cs_metadata_list *headers, struct cs_err *err)
{
    struct cs_slice query = target, path = cs_slice_cut(&query, '?', NULL);

    return web->guard ? web->guard->check(web->guard->owner, method, path, headers, err) : CS_STATUS_OK;
}

void cs_web_session_run(struct cs_web_session *session)
{
    cs_connect_run(session);
}

void cs_web_session_finish_all(struct cs_web_session *session, const char *sentence)
{
    cs_connect_finish_all(session, sentence);
}

static int answer(struct cs_exchange *exchange, unsigned status, const struct cs_metadata_list *headers,
                  struct cs_slice body, bool is_standing)
{
    const struct cs_exchange_carrier *carrier = exchange->carrier;
    int rc = carrier->begin(exchange, status, headers, (int64_t)body.len);

    if (rc == CS_OK && body.len && !exchange->head_only)
        rc = is_standing ? carrier->lend(exchange, body) : carrier->write(exchange, CS_SLICE_EMPTY, body);
    if (rc == CS_OK || rc == CS_EBUSY)
        rc = carrier->end(exchange);
    return rc;
}

void cs_web_answer(struct cs_exchange *exchange, unsigned status, const struct cs_metadata_list *headers,
                   struct cs_slice body)
{
    static const struct cs_metadata_list none;

    if (answer(exchange, status, headers ? headers : &none, body, false) != CS_OK)
        exchange->carrier->reset(exchange);
}

/* What every answer to a browser says: take the type as it stands, keep nothing unless it is said that one
 * may.
 */
static int add_cautions(struct cs_metadata_list *headers)
{
    int rc = cs_grpc_add_text(headers, "x-content-type-options", "nosniff");

    if (rc != CS_OK || cs_metadata_find(headers, "cache-control").len)
        return rc;
    return cs_grpc_add_text(headers, "cache-control", "no-store");
}

static void send_route(struct cs_exchange *exchange, unsigned status, const struct cs_route_answer *route)
{
    bool is_standing = route->standing.len > 0;
    struct cs_slice body = is_standing ? route->standing : cs_buf_slice(&route->body);

    if (body.len && !is_standing && exchange->carrier->held_bytes(exchange) > CS_WEB_WAITING_BYTES)
        cs_connect_refuse(exchange, 503, CS_STATUS_UNAVAILABLE, "read the answers before: too many wait",
                          NULL);
    else if (answer(exchange, status, &route->headers, body, is_standing) != CS_OK)
        exchange->carrier->reset(exchange);
}

static void answer_route(struct cs_web_session *session, struct cs_exchange *exchange,
                         const struct cs_route *route, struct cs_slice path, struct cs_slice query,
                         const struct cs_metadata_list *headers)
{
    const struct cs_route_request request = {
        .peer = session->peer, .path = path, .query = query, .headers = headers};
    struct cs_route_answer answer = {.content_type = "text/plain; charset=utf-8",
                                     .body.limit_bytes = CS_WEB_ANSWER_BYTES};
    unsigned status = route->get(route->owner, &request, &answer);
    int rc = cs_grpc_add_text(&answer.headers, "content-type", answer.content_type);

    if (rc == CS_OK)
        rc = add_cautions(&answer.headers);
    if (rc == CS_OK)
        send_route(exchange, status, &answer);
    else
        exchange->carrier->reset(exchange);
    cs_metadata_free(&answer.headers);
    cs_buf_wipe(&answer.body);
}

/* An error under a status of HTTP's own, with one header more. */
static void refuse(struct cs_exchange *exchange, unsigned http_status, const char *name, const char *value,
                   const char *sentence)
{
    struct cs_metadata_list headers = {0};

    if (name && cs_grpc_add_text(&headers, name, value) != CS_OK)
        exchange->carrier->reset(exchange);
    else
        cs_connect_refuse(exchange, http_status, CS_STATUS_UNIMPLEMENTED, sentence, &headers);
    cs_metadata_free(&headers);
}

static const struct cs_route *find_route(const struct cs_web *web, struct cs_slice path)
{
    for (size_t i = 0; i < web->route_count; i++)
        if (cs_slice_eq_str(path, web->routes[i].path))
            return &web->routes[i];
    return NULL;
}

static void route_or_call(struct cs_web_session *session, struct cs_exchange *exchange,
                          const struct cs_exchange_head *head)
{
    bool reads = exchange->head_only || cs_slice_eq_str(head->method, "GET");
    struct cs_slice query = head->target, path = cs_slice_cut(&query, '?', NULL);
    const struct cs_method *method = NULL;
    const struct cs_route *route;
    void *service;

    route = find_route(session->web, path);
    if (!route && session->web->connect)
        method = cs_registry_find(session->registry, path, &service);
    if (!route && !method && reads)
        route = session->web->otherwise;
    if (!route && !method)
        refuse(exchange, 404, NULL, NULL, "this server has no such method or page");
    else if (route && reads)
        answer_route(session, exchange, route, path, query, head->headers);
    else if (route)
        refuse(exchange, 405, "allow", "GET, HEAD", "this page is only there to be read: use GET");
    else if (!cs_slice_eq_str(head->method, "POST"))
        refuse(exchange, 405, "allow", "POST", "a method is called with POST");
    else
        cs_connect_take(session, exchange, head, method, service);
}

void cs_web_take(struct cs_web_session *session, struct cs_exchange *exchange,
                 const struct cs_exchange_head *head)
{
    struct cs_err err;
    enum cs_status status = cs_web_check(session->web, head->method, head->target, head->headers, &err);

    exchange->head_only = cs_slice_eq_str(head->method, "HEAD");
    if (status == CS_STATUS_OK)
        route_or_call(session, exchange, head);
    else
        cs_connect_refuse(exchange, cs_connect_http_status(status), status, err.msg, NULL);
}
