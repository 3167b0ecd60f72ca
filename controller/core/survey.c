#include "controller/core/survey.h"

#include "controller/core/workflow.h"

enum { DAY_S = 24 * 60 * 60 };

static int room_for(struct ctl_survey_count *count, size_t most, struct cs_err *err)
{
    count->soonest = calloc(most ? most : 1, sizeof *count->soonest);
    return count->soonest ? CS_OK : cs_err_nomem(err);
}

int ctl_survey_init(struct ctl_survey *survey, size_t most, struct cs_err *err)
{
    int rc;

    *survey = (struct ctl_survey){.most = most};
    rc = room_for(&survey->done, most, err);
    if (rc == CS_OK)
        rc = room_for(&survey->next, most, err);
    if (rc != CS_OK)
        ctl_survey_free(survey);
    return rc;
}

void ctl_survey_free(struct ctl_survey *survey)
{
    free(cs_steal(survey->done.soonest));
    free(cs_steal(survey->next.soonest));
}

static void start_over(struct ctl_survey *survey)
{
    survey->next = (struct ctl_survey_count){.soonest = survey->next.soonest};
    survey->after.len = 0;
    survey->at_requests = false;
}

void ctl_survey_begin(struct ctl_survey *survey)
{
    if (survey->under_way)
        return;
    survey->under_way = true;
    start_over(survey);
}

/* Keeps the list in order; what expires last falls off when there is no room. */
static void keep_soonest(struct ctl_survey *survey, const ctl_certificate_row *row)
{
    struct ctl_survey_count *count = &survey->next;
    size_t at = count->soonest_count;
    struct ctl_survey_certificate *place;

    while (at > 0 && count->soonest[at - 1].not_after_s > row->not_after_s)
        at--;
    if (at == survey->most)
        return;
    place = &count->soonest[at];
    if (count->soonest_count < survey->most)
        count->soonest_count++;
    memmove(place + 1, place, (count->soonest_count - at - 1) * sizeof *place);
    *place =
        (struct ctl_survey_certificate){.not_before_s = row->not_before_s, .not_after_s = row->not_after_s};
    CTL_TEXT_SET(place->common_name, row->common_name);
    CTL_TEXT_SET(place->issuer, row->issuer);
    CTL_TEXT_SET(place->serial, row->serial);
    memcpy(place->id, row->id.bytes, sizeof place->id);
}

static void count_day(struct ctl_survey_count *count, int64_t not_after_s)
{
    int64_t day = (not_after_s - count->begun_s) / DAY_S;

    if (not_after_s >= count->begun_s && day < CTL_SURVEY_DAYS)
        count->expiring[day]++;
}

static int count_certificate(struct ctl_survey *survey, struct cs_slice value,
                             const struct ctl_settings *settings, int64_t now_s, struct cs_err *err)
{
    ctl_certificate_row row;
    countersign_v1_Colour colour;
    int rc = ctl_decode(value, Certificate, &row, err);

    if (rc != CS_OK)
        return rc;
    colour = ctl_colour_of(&row, settings, now_s);
    if ((size_t)colour < CTL_SURVEY_COLOURS)
        survey->next.colours[colour]++;
    count_day(&survey->next, row.not_after_s);
    if (row.attachments) {
        survey->next.attached++;
        keep_soonest(survey, &row);
    }
    return CS_OK;
}

static int count_request(struct ctl_survey *survey, struct cs_slice value, struct cs_err *err)
{
    ctl_request_row row;
    int rc = ctl_decode(value, Request, &row, err);

    for (size_t i = 0; rc == CS_OK && i < row.orders_in_count && i < CTL_SURVEY_STATES; i++)
        survey->next.orders[i] += row.orders_in[i];
    return rc;
}

/* Behind the last row: what was counted is what is shown. */
static void finish(struct ctl_survey *survey, int64_t now_s)
{
    struct ctl_survey_count counted = survey->next;

    counted.at_s = now_s;
    survey->next = survey->done;
    survey->done = counted;
    survey->under_way = false;
}

int ctl_survey_step(struct ctl_survey *survey, struct ctl_view *view, const struct ctl_settings *settings,
                    int64_t now_s, size_t rows, struct cs_err *err)
{
    int rc = CS_OK;

    if (!survey->next.begun_s)
        survey->next.begun_s = now_s;
    for (size_t i = 0; survey->under_way && rc == CS_OK && i < rows; i++) {
        struct ctl_key prefix = ctl_key(survey->at_requests ? CTL_TABLE_REQUEST : CTL_TABLE_CERTIFICATE);
        struct ctl_walk walk =
            survey->after.len ? ctl_walk_after(&prefix, &survey->after, false) : ctl_walk(&prefix);

        rc = ctl_walk_next(view, &walk, err);
        if (rc == CS_ENOTFOUND) {
            rc = CS_OK;
            survey->after.len = 0;
            if (survey->at_requests)
                finish(survey, now_s);
            survey->at_requests = true;
            continue;
        }
        if (rc == CS_OK)
            rc = survey->at_requests ? count_request(survey, walk.value, err)
                                     : count_certificate(survey, walk.value, settings, now_s, err);
        survey->after.len = 0;
        if (rc == CS_OK)
            ctl_key_add_bytes(&survey->after, walk.key);
    }
    if (rc != CS_OK)
        start_over(survey);
    return rc;
}

int ctl_survey_totals(struct ctl_view *view, struct ctl_survey_totals *ret, struct cs_err *err)
{
    struct ctl_key key = ctl_key(CTL_TABLE_META);
    ctl_meta_row meta = {.revision = 0};
    int rc = ctl_get(view, &key, Meta, &meta, err);

    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    *ret = (struct ctl_survey_totals){meta.revision,     meta.policy_version, meta.devices,
                                      meta.certificates, meta.requests_open,  meta.orders_open};
    return CS_OK;
}

static uint32_t at_most_32(uint64_t count)
{
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

void ctl_survey_summary(const struct ctl_survey *survey, countersign_v1_GetSummaryResponse *ret)
{
    const struct ctl_survey_count *done = &survey->done;

    if (!done->at_s)
        return;
    ret->counted_at_s = done->begun_s;
    ret->attached = at_most_32(done->attached);
    for (int colour = _countersign_v1_Colour_MIN + 1; colour < CTL_SURVEY_COLOURS; colour++)
        if (done->colours[colour])
            ret->colours[ret->colours_count++] = (countersign_v1_ColourCount){
                (countersign_v1_Colour)colour, at_most_32(done->colours[colour])};
    for (int state = _countersign_v1_OrderState_MIN + 1; state < CTL_SURVEY_STATES; state++)
        if (done->orders[state])
            ret->orders[ret->orders_count++] = (countersign_v1_StateCount){(countersign_v1_OrderState)state,
                                                                           at_most_32(done->orders[state])};
    for (; ret->expiring_count < CTL_SURVEY_DAYS; ret->expiring_count++)
        ret->expiring[ret->expiring_count] = at_most_32(done->expiring[ret->expiring_count]);
}
