/* How far a push is, in one line. */
#include "tests/support/check.h"

#include "controller/cli/progress.h"

static void says_how_far_it_is_in_the_room_there_is(void **state)
{
    static const struct {
        struct cli_progress progress;
        size_t width;
        const char *line;
    } cases[] = {
        {{10, 4, 1, "Push-In Progress", 42}, 0, "5 of 10 ended, 1 failed  Push-In Progress  0:42"},
        {{10, 0, 0, "Push-Scheduled", 0}, 60, "[......................] 0 of 10 ended  Push-Scheduled  0:00"},
        {{10, 5, 0, "Push-In Progress", 3661},
         80,
         "[##################...................] 5 of 10 ended  Push-In Progress  1:01:01"},
        {{3, 3, 0, "Completed", 9}, 50, "[##################] 3 of 3 ended  Completed  0:09"},
        {{10, 0, 0, "Push-Scheduled", 0}, 35, "0 of 10 ended  Push-Scheduled  0:00"},
        {{10, 0, 0, "Push-Scheduled", 0}, 20, "0 of 10 ended  Pus.."},
        {{0, 0, 0, "a\033[2J", -5}, 0, "0 of 0 ended  a?[2J  0:00"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf out = CS_BUF_EMPTY;

        assert_int_equal(cli_progress_line(&cases[i].progress, cases[i].width, &out), CS_OK);
        if (!cs_slice_eq(cs_buf_slice(&out), cs_slice_str(cases[i].line)))
            fail_msg("'%.*s' is not '%s'", (int)out.len, (const char *)out.ptr, cases[i].line);
        cs_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_how_far_it_is_in_the_room_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
