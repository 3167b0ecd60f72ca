#include "controller/console/pages.h"

#include "shared/net/grpc_wire.h"

/* Nothing but what this server serves is loaded, run, or spoken to; nobody frames the pages; and no text
 * becomes markup or code. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

static const char *const headers[][2] = {
    {"content-security-policy", policy},
    {"cross-origin-opener-policy", "same-origin"},
    {"cross-origin-resource-policy", "same-origin"},
    {"referrer-policy", "no-referrer"},
    {"vary", "accept-encoding"},
};

/* A year, as long as RFC 9111 section 1.2.1 lets anything be of use. */
static const char keep_for_good[] = "public, max-age=31536000, immutable";

static int add_headers(struct cs_route_answer *answer)
{
    int rc = CS_OK;

    for (size_t i = 0; i < CS_ARRAY_LEN(headers) && rc == CS_OK; i++)
        rc = cs_grpc_add_text(&answer->headers, headers[i][0], headers[i][1]);
    return rc;
}

/* The text stays where it is, as pages do. */
static unsigned say(struct cs_route_answer *answer, unsigned status, const char *text)
{
    answer->standing = cs_slice_str(text);
    return status;
}

/* "q=0", "Q=0.00": not at all (RFC 9110 section 12.4.2). */
static bool weighs_nothing(struct cs_slice parameters)
{
    while (parameters.len) {
        struct cs_slice value = cs_slice_item(&parameters, ';'), name = cs_slice_item(&value, '=');
        size_t nothing = 0;

        if (!cs_slice_same_text(name, CS_SLICE_LIT("q")))
            continue;
        while (nothing < value.len && (value.ptr[nothing] == '0' || value.ptr[nothing] == '.'))
            nothing++;
        return nothing == value.len;
    }
    return false;
}

/* Without the header anything will do (RFC 9110 section 12.5.3); what names gzip counts before "*". */
static bool takes_gzip(const struct cs_metadata_list *request)
{
    struct cs_slice rest = cs_metadata_find(request, "accept-encoding");
    bool takes = rest.len == 0;

    while (rest.len) {
        struct cs_slice parameters = cs_slice_item(&rest, ','), coding = cs_slice_item(&parameters, ';');

        if (cs_slice_same_text(coding, CS_SLICE_LIT("gzip")) ||
            cs_slice_same_text(coding, CS_SLICE_LIT("x-gzip")))
            return !weighs_nothing(parameters);
        if (cs_slice_same_text(coding, CS_SLICE_LIT("*")))
            takes = !weighs_nothing(parameters);
    }
    return takes;
}

static const struct ctl_page *find_page(const struct ctl_pages *pages, struct cs_slice path)
{
    for (const struct ctl_page *page = pages->pages; page->path; page++)
        if (cs_slice_eq_str(path, page->path))
            return page;
    return NULL;
}

/* An address that stands in the browser's bar, as against something that a page loads. */
static bool is_navigation(const struct cs_route_request *request)
{
    struct cs_slice rest = cs_metadata_find(request->headers, "accept");

    if (cs_slice_starts_with(request->path, CS_SLICE_LIT("/assets/")) ||
        cs_slice_starts_with(request->path, CS_SLICE_LIT("/countersign.v1.")))
        return false;
    while (rest.len) {
        struct cs_slice range = cs_slice_item(&rest, ',');

        if (cs_slice_same_text(cs_slice_item(&range, ';'), CS_SLICE_LIT("text/html")))
            return true;
    }
    return false;
}

static unsigned send_page(const struct ctl_page *page, const struct cs_route_request *request,
                          struct cs_route_answer *answer)
{
    int rc;

    if (!takes_gzip(request->headers))
        return say(answer, 406,
                   "the pages are there in gzip's encoding alone: ask with accept-encoding: gzip\n");
    rc = cs_grpc_add_text(&answer->headers, "content-encoding", "gzip");
    if (rc == CS_OK && page->is_hashed)
        rc = cs_grpc_add_text(&answer->headers, "cache-control", keep_for_good);
    if (rc == CS_OK)
        answer->standing = page->gzip;
    answer->content_type = page->content_type;
    return rc == CS_OK ? 200 : 500;
}

unsigned ctl_pages_get(void *owner, const struct cs_route_request *request, struct cs_route_answer *answer)
{
    const struct ctl_pages *pages = owner;
    const struct ctl_page *page = find_page(pages, request->path);

    if (add_headers(answer) != CS_OK)
        return 500;
    if (cs_slice_eq_str(request->path, "/served-by"))
        return say(answer, 200, pages->served_by);
    if (!page && is_navigation(request)) {
        page = find_page(pages, CS_SLICE_LIT("/index.html"));
        if (!page)
            return say(answer, 404,
                       "This program was built without the console's pages, which takes Node: see "
                       "toolchain/README.md.\n");
    }
    return page ? send_page(page, request, answer) : say(answer, 404, "there is no such page\n");
}

bool ctl_pages_are_built(void)
{
    return ctl_pages_embedded[0].path != NULL;
}

static struct ctl_pages of_console = {ctl_pages_embedded, "console"},
                        of_countersignd = {ctl_pages_embedded, "countersignd"};

const struct cs_route ctl_pages_of_console = {NULL, ctl_pages_get, &of_console};
const struct cs_route ctl_pages_of_countersignd = {NULL, ctl_pages_get, &of_countersignd};
