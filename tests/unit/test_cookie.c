/* A browser's cookie: which calls it counts for, and how it is written. */
#include "tests/support/check.h"

#include "controller/cookie.h"

#include <stdio.h>

/* The token of 32 bytes of 0xab. */
#define TOKEN "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="

static const struct {
    const char *says;
    bool tls;
    const char *authority, *origin, *fetch_site;
    const char *cookies[2]; /* headers */
    int code;
} cases[] = {
    /* who calls */
    {"a page of this origin",
     true,
     "c.example:9443",
     "https://c.example:9443",
     "same-origin",
     {"__Host-countersign=" TOKEN},
     CS_OK},
    {"the origin alone",
     true,
     "c.example:9443",
     "https://c.example:9443",
     "",
     {"__Host-countersign=" TOKEN},
     CS_OK},
    {"a browser that says no origin for it",
     true,
     "c.example",
     "",
     "same-origin",
     {"__Host-countersign=" TOKEN},
     CS_OK},
    {"the default port, which browsers leave out",
     true,
     "c.example",
     "https://c.example",
     "same-origin",
     {"__Host-countersign=" TOKEN},
     CS_OK},
    {"this machine",
     false,
     "127.0.0.1:9443",
     "http://127.0.0.1:9443",
     "same-origin",
     {"countersign=" TOKEN},
     CS_OK},
    {"this machine by name",
     false,
     "localhost:9443",
     "http://localhost:9443",
     "",
     {"countersign=" TOKEN},
     CS_OK},
    {"this machine, IPv6", false, "[::1]:9443", "http://[::1]:9443", "", {"countersign=" TOKEN}, CS_OK},
    {"nobody says from where", true, "c.example", "", "", {"__Host-countersign=" TOKEN}, CS_EDENIED},
    {"another site",
     true,
     "c.example",
     "https://evil.example",
     "cross-site",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"another site, by its origin alone",
     true,
     "c.example",
     "https://evil.example",
     "",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"another site without an origin",
     true,
     "c.example",
     "",
     "cross-site",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"another host of the same site",
     true,
     "c.example",
     "https://www.c.example",
     "same-site",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"another port of this host",
     true,
     "c.example:9443",
     "https://c.example:8443",
     "same-site",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"another port of this machine",
     false,
     "127.0.0.1:9443",
     "http://127.0.0.1:8080",
     "same-site",
     {"countersign=" TOKEN},
     CS_EDENIED},
    {"the two contradict each other",
     true,
     "c.example",
     "https://c.example",
     "cross-site",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"opened by the person, not by a page",
     true,
     "c.example",
     "",
     "none",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"a page without an origin",
     true,
     "c.example",
     "null",
     "same-origin",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"http where there is TLS",
     true,
     "c.example",
     "http://c.example",
     "",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"https where there is none",
     false,
     "127.0.0.1:9443",
     "https://127.0.0.1:9443",
     "",
     {"countersign=" TOKEN},
     CS_EDENIED},
    {"an origin that begins as ours",
     true,
     "c.example",
     "https://c.example.evil",
     "",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"an origin that is cut",
     true,
     "c.example",
     "https://c.exampl",
     "",
     {"__Host-countersign=" TOKEN},
     CS_EDENIED},
    {"nothing but a scheme", true, "c.example", "https://", "", {"__Host-countersign=" TOKEN}, CS_EDENIED},
    {"a name that was led here",
     false,
     "evil.example:9443",
     "http://evil.example:9443",
     "same-origin",
     {"countersign=" TOKEN},
     CS_EDENIED},
    {"a name that begins as this machine's",
     false,
     "localhost.evil.example:9443",
     "http://localhost.evil.example:9443",
     "same-origin",
     {"countersign=" TOKEN},
     CS_EDENIED},
    {"gRPC", true, "", "https://c.example", "same-origin", {"__Host-countersign=" TOKEN}, CS_EDENIED},

    /* the cookie */
    {"none", true, "c.example", "https://c.example", "", {NULL}, CS_EAUTH},
    {"none, and another origin: there is nothing to refuse",
     true,
     "c.example",
     "https://evil.example",
     "",
     {NULL},
     CS_EAUTH},
    {"others'", true, "c.example", "https://c.example", "", {"a=b; c=d"}, CS_EAUTH},
    {"among others'",
     true,
     "c.example",
     "https://c.example",
     "",
     {"a=b; __Host-countersign=" TOKEN "; c=d"},
     CS_OK},
    {"in the second header",
     true,
     "c.example",
     "https://c.example",
     "",
     {"a=b", "__Host-countersign=" TOKEN},
     CS_OK},
    {"without the blank",
     true,
     "c.example",
     "https://c.example",
     "",
     {"a=b;__Host-countersign=" TOKEN},
     CS_OK},
    {"two of the name, in one header",
     true,
     "c.example",
     "https://c.example",
     "",
     {"__Host-countersign=" TOKEN "; __Host-countersign=" TOKEN},
     CS_EAUTH},
    {"two of the name, in two",
     false,
     "localhost",
     "http://localhost",
     "",
     {"countersign=" TOKEN, "countersign=AAAA"},
     CS_EAUTH},
    {"the name without the prefix, which any host of the site may set",
     true,
     "c.example",
     "https://c.example",
     "",
     {"countersign=" TOKEN},
     CS_EAUTH},
    {"the name with the prefix, without TLS",
     false,
     "localhost",
     "http://localhost",
     "",
     {"__Host-countersign=" TOKEN},
     CS_EAUTH},
    {"a longer name", false, "localhost", "http://localhost", "", {"countersign2=" TOKEN}, CS_EAUTH},
    {"no value", false, "localhost", "http://localhost", "", {"countersign="}, CS_EAUTH},
    {"no sign", false, "localhost", "http://localhost", "", {"countersign"}, CS_EAUTH},
    {"a short value", false, "localhost", "http://localhost", "", {"countersign=q6urqw=="}, CS_EAUTH},
    {"quotes", false, "localhost", "http://localhost", "", {"countersign=\"" TOKEN "\""}, CS_EAUTH},
    {"something behind", false, "localhost", "http://localhost", "", {"countersign=" TOKEN "AAAA"}, CS_EAUTH},
    {"only signs", false, "localhost", "http://localhost", "", {";;= ; =;"}, CS_EAUTH},
};

