/* review.h - a push request as its signatures make it: the request, its order cores and the decisions so far,
 * all verified under the own policy. Nothing of it rests on the controller's word. What deciders decide on,
 * and `request show` shows. */
#ifndef CTL_CLI_REVIEW_H
#define CTL_CLI_REVIEW_H

#include "controller/cli/fetch.h"

struct cli_review {
    countersign_v1_GetRequestResponse *given; /* as the controller gave it: comments, the certificate's id */
    struct cs_push *push;
    struct cli_fetched_cores cores;
    struct cli_check_certificate certificate;
    struct cs_push_order *orders; /* cores.count of them, each with its rule */
};

CS_MUST_USE int cli_review_open(struct cli *cli, uint64_t number, struct cli_review *ret, struct cs_err *err);
/* Without asking for the devices: whose stage it is does not depend on them, and nothing is signed on it. */
CS_MUST_USE int cli_review_glance(struct cli *cli, uint64_t number, struct cli_review *ret,
                                  struct cs_err *err);
void cli_review_free(struct cli_review *review);

/* The open stage of an order: its name, and how far it is. */
const char *cli_review_stage_name(const struct cli_review *review, size_t index,
                                  struct cs_push_progress *ret);

/* The open stage of an order waits for this operator, who may decide it and has not spoken yet. */
bool cli_review_waits_for(const struct cli *cli, const struct cli_review *review, size_t index,
                          const countersign_v1_Operator *who);

#endif
