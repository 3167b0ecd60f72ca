/* Operators' sessions and pairings in the audit. They themselves live in the memory of the shard that serves
 * them (controller/sessions.h, controller/pairings.h). */
#include "controller/core/run.h"

int ctl_open_session_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_operator_session *session = body;

    (void)reply;
    ctl_run_changed(run, "", "operator %s", session->operator);
    return CS_OK;
}

int ctl_close_session_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_operator_session *session = body;

    (void)reply;
    ctl_run_changed(run, session->why, "operator %s", session->operator);
    return CS_OK;
}

int ctl_create_pairing_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_operator_pairing *pairing = body;

    (void)reply;
    ctl_run_changed(run, pairing->detail, "operator %s", pairing->operator);
    return CS_OK;
}

int ctl_pair_run(struct ctl_run *run, const void *body, void *reply)
{
    return ctl_create_pairing_run(run, body, reply);
}