static void a_cookie_counts_for_calls_of_its_own_pages(void **state)
{
    uint8_t expected[CTL_TOKEN_BYTES];

    (void)state;
    memset(expected, 0xab, sizeof expected);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct ctl_cookie_call call = {
            .tls = cases[i].tls,
            .authority = cs_slice_str(cases[i].authority),
            .origin = cs_slice_str(cases[i].origin),
            .fetch_site = cs_slice_str(cases[i].fetch_site),
        };
        uint8_t token[CTL_TOKEN_BYTES] = {0};
        struct cs_err err;
        int code;

        for (size_t k = 0; k < CS_ARRAY_LEN(cases[i].cookies) && cases[i].cookies[k]; k++)
            ctl_cookie_gather(&call, cs_slice_str(cases[i].cookies[k]));
        code = ctl_cookie_token(&call, token, &err);
        if (code != cases[i].code)
            fail_msg("%s: %s", cases[i].says, cs_code_text(code));
        if (code == CS_OK)
            assert_memory_equal(token, expected, sizeof token);
    }
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    for (unsigned tls = 0; tls < 2; tls++) {
        struct ctl_cookie_call call = {
            .tls = tls, .authority = cs_slice_str("localhost"), .fetch_site = cs_slice_str("same-origin")};
        uint8_t token[CTL_TOKEN_BYTES] = {1, 2, 0xff}, again[CTL_TOKEN_BYTES];
        char text[CTL_COOKIE_TEXT_BYTES];
        struct cs_err err;

        ctl_cookie_text(tls, token, 43200, text);
        assert_string_equal(strchr(text, ';'),
                            tls ? "; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict; Secure"
                                : "; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict");
        *strchr(text, ';') = '\0';
        ctl_cookie_gather(&call, cs_slice_str(text));
        check_ok(ctl_cookie_token(&call, again, &err), err);
        assert_memory_equal(token, again, sizeof token);
    }
}

static void a_cookie_is_taken_back(void **state)
{
    char text[CTL_COOKIE_TEXT_BYTES];

    (void)state;
    assert_string_equal(ctl_cookie_text(true, NULL, 43200, text),
                        "__Host-countersign=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure");
    assert_string_equal(ctl_cookie_text(false, NULL, 0, text),
                        "countersign=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_counts_for_calls_of_its_own_pages),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_cookie_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
