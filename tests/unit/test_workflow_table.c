/* The table of the workflow, once more and by sentences: which event may come in which phase and what it
 * makes of the order; whatever no sentence allows is refused. And what people and devices can do, by the
 * core's own commands, in every phase that an order can be in. */
#include "tests/support/check.h"

#include "controller/core/workflow.h"
#include "tests/support/control.h"

#include <string.h>

#define PHASE(name)   countersign_store_v1_Phase_PHASE_##name
#define OUTCOME(name) countersign_v1_Outcome_OUTCOME_##name
#define EVENT(name)   CTL_ORDER_##name

/* One letter a phase: small before it has ended. */
static const char letters[] = {
    [PHASE(NEW)] = 'n',     [PHASE(PENDING)] = 'p',     [PHASE(REVIEW)] = 'r',   [PHASE(SCHEDULED)] = 's',
    [PHASE(WAITING)] = 'w', [PHASE(HANDED_OVER)] = 'h', [PHASE(ACCEPTED)] = 'a', [PHASE(COMPLETED)] = 'C',
    [PHASE(FAILED)] = 'F',  [PHASE(SILENT)] = 'S',      [PHASE(REJECTED)] = 'R', [PHASE(CANCELLED)] = 'X',
    [PHASE(EXPIRED)] = 'E', [PHASE(SUPERSEDED)] = 'U',
};

/* clang-format off */
static const struct {
    const char *in;
    enum ctl_order_event event;
    char next; /* '=': it stays where it is */
    const char *says;
} sentences[] = {
    {"npr", EVENT(OPENED), 'p', "while its first stage is open it is Push-Approval Pending"},
    {"npr", EVENT(REVIEWED), 'r', "while a later stage is open it is Push-Review In Progress"},
    {"npr", EVENT(DECIDED), 's', "with its last stage it is Push-Scheduled"},
    {"sw", EVENT(DECIDED), '=', "a newer policy that it still satisfies changes nothing"},
    {"npr", EVENT(REJECTED), 'R', "one reject closes what people still decide"},
    {"prsw", EVENT(CANCELLED), 'X', "people may cancel whatever no device has"},
    {"prsw", EVENT(POLICY_CHANGED), 'X', "a newer policy that it does not satisfy cancels whatever no device has"},
    {"prsw", EVENT(UNFIT), 'X', "so does its certificate, revoked or expired without an override"},
    {"prsw", EVENT(SUPERSEDED), 'U', "a later decided order supersedes whatever no device has"},
    {"prsw", EVENT(EXPIRED), 'E', "what nobody decides or takes in time expires"},
    {"sw", EVENT(DUE), 'w', "what is due and has no device waits for it"},
    {"swh", EVENT(HANDED_OVER), 'h', "a device gets it, and gets it again"},
    {"a", EVENT(HANDED_OVER), '=', "what was accepted stays so when it is delivered again"},
    {"ha", EVENT(SILENT), 'S', "a device that says nothing is given up"},
    {"swha", EVENT(ACCEPTED), 'a', "the device says that it begins"},
    {"swha", EVENT(NOT_YET), 's', "the device or the clock says that it is not due: offered again at its time"},
    {"swha", EVENT(RETRY), 's', "an attempt failed and another one is allowed"},
    {"swhaS", EVENT(COMPLETED), 'C', "the device did it, also when it was given up"},
    {"swhaS", EVENT(FAILED), 'F', "the device could not do it"},
    {"swhaS", EVENT(CALLED_OFF), 'X', "the device obeyed a cancel"},
    {"RXEU", EVENT(COMPLETED), 'C', "what was done was done, whatever was thought to have become of it"},
    {"CF", EVENT(COMPLETED), '=', "what ended by the device's word stays so"},
    {"CFRXEU", EVENT(FAILED), '=', "a late failure changes no end"},
    {"CFRXEU", EVENT(CALLED_OFF), '=', "nor does a late obedience"},
    {"CFSRXEU", EVENT(ACCEPTED), '=', "nor a late beginning"},
    {"CFSRXEU", EVENT(NOT_YET), '=', "nor that it was not due"},
};
/* clang-format on */

