/* survey.h - what there is, counted for monitoring and for people: certificates by colour and by the day on
 * which they expire, work orders by state, and the attached certificates that expire first. Counted step by
 * step, so that a large store holds nothing up and nobody who asks reads it all; what is shown is the last
 * count that came to its end. Pure: the view and the clock are passed in. */
#ifndef CTL_CORE_SURVEY_H
#define CTL_CORE_SURVEY_H

#include "controller/core/colour.h"

enum {
    CTL_SURVEY_COLOURS = _countersign_v1_Colour_MAX + 1,
    CTL_SURVEY_STATES = _countersign_v1_OrderState_MAX + 1,
    CTL_SURVEY_DAYS = 120,
};

struct ctl_survey_certificate {
    char common_name[128], issuer[256], serial[64];
    int64_t not_before_s, not_after_s;
    uint8_t id[8]; /* the beginning of it */
};

struct ctl_survey_count {
    uint64_t colours[CTL_SURVEY_COLOURS], orders[CTL_SURVEY_STATES];
    uint64_t attached;                      /* certificates */
    uint64_t expiring[CTL_SURVEY_DAYS];     /* in each 24 hours from begun_s on */
    struct ctl_survey_certificate *soonest; /* of the attached ones, those that expire first */
    size_t soonest_count;
    int64_t begun_s; /* by this time's date are all counted */
    int64_t at_s;    /* when it came to its end; 0: never yet */
};

struct ctl_survey {
    struct ctl_survey_count done;
    bool under_way;

    /* survey.c's own */
    struct ctl_survey_count next;
    size_t most;
    struct ctl_key after; /* the last key that was looked at; len 0: at the beginning of its table */
    bool at_requests;
};

/* With room for so many certificates of their own. */
CS_MUST_USE int ctl_survey_init(struct ctl_survey *survey, size_t most, struct cs_err *err);
void ctl_survey_free(struct ctl_survey *survey);
/* Begins to count anew, if it does not count already. */
void ctl_survey_begin(struct ctl_survey *survey);
/* The last count as operators are told; without one all of it is 0. */
void ctl_survey_summary(const struct ctl_survey *survey, countersign_v1_GetSummaryResponse *ret);
/* Goes on by at most `rows` rows of the view, which may be another one each time. Over a failure the count is
 * begun anew. */
CS_MUST_USE int ctl_survey_step(struct ctl_survey *survey, struct ctl_view *view,
                                const struct ctl_settings *settings, int64_t now_s, size_t rows,
                                struct cs_err *err);

/* Counters that the store keeps by itself. */
struct ctl_survey_totals {
    uint64_t revision;
    uint32_t policy_version, devices, certificates, requests_open, orders_open;
};
CS_MUST_USE int ctl_survey_totals(struct ctl_view *view, struct ctl_survey_totals *ret, struct cs_err *err);

#endif
