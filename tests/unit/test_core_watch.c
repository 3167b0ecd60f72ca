/* What a filter of those who watch lets through. */
#include "tests/support/check.h"

#include "controller/core/changes.h"

#define KIND(name) countersign_v1_ObjectKind_OBJECT_KIND_##name

#define ID(byte)                                                                                             \
    {                                                                                                        \
        32,                                                                                                  \
        {                                                                                                    \
            byte                                                                                             \
        }                                                                                                    \
    }

static void a_filter_lets_through_what_concerns_it(void **state)
{
    static const struct {
        const char *says;
        countersign_v1_WatchRequest request;
        countersign_v1_Change change;
        bool wanted;
    } cases[] = {
        {"all", {0}, {.kind = KIND(POLICY), .number = 3}, true},
        {"a kind", {.kinds_count = 1, .kinds = {KIND(ORDER)}}, {.kind = KIND(ORDER)}, true},
        {"another kind", {.kinds_count = 1, .kinds = {KIND(ORDER)}}, {.kind = KIND(DEVICE)}, false},
        {"the certificate", {.certificate_id = ID(1)}, {.kind = KIND(CERTIFICATE), .id = ID(1)}, true},
        {"another certificate", {.certificate_id = ID(1)}, {.kind = KIND(CERTIFICATE), .id = ID(2)}, false},
        {"its order",
         {.certificate_id = ID(1)},
         {.kind = KIND(ORDER), .number = 5, .request_number = 2, .certificate_id = ID(1)},
         true},
        {"its attachments, counted",
         {.certificate_id = ID(1)},
         {.kind = KIND(ATTACHMENT), .count = 40},
         true},
        {"another's attachments, counted",
         {.certificate_id = ID(1)},
         {.kind = KIND(ATTACHMENT), .id = ID(2), .count = 40},
         false},
        {"a device has no certificate",
         {.certificate_id = ID(1)},
         {.kind = KIND(DEVICE), .name = "a"},
         false},
        {"the device", {.device_name = "gw-1"}, {.kind = KIND(DEVICE), .name = "gw-1"}, true},
        {"another device", {.device_name = "gw-1"}, {.kind = KIND(DEVICE), .name = "gw-10"}, false},
        {"the device's order", {.device_name = "gw-1"}, {.kind = KIND(ORDER), .name = "gw-1"}, true},
        {"orders, counted",
         {.device_name = "gw-1"},
         {.kind = KIND(ORDER), .number = 2, .request_number = 2, .count = 90},
         true},
        {"the device's key request",
         {.device_name = "gw-1"},
         {.kind = KIND(KEY_REQUEST), .name = "gw-1"},
         true},
        {"the request", {.request_number = 2}, {.kind = KIND(REQUEST), .number = 2}, true},
        {"an order with the request's number",
         {.request_number = 2},
         {.kind = KIND(ORDER), .number = 2, .request_number = 1},
         false},
        {"an order of the request",
         {.request_number = 2},
         {.kind = KIND(ORDER), .number = 9, .request_number = 2},
         true},
        {"orders of any request, counted", {.request_number = 2}, {.kind = KIND(ORDER), .count = 300}, true},
        {"both have to hold",
         {.request_number = 2, .device_name = "gw-1"},
         {.kind = KIND(ORDER), .number = 9, .request_number = 2, .name = "gw-2"},
         false},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        if (ctl_watch_wants(&cases[i].request, &cases[i].change) != cases[i].wanted)
            fail_msg("%s", cases[i].says);
    }
}

static void a_filter_that_is_malformed_is_refused(void **state)
{
    const countersign_v1_WatchRequest cases[] = {
        {.kinds_count = 1, .kinds = {KIND(UNSPECIFIED)}},
        {.kinds_count = 1, .kinds = {(countersign_v1_ObjectKind)99}},
        {.certificate_id = {31, {1}}},
        {.device_name = "no name"},
    };
    const countersign_v1_WatchRequest fine = {
        .kinds_count = 1, .kinds = {KIND(CRL)}, .certificate_id = ID(1), .device_name = "gw-1"};
    struct cs_err err;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        assert_int_equal(ctl_watch_check(&cases[i], &err), CS_EINVAL);
    check_ok(ctl_watch_check(&fine, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_lets_through_what_concerns_it),
        cmocka_unit_test(a_filter_that_is_malformed_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
