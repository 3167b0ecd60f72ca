/* The file that says when devices were admitted: what is taken of it is written so that it reads the same. */
#include "controller/cli/known.h"

#include "shared/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cli_known known = {0}, again = {0};
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;
    bool representable = true;

    if (cli_known_parse(cs_slice(data, size), "devices", &known, &err) == CS_OK) {
        for (size_t i = 0; i < known.count; i++) {
            char time_text[CS_TIME_TEXT_BYTES];

            cs_assert(known.list[i].name[0] &&
                      cli_known_since(&known, known.list[i].name) == known.list[i].admitted_at_s);
            cs_assert(i == 0 || strcmp(known.list[i - 1].name, known.list[i].name) < 0);
            representable &= *cs_time_text(known.list[i].admitted_at_s, time_text) != '@';
        }
        cs_assert(cli_known_write(&known, &text) == CS_OK);
        if (representable)
            cs_assert(cli_known_parse(cs_buf_slice(&text), "devices", &again, &err) == CS_OK &&
                      again.count == known.count);
    } else {
        cs_assert(cs_text_check(cs_slice_str(err.msg), sizeof err.msg, "the sentence", NULL) == CS_OK);
    }
    cs_buf_free(&text);
    cli_known_free(&known);
    cli_known_free(&again);
    return 0;
}
