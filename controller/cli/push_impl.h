/* push_impl.h - what the files of push.h share: push.c asks, signs and submits, push_places.c reads where. */
#ifndef CTL_CLI_PUSH_IMPL_H
#define CTL_CLI_PUSH_IMPL_H

#include "controller/cli/fetch.h"
#include "controller/cli/push.h"

/* What the person asked for, and what came of it. */
struct pushing {
    const struct cli_push_wish *wish;
    countersign_v1_Certificate *certificate;
    struct cli_check_certificate checked;
    struct cli_topology attached;
    struct cli_places asked;
    countersign_v1_PreparePushRequest *prepare; /* its targets are --to, its groups --group; neither: every
                                                   attachment */
    countersign_v1_PreparePushResponse prepared;
    struct cli_fetched_cores cores;
    int64_t window_s, decide_by_s;
    uint64_t attempts;
    const char *comment;
    struct cs_buf pkcs8; /* with --key: sealed here, and wiped */
};

/* Fills `attached`, `asked.list` and the targets and groups of `prepare`, which is there: where the wish,
 * --to and --group say, or everywhere. A removal is only meant for where the last completed order left the
 * certificate, also where people changed it since, as the controller gives it: the person sees the list
 * before signing, and a device refuses to remove what it was not given. */
CS_MUST_USE int cli_push_find_places(struct cli *cli, struct pushing *pushing, struct cs_err *err);

#endif
