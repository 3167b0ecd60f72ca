/* targets.h - which app connectors a push is meant for: those that are named and those on devices of the
 * groups, each once; all to which the certificate is attached where neither is given. Pure.
 *
 * A push exists only with an attachment: what is named and not attached, a group that adds none, and a
 * certificate without any are refused with a sentence. */
#ifndef CTL_CORE_TARGETS_H
#define CTL_CORE_TARGETS_H

#include "controller/core/record.h"

/* As PreparePushRequest and ExplainPushRequest have them. Borrowed. */
struct ctl_targets {
    struct cs_slice certificate_id; /* of one that is there */
    const countersign_v1_PushTarget *named;
    size_t named_count;
    const char (*groups)[64];
    size_t group_count;
};

/* `each` gets them one by one: first those that are named, in their order; stops at the first failure and
 * gives it. */
CS_MUST_USE int ctl_targets_walk(struct ctl_view *view, const struct ctl_targets *targets,
                                 int (*each)(void *data, const char *device_name, const char *connector,
                                             struct cs_err *err),
                                 void *data, struct cs_err *err);

#endif
