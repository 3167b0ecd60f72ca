/* Who may call what: every method of every operators' service with every role, and every user of the machine.
 */
#include "tests/support/check.h"
#include "tests/support/deployment.h"

#include "controller/access.h"
#include "controller/api/api.h"

#include <stdio.h>

enum { ROLES = 5 };
static const countersign_v1_Role roles[ROLES] = {
    countersign_v1_Role_ROLE_REQUESTER, countersign_v1_Role_ROLE_APPROVER,
    countersign_v1_Role_ROLE_IMPLEMENTER, countersign_v1_Role_ROLE_ADMIN, countersign_v1_Role_ROLE_AUDITOR};

/* A letter where the role may: requester, approver, implementer, admin, auditor. */
static const struct {
    const char *method, *who;
} table[] = {
    {"ControllerService/GetStatus", "raimu"},
    {"ControllerService/ListAudit", "raimu"},
    {"ControllerService/GetCheckpoint", "raimu"},
    {"ControllerService/GetSummary", "raimu"},
    {"TrustService/GetPolicy", "raimu"},
    {"TrustService/PublishPolicy", "---m-"},
    {"DeviceService/CreateToken", "---m-"},
    {"DeviceService/GetEnrolment", "---mu"},
    {"DeviceService/AdmitDevice", "---m-"},
    {"DeviceService/ListDevices", "raimu"},
    {"DeviceService/GetDevice", "raimu"},
    {"DeviceService/GetDeviceTopology", "raimu"},
    {"DeviceService/SetDeviceGroups", "---m-"},
    {"DeviceService/BanDevice", "---m-"},
    {"CertificateService/ImportCertificate", "r--m-"},
    {"CertificateService/ListCertificates", "raimu"},
    {"CertificateService/GetCertificate", "raimu"},
    {"CertificateService/Attach", "r--m-"},
    {"CertificateService/Detach", "r--m-"},
    {"CertificateService/GetTopology", "raimu"},
    {"CertificateService/RequestKey", "r----"},
    {"CertificateService/GetKeyRequest", "raimu"},
    {"CertificateService/ListKeyRequests", "raimu"},
    {"CertificateService/AttachLike", "r--m-"},
    {"CertificateService/SetCertificateGroups", "r--m-"},
    {"CertificateService/RevokeCertificate", "---m-"},
    {"CertificateService/ImportCrl", "---m-"},
    {"CertificateService/ListCrls", "raimu"},
    {"PushService/ExplainPush", "raimu"},
    {"PushService/PreparePush", "r----"},
    {"PushService/GetOrderCores", "raimu"},
    {"PushService/SubmitPush", "r----"},
    {"PushService/Decide", "-ai--"},
    {"PushService/CancelRequest", "r--m-"},
    {"PushService/ListRequests", "raimu"},
    {"PushService/GetRequest", "raimu"},
    {"PushService/ListOrders", "raimu"},
    {"PushService/GetOrder", "raimu"},
    {"PushService/PutSealedKeys", "r----"},
    {"WatchService/Watch", "raimu"},
    {"SessionService/GetChallenge", "raimu"},
    {"SessionService/OpenSession", "raimu"},
    {"SessionService/CloseSession", "raimu"},
    {"SessionService/WhoAmI", "raimu"},
    {"SessionService/ListSessions", "raimu"},
    {"SessionService/EndSession", "raimu"},
    {"SessionService/CreatePairing", "---m-"},
    {"SessionService/Pair", "raimu"},
    {"SessionService/GetPairing", "---m-"},
};

/* With an operator "r", "a", "i", "m" and "u" for each role, and "n" without one. */
static int set_up(void **state)
{
    deployment_set_up(state);
    for (unsigned i = 0; i <= ROLES; i++) {
        const char name[] = {"raimun"[i], '\0'};

        deployment_add_operator(*state, name, countersign_v1_KeyKind_KEY_KIND_FILE, roles[i % ROLES]);
    }
    deployment_operator(*state, "n")->roles_count = 0;
    return 0;
}

static struct ctl_caller caller_of(const char *operator)
{
    struct ctl_caller caller = {.is_administrator = false};

    snprintf(caller.operator, sizeof caller.operator, "%s", operator);
    return caller;
}

static int check(const struct deployment *d, const char *who, const struct cs_method *method,
                 struct cs_err *err)
{
    struct ctl_caller caller = caller_of(who);

    return ctl_access_check(&caller, d->body, method->name, method->tag, err);
}

static const char *row_of(const struct cs_method *method)
{
    char name[128];

    snprintf(name, sizeof name, "%s/%s", strrchr(method->service, '.') + 1, method->name);
    for (size_t i = 0; i < CS_ARRAY_LEN(table); i++)
        if (strcmp(table[i].method, name) == 0)
            return table[i].who;
    fail_msg("%s is not in this test's table: say who may call it", name);
    return NULL;
}

