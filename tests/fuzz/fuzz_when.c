/* Text as a time that a person means, with a zone in it or apart: what is taken is a moment that statements
 * can say, and shown to the reader it is taken for the same moment again. */
#include "controller/cli/when.h"

#include <stdlib.h>
#include <time.h>

enum { NOW_S = 1795456800 }; /* 2026-11-23T18:00:00Z */

static char *string_of(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);

    if (!text)
        abort();
    memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const size_t len = end ? (size_t)(end - data) : size;
    char *text = string_of(data, len);
    char *apart = end ? string_of(end + 1, size - len - 1) : NULL;
    char shown[CS_TIME_TEXT_BYTES];
    int64_t time_s = 0, again_s = 0;
    struct cs_err err;

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    if (cli_when_parse(text, apart, NOW_S, &time_s, &err) != CS_OK) {
        cs_assert(err.code != CS_OK && err.msg[0]);
    } else {
        cs_assert(time_s >= 1 && time_s <= INT64_C(253402300799));
        cli_when_text(time_s, shown);
        /* The zone's offset can lead out of the four digits of a year. */
        if (shown[0] != '@')
            cs_assert(cli_when_parse(shown, NULL, NOW_S, &again_s, &err) == CS_OK && again_s == time_s);
    }
    free(text);
    free(apart);
    return 0;
}
