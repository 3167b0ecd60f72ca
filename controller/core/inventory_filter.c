#include "controller/core/inventory_filter.h"

#include "controller/core/words.h"
#include "shared/base/text.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool is_word(char c)
{
    struct cs_slice rest = cs_slice(&c, 1), word;

    return ctl_word_next(&rest, &word);
}

static int read_words(struct ctl_filter *filter, struct cs_err *err)
{
    const char *from = filter->request->search;
    size_t len = strlen(from);
    int rc = cs_text_check(cs_slice(from, len), sizeof filter->search - 1, "the search", err);

    if (rc != CS_OK)
        return rc;
    ctl_fold(cs_slice(from, len), filter->search);
    for (size_t at = 0; at < len;) {
        size_t begin, end;

        for (; at < len && is_space(filter->search[at]); at++)
            ;
        for (begin = at; at < len && !is_space(filter->search[at]); at++)
            ;
        end = at;
        if (begin == end)
            break;
        while (begin < end && !is_word(filter->search[begin]))
            begin++;
        if (begin == end)
            return cs_err_set(err, CS_EINVAL,
                              "a word of the search has neither letter nor digit: leave it out");
        if (filter->word_count == CTL_FILTER_WORDS)
            return cs_err_set(err, CS_EINVAL, "the search has more than %d words: give the rarest",
                              CTL_FILTER_WORDS);
        filter->words[filter->word_count++] = cs_slice(filter->search + begin, end - begin);
    }
    return CS_OK;
}

static int read_colours(struct ctl_filter *filter, struct cs_err *err)
{
    const countersign_v1_ListCertificatesRequest *request = filter->request;

    for (pb_size_t i = 0; i < request->colours_count; i++) {
        if (request->colours[i] < countersign_v1_Colour_COLOUR_GREEN ||
            request->colours[i] > countersign_v1_Colour_COLOUR_BLACK)
            return cs_err_set(err, CS_EINVAL, "there is no colour with the number %d",
                              (int)request->colours[i]);
        filter->colours |= 1u << request->colours[i];
    }
    return CS_OK;
}

int ctl_filter_read(const countersign_v1_ListCertificatesRequest *request,
                    const struct ctl_settings *settings, int64_t now_s, struct ctl_filter *ret,
                    struct cs_err *err)
{
    int rc;

    memset(ret, 0, sizeof *ret);
    ret->request = request;
    ret->settings = ctl_settings_of(settings);
    ret->now_s = now_s;
    if ((unsigned)request->sort > countersign_v1_CertificateSort_CERTIFICATE_SORT_ATTACHMENTS)
        return cs_err_set(err, CS_EINVAL, "there is no order with the number %d", (int)request->sort);
    if (request->expires_from_s < 0 || request->expires_before_s < 0)
        return cs_err_set(err, CS_EINVAL, "a time to expire is in seconds since 1970, not before");
    if (request->attached && request->unattached)
        return cs_err_set(err, CS_EINVAL,
                          "no certificate is attached and not attached: ask for one of the two");
    if (request->group[0] && (rc = cs_name_check(cs_slice_str(request->group), "the group", err)) != CS_OK)
        return rc;
    rc = read_colours(ret, err);
    return rc == CS_OK ? read_words(ret, err) : rc;
}

static bool in_group(const ctl_certificate_row *row, const char *group)
{
    for (pb_size_t i = 0; i < row->groups_count; i++)
        if (strcmp(row->groups[i], group) == 0)
            return true;
    return false;
}

bool ctl_filter_fits(const struct ctl_filter *filter, const ctl_certificate_row *row)
{
    const countersign_v1_ListCertificatesRequest *want = filter->request;

    if ((want->name[0] && strcmp(want->name, row->common_name) != 0) ||
        (want->issuer[0] && strcmp(want->issuer, row->issuer) != 0) ||
        (want->group[0] && !in_group(row, want->group)) || (want->key && want->key != row->key) ||
        (want->key_mode && want->key_mode != row->key_mode))
        return false;
    if ((want->expires_from_s && row->not_after_s < want->expires_from_s) ||
        (want->expires_before_s && row->not_after_s >= want->expires_before_s))
        return false;
    if ((want->attached && row->attachments == 0) || (want->unattached && row->attachments > 0) ||
        (want->renewable && row->replaced_by.size == 0))
        return false;
    if (filter->colours && !(filter->colours & 1u << ctl_colour_of(row, filter->settings, filter->now_s)))
        return false;
    for (size_t i = 0; i < filter->word_count; i++)
        if (!ctl_word_fits(row, filter->words[i]))
            return false;
    return true;
}

/* A time that much later, as far as there are times. */
static int64_t later(int64_t time_s, int64_t by_s)
{
    int64_t sum;

    return __builtin_add_overflow(time_s, by_s, &sum) ? INT64_MAX : sum;
}

struct ctl_dates ctl_filter_dates(const struct ctl_filter *filter, countersign_v1_Colour colour)
{
    const struct ctl_settings *settings = filter->settings;
    int64_t now_s = filter->now_s;

    switch (colour) {
    case countersign_v1_Colour_COLOUR_RED:
        return (struct ctl_dates){INT64_MIN, now_s - 1};
    case countersign_v1_Colour_COLOUR_ORANGE:
        return (struct ctl_dates){now_s, later(now_s, settings->orange_s)};
    case countersign_v1_Colour_COLOUR_YELLOW:
        return (struct ctl_dates){later(now_s, settings->orange_s + 1), later(now_s, settings->yellow_s)};
    case countersign_v1_Colour_COLOUR_BLUE:
        return (struct ctl_dates){later(now_s, settings->yellow_s + 1), later(now_s, settings->blue_s)};
    case countersign_v1_Colour_COLOUR_GREEN:
        return (struct ctl_dates){later(now_s, settings->blue_s + 1), INT64_MAX};
    case countersign_v1_Colour_COLOUR_GRAY:
    case countersign_v1_Colour_COLOUR_PURPLE:
        return (struct ctl_dates){now_s, INT64_MAX};
    default:
        return (struct ctl_dates){INT64_MIN, INT64_MAX};
    }
}