#define FOR_EACH_METHOD(method)                                                                              \
    for (size_t s_ = 0; s_ < ctl_api_services_count; s_++)                                                   \
        for (const struct cs_method *method = ctl_api_services[s_].methods;                                  \
             method < ctl_api_services[s_].methods + *ctl_api_services[s_].count; method++)

static void every_method_is_for_the_roles_that_it_says(void **state)
{
    size_t methods = 0;

    FOR_EACH_METHOD(method)
    {
        const char *who = row_of(method);

        methods++;
        for (unsigned i = 0; i < ROLES; i++) {
            const char name[] = {"raimu"[i], '\0'};
            struct cs_err err;
            int code = check(*state, name, method, &err);

            if (code != (who[i] == name[0] ? CS_OK : CS_EDENIED))
                fail_msg("%s by %s: %s", method->name, name, cs_code_text(code));
        }
    }
    assert_int_equal(methods, CS_ARRAY_LEN(table));
}

/* But the own sessions; "Pair" is the browser's part, whoever it is. */
static void an_auditor_changes_nothing(void **state)
{
    static const char *const reads[] = {"Get",         "List",         "Explain",    "Watch", "WhoAmI",
                                        "OpenSession", "CloseSession", "EndSession", "Pair"};

    FOR_EACH_METHOD(method)
    {
        bool is_read = false;
        struct cs_err err;

        for (size_t i = 0; i < CS_ARRAY_LEN(reads); i++)
            is_read = is_read || strncmp(method->name, reads[i], strlen(reads[i])) == 0;
        /* What came by a link is for those who make links. */
        if (strcmp(method->name, "GetPairing") == 0)
            is_read = false;
        if (check(*state, "u", method, &err) != (is_read ? CS_OK : CS_EDENIED))
            fail_msg("%s", method->name);
    }
}

static void who_has_no_role_may_only_ask_who_that_is(void **state)
{
    FOR_EACH_METHOD(method)
    {
        bool is_session =
            strcmp(method->service, "countersign.v1.SessionService") == 0 && method->tag != CTL_MAY(ADMIN);
        struct cs_err err;

        check_code(check(*state, "n", method, &err), is_session ? CS_OK : CS_EDENIED);
    }
}

static void the_administrator_may_call_everything(void **state)
{
    struct ctl_caller caller = {.is_administrator = true};
    struct cs_err err;

    (void)state;
    FOR_EACH_METHOD(method)
    check_ok(ctl_access_check(&caller, NULL, method->name, method->tag, &err), err);
}

static void who_is_no_operator_may_call_nothing(void **state)
{
    struct deployment *d = *state;
    struct ctl_caller caller = caller_of("mallory");
    struct cs_err err;

    check_code(ctl_access_check(&caller, d->body, "GetStatus", CTL_MAY_ANYONE, &err), CS_EDENIED);
    check_says(err, "mallory is no operator in trust policy version 1");
    check_code(ctl_access_check(&caller, NULL, "GetStatus", CTL_MAY_ANYONE, &err), CS_EDENIED);
    check_says(err, "no trust policy yet");
}

static void says_which_role_it_takes_and_who_one_is(void **state)
{
    struct deployment *d = *state;
    struct ctl_caller caller = caller_of("dora");
    struct cs_err err;

    check_code(ctl_access_check(&caller, d->body, "Attach", CTL_MAY(AUDITOR) | CTL_MAY(ADMIN), &err),
               CS_EDENIED);
    check_says(err, "Attach takes the role admin or auditor; dora has requester, approver, implementer");
    caller = caller_of("n");
    check_code(ctl_access_check(&caller, d->body, "Attach", CTL_MAY(ADMIN), &err), CS_EDENIED);
    check_says(err, "n has no role");
}

static void a_group_gives_its_members_roles(void **state)
{
    struct deployment *d = *state;
    countersign_v1_OperatorGroup *group = &d->body->groups[d->body->groups_count++];
    struct ctl_caller caller = caller_of("n");
    struct cs_err err;

    memcpy(group->name, "night", sizeof "night");
    memcpy(group->members[group->members_count++], "n", sizeof "n");
    group->roles[group->roles_count++] = countersign_v1_Role_ROLE_ADMIN;
    check_ok(ctl_access_check(&caller, d->body, "BanDevice", CTL_MAY(ADMIN), &err), err);
    check_code(ctl_access_check(&caller, d->body, "PreparePush", CTL_MAY(REQUESTER), &err), CS_EDENIED);
}

