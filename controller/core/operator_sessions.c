/* Operators' sessions and pairings in the audit. They themselves live in the memory of the shard that serves
 * them (controller/sessions.h, controller/pairings.h). */
#include "controller/core/run.h"

static int note(struct ctl_run *run, const void *body)
{
    const struct ctl_operator_event *event = body;

    ctl_run_changed(run, event->detail, "operator %s", event->operator);
    return CS_OK;
}

#define DEFINE_RUN(name_)                                                                                    \
    int ctl_##name_##_run(struct ctl_run *run, const void *body, void *reply)                                \
    {                                                                                                        \
        (void)reply;                                                                                         \
        return note(run, body);                                                                              \
    }
DEFINE_RUN(open_session)
DEFINE_RUN(close_session)
DEFINE_RUN(create_pairing)
DEFINE_RUN(pair)
