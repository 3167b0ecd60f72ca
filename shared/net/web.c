#include "shared/net/web_impl.h"

#include "shared/net/connect.h"
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
    return web->connect || web->route_count > 0;
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
                  struct cs_slice body)
{
    const struct cs_exchange_carrier *carrier = exchange->carrier;
    int rc = carrier->begin(exchange, status, headers, (int64_t)body.len);

    if (rc == CS_OK && body.len && !exchange->head_only)
        rc = carrier->write(exchange, CS_SLICE_EMPTY, body);
    if (rc == CS_OK || rc == CS_EBUSY)
        rc = carrier->end(exchange);
    return rc;
}

void cs_web_answer(struct cs_exchange *exchange, unsigned status, const struct cs_metadata_list *headers,
                   struct cs_slice body)
{
    static const struct cs_metadata_list none;

    if (answer(exchange, status, headers ? headers : &none, body) != CS_OK)
        exchange->carrier->reset(exchange);
}

/* What every answer to a browser says: take the type as it stands, keep nothing. */
static int add_cautions(struct cs_metadata_list *headers)
{
    int rc = cs_grpc_add_text(headers, "x-content-type-options", "nosniff");

    return rc == CS_OK ? cs_grpc_add_text(headers, "cache-control", "no-store") : rc;
}

static void answer_route(struct cs_web_session *session, struct cs_exchange *exchange,
                         const struct cs_route *route, struct cs_slice query,
                         const struct cs_metadata_list *headers)
{
    const struct cs_route_request request = {.peer = session->peer, .query = query, .headers = headers};
    struct cs_route_answer answer = {.content_type = "text/plain; charset=utf-8",
                                     .body.limit_bytes = CS_WEB_ANSWER_BYTES};
    unsigned status = route->get(route->owner, &request, &answer);
    int rc = cs_grpc_add_text(&answer.headers, "content-type", answer.content_type);

    if (rc == CS_OK)
        rc = add_cautions(&answer.headers);
    if (rc == CS_OK)
        cs_web_answer(exchange, status, &answer.headers, cs_buf_slice(&answer.body));
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

void cs_web_take(struct cs_web_session *session, struct cs_exchange *exchange,
                 const struct cs_exchange_head *head)
{
    const uint8_t *mark = head->target.len ? memchr(head->target.ptr, '?', head->target.len) : NULL;
    struct cs_slice path = head->target, query = CS_SLICE_EMPTY;
    const struct cs_method *method = NULL;
    const struct cs_route *route;
    void *service;

    if (mark) {
        path.len = (size_t)(mark - path.ptr);
        query = cs_slice_from(head->target, path.len + 1);
    }
    exchange->head_only = cs_slice_eq_str(head->method, "HEAD");
    route = find_route(session->web, path);
    if (!route && session->web->connect)
        method = cs_registry_find(session->registry, path, &service);
    if (!route && !method)
        refuse(exchange, 404, NULL, NULL, "this server has no such method or page");
    else if (route && (exchange->head_only || cs_slice_eq_str(head->method, "GET")))
        answer_route(session, exchange, route, query, head->headers);
    else if (route)
        refuse(exchange, 405, "allow", "GET, HEAD", "this page is only there to be read: use GET");
    else if (!cs_slice_eq_str(head->method, "POST"))
        refuse(exchange, 405, "allow", "POST", "a method is called with POST");
    else
        cs_connect_take(session, exchange, head, method, service);
}
