/* Audit exports and kept checkpoints. The first byte chooses: '+' puts a genuine header and genuine policies
 * before the rest, so that its lines are looked at as records; '=' takes it as a file of checkpoints; with
 * any other the whole input is the export. Whatever is taken is written again as it was. */
#include "tests/support/audit_file.h"

static struct audit_file f;
static struct cs_pin pin;
static struct cs_buf head;

static void start(void)
{
    struct cs_err err;

    if (head.len)
        return;
    cs_assert(cs_crypto_init(&err) == CS_OK);
    audit_file_make(&f);
    pin = deployment_pin(&f.d);
    audit_file_header(&f, 1, AUDIT_FILE_RECORDS, &head);
    audit_file_policies(&f, &head);
}

static void check_lines(struct cs_slice text)
{
    struct cli_audit_line line = {.kind = CLI_AUDIT_NONE}, again = {.kind = CLI_AUDIT_NONE};

    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct cs_buf once = CS_BUF_EMPTY, twice = CS_BUF_EMPTY;
        struct cs_err err;

        if (cli_audit_line_parse(cs_slice(text.ptr, len), &line, &err) == CS_OK) {
            cs_assert(cli_audit_line_write(&line, &once, &err) == CS_OK);
            cs_assert(cli_audit_line_parse(cs_slice(once.ptr, once.len - 1), &again, &err) == CS_OK);
            cs_assert(cli_audit_line_write(&again, &twice, &err) == CS_OK);
            cs_assert(cs_slice_eq(cs_buf_slice(&once), cs_buf_slice(&twice)));
        }
        cs_buf_free(&once);
        cs_buf_free(&twice);
        text = cs_slice_from(text, len + 1);
    }
    cli_audit_line_free(&line);
    cli_audit_line_free(&again);
}

static void check_checkpoints(struct cs_slice text)
{
    struct cli_checkpoints read = {0};
    struct cs_buf again = CS_BUF_EMPTY;
    struct cs_err err;

    if (cli_checkpoints_parse(text, "the input", &read, &err) == CS_OK) {
        for (size_t i = 0; i < read.count; i++)
            cs_assert(cli_checkpoint_write(&read.list[i], &again) == CS_OK);
        cs_assert(cs_slice_starts_with(text, cs_buf_slice(&again)));
    }
    cli_checkpoints_free(&read);
    cs_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cli_audit_asked asked = {.pin = &pin};
    struct cli_audit_found found;
    struct cs_buf text = CS_BUF_EMPTY;
    struct cs_err err;

    start();
    if (size && data[0] == '=') {
        check_checkpoints(cs_slice(data + 1, size - 1));
        return 0;
    }
    if (size && data[0] == '+') {
        cs_assert(cs_buf_append(&text, cs_buf_slice(&head)) == CS_OK);
        data++;
        size--;
    }
    cs_assert(cs_buf_append(&text, cs_slice(data, size)) == CS_OK);
    check_lines(cs_slice(data, size));
    /* The records' hashes are nobody's secret, but the last line is signed: only a genuine export is taken.
     */
    if (audit_file_verify(cs_buf_slice(&text), &asked, &found, &err) == CS_OK)
        cs_assert(found.confirmed == found.to && found.held >= 1);
    cs_buf_free(&text);
    return 0;
}
