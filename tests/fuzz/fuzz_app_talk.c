/* What applications say: the beginning of a mail session, and output on its way into a report. The first byte
 * chooses the protocol. */
#include "agent/port/said.h"
#include "agent/port/starttls.h"

/* All at once and byte by byte come to the same. */
static void check_starttls(enum ag_starttls protocol, struct cs_slice bytes)
{
    struct ag_starttls_talk whole = {.protocol = protocol}, slow = {.protocol = protocol};
    const char *send, *slow_send = NULL;
    struct cs_err err, slow_err;
    int code = ag_starttls_feed(&whole, bytes, &send, &err), slow_code = CS_OK;

    for (size_t i = 0; i < bytes.len && slow_code == CS_OK; i++)
        slow_code = ag_starttls_feed(&slow, cs_slice(bytes.ptr + i, 1), &slow_send, &slow_err);
    cs_assert(code == slow_code && whole.step == slow.step && whole.len == slow.len);
    cs_assert(whole.len < AG_STARTTLS_LINE_BYTES);
}

/* One line of printable ASCII, and no run that may be a key. */
static void check_said(struct cs_slice bytes)
{
    struct ag_said whole = {.len = 0}, slow = {.len = 0};
    unsigned run = 0;

    ag_said_hear(&whole, bytes);
    for (size_t i = 0; i < bytes.len; i++)
        ag_said_hear(&slow, cs_slice(bytes.ptr + i, 1));
    const char *text = ag_said_text(&whole);

    cs_assert(strcmp(text, ag_said_text(&slow)) == 0);
    cs_assert(strlen(text) < AG_LIMIT_COMMAND_OUTPUT);
    for (; *text; text++) {
        cs_assert(*text >= 0x20 && *text < 0x7f);
        run =
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", *text) ? run + 1 : 0;
        cs_assert(run < AG_SAID_RUN);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_starttls(data[0] % 2 ? AG_STARTTLS_IMAP : AG_STARTTLS_SMTP, cs_slice(data + 1, size - 1));
    check_said(cs_slice(data + 1, size - 1));
    return 0;
}
