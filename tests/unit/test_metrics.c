/* What monitoring reads: counted in steps, bounded, and a page that Prometheus takes. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"
#include "tests/support/control.h"

#include "controller/metrics.h"

#include <stdio.h>

static int set_up(void **state)
{
    struct control *c = calloc(1, sizeof *c);

    assert_non_null(c);
    control_start(c);
    control_policy(c);
    control_device(c, "gw-0");
    control_certificate(c, "shop");
    control_certificate(c, "mail");
    control_certificate(c, "spare");
    control_attach(c, "shop", "gw-0");
    control_attach(c, "mail", "gw-0");
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    control_stop(*state);
    free(*state);
    return 0;
}

static int step(struct control *c, struct ctl_survey *survey, size_t rows, struct cs_err *err)
{
    struct ctl_source source = memview_source(&c->store);
    struct ctl_view *view;
    int rc = ctl_view_new(&source, &view, err);

    if (rc != CS_OK)
        return rc;
    rc = ctl_survey_step(survey, view, &c->settings, c->d.now_s, rows, err);
    ctl_view_free(view);
    return rc;
}

/* Steps of this many rows until the count is complete; how many it took. */
static unsigned count(struct control *c, struct ctl_survey *survey, size_t rows)
{
    unsigned steps = 0;
    struct cs_err err;

    ctl_survey_begin(survey);
    for (; survey->under_way; steps++)
        check_ok(step(c, survey, rows, &err), err);
    return steps;
}

static void counts_certificates_and_orders_in_steps(void **state)
{
    struct control *c = *state;
    struct ctl_survey survey;
    struct cs_err err;
    unsigned in_one;

    control_push(c, "shop");
    check_ok(ctl_survey_init(&survey, 10, &err), err);
    in_one = count(c, &survey, 1000);
    assert_int_equal(in_one, 1);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(survey.done.at_s, c->d.now_s);
        assert_int_equal(survey.done.colours[countersign_v1_Colour_COLOUR_GREEN] +
                             survey.done.colours[countersign_v1_Colour_COLOUR_BLUE] +
                             survey.done.colours[countersign_v1_Colour_COLOUR_YELLOW] +
                             survey.done.colours[countersign_v1_Colour_COLOUR_ORANGE],
                         3);
        assert_int_equal(survey.done.attached, 2);
        assert_int_equal(survey.done.soonest_count, 2);
        assert_int_equal(survey.done.orders[countersign_v1_OrderState_ORDER_STATE_PUSH_APPROVAL_PENDING], 1);
        assert_true(survey.done.soonest[0].not_after_s <= survey.done.soonest[1].not_after_s);
        assert_true(count(c, &survey, 1) > 4);
    }
    ctl_survey_free(&survey);
}

/* A count that is under way is not shown. */
static void shows_the_last_complete_count(void **state)
{
    struct control *c = *state;
    struct ctl_survey survey;
    struct cs_err err;

    check_ok(ctl_survey_init(&survey, 10, &err), err);
    ctl_survey_begin(&survey);
    check_ok(step(c, &survey, 2, &err), err);
    assert_true(survey.under_way);
    assert_int_equal(survey.done.at_s, 0);
    ctl_survey_begin(&survey);
    check_ok(step(c, &survey, 1000, &err), err);
    assert_false(survey.under_way);
    assert_int_equal(survey.done.attached, 2);
    ctl_survey_free(&survey);
}

/* The dates of all three are the same, in the future: by moving the clock they come to stand where they must.
 */