/* A stage may be for any role. */
static void whoever_has_a_stage_s_role_may_decide(void **state)
{
    struct deployment *d = *state;
    struct ctl_caller caller = caller_of("u");
    struct cs_err err;

    check_code(ctl_access_check(&caller, d->body, "Decide", CTL_MAY_DECIDERS, &err), CS_EDENIED);
    check_says(err, "Decide takes the role approver or implementer; u has auditor");
    deployment_add_stage(&d->body->rules[0], "security", countersign_v1_Role_ROLE_AUDITOR, 1);
    check_ok(ctl_access_check(&caller, d->body, "Decide", CTL_MAY_DECIDERS, &err), err);
}

/* ---- users of the machine */

enum { OWN = 990, STRANGER = 1002 };

static int local(const struct ctl_uids *uids, const countersign_v1_TrustPolicy *policy, uint32_t uid,
                 const char *named, struct ctl_caller *ret, struct cs_err *err)
{
    const struct ctl_local local = {uids, OWN, uid, named};

    return ctl_access_local(&local, policy, ret, err);
}

static void a_user_is_whom_the_configuration_says(void **state)
{
    static const struct {
        uint32_t uid;
        const char *named, *is, *says; /* is: the operator, "" for the administrator, NULL: refused */
    } cases[] = {
        {1000, NULL, "alice", NULL},
        {1000, "", "alice", NULL},
        {1000, "alice", "alice", NULL},
        {1000, "bob", NULL,
         "user 1000 may not call as bob: add the name to `operators` under [uid \"1000\"]"},
        {1001, "bob", "bob", NULL},
        {1001, "carol", "carol", NULL},
        {1001, NULL, NULL, "user 1001 may be bob or carol: say who calls"},
        {1001, "alice", NULL, "may not call as alice"},
        {STRANGER, NULL, NULL,
         "user 1002 is no operator here: write `operators = NAME` under [uid \"1002\"]"},
        {STRANGER, "alice", NULL, "user 1002 is no operator here"},
        {UINT32_MAX, "alice", NULL, "does not say which user"},
        {UINT32_MAX, NULL, NULL, "does not say which user"},
        {0, NULL, "", NULL},
        {0, "bob", "bob", NULL},
        {OWN, NULL, "", NULL},
        {OWN, "alice", "alice", NULL},
        {1000, "a b", NULL, "the operator who calls"},
    };
    struct deployment *d = *state;
    struct ctl_uids uids = {.count = 0};
    struct cs_err err;

    check_ok(ctl_uids_add(&uids, 1000, "alice", &err), err);
    check_ok(ctl_uids_add(&uids, 1001, "bob, carol", &err), err);
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct ctl_caller caller = {.is_administrator = true};
        int code = local(&uids, d->body, cases[i].uid, cases[i].named, &caller, &err);

        if ((code == CS_OK) != (cases[i].is != NULL))
            fail_msg("case %zu: %s", i, cs_code_text(code));
        if (!cases[i].is) {
            check_says(err, cases[i].says);
            continue;
        }
        assert_string_equal(caller.operator, cases[i].is);
        assert_int_equal(caller.is_administrator, cases[i].is[0] == '\0');
    }
}

/* Before the first policy nobody is an operator, and the administrator publishes it whatever the client
 * names. */
static void only_the_administrator_is_somebody_before_the_first_policy(void **state)
{
    struct ctl_uids uids = {.count = 0};
    struct ctl_caller caller;
    struct cs_err err;

    (void)state;
    check_ok(ctl_uids_add(&uids, 1000, "alice", &err), err);
    check_ok(local(&uids, NULL, 0, "alice", &caller, &err), err);
    assert_true(caller.is_administrator);
    check_ok(local(&uids, NULL, 1000, NULL, &caller, &err), err);
    check_code(ctl_access_check(&caller, NULL, "GetStatus", CTL_MAY_ANYONE, &err), CS_EDENIED);
}

/* A process whose user is not known makes nobody the administrator. */
static void an_unknown_user_is_never_the_administrator(void **state)
{
    (void)state;
    assert_false(ctl_access_is_administrator(UINT32_MAX, UINT32_MAX));
    assert_true(ctl_access_is_administrator(UINT32_MAX, 0));
    assert_false(ctl_access_is_administrator(OWN, STRANGER));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, deployment_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_method_is_for_the_roles_that_it_says),
        TEST(an_auditor_changes_nothing),
        TEST(who_has_no_role_may_only_ask_who_that_is),
        TEST(the_administrator_may_call_everything),
        TEST(who_is_no_operator_may_call_nothing),
        TEST(says_which_role_it_takes_and_who_one_is),
        TEST(a_group_gives_its_members_roles),
        TEST(whoever_has_a_stage_s_role_may_decide),
        TEST(a_user_is_whom_the_configuration_says),
        TEST(only_the_administrator_is_somebody_before_the_first_policy),
        TEST(an_unknown_user_is_never_the_administrator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
