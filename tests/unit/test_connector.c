#include "tests/support/check.h"

#include "agent/core/connector.h"
#include "agent/core/device_time.h"
#include "tests/support/alloc_fail.h"

static void free_arguments(char *argv[AG_LIMIT_ARGUMENTS + 1])
{
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
}

static void splits_a_command_as_people_write_it(void **unused CS_UNUSED)
{
    static const struct {
        const char *text, *wanted[4];
    } cases[] = {
        {"", {NULL}},
        {" \t ", {NULL}},
        {"/bin/true", {"/bin/true"}},
        {" a\t b  c ", {"a", "b", "c"}},
        {"a \"b c\" d", {"a", "b c", "d"}},
        {"a 'b \"c' d", {"a", "b \"c", "d"}},
        {"a \"it's\"", {"a", "it's"}},
        {"a\\ b c", {"a b", "c"}},
        {"\"a\\\"b\"", {"a\"b"}},
        {"'a\\b'", {"a\\b"}},
        {"a\\", {"a\\"}}, /* nothing is left to take */
        {"a''b \"\"", {"ab", ""}},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        char *argv[AG_LIMIT_ARGUMENTS + 1];

        assert_true(ag_arguments_split(cases[i].text, argv));
        for (size_t k = 0; cases[i].wanted[k] || argv[k]; k++) {
            if (!argv[k] || !cases[i].wanted[k] || strcmp(argv[k], cases[i].wanted[k]) != 0)
                fail_msg("%s: argument %zu is '%s'", cases[i].text, k, argv[k] ? argv[k] : "not there");
        }
        free_arguments(argv);
    }
}

static void refuses_an_open_quote_and_too_many(void **unused CS_UNUSED)
{
    char text[2 * (AG_LIMIT_ARGUMENTS + 1) + 1], *argv[AG_LIMIT_ARGUMENTS + 1];

    assert_false(ag_arguments_split("a \"b", argv));
    assert_null(argv[0]);
    assert_false(ag_arguments_split("'", argv));
    for (size_t i = 0; i <= AG_LIMIT_ARGUMENTS; i++)
        memcpy(text + 2 * i, "a ", 3);
    assert_false(ag_arguments_split(text, argv));
    text[2 * AG_LIMIT_ARGUMENTS] = '\0';
    assert_true(ag_arguments_split(text, argv));
    free_arguments(argv);
}

static void split_short_of_memory(void *text)
{
    char *argv[AG_LIMIT_ARGUMENTS + 1];
    bool split = ag_arguments_split(text, argv);

    assert_true(split || (alloc_fail_happened() && !argv[0]));
    if (split)
        free_arguments(argv);
}

static void splits_nothing_without_memory(void **unused CS_UNUSED)
{
    assert_int_equal(alloc_fail_run(split_short_of_memory, (char[]){"a b c"}), 3);
}

static void is_found_by_its_name(void **unused CS_UNUSED)
{
    struct ag_connectors connectors = {calloc(2, sizeof *connectors.items), 2};

    assert_non_null(connectors.items);
    memcpy(connectors.items[0].name, "web", 4);
    memcpy(connectors.items[1].name, "mail", 5);
    connectors.items[1].reload.argv[0] = strdup("/bin/true");
    connectors.items[1].paths[AG_FILE_CERTIFICATE] = strdup("/etc/mail.pem");
    assert_ptr_equal(ag_connectors_find(&connectors, "mail"), &connectors.items[1]);
    assert_null(ag_connectors_find(&connectors, "db"));
    ag_connectors_free(&connectors);
    assert_int_equal(connectors.count, 0);
}

static void no_clock_is_believed_below_the_floor(void **unused CS_UNUSED)
{
    static const struct {
        const char *says;
        int64_t clock_s, session_s;
        bool clockless;
        int64_t now_s;
        bool known;
    } cases[] = {
        {"a clock above the floor", 150, 0, false, 150, true},
        {"a clock at the floor", 100, 0, false, 100, true},
        {"a clock below the floor", 50, 0, false, 100, false},
        {"a session's time is not for a device with a clock", 50, 200, false, 100, false},
        {"a clockless device takes it", 50, 200, true, 200, true},
        {"though not below the floor", 50, 60, true, 100, false},
        {"a clockless device without a session", 150, 0, true, 150, true},
    };

    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct ag_device_time time =
            ag_device_time(cases[i].clock_s, 100, cases[i].clockless, cases[i].session_s);

        if (time.now_s != cases[i].now_s || time.known != cases[i].known)
            fail_msg("%s", cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_a_command_as_people_write_it),
        cmocka_unit_test(refuses_an_open_quote_and_too_many),
        cmocka_unit_test(splits_nothing_without_memory),
        cmocka_unit_test(is_found_by_its_name),
        cmocka_unit_test(no_clock_is_believed_below_the_floor),
    };

    return cmocka_run_group_tests_name("connector", tests, NULL, NULL);
}
