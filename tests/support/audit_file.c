#include "tests/support/audit_file.h"

void audit_file_make(struct audit_file *ret)
{
    *ret = (struct audit_file){.d = {.now_s = 0}};
    deployment_make(&ret->d);
    for (size_t i = 0; i < CS_ARRAY_LEN(ret->policies); i++) {
        if (i)
            deployment_publish(&ret->d);
        cs_assert(cs_buf_append(&ret->policies[i], cs_policy_wire(ret->d.policy)) == CS_OK);
    }
    for (unsigned i = 0; i < AUDIT_FILE_RECORDS; i++) {
        countersign_v1_AuditRecord *record = &ret->records[i];

        record->time_s = ret->d.now_s + i;
        record->peer_uid = i;
        snprintf(record->command, sizeof record->command, "Command%u", i);
        snprintf(record->actor, sizeof record->actor, "alice");
        snprintf(record->peer, sizeof record->peer, "unix:uid=%u", i);
        snprintf(record->subject, sizeof record->subject, "REQ-%u", i + 1);
        snprintf(record->detail, sizeof record->detail, "\"für\"\n\t%u", i);
    }
    audit_file_hash(ret);
}

void audit_file_free(struct audit_file *f)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(f->policies); i++)
        cs_buf_free(&f->policies[i]);
    deployment_free(&f->d);
}

void audit_file_hash(struct audit_file *f)
{
    struct cs_audit_end end = {0};
    struct cs_err err;

    for (size_t i = 0; i < AUDIT_FILE_RECORDS; i++)
        cs_assert(cs_audit_append(&end, &f->records[i], &err) == CS_OK);
}

struct cli_checkpoint audit_file_checkpoint(struct audit_file *f, uint64_t revision, const char *who)
{
    countersign_v1_AuditCheckpoint body;
    struct cli_checkpoint checkpoint;
    struct cs_buf wire;
    struct cs_err err;

    deployment_fill_checkpoint(&f->d, &body);
    body.revision = revision;
    if (revision <= AUDIT_FILE_RECORDS)
        CS_PB_SET(&body.hash, CS_PB_BYTES(&f->records[revision - 1].hash));
    wire = deployment_sign(&f->d, CS_STATEMENT_AUDIT_CHECKPOINT, countersign_v1_AuditCheckpoint_fields, &body,
                           who);
    cs_assert(cli_checkpoint_open(cs_buf_slice(&wire), &checkpoint, &err) == CS_OK);
    cs_buf_free(&wire);
    return checkpoint;
}

static void put(const struct cli_audit_line *line, struct cs_buf *out)
{
    struct cs_err err;

    cs_assert(cli_audit_line_write(line, out, &err) == CS_OK);
}

void audit_file_header(const struct audit_file *f, uint64_t from, uint64_t to, struct cs_buf *out)
{
    struct cli_audit_line line = {.kind = CLI_AUDIT_HEADER, .to = to, .before = {.revision = from - 1}};

    memcpy(line.deployment_id, f->d.id, sizeof line.deployment_id);
    if (from > 1)
        memcpy(line.before.hash.bytes, f->records[from - 2].hash.bytes, sizeof line.before.hash.bytes);
    put(&line, out);
}

void audit_file_policies(const struct audit_file *f, struct cs_buf *out)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(f->policies); i++)
        put(&(struct cli_audit_line){.kind = CLI_AUDIT_POLICY, .number = i + 1, .envelope = f->policies[i]},
            out);
}

void audit_file_record(const countersign_v1_AuditRecord *record, struct cs_buf *out)
{
    put(&(struct cli_audit_line){.kind = CLI_AUDIT_RECORD, .record = *record}, out);
}

void audit_file_closing(struct audit_file *f, uint64_t revision, struct cs_buf *out)
{
    struct cli_checkpoint closing = audit_file_checkpoint(f, revision, "controller");

    put(&(struct cli_audit_line){.kind = CLI_AUDIT_CHECKPOINT,
                                 .number = revision,
                                 .envelope = closing.envelope},
        out);
    cli_checkpoint_free(&closing);
}

struct cs_buf audit_file_export(struct audit_file *f, uint64_t from, uint64_t to)
{
    struct cs_buf text = CS_BUF_EMPTY;

    audit_file_header(f, from, to, &text);
    audit_file_policies(f, &text);
    for (uint64_t revision = from; revision <= to; revision++)
        audit_file_record(&f->records[revision - 1], &text);
    audit_file_closing(f, to, &text);
    return text;
}

int audit_file_verify(struct cs_slice text, const struct cli_audit_asked *asked,
                      struct cli_audit_found *found, struct cs_err *err)
{
    FILE *stream =
        fmemopen((void *)(uintptr_t)(text.len ? (const void *)text.ptr : "\n"), text.len ? text.len : 1, "r");
    int rc;

    if (!stream)
        return cs_err_nomem(err);
    rc = cli_audit_verify(stream, asked, found, err);
    fclose(stream);
    return rc;
}