static void every_event_in_every_phase_is_as_its_sentence_says(void **state)
{
    unsigned allowed = 0;

    (void)state;
    for (size_t phase = 0; phase < CTL_PHASE_COUNT; phase++)
        for (size_t event = 0; event < CTL_ORDER_EVENT_COUNT; event++) {
            struct cs_err err = {0};
            ctl_phase next = PHASE(NEW);
            int rc = ctl_workflow_next(3, (ctl_phase)phase, (enum ctl_order_event)event, &next, &err);
            const char *says = NULL;
            char expected = 0;

            for (size_t i = 0; i < CS_ARRAY_LEN(sentences); i++) {
                if (sentences[i].event != event || !strchr(sentences[i].in, letters[phase]))
                    continue;
                assert_null(says); /* one sentence a cell */
                says = sentences[i].says;
                expected = sentences[i].next == '=' ? letters[phase] : sentences[i].next;
            }
            if (rc != (says ? CS_OK : CS_ESTATE) || (says && letters[next] != expected))
                fail_msg("event %zu in phase '%c': %s", event, letters[phase], says ? says : "is refused");
            if (!says)
                check_says(err, "it cannot");
            allowed += says != NULL;
        }
    assert_int_equal(allowed, 101);
}

static void ended_orders_come_back_only_by_the_devices_word(void **state)
{
    (void)state;
    for (size_t phase = 0; phase < CTL_PHASE_COUNT; phase++)
        for (size_t event = 0; event < CTL_ORDER_EVENT_COUNT; event++) {
            ctl_phase next;

            if (ctl_phase_info((ctl_phase)phase)->ended &&
                ctl_workflow_next(3, (ctl_phase)phase, (enum ctl_order_event)event, &next, NULL) == CS_OK)
                assert_true(ctl_phase_info(next)->ended);
        }
}

