/* Text as a time, a duration, a name and a comment; the sentences of their refusals are clean, whatever was
 * in the text. */
#include "shared/base/text.h"

static void check_sentence(const struct cs_err *err)
{
    cs_assert(cs_text_check(cs_slice_str(err->msg), sizeof err->msg, "the sentence", NULL) == CS_OK);
    cs_assert(!strchr(err->msg, '\n') && !strchr(err->msg, '\t'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice input = cs_slice(data, size);
    int64_t time_s, again_s, duration_s;
    char text[CS_TIME_TEXT_BYTES];
    struct cs_err err;

    if (cs_time_parse(input, &time_s, &err) == CS_OK) {
        cs_time_text(time_s, text);
        /* An offset can lead out of the four digits of a year. */
        if (text[0] != '@')
            cs_assert(cs_time_parse(cs_slice_str(text), &again_s, &err) == CS_OK && again_s == time_s);
    } else {
        check_sentence(&err);
    }
    if (cs_duration_parse(input, &duration_s, &err) == CS_OK)
        cs_assert(duration_s >= 1 && duration_s <= INT64_C(3650) * 86400);
    else
        check_sentence(&err);
    if (cs_name_check(input, "the name", &err) != CS_OK)
        check_sentence(&err);
    else
        cs_assert(cs_text_check(input, 63, "the name", &err) == CS_OK);
    if (size >= sizeof time_s) {
        memcpy(&time_s, data, sizeof time_s);
        cs_assert(strlen(cs_time_text(time_s, text)) < sizeof text);
    }
    return 0;
}
