/* The colour of a certificate: what comes first when several hold, and from when on. */
#include "tests/support/check.h"

#include "controller/core/colour.h"

#define COLOUR(name)    countersign_v1_Colour_COLOUR_##name
#define CONDITION(name) countersign_store_v1_Condition_CONDITION_##name

enum { NOW_S = 1700000000, DAY_S = 86400 };

static ctl_certificate_row ends_in(int64_t rest_s)
{
    ctl_certificate_row row = countersign_store_v1_Certificate_init_zero;

    row.not_after_s = NOW_S + rest_s;
    return row;
}

static void dates_alone_give_green_blue_yellow_orange_and_red(void **state)
{
    static const struct {
        int64_t rest_s;
        countersign_v1_Colour colour;
    } cases[] = {
        {90 * DAY_S + 1, COLOUR(GREEN)},
        {90 * DAY_S, COLOUR(BLUE)},
        {30 * DAY_S + 1, COLOUR(BLUE)},
        {30 * DAY_S, COLOUR(YELLOW)},
        {10 * DAY_S + 1, COLOUR(YELLOW)},
        {10 * DAY_S, COLOUR(ORANGE)},
        {0, COLOUR(ORANGE)},
        {-1, COLOUR(RED)},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        ctl_certificate_row row = ends_in(cases[i].rest_s);

        assert_int_equal(ctl_colour_of(&row, NULL, NOW_S), cases[i].colour);
        assert_int_equal(ctl_colour_at(&row, CONDITION(FINE), &ctl_settings_default, NOW_S), cases[i].colour);
    }
}

static void the_thresholds_are_the_owners(void **state)
{
    const struct ctl_settings settings = {.blue_s = 300, .yellow_s = 200, .orange_s = 100};
    static const struct {
        int64_t rest_s;
        countersign_v1_Colour colour;
    } cases[] = {{301, COLOUR(GREEN)},  {300, COLOUR(BLUE)},   {200, COLOUR(YELLOW)},
                 {101, COLOUR(YELLOW)}, {100, COLOUR(ORANGE)}, {-1, COLOUR(RED)}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        ctl_certificate_row row = ends_in(cases[i].rest_s);

        assert_int_equal(ctl_colour_of(&row, &settings, NOW_S), cases[i].colour);
    }
}

/* DESIGN.md section 2: black, red, gray, mid purple, and only then the dates. */
static void the_worst_comes_first(void **state)
{
    ctl_certificate_row row = ends_in(5 * DAY_S);

    (void)state;
    assert_int_equal(ctl_colour_at(&row, CONDITION(CHANGED), NULL, NOW_S), COLOUR(PURPLE));
    assert_int_equal(ctl_colour_at(&row, CONDITION(FAILED), NULL, NOW_S), COLOUR(GRAY));
    row.changed = 3;
    assert_int_equal(ctl_colour_of(&row, NULL, NOW_S), COLOUR(PURPLE));
    row.failed = 1;
    assert_int_equal(ctl_colour_of(&row, NULL, NOW_S), COLOUR(GRAY));
    row.not_after_s = NOW_S - 1;
    assert_int_equal(ctl_colour_of(&row, NULL, NOW_S), COLOUR(RED));
    row.revoked = true;
    assert_int_equal(ctl_colour_of(&row, NULL, NOW_S), COLOUR(BLACK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_alone_give_green_blue_yellow_orange_and_red),
        cmocka_unit_test(the_thresholds_are_the_owners),
        cmocka_unit_test(the_worst_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