static void tells_people_on_which_day_certificates_expire(void **state)
{
    enum { DAY_S = 24 * 60 * 60 };
    static const struct {
        const char *says;
        int64_t before_s; /* so long before the date */
        size_t day;       /* CTL_SURVEY_DAYS: on none of these */
    } cases[] = {
        {"now", 0, 0},
        {"the last second of the first day", DAY_S - 1, 0},
        {"the first of the second", DAY_S, 1},
        {"the last day", CTL_SURVEY_DAYS * DAY_S - 1, CTL_SURVEY_DAYS - 1},
        {"behind the last day", CTL_SURVEY_DAYS * DAY_S, CTL_SURVEY_DAYS},
        {"expired", -1, CTL_SURVEY_DAYS},
    };
    struct control *c = *state;
    struct ctl_survey survey;
    struct cs_err err;
    int64_t date_s;

    check_ok(ctl_survey_init(&survey, 10, &err), err);
    count(c, &survey, 1000);
    date_s = survey.done.soonest[0].not_after_s;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        countersign_v1_GetSummaryResponse summary = countersign_v1_GetSummaryResponse_init_zero;
        unsigned certificates = 0;

        c->d.now_s = date_s - cases[i].before_s;
        count(c, &survey, 1);
        ctl_survey_summary(&survey, &summary);
        assert_int_equal(summary.counted_at_s, c->d.now_s);
        assert_int_equal(summary.expiring_count, CTL_SURVEY_DAYS);
        for (size_t day = 0; day < CTL_SURVEY_DAYS; day++)
            if (summary.expiring[day] != (day == cases[i].day ? 3 : 0))
                fail_msg("%s: %u on day %zu", cases[i].says, (unsigned)summary.expiring[day], day);
        for (size_t k = 0; k < summary.colours_count; k++)
            certificates += summary.colours[k].certificates;
        assert_int_equal(certificates, 3);
        assert_int_equal(summary.attached, 2);
    }
    ctl_survey_free(&survey);
}

static void only_so_many_certificates_have_series(void **state)
{
    static const size_t rooms[] = {0, 1};
    struct control *c = *state;

    for (size_t i = 0; i < CS_ARRAY_LEN(rooms); i++) {
        struct ctl_survey survey;
        struct cs_err err;

        check_ok(ctl_survey_init(&survey, rooms[i], &err), err);
        count(c, &survey, 1000);
        assert_int_equal(survey.done.soonest_count, rooms[i]);
        assert_int_equal(survey.done.attached, 2);
        ctl_survey_free(&survey);
    }
}

static void a_serial_number_is_decimal(void **state)
{
    static const struct {
        const char *hex, *decimal;
    } cases[] = {
        {"", "0"},
        {"00", "0"},
        {"0a", "10"},
        {"FF", "255"},
        {"01:00", "256"},
        {"ffffffffffffffff", "18446744073709551615"},
        {"7fffffffffffffffffffffffffffffffffffffff", "730750818665451459101842416358141509827966271487"}};

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        char out[CTL_SERIAL_TEXT_BYTES];

        assert_string_equal(ctl_metrics_serial(cases[i].hex, out), cases[i].decimal);
    }
    {
        char longest[64], out[CTL_SERIAL_TEXT_BYTES];

        memset(longest, 'f', sizeof longest - 1);
        longest[sizeof longest - 1] = '\0';
        assert_int_equal(strlen(ctl_metrics_serial(longest, out)), 76);
    }
}

/* A page with one certificate whose names try to end the label. */
struct paper {
    struct ctl_survey_certificate certificate;
    struct ctl_survey_count counted;
    struct ctl_survey_totals totals;
    struct ctl_core_stats core;
    struct ctl_metrics_listener listener;
    struct ctl_metrics metrics;
};

static void make_paper(struct paper *p)
{
    *p = (struct paper){
        .certificate = {.common_name = "a\"b\\c\nd",
                        .issuer = "C=DE, O=Plant, CN=Plant CA\\, old, OU=x",
                        .serial = "0a",
                        .not_before_s = 1000,
                        .not_after_s = 2000,
                        .id = {0xab, 1}},
        .totals = {.revision = 7, .policy_version = 2},
        .listener = {.name = "agents", .connections_open = 3},
    };
    p->counted = (struct ctl_survey_count){.soonest = &p->certificate, .soonest_count = 1, .at_s = 1500};
    p->counted.colours[countersign_v1_Colour_COLOUR_RED] = 5;
    p->core.commits_in[0] = 2;
    p->core.commits_in[CTL_COMMIT_BUCKETS] = 1;
    p->core.commits = 3;
    p->metrics = (struct ctl_metrics){.now_s = 1500,
                                      .counted = &p->counted,
                                      .totals = &p->totals,
                                      .core = &p->core,
                                      .listeners = &p->listener,
                                      .listener_count = 1,
                                      .policy_expires_s = 9000};
}

