/* Which requests `countersign console` lets in: a table. */
#include "tests/support/check.h"

#include "controller/cli/console_guard.h"

#include <stdio.h>

#define TOKEN "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define OTHER "BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define READ  "/countersign.v1.ControllerService/GetStatus"
#define LINK  "/countersign.v1.SignerService/OpenLink"
#define CLOSE "/countersign.v1.SignerService/CloseLink"
#define SIGN  "/countersign.v1.SignerService/Sign"

#define HOST          "host", "127.0.0.1:8443"
#define ORIGIN        "origin", "http://127.0.0.1:8443"
#define ELSEWHERE     "origin", "http://evil.example"
#define CROSS_SITE    "sec-fetch-site", "cross-site"
#define NAVIGATE      "sec-fetch-mode", "navigate"
#define DOCUMENT      "sec-fetch-dest", "document"
#define BEARER(token) "authorization", "Bearer " token

static const struct {
    const char *says, *method, *path;
    const char *headers[6][2]; /* end with NULL */
    enum cs_status status;
} cases[] = {
    {"the page, asked for by a person",
     "GET",
     "/",
     {{HOST}, {"sec-fetch-site", "none"}, {NAVIGATE}},
     CS_STATUS_OK},
    {"the page by the other name", "GET", "/inbox", {{"host", "localhost:8443"}}, CS_STATUS_OK},
    {"its head", "HEAD", "/", {{"host", "localhost:8443"}}, CS_STATUS_OK},
    {"an asset",
     "GET",
     "/assets/index.js",
     {{HOST}, {ORIGIN}, {"sec-fetch-site", "same-origin"}},
     CS_STATUS_OK},
    {"over HTTP/2", "GET", "/", {{":authority", "127.0.0.1:8443"}}, CS_STATUS_OK},
    {"over HTTP/2 with both", "GET", "/", {{":authority", "127.0.0.1:8443"}, {HOST}}, CS_STATUS_OK},

    {"no host", "GET", "/", {{"accept", "*/*"}}, CS_STATUS_PERMISSION_DENIED},
    {"an empty host", "GET", "/", {{"host", ""}}, CS_STATUS_PERMISSION_DENIED},
    {"a name that leads here", "GET", "/", {{"host", "evil.example:8443"}}, CS_STATUS_PERMISSION_DENIED},
    {"another port", "GET", "/", {{"host", "127.0.0.1:8444"}}, CS_STATUS_PERMISSION_DENIED},
    {"no port", "GET", "/", {{"host", "127.0.0.1"}}, CS_STATUS_PERMISSION_DENIED},
    {"a port that goes on", "GET", "/", {{"host", "127.0.0.1:84430"}}, CS_STATUS_PERMISSION_DENIED},
    {"another address of loopback", "GET", "/", {{"host", "127.0.0.2:8443"}}, CS_STATUS_PERMISSION_DENIED},
    {"IPv6", "GET", "/", {{"host", "[::1]:8443"}}, CS_STATUS_PERMISSION_DENIED},
    {"a dot at the end", "GET", "/", {{"host", "localhost.:8443"}}, CS_STATUS_PERMISSION_DENIED},
    {"two hosts, the own one first",
     "GET",
     "/",
     {{HOST}, {"host", "evil.example:8443"}},
     CS_STATUS_PERMISSION_DENIED},
    {"two hosts, the own one last",
     "GET",
     "/",
     {{"host", "evil.example:8443"}, {HOST}},
     CS_STATUS_PERMISSION_DENIED},
    {"both own hosts",
     "GET",
     "/",
     {{"host", "localhost:8443"}, {":authority", "127.0.0.1:8443"}},
     CS_STATUS_PERMISSION_DENIED},

    {"another origin", "GET", "/", {{HOST}, {ELSEWHERE}}, CS_STATUS_PERMISSION_DENIED},
    {"an origin that begins so",
     "GET",
     "/",
     {{HOST}, {"origin", "http://127.0.0.1:8443.evil.example"}},
     CS_STATUS_PERMISSION_DENIED},
    {"the other own name as the origin",
     "GET",
     "/",
     {{HOST}, {"origin", "http://localhost:8443"}},
     CS_STATUS_PERMISSION_DENIED},
    {"another scheme",
     "GET",
     "/",
     {{HOST}, {"origin", "https://127.0.0.1:8443"}},
     CS_STATUS_PERMISSION_DENIED},
    {"an origin that is kept secret", "GET", "/", {{HOST}, {"origin", "null"}}, CS_STATUS_PERMISSION_DENIED},
    {"an empty origin", "GET", "/", {{HOST}, {"origin", ""}}, CS_STATUS_PERMISSION_DENIED},
    {"two origins", "GET", "/", {{HOST}, {ORIGIN}, {ELSEWHERE}}, CS_STATUS_PERMISSION_DENIED},
    {"the origin before the host", "GET", "/", {{ORIGIN}, {HOST}}, CS_STATUS_OK},

    {"another site's image",
     "GET",
     "/",
     {{HOST}, {CROSS_SITE}, {"sec-fetch-mode", "no-cors"}, {"sec-fetch-dest", "image"}},
     CS_STATUS_PERMISSION_DENIED},
    {"another port of this host",
     "GET",
     "/served-by",
     {{HOST}, {"sec-fetch-site", "same-site"}},
     CS_STATUS_PERMISSION_DENIED},
    {"another site's frame",
     "GET",
     "/",
     {{HOST}, {CROSS_SITE}, {NAVIGATE}, {"sec-fetch-dest", "iframe"}},
     CS_STATUS_PERMISSION_DENIED},
    {"a link elsewhere that is followed",
     "GET",
     "/",
     {{HOST}, {CROSS_SITE}, {NAVIGATE}, {DOCUMENT}},
     CS_STATUS_OK},
    {"a link elsewhere to a method",
     "GET",
     READ,
     {{HOST}, {CROSS_SITE}, {NAVIGATE}, {DOCUMENT}, {BEARER(TOKEN)}},
     CS_STATUS_PERMISSION_DENIED},
    {"a form elsewhere",
     "POST",
     LINK,
     {{HOST}, {CROSS_SITE}, {NAVIGATE}, {DOCUMENT}},
     CS_STATUS_PERMISSION_DENIED},
    {"a form elsewhere to the page",
     "POST",
     "/",
     {{HOST}, {CROSS_SITE}, {NAVIGATE}, {DOCUMENT}, {BEARER(TOKEN)}},
     CS_STATUS_PERMISSION_DENIED},

    {"a link is opened", "POST", LINK, {{HOST}, {ORIGIN}, {"sec-fetch-site", "same-origin"}}, CS_STATUS_OK},
    {"a link is opened by another page", "POST", LINK, {{HOST}, {ELSEWHERE}}, CS_STATUS_PERMISSION_DENIED},
    {"a link is opened by another name",
     "POST",
     LINK,
     {{"host", "evil.example:8443"}},
     CS_STATUS_PERMISSION_DENIED},
    {"GET of what opens links", "GET", LINK, {{HOST}}, CS_STATUS_UNAUTHENTICATED},
    {"what is called nearly so", "POST", LINK "s", {{HOST}}, CS_STATUS_UNAUTHENTICATED},

    {"a call with its token", "POST", READ, {{HOST}, {ORIGIN}, {BEARER(TOKEN)}}, CS_STATUS_OK},
    {"a call of no browser", "POST", SIGN, {{HOST}, {BEARER(TOKEN)}}, CS_STATUS_OK},
    {"a call with its token from another page",
     "POST",
     READ,
     {{HOST}, {ELSEWHERE}, {BEARER(TOKEN)}},
     CS_STATUS_PERMISSION_DENIED},
    {"a call without a token", "POST", READ, {{HOST}}, CS_STATUS_UNAUTHENTICATED},
    {"signing out without a token", "POST", CLOSE, {{HOST}}, CS_STATUS_UNAUTHENTICATED},
    {"signing without a token", "POST", SIGN, {{HOST}}, CS_STATUS_UNAUTHENTICATED},
    {"another token", "POST", READ, {{HOST}, {BEARER(OTHER)}}, CS_STATUS_UNAUTHENTICATED},
    {"a token that is cut",
     "POST",
     READ,
     {{HOST}, {"authorization", "Bearer AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh"}},
     CS_STATUS_UNAUTHENTICATED},
    {"a token that goes on",
     "POST",
     READ,
     {{HOST}, {"authorization", "Bearer " TOKEN "A"}},
     CS_STATUS_UNAUTHENTICATED},
    {"a token alone", "POST", READ, {{HOST}, {"authorization", TOKEN}}, CS_STATUS_UNAUTHENTICATED},
    {"no token", "POST", READ, {{HOST}, {"authorization", "Bearer "}}, CS_STATUS_UNAUTHENTICATED},
    {"two tokens", "POST", READ, {{HOST}, {BEARER(OTHER)}, {BEARER(TOKEN)}}, CS_STATUS_UNAUTHENTICATED},
    {"a token in a cookie", "POST", READ, {{HOST}, {"cookie", "token=" TOKEN}}, CS_STATUS_UNAUTHENTICATED},
    {"GET of a method", "GET", READ, {{HOST}}, CS_STATUS_UNAUTHENTICATED},
    {"POST to the page", "POST", "/", {{HOST}}, CS_STATUS_UNAUTHENTICATED},
    {"what asks beforehand", "OPTIONS", READ, {{HOST}, {ELSEWHERE}}, CS_STATUS_PERMISSION_DENIED},
    {"OPTIONS of the own page", "OPTIONS", "/", {{HOST}, {ORIGIN}}, CS_STATUS_UNAUTHENTICATED},
    {"no method at all", "", "", {{HOST}}, CS_STATUS_UNAUTHENTICATED},
};

