#include "controller/core/retries.h"

#include <inttypes.h>
#include <stdio.h>

/* What is otherwise than its outcome alone would tell. A word that is not here follows the outcome: devices
 * may be newer than we are. */
static const struct {
    const char *verdict;
    bool again;
} verdicts[] = {
    /* refused before anything was begun, by a device that may be better in a moment */
    {"storage-failed", true},
    {"no-policy", true},
    {"no-room", true},
    /* applied and put back, as after a reload that failed */
    {"validate-failed", true},
    {"validate-timeout", true},
    {"probe-failed", true},
    /* refused or put back, and so it would be again until somebody acts on the device */
    {"target-unsafe", false},
    {"names-other", false},
    {"generation-gone", false},
    {"generation-other", false},
    {"foreign-file", false},
    {"unknown-connector", false},
    {"key-missing", false},
};

bool ctl_retry_makes_sense(countersign_v1_Outcome outcome, const char *verdict)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(verdicts); i++)
        if (strcmp(verdicts[i].verdict, verdict) == 0)
            return verdicts[i].again;
    return outcome == countersign_v1_Outcome_OUTCOME_FAILED;
}

int64_t ctl_retry_wait_s(const struct ctl_settings *settings, uint32_t retries, uint32_t random)
{
    int64_t wait_s = settings->retry_first_s;

    for (uint32_t i = 0; i < retries && wait_s < settings->retry_most_s; i++)
        wait_s *= 2;
    if (wait_s > settings->retry_most_s)
        wait_s = settings->retry_most_s;
    /* At most 3650 days (cs_duration_parse): far from the end of 64 bits. */
    return wait_s - ((wait_s / 2) * random >> 32);
}

/* NULL: nothing speaks against another attempt. */
static const char *obstacle(const ctl_order_row *order, const ctl_connector_row *connector, int64_t next_s)
{
    if (order->cancel_asked)
        return "not tried again: a cancel was asked for";
    if (connector->decided_generation > order->generation)
        return "not tried again: a later order for this app connector was decided";
    if (next_s >= order->end_s)
        return "not tried again: its window ends before the next attempt";
    return NULL;
}

static bool attempts_left(const ctl_order_row *order)
{
    return order->attempts < order->max_attempts && order->retries + 1 < order->max_attempts;
}

static int plan_next(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order, int64_t next_s,
                     const char *reason)
{
    char said[sizeof order->reason];

    (void)snprintf(said, sizeof said, "attempt %u of %u failed: %.440s", (unsigned)order->retries + 1,
                   (unsigned)order->max_attempts, reason);
    order->retries++;
    order->offer_at_s = next_s;
    return ctl_order_apply(run, request, order, CTL_ORDER_RETRY, said);
}

static int end_failed(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order, const char *reason,
                      const char *why_no_more)
{
    char both[sizeof order->reason];

    if (!why_no_more)
        return ctl_order_apply(run, request, order, CTL_ORDER_FAILED, reason);
    (void)snprintf(both, sizeof both, "%.420s; %s", reason, why_no_more);
    return ctl_order_apply(run, request, order, CTL_ORDER_FAILED, both);
}

int ctl_order_fail(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                   const countersign_v1_DeviceReport *report, const char *reason)
{
    ctl_connector_row connector;
    const char *against;
    uint32_t random;
    int64_t next_s;
    int rc;

    /* A late report says what has happened, and begins nothing. */
    if (ctl_phase_info(order->phase)->ended || !attempts_left(order) ||
        !ctl_retry_makes_sense(report->outcome, report->verdict))
        return end_failed(run, request, order, reason, NULL);
    rc = ctl_connector_load(run, CTL_BYTES(order->device_id), order->connector, &connector);
    if (rc != CS_OK)
        return rc;
    run->context->random(run->context->random_data, &random, sizeof random);
    next_s = run->now_s + ctl_retry_wait_s(run->settings, order->retries, random);
    against = obstacle(order, &connector, next_s);
    return against ? end_failed(run, request, order, reason, against)
                   : plan_next(run, request, order, next_s, reason);
}

int ctl_order_answered_again(struct ctl_run *run, ctl_order_row *order,
                             const countersign_v1_DeviceReport *report)
{
    ctl_request_row request;
    int rc;

    if (order->phase != countersign_store_v1_Phase_PHASE_HANDED_OVER || !order->retries ||
        report->sequence != order->report_sequence)
        return CS_OK;
    rc = ctl_request_load(run, order->request_number, &request);
    if (rc != CS_OK)
        return rc;
    order->offer_at_s = run->now_s + CTL_OFFER_AGAIN_LEAST_S;
    rc = ctl_order_apply(run, &request, order, CTL_ORDER_RETRY, NULL);
    if (rc == CS_OK)
        rc = ctl_order_come_back(run, &request, order);
    if (rc == CS_OK)
        rc = ctl_request_settle(run, &request);
    if (rc == CS_OK)
        ctl_run_changed(run, report->verdict, "WO-%" PRIu64 " offered again", order->number);
    return rc;
}