static void writes_a_page_that_prometheus_takes(void **state)
{
    static const char not_after[] =
        "x509_cert_not_after{serial_number=\"10\",subject_CN=\"a\\\"b\\\\c\\nd\",issuer_CN=\"Plant CA\\\\, "
        "old\",discriminator=\"ab01000000000000\"} 2000\n";
    static const char *const lines[] = {
        not_after,
        "x509_cert_expires_in_seconds{",
        "} 500\n",
        "x509_cert_expired{",
        "# TYPE x509_cert_not_before gauge\n",
        "countersign_certificates{colour=\"red\"} 5\n",
        "countersign_certificates{colour=\"green\"} 0\n",
        "countersign_orders{state=\"completed\"} 0\n",
        "countersign_audit_revision 7\n",
        "countersign_connections{listener=\"agents\"} 3\n",
        "countersign_commit_duration_seconds_bucket{le=\"0.0005\"} 2\n",
        "countersign_commit_duration_seconds_bucket{le=\"2.5\"} 2\n",
        "countersign_commit_duration_seconds_bucket{le=\"+Inf\"} 3\n",
        "countersign_commit_duration_seconds_count 3\n",
        "countersign_policy_expiry_timestamp_seconds 9000\n",
    };
    struct cs_buf page = CS_BUF_EMPTY;
    struct paper p;

    (void)state;
    make_paper(&p);
    assert_int_equal(ctl_metrics_write(&p.metrics, &page), CS_OK);
    assert_int_equal(cs_buf_append_u8(&page, '\0'), CS_OK);
    for (size_t i = 0; i < CS_ARRAY_LEN(lines); i++)
        if (!strstr((const char *)page.ptr, lines[i]))
            fail_msg("'%s' is not in\n%s", lines[i], (const char *)page.ptr);
    cs_buf_free(&page);
}

static void says_nothing_of_what_was_not_counted_yet(void **state)
{
    struct cs_buf page = CS_BUF_EMPTY;
    struct paper p;

    (void)state;
    make_paper(&p);
    p.counted.at_s = p.metrics.policy_expires_s = 0;
    assert_int_equal(ctl_metrics_write(&p.metrics, &page), CS_OK);
    assert_int_equal(cs_buf_append_u8(&page, '\0'), CS_OK);
    assert_null(strstr((const char *)page.ptr, "x509_"));
    assert_null(strstr((const char *)page.ptr, "countersign_orders{"));
    assert_null(strstr((const char *)page.ptr, "policy_expiry"));
    cs_buf_free(&page);
}

/* Half a page would be numbers that are wrong. */
static void a_page_that_does_not_fit_is_none(void **state)
{
    struct cs_buf page = {.limit_bytes = 2000};
    struct paper p;

    (void)state;
    make_paper(&p);
    assert_int_equal(ctl_metrics_write(&p.metrics, &page), CS_ETOOBIG);
    cs_buf_free(&page);
}

static void write_short_of_memory(void *data)
{
    struct cs_buf page = CS_BUF_EMPTY;
    int rc = ctl_metrics_write(data, &page);

    assert_true(rc == CS_OK || (rc == CS_ENOMEM && alloc_fail_happened()));
    cs_buf_free(&page);
}

static void says_when_memory_runs_out(void **state)
{
    struct paper p;

    (void)state;
    make_paper(&p);
    assert_true(alloc_fail_run(write_short_of_memory, &p.metrics) > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(counts_certificates_and_orders_in_steps),
        TEST(shows_the_last_complete_count),
        TEST(tells_people_on_which_day_certificates_expire),
        TEST(only_so_many_certificates_have_series),
        cmocka_unit_test(a_serial_number_is_decimal),
        cmocka_unit_test(writes_a_page_that_prometheus_takes),
        cmocka_unit_test(says_nothing_of_what_was_not_counted_yet),
        cmocka_unit_test(a_page_that_does_not_fit_is_none),
        cmocka_unit_test(says_when_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