static void lets_in_as_the_table_says(void **state)
{
    struct cli_links links = {.next = 0};
    const struct cli_console_guard guard = {.port = 8443, .links = &links};
    uint8_t random[CLI_LINK_BYTES];
    char text[CLI_LINK_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)i;
    cli_links_renew(&links, random, text);
    assert_int_equal(cli_links_open(&links, CS_SLICE_ARRAY(random), random, text), CLI_LINK_OPENED);
    assert_string_equal(text, TOKEN);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_metadata_list headers = {0};
        struct cs_err err = {0};
        enum cs_status status;

        for (size_t k = 0; k < CS_ARRAY_LEN(cases[i].headers) && cases[i].headers[k][0]; k++)
            check_code(cs_metadata_add(&headers, cs_slice_str(cases[i].headers[k][0]),
                                       cs_slice_str(cases[i].headers[k][1])),
                       CS_OK);
        status = cli_console_check(&guard, cs_slice_str(cases[i].method), cs_slice_str(cases[i].path),
                                   &headers, &err);
        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].says, cs_status_name(status));
        if ((status == CS_STATUS_OK) != (err.msg[0] == '\0'))
            fail_msg("%s: '%s'", cases[i].says, err.msg);
        if (status == CS_STATUS_OK &&
            cli_console_has_token(&guard, &headers) != (cs_metadata_find(&headers, "authorization").len > 0))
            fail_msg("%s: whether there is a token", cases[i].says);
        cs_metadata_free(&headers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_in_as_the_table_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
