#include "controller/core/overrides.h"

#include "controller/core/actions.h"

static bool is_among(countersign_v1_Override wanted, const countersign_v1_Override *overrides, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (overrides[i] == wanted)
            return true;
    return false;
}

/* The dates are those of the leaf, its last second included (RFC 5280, section 4.1.2.5), as the device judges
 * them. */
pb_size_t ctl_overrides_needed(const ctl_certificate_row *certificate, countersign_v1_Action action,
                               int64_t now_s, countersign_v1_Override ret[2])
{
    pb_size_t count = 0;

    if (action == countersign_v1_Action_ACTION_REMOVE)
        return 0;
    if (certificate->not_after_s < now_s)
        ret[count++] = countersign_v1_Override_OVERRIDE_EXPIRED;
    if (certificate->revoked)
        ret[count++] = countersign_v1_Override_OVERRIDE_REVOKED;
    return count;
}

/* One that is needed and was not signed, the graver first; UNSPECIFIED: there is none. */
static countersign_v1_Override missing(const ctl_certificate_row *certificate, countersign_v1_Action action,
                                       const countersign_v1_Override *overrides, size_t count, int64_t now_s)
{
    countersign_v1_Override needed[2];

    for (pb_size_t i = ctl_overrides_needed(certificate, action, now_s, needed); i > 0; i--)
        if (!is_among(needed[i - 1], overrides, count))
            return needed[i - 1];
    return countersign_v1_Override_OVERRIDE_UNSPECIFIED;
}

int ctl_overrides_check(const ctl_certificate_row *certificate, countersign_v1_Action action,
                        const countersign_v1_Override *overrides, size_t count, int64_t now_s,
                        struct cs_err *err)
{
    switch (missing(certificate, action, overrides, count, now_s)) {
    case countersign_v1_Override_OVERRIDE_REVOKED:
        return cs_err_set(
            err, CS_ESTATE,
            "the certificate is revoked: a push of it, and a roll back to it, has to sign OVERRIDE_REVOKED "
            "(--even-revoked)");
    case countersign_v1_Override_OVERRIDE_EXPIRED:
        return cs_err_set(err, CS_ESTATE,
                          "the certificate has expired: a push of it, and a roll back to it, has to sign "
                          "OVERRIDE_EXPIRED (--even-expired)");
    default:
        return CS_OK;
    }
}

int ctl_request_check_overrides(struct ctl_run *run, const ctl_request_row *request)
{
    ctl_certificate_row certificate;
    int rc = ctl_certificate_load(run, CTL_BYTES(request->certificate_id), &certificate);

    return rc == CS_OK ? ctl_overrides_check(&certificate, ctl_action_of(request->action), request->overrides,
                                             request->overrides_count, run->now_s, run->err)
                       : rc;
}

/* The device is asked for what it has only of a revoked certificate: that one has expired it sees itself. */
static int call_back(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                     countersign_v1_Override lacks, uint64_t session_id)
{
    if (ctl_phase_info(order->phase)->handed_over)
        return lacks == countersign_v1_Override_OVERRIDE_REVOKED
                   ? ctl_order_ask_cancel(run, order, session_id)
                   : CS_OK;
    return ctl_order_apply(run, request, order, CTL_ORDER_UNFIT,
                           lacks == countersign_v1_Override_OVERRIDE_REVOKED ? "certificate revoked"
                                                                             : "certificate expired");
}

int ctl_order_check_fit(struct ctl_run *run, ctl_request_row *request, ctl_order_row *order,
                        uint64_t session_id, bool *ret_fit)
{
    ctl_certificate_row certificate;
    countersign_v1_Override lacks;
    int rc = ctl_certificate_load(run, CTL_BYTES(request->certificate_id), &certificate);

    if (rc != CS_OK)
        return rc;
    lacks = missing(&certificate, ctl_action_of(request->action), request->overrides,
                    request->overrides_count, run->now_s);
    *ret_fit =
        lacks == countersign_v1_Override_OVERRIDE_UNSPECIFIED ||
        (ctl_phase_info(order->phase)->handed_over && lacks == countersign_v1_Override_OVERRIDE_EXPIRED);
    if (*ret_fit)
        return CS_OK;
    rc = call_back(run, request, order, lacks, session_id);
    return rc == CS_OK ? ctl_request_settle(run, request) : rc;
}

/* A device that was asked already, by people or for this, is not asked again. */
static int end_request(struct ctl_run *run, ctl_request_row *request)
{
    for (uint32_t i = 0; i < request->order_count; i++) {
        ctl_order_row order;
        int rc = ctl_order_load(run, request->first_order + i, &order);

        if (rc == CS_OK && !ctl_phase_info(order.phase)->ended && !order.cancel_asked)
            rc = call_back(run, request, &order, countersign_v1_Override_OVERRIDE_REVOKED, 0);
        if (rc != CS_OK)
            return rc;
    }
    return ctl_request_settle(run, request);
}

static int end_if_revoked(struct ctl_run *run, uint64_t number)
{
    ctl_request_row request;
    ctl_certificate_row certificate;
    int rc = ctl_request_load(run, number, &request);

    if (rc != CS_OK || request.action == countersign_v1_Action_ACTION_REMOVE ||
        is_among(countersign_v1_Override_OVERRIDE_REVOKED, request.overrides, request.overrides_count))
        return rc;
    rc = ctl_certificate_load(run, CTL_BYTES(request.certificate_id), &certificate);
    return rc == CS_OK && certificate.revoked ? end_request(run, &request) : rc;
}

int ctl_orders_end_for_revoked(struct ctl_run *run)
{
    struct ctl_key prefix = ctl_key(CTL_TABLE_OPEN_REQUEST);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = end_if_revoked(run, ctl_key_last_u64(walk.key));
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}
