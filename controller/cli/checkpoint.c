#include "controller/cli/checkpoint.h"

#include "shared/base/text.h"

#include <inttypes.h>

int cli_checkpoint_open(struct cs_slice envelope, struct cli_checkpoint *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_AuditCheckpoint *body = NULL;
    struct cs_envelope parsed;
    int rc = cs_envelope_parse(envelope, &parsed, err);

    if (rc == CS_OK && parsed.kind != CS_STATEMENT_AUDIT_CHECKPOINT)
        rc = cs_err_set(err, CS_EPARSE, "this is no checkpoint of an audit but %s",
                        cs_statement_type(parsed.kind));
    if (rc == CS_OK)
        rc = cs_checkpoint_decode(parsed.payload, &body, err);
    if (rc != CS_OK)
        return rc;
    *ret = (struct cli_checkpoint){.revision = body->revision, .made_at_s = body->made_at_s};
    memcpy(ret->hash.bytes, body->hash.bytes, sizeof ret->hash.bytes);
    memcpy(ret->deployment_id, body->deployment_id.bytes, sizeof ret->deployment_id);
    return cs_buf_append(&ret->envelope, envelope) == CS_OK ? CS_OK : cs_err_nomem(err);
}

int cli_checkpoint_check(const struct cli_checkpoint *checkpoint, const struct cs_keyring *keys,
                         struct cs_err *err)
{
    struct cs_verified verified;
    int rc = cs_envelope_verify(cs_buf_slice(&checkpoint->envelope), CS_STATEMENT_AUDIT_CHECKPOINT, keys,
                                &verified, err);

    return rc == CS_OK ? rc : cs_err_prefix(err, "the checkpoint of revision %" PRIu64, checkpoint->revision);
}

void cli_checkpoint_free(struct cli_checkpoint *checkpoint)
{
    cs_buf_free(&checkpoint->envelope);
}

int cli_checkpoint_write(const struct cli_checkpoint *checkpoint, struct cs_buf *out)
{
    char hash[2 * CS_SHA256_BYTES + 1], time[CS_TIME_TEXT_BYTES];
    size_t before = out->len;
    int rc = cs_buf_printf(out, "%" PRIu64 " %s %s ", checkpoint->revision,
                           cs_hex(cs_digest_slice(&checkpoint->hash), hash),
                           cs_time_text(checkpoint->made_at_s, time));

    if (rc == CS_OK)
        rc = cs_base64_encode(cs_buf_slice(&checkpoint->envelope), out);
    if (rc == CS_OK)
        rc = cs_buf_append_u8(out, '\n');
    if (rc != CS_OK)
        out->len = before;
    return rc;
}

/* The line's last word is the envelope; what it says, written again, must be the line. */
static int parse_line(struct cs_slice line, struct cli_checkpoint *ret, struct cs_err *err)
{
    struct cs_buf envelope = CS_BUF_EMPTY, again = CS_BUF_EMPTY;
    const uint8_t *space = memrchr(line.ptr, ' ', line.len);
    struct cli_checkpoint opened = {0};
    int rc = CS_EPARSE;

    if (space)
        rc = cs_base64_decode(cs_slice_from(line, (size_t)(space - line.ptr) + 1), &envelope);
    if (rc == CS_EPARSE)
        cs_err_set(err, rc, "it does not end with an envelope in base64");
    else if (rc != CS_OK)
        cs_err_nomem(err);
    if (rc == CS_OK)
        rc = cli_checkpoint_open(cs_buf_slice(&envelope), &opened, err);
    if (rc == CS_OK && cli_checkpoint_write(&opened, &again) != CS_OK)
        rc = cs_err_nomem(err);
    if (rc == CS_OK && !cs_slice_eq(cs_slice(again.ptr, again.len - 1), line))
        rc = cs_err_set(err, CS_EPARSE, "it does not say what its envelope says");
    if (rc == CS_OK)
        *ret = opened;
    else
        cli_checkpoint_free(&opened);
    cs_buf_free(&envelope);
    cs_buf_free(&again);
    return rc;
}

static int add(struct cli_checkpoints *to, const struct cli_checkpoint *checkpoint)
{
    if (to->count == to->capacity) {
        size_t capacity = to->capacity ? 2 * to->capacity : 64;
        struct cli_checkpoint *grown = reallocarray(to->list, capacity, sizeof *grown);

        if (!grown)
            return CS_ENOMEM;
        to->list = grown;
        to->capacity = capacity;
    }
    to->list[to->count++] = *checkpoint;
    return CS_OK;
}

int cli_checkpoints_parse(struct cs_slice text, const char *where, struct cli_checkpoints *ret,
                          struct cs_err *err)
{
    const uint8_t *end;

    for (size_t number = 1; text.len && (end = memchr(text.ptr, '\n', text.len)) != NULL; number++) {
        size_t len = (size_t)(end - text.ptr);
        struct cli_checkpoint checkpoint;
        int rc = parse_line(cs_slice(text.ptr, len), &checkpoint, err);

        if (rc == CS_ENOMEM)
            return rc;
        if (rc != CS_OK) {
            err->code = CS_EPARSE;
            return cs_err_prefix(err, "%.120s line %zu is no checkpoint", where, number);
        }
        if (add(ret, &checkpoint) != CS_OK) {
            cli_checkpoint_free(&checkpoint);
            return cs_err_nomem(err);
        }
        text = cs_slice_from(text, len + 1);
    }
    return CS_OK;
}

void cli_checkpoints_free(struct cli_checkpoints *checkpoints)
{
    for (size_t i = 0; i < checkpoints->count; i++)
        cli_checkpoint_free(&checkpoints->list[i]);
    free(checkpoints->list);
    *checkpoints = (struct cli_checkpoints){0};
}

uint64_t cli_checkpoints_newest(const struct cli_checkpoints *kept, const uint8_t deployment_id[16])
{
    uint64_t newest = 0;

    for (size_t i = 0; i < kept->count; i++)
        if (kept->list[i].revision > newest && memcmp(kept->list[i].deployment_id, deployment_id, 16) == 0)
            newest = kept->list[i].revision;
    return newest;
}

int cli_checkpoints_compare(const struct cli_checkpoints *kept, uint64_t newest_before,
                            const struct cli_checkpoint *fresh, bool *ret_known, struct cs_err *err)
{
    *ret_known = false;
    for (size_t i = 0; i < kept->count; i++) {
        const struct cli_checkpoint *old = &kept->list[i];
        char time[CS_TIME_TEXT_BYTES];

        if (old->revision != fresh->revision || memcmp(old->deployment_id, fresh->deployment_id, 16) != 0)
            continue;
        if (!cs_digest_eq(&old->hash, &fresh->hash))
            return cs_err_set(err, CS_ECORRUPT, "its record %" PRIu64 " is not the one that it signed at %s",
                              fresh->revision, cs_time_text(old->made_at_s, time));
        *ret_known = true;
    }
    if (fresh->revision < newest_before)
        return cs_err_set(err, CS_ECORRUPT,
                          "it signs record %" PRIu64 " as its newest, and has signed record %" PRIu64
                          " before",
                          fresh->revision, newest_before);
    return CS_OK;
}
