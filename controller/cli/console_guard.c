#include "controller/cli/console_guard.h"

#include <stdio.h>

static const char open_link[] = "/countersign.v1.SignerService/OpenLink";

static bool reads(struct cs_slice method)
{
    return cs_slice_eq_str(method, "GET") || cs_slice_eq_str(method, "HEAD");
}

static bool is_method(struct cs_slice path)
{
    return cs_slice_starts_with(path, CS_SLICE_LIT("/countersign.v1."));
}

static bool is_own_host(struct cs_slice host, uint16_t port)
{
    char own[2][32];

    snprintf(own[0], sizeof own[0], "127.0.0.1:%u", (unsigned)port);
    snprintf(own[1], sizeof own[1], "localhost:%u", (unsigned)port);
    return cs_slice_eq_str(host, own[0]) || cs_slice_eq_str(host, own[1]);
}

/* What a request says of where it goes and where it comes from, each header that is there, however often. */
struct origin {
    struct cs_slice host; /* empty: none, or none that this host has */
    bool other_host;
    bool other_origin;
    bool other_site;
};

static struct origin find_origin(const struct cs_metadata_list *headers, uint16_t port)
{
    struct cs_slice name, value, http = CS_SLICE_LIT("http://");
    struct origin origin = {.host = CS_SLICE_EMPTY};

    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);) {
        if (!cs_slice_eq_str(name, "host") && !cs_slice_eq_str(name, ":authority"))
            continue;
        if (!is_own_host(value, port) || (origin.host.len && !cs_slice_eq(origin.host, value)))
            origin.other_host = true;
        origin.host = value;
    }
    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);) {
        if (cs_slice_eq_str(name, "origin"))
            origin.other_origin |= !cs_slice_starts_with(value, http) ||
                                   !cs_slice_eq(cs_slice_from(value, http.len), origin.host);
        else if (cs_slice_eq_str(name, "sec-fetch-site"))
            origin.other_site |= !cs_slice_eq_str(value, "same-origin") && !cs_slice_eq_str(value, "none");
    }
    return origin;
}

/* Somebody follows a link to the page, in a tab: the page shows nothing without a token, which is not in the
 * link's answer, and nobody else reads the answer. The file that opens the browser is such a link. */
static bool is_navigation(struct cs_slice method, struct cs_slice path,
                          const struct cs_metadata_list *headers)
{
    return reads(method) && !is_method(path) &&
           cs_slice_eq_str(cs_metadata_find(headers, "sec-fetch-mode"), "navigate") &&
           cs_slice_eq_str(cs_metadata_find(headers, "sec-fetch-dest"), "document");
}

struct cs_slice cli_console_token_of(struct cs_slice authorization)
{
    struct cs_slice bearer = CS_SLICE_LIT("Bearer ");

    return cs_slice_starts_with(authorization, bearer) ? cs_slice_from(authorization, bearer.len)
                                                       : CS_SLICE_EMPTY;
}

bool cli_console_has_token(const struct cli_console_guard *guard, const struct cs_metadata_list *headers)
{
    struct cs_slice name, value;
    bool known = false;
    unsigned count = 0;

    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);) {
        if (!cs_slice_eq_str(name, "authorization"))
            continue;
        count++;
        known = cli_links_know(guard->links, cli_console_token_of(value));
    }
    return count == 1 && known;
}

enum cs_status cli_console_check(const struct cli_console_guard *guard, struct cs_slice method,
                                 struct cs_slice path, const struct cs_metadata_list *headers,
                                 struct cs_err *err)
{
    struct origin origin = find_origin(headers, guard->port);
    bool is_page = reads(method) && !is_method(path);
    bool opens = cs_slice_eq_str(method, "POST") && cs_slice_eq_str(path, open_link);

    if (!origin.host.len || origin.other_host)
        cs_err_set(err, CS_EDENIED,
                   "this console is at 127.0.0.1:%u and localhost:%u, and at no other address",
                   (unsigned)guard->port, (unsigned)guard->port);
    else if (origin.other_origin || (origin.other_site && !is_navigation(method, path, headers)))
        cs_err_set(err, CS_EDENIED, "the request comes from another page than the console's own");
    else if (is_page || opens || cli_console_has_token(guard, headers))
        return CS_STATUS_OK;
    else
        return cs_status_from_code(
            cs_err_set(err, CS_EAUTH,
                       "this page has no access to the console, or no more: open the link that `countersign "
                       "console` printed, or press Enter in its terminal for a new one"));
    return CS_STATUS_PERMISSION_DENIED;
}