static void a_refusal_says_where_the_order_is_and_what_is_possible(void **state)
{
    static const struct {
        ctl_phase phase;
        enum ctl_order_event event;
        const char *says;
    } cases[] = {
        {PHASE(COMPLETED), EVENT(REJECTED), "WO-3 is Completed: it cannot be rejected; possible: push again"},
        {PHASE(SILENT), EVENT(CANCELLED), "WO-3 is Failed: it cannot be cancelled; possible: push again"},
        {PHASE(SCHEDULED), EVENT(REVIEWED),
         "WO-3 is Push-Scheduled: it cannot be accepted; possible: cancel"},
        {PHASE(PENDING), EVENT(SILENT),
         "WO-3 is Push-Approval Pending: it cannot be given up; possible: decide, reject, cancel"},
        {PHASE(ACCEPTED), EVENT(CANCELLED),
         "WO-3 is Push-In Progress: it cannot be cancelled; possible: cancel, which asks its device to leave "
         "it"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_err err = {0};
        ctl_phase next;

        assert_int_equal(ctl_workflow_next(3, cases[i].phase, cases[i].event, &next, &err), CS_ESTATE);
        assert_string_equal(err.msg, cases[i].says);
    }
}

/* ---- by commands */

struct at {
    struct control *c;
    uint64_t push, order;
};

static void must(struct control *c, int rc)
{
    check_ok(rc, c->err);
}

static void reject(struct at *at)
{
    bool first = control_order(at->c, at->order).phase == PHASE(PENDING);

    (void)control_decide_so(at->c, at->push, first ? "bob" : "carol", first ? 1 : 2,
                            countersign_v1_Verdict_VERDICT_REJECT, 0);
}
static void approve(struct at *at)
{
    (void)control_decide(at->c, at->push, "bob", 1);
}
static void implement(struct at *at)
{
    (void)control_decide(at->c, at->push, "carol", 2);
}
static void cancel(struct at *at)
{
    (void)control_cancel(at->c, at->push);
}
static void change_policy(struct at *at)
{
    countersign_v1_TrustPolicy *body = at->c->d.body;
    countersign_v1_Operator *alice = deployment_operator(&at->c->d, "alice");

    *alice = body->operators[--body->operators_count];
    deployment_publish(&at->c->d);
    control_policy(at->c);
    must(at->c, control_tick(at->c));
}
static void revoke(struct at *at)
{
    control_revoke(at->c, "shop");
}
static void decide_a_later_one(struct at *at)
{
    control_approve(at->c, control_push(at->c, "shop"));
}
static void let_time_pass(struct at *at)
{
    at->c->d.now_s += 30 * 86400;
    must(at->c, control_tick(at->c));
}
static void look_without_the_device(struct at *at)
{
    must(at->c, control_close(at->c, "gw-0"));
    must(at->c, control_tick(at->c));
}
static void connect(struct at *at)
{
    must(at->c, control_open(at->c, "gw-0"));
}
static void say_accepted(struct at *at)
{
    (void)control_report(at->c, at->order, OUTCOME(ACCEPTED));
}
static void say_not_yet(struct at *at)
{
    (void)control_report(at->c, at->order, OUTCOME(NOT_YET));
}
static void say_completed(struct at *at)
{
    (void)control_report(at->c, at->order, OUTCOME(COMPLETED));
}
static void say_failed(struct at *at)
{
    (void)control_report(at->c, at->order, OUTCOME(FAILED));
}
static void obey(struct at *at)
{
    (void)control_cancel(at->c, at->push);
    (void)control_refuse_unread(at->c, at->order, "cancelled");
}

/* The order's phase by what was done. */
static void reach(struct at *at, char phase)
{
    struct control *c = at->c;

    at->push = control_push(c, "shop");
    at->order = control_request(c, at->push).first_order;
    if (strchr("haCFS", phase))
        must(c, control_open(c, "gw-0"));
    if (strchr("rswhaCFS", phase))
        approve(at);
    if (strchr("swhaCFS", phase))
        implement(at);
    if (strchr("whaCFS", phase))
        must(c, control_tick(c));
    if (strchr("aCFS", phase))
        say_accepted(at);
    if (phase == 'C')
        say_completed(at);
    if (phase == 'F')
        say_failed(at);
    if (phase == 'S' || phase == 'E')
        let_time_pass(at);
    if (phase == 'R')
        reject(at);
    if (phase == 'X')
        cancel(at);
    if (phase == 'U')
        decide_a_later_one(at);
    assert_int_equal(letters[control_order(c, at->order).phase], phase);
}

#define PHASES "prswhaCFSRXEU"

/* What each makes of an order in PHASES, in their order. */
static const struct {
    const char *says;
    void (*act)(struct at *at);
    uint32_t max_attempts;
    const char *then;
} acts[] = {
    {"the first stage is decided", approve, 1, "rrswhaCFSRXEU"},
    {"the second stage is decided", implement, 1, "psswhaCFSRXEU"},
    {"somebody rejects", reject, 1, "RRswhaCFSRXEU"},
    {"somebody cancels", cancel, 1, "XXXXhaCFSRXEU"},
    {"the policy loses the requester", change_policy, 1, "XXXXhaCFSRXEU"},
    {"the certificate is revoked", revoke, 1, "XXXXhaCFSRXEU"},
    {"a later order is decided", decide_a_later_one, 1, "UUUUhaCFSRXEU"},
    {"a month passes", let_time_pass, 1, "EEEESSCFSRXEU"},
    {"the clock looks, and the device is away", look_without_the_device, 1, "prwwhaCFSRXEU"},
    {"the device comes", connect, 1, "prhhhaCFSRXEU"},
    {"the device accepts", say_accepted, 1, "praaaaCFSRXEU"},
    {"the device says not yet", say_not_yet, 1, "prssssCFSRXEU"},
    {"the device completes", say_completed, 1, "prCCCCCFCCCCC"},
    {"the device fails for good", say_failed, 1, "prFFFFCFFRXEU"},
    {"the device fails and may try again", say_failed, 3, "prssssCFFRXEU"},
    {"the device is asked to leave it, and has not begun", obey, 1, "XXXXXaCFSRXEU"},
};

static void what_is_done_in_every_phase_has_the_effect_that_the_table_says(void **state)
{
    (void)state;
    for (size_t a = 0; a < CS_ARRAY_LEN(acts); a++)
        for (size_t p = 0; PHASES[p]; p++) {
            struct at at = {.c = malloc(sizeof *at.c)};
            char now;

            assert_non_null(at.c);
            control_start(at.c);
            control_device(at.c, "gw-0");
            control_certificate(at.c, "shop");
            must(at.c, control_attach(at.c, "shop", "gw-0"));
            at.c->max_attempts = PHASES[p] == 'F' ? 1 : acts[a].max_attempts;
            reach(&at, PHASES[p]);
            at.c->max_attempts = 1;
            acts[a].act(&at);
            now = letters[control_order(at.c, at.order).phase];
            if (now != acts[a].then[p])
                fail_msg("in '%c' %s: now '%c', not '%c' (%s)", PHASES[p], acts[a].says, now, acts[a].then[p],
                         at.c->err.msg);
            control_stop(at.c);
            free(at.c);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_phase_is_as_its_sentence_says),
        cmocka_unit_test(ended_orders_come_back_only_by_the_devices_word),
        cmocka_unit_test(a_refusal_says_where_the_order_is_and_what_is_possible),
        cmocka_unit_test(what_is_done_in_every_phase_has_the_effect_that_the_table_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
