/* What the console's pages are answered with: tables of requests against a table of pages of our own. */
#include "tests/support/check.h"

#include "controller/console/pages.h"
#include "shared/net/grpc_wire.h"

static const struct ctl_page pages[] = {
    {"/assets/index-1a2b.js", "text/javascript; charset=utf-8", CS_SLICE_LIT("script"), true},
    {"/index.html", "text/html; charset=utf-8", CS_SLICE_LIT("page"), false},
    {NULL, NULL, {NULL, 0}, false},
};
static const struct ctl_page no_pages[] = {{NULL, NULL, {NULL, 0}, false}};
static struct ctl_pages some = {pages, "console"}, none = {no_pages, "countersignd"};

static const char browser[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
static const char for_good[] = "public, max-age=31536000, immutable";

static unsigned get(struct ctl_pages *owner, const char *path, const char *accept, const char *encodings,
                    struct cs_route_answer *answer)
{
    struct cs_metadata_list headers = {0};
    const struct cs_route_request request = {.path = cs_slice_str(path), .headers = &headers};
    unsigned status;

    if (accept)
        check_code(cs_grpc_add_text(&headers, "accept", accept), CS_OK);
    if (encodings)
        check_code(cs_grpc_add_text(&headers, "accept-encoding", encodings), CS_OK);
    *answer = (struct cs_route_answer){.content_type = "text/plain; charset=utf-8"};
    status = ctl_pages_get(owner, &request, answer);
    cs_metadata_free(&headers);
    return status;
}

static void answer_free(struct cs_route_answer *answer)
{
    cs_metadata_free(&answer->headers);
    cs_buf_free(&answer->body);
}

static void gives_assets_by_path_and_the_page_for_every_address(void **state)
{
    static const struct {
        const char *says;
        struct ctl_pages *owner;
        const char *path, *accept;
        unsigned status;
        const char *type, *body, *keep;
    } cases[] = {
        {"an asset", &some, "/assets/index-1a2b.js", "*/*", 200, "text/javascript; charset=utf-8", "script",
         for_good},
        {"an asset that somebody opens", &some, "/assets/index-1a2b.js", browser, 200,
         "text/javascript; charset=utf-8", "script", for_good},
        {"the page by name", &some, "/index.html", "*/*", 200, "text/html; charset=utf-8", "page", ""},
        {"the first address", &some, "/", browser, 200, "text/html; charset=utf-8", "page", ""},
        {"an address of its own", &some, "/certificates/00ff", browser, 200, "text/html; charset=utf-8",
         "page", ""},
        {"an address with a type in another case", &some, "/inbox", "Text/HTML", 200,
         "text/html; charset=utf-8", "page", ""},
        {"an address that is fetched", &some, "/certificates/00ff", "application/json", 404, NULL, NULL, ""},
        {"no word of HTML", &some, "/", "*/*", 404, NULL, NULL, ""},
        {"a type that begins so", &some, "/", "text/html-like", 404, NULL, NULL, ""},
        {"no accept", &some, "/", NULL, 404, NULL, NULL, ""},
        {"an asset of another version", &some, "/assets/index-ffff.js", browser, 404, NULL, NULL, ""},
        {"a method", &some, "/countersign.v1.PushService/Nothing", browser, 404, NULL, NULL, ""},
        {"a path that leads up", &some, "/assets/../index.html", "*/*", 404, NULL, NULL, ""},
        {"who serves it", &some, "/served-by", "*/*", 200, NULL, "console", ""},
        {"who serves it, for another", &none, "/served-by", browser, 200, NULL, "countersignd", ""},
        {"no pages", &none, "/", browser, 404, NULL, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_route_answer answer;
        unsigned status = get(cases[i].owner, cases[i].path, cases[i].accept, "gzip, deflate, br", &answer);
        const char *type = cases[i].type ? cases[i].type : "text/plain; charset=utf-8";
        struct cs_slice encoding = cs_metadata_find(&answer.headers, "content-encoding");

        if (status != cases[i].status || strcmp(answer.content_type, type) != 0)
            fail_msg("%s: %u, %s", cases[i].says, status, answer.content_type);
        if (cases[i].body)
            check_slice(answer.standing, cs_slice_str(cases[i].body));
        else if (!answer.standing.len)
            fail_msg("%s: not a word of what is wrong", cases[i].says);
        if (!cs_slice_eq_str(cs_metadata_find(&answer.headers, "cache-control"), cases[i].keep))
            fail_msg("%s: cache-control", cases[i].says);
        if (!cs_slice_eq_str(encoding, cases[i].type ? "gzip" : ""))
            fail_msg("%s: content-encoding", cases[i].says);
        answer_free(&answer);
    }
}

static void every_answer_says_what_a_browser_may_do_with_it(void **state)
{
    static const char *const paths[] = {"/", "/assets/index-1a2b.js", "/nothing", "/served-by"};
    static const char *const wanted[][2] = {
        {"content-security-policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
         "trusted-types 'none'"},
        {"cross-origin-opener-policy", "same-origin"},
        {"cross-origin-resource-policy", "same-origin"},
        {"referrer-policy", "no-referrer"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(paths); i++) {
        struct cs_route_answer answer;

        get(&some, paths[i], browser, "gzip", &answer);
        for (size_t k = 0; k < CS_ARRAY_LEN(wanted); k++)
            check_slice(cs_metadata_find(&answer.headers, wanted[k][0]), cs_slice_str(wanted[k][1]));
        answer_free(&answer);
    }
}

/* RFC 9110 section 12.5.3. */
static void gives_gzip_to_those_who_take_it(void **state)
{
    static const struct {
        const char *encodings;
        bool takes;
    } cases[] = {
        {NULL, true},
        {"gzip", true},
        {"GZip", true},
        {"x-gzip", true},
        {"br, gzip;q=0.001", true},
        {"br;q=1.0,\tgzip ; q=0.5", true},
        {"*", true},
        {"*;q=0, gzip", true},
        {"gzip;q=1, *;q=0", true},
        {"identity", false},
        {"br", false},
        {"gzip;q=0", false},
        {"gzip; Q=0.000", false},
        {"*, gzip;q=0", false},
        {"*;q=0", false},
        {"gzipped", false},
        {",", false},
        {"br;gzip", false},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_route_answer answer;
        unsigned status = get(&some, "/", browser, cases[i].encodings, &answer);

        if (status != (cases[i].takes ? 200u : 406u))
            fail_msg("%s: %u", cases[i].encodings ? cases[i].encodings : "(none)", status);
        answer_free(&answer);
    }
}

static void what_is_built_in_has_a_page_or_nothing(void **state)
{
    bool has_page = false;

    (void)state;
    for (const struct ctl_page *page = ctl_pages_embedded; page->path; page++) {
        assert_true(page->path[0] == '/' && page->content_type && page->gzip.len > 18);
        assert_memory_equal(page->gzip.ptr, "\x1f\x8b\x08", 3);
        has_page = has_page || strcmp(page->path, "/index.html") == 0;
    }
    assert_int_equal(has_page, ctl_pages_are_built());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_assets_by_path_and_the_page_for_every_address),
        cmocka_unit_test(every_answer_says_what_a_browser_may_do_with_it),
        cmocka_unit_test(gives_gzip_to_those_who_take_it),
        cmocka_unit_test(what_is_built_in_has_a_page_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
