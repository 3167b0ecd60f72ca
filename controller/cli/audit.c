/* countersign audit … - what was changed and by whom: as a list, and as a file that anybody can check. */
#include "controller/cli/audit_line.h"
#include "controller/cli/audit_verify.h"
#include "controller/cli/file.h"
#include "controller/cli/keep.h"
#include "controller/cli/nouns.h"

#include "shared/base/text.h"

#include <errno.h>
#include <inttypes.h>

int cli_audit_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"revision", "REVISION", true}, {"time", "TIME", false},       {"command", "COMMAND", false},
        {"actor", "ACTOR", false},      {"subject", "SUBJECT", false}, {"peer", "PEER", false},
        {"detail", "DETAIL", false},    {"hash", "HASH", false},
    };
    const char *after = cli_args_option(&cli->args, "after");
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListAuditResponse *reply = CLI_NEW(countersign_v1_ListAuditResponse, err);
    countersign_v1_ListAuditRequest request = {0};
    int rc = after ? cli_args_number(after, "", &request.after_revision, err) : CS_OK;

    if (!reply)
        return CS_ENOMEM;
    if (rc != CS_OK)
        return cli_usage(cli, err, "--after is the number of a revision");
    cli->keep_checkpoint = true;
    cli_table(doc, "records", columns, CS_ARRAY_LEN(columns), "Nothing has been recorded yet.");
    do {
        rc = cli_call(cli, &cli_rpc_ListAudit, &request, reply, err);
        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->records_count; i++) {
            const countersign_v1_AuditRecord *record = &reply->records[i];

            if (record->revision <= request.after_revision)
                return cs_err_set(err, CS_EAUTH,
                                  "the controller gave record %" PRIu64 " twice: its list has no end",
                                  record->revision);
            CLI_ROW(doc, cli_number(record->revision), cli_time(record->time_s), cli_text(record->command),
                    cli_text(record->actor), cli_text(record->subject), cli_text(record->peer),
                    cli_text(record->detail), cli_hex(CS_PB_BYTES(&record->hash)));
            request.after_revision = record->revision;
        }
        rc = cli_page(cli, doc, err);
        if (rc != CS_OK)
            return rc;
    } while (reply->more && reply->records_count);
    return cli_write(cli, doc, err);
}

/* ---- export */

struct exporting {
    struct cli *cli;
    struct cli_file_stream file;
    struct cli_checkpoint closing;
    struct cs_audit_end end; /* of what is written */
    uint64_t from, to;
    struct cli_audit_line line;
    struct cs_buf text;
    struct cs_err broken; /* what does not fit in what the controller gives; the first */
};

static int put_line(struct exporting *e, struct cs_err *err)
{
    int rc;

    cs_buf_clear(&e->text);
    rc = cli_audit_line_write(&e->line, &e->text, err);
    /* Told by cli_file_finish(). */
    if (rc == CS_OK)
        (void)!fwrite(e->text.ptr, 1, e->text.len, e->file.stream);
    return rc;
}

static int put_envelope(struct exporting *e, enum cli_audit_kind kind, uint64_t number,
                        struct cs_slice envelope, struct cs_err *err)
{
    e->line.kind = kind;
    e->line.number = number;
    cs_buf_clear(&e->line.envelope);
    return cs_buf_append(&e->line.envelope, envelope) == CS_OK ? put_line(e, err) : cs_err_nomem(err);
}

/* The hash of the record before the first. */
static int find_before(struct exporting *e, countersign_v1_ListAuditResponse *reply, struct cs_err *err)
{
    countersign_v1_ListAuditRequest request = {.after_revision = e->from - 2, .limit = 1};
    int rc;

    if (e->from == 1)
        return CS_OK;
    rc = cli_call(e->cli, &cli_rpc_ListAudit, &request, reply, err);
    if (rc != CS_OK)
        return rc;
    if (reply->records_count != 1 || reply->records[0].revision != e->from - 1 ||
        reply->records[0].hash.size != CS_SHA256_BYTES)
        return cs_err_set(err, CS_ECORRUPT, "the controller gives no record %" PRIu64, e->from - 1);
    e->end.revision = e->from - 1;
    memcpy(e->end.hash.bytes, reply->records[0].hash.bytes, sizeof e->end.hash.bytes);
    return CS_OK;
}

static int put_policies(struct exporting *e, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetPolicyResponse *reply = CLI_NEW(countersign_v1_GetPolicyResponse, err);
    countersign_v1_GetPolicyRequest request = {.version = 1};
    int rc = reply ? CS_OK : CS_ENOMEM;
    uint32_t newest = 1;

    for (; rc == CS_OK && request.version <= newest; request.version++) {
        rc = cli_call(e->cli, &cli_rpc_GetPolicy, &request, reply, err);
        newest = reply->newest_version;
        if (rc == CS_OK)
            rc = put_envelope(e, CLI_AUDIT_POLICY, request.version, CS_PB_BYTES(&reply->envelope), err);
    }
    return rc;
}

/* What is wrong is written all the same: it is evidence. */
static int put_record(struct exporting *e, const countersign_v1_AuditRecord *record, struct cs_err *err)
{
    struct cs_err why;

    e->line.kind = CLI_AUDIT_RECORD;
    e->line.record = *record;
    if (e->broken.code == CS_OK && cs_audit_follow(&e->end, record, &why) != CS_OK)
        e->broken = why;
    return put_line(e, err);
}

static int put_records(struct exporting *e, countersign_v1_ListAuditResponse *reply, struct cs_err *err)
{
    countersign_v1_ListAuditRequest request = {.after_revision = e->from - 1};

    for (;;) {
        int rc = cli_call(e->cli, &cli_rpc_ListAudit, &request, reply, err);

        if (rc != CS_OK)
            return rc;
        for (pb_size_t i = 0; i < reply->records_count; i++) {
            uint64_t revision = reply->records[i].revision;

            if (revision > e->to)
                return CS_OK;
            /* A list that does not go on would never end. */
            if (revision <= request.after_revision)
                return cs_err_set(err, CS_ECORRUPT, "the controller gives record %" PRIu64 " a second time",
                                  revision);
            request.after_revision = revision;
            rc = put_record(e, &reply->records[i], err);
            if (rc != CS_OK)
                return rc;
        }
        if (request.after_revision == e->to || !reply->more || !reply->records_count)
            return CS_OK;
    }
}

static int put_all(struct exporting *e, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListAuditResponse *reply = CLI_NEW(countersign_v1_ListAuditResponse, err);
    int rc = reply ? find_before(e, reply, err) : CS_ENOMEM;

    e->line.kind = CLI_AUDIT_HEADER;
    memcpy(e->line.deployment_id, e->closing.deployment_id, sizeof e->line.deployment_id);
    e->line.before = e->end;
    e->line.to = e->to;
    if (rc == CS_OK)
        rc = put_line(e, err);
    if (rc == CS_OK)
        rc = put_policies(e, err);
    if (rc == CS_OK)
        rc = put_records(e, reply, err);
    if (rc == CS_OK && e->broken.code == CS_OK && e->end.revision != e->to)
        cs_err_set(&e->broken, CS_ECORRUPT, "the controller gives no record %" PRIu64, e->end.revision + 1);
    if (rc == CS_OK && e->broken.code == CS_OK && e->end.revision == e->closing.revision &&
        !cs_digest_eq(&e->end.hash, &e->closing.hash))
        cs_err_set(&e->broken, CS_ECORRUPT, "record %" PRIu64 " is not the one that its checkpoint signs",
                   e->to);
    if (rc == CS_OK)
        rc = put_envelope(e, CLI_AUDIT_CHECKPOINT, e->closing.revision, cs_buf_slice(&e->closing.envelope),
                          err);
    return rc;
}

/* --from and --to, within what there is. */
static int choose_range(struct exporting *e, struct cs_err *err)
{
    const char *from = cli_args_option(&e->cli->args, "from"), *to = cli_args_option(&e->cli->args, "to");

    e->from = 1;
    e->to = e->closing.revision;
    if ((from && cli_args_number(from, "", &e->from, err) != CS_OK) ||
        (to && cli_args_number(to, "", &e->to, err) != CS_OK))
        return cli_usage(e->cli, err, "--from and --to are numbers of revisions");
    if (e->to > e->closing.revision)
        e->to = e->closing.revision;
    if (e->from < 1 || e->from > e->to)
        return cs_err_set(err, CS_ENOTFOUND, "there are no records from %" PRIu64 " to %" PRIu64, e->from,
                          e->to);
    return CS_OK;
}

static int tell_exported(struct cli *cli, const struct exporting *e, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_SLICE_ARRAY(e->closing.deployment_id)));
    cli_field(doc, "from", "From revision", cli_number(e->from));
    cli_field(doc, "to", "To revision", cli_number(e->to));
    cli_field(doc, "checkpoint", "Signed up to revision", cli_number(e->closing.revision));
    cli_field(doc, "file", "File", cli_text(cli_args_option(&cli->args, "out")));
    cli_hint(doc, "Check it anywhere, without the controller: countersign audit verify FILE");
    return cli_write(cli, doc, err);
}

int cli_audit_export(struct cli *cli, struct cs_err *err)
{
    const char *out = cli_args_option(&cli->args, "out");
    struct exporting *e = CLI_NEW(struct exporting, err);
    bool begun = false;
    int rc;

    if (!e)
        return CS_ENOMEM;
    e->cli = cli;
    rc = cli_keep_newest(cli, &e->closing, err);
    if (rc == CS_OK)
        rc = choose_range(e, err);
    if (rc == CS_OK) {
        rc = cli_file_begin(out, 0644, &e->file, err);
        begun = rc == CS_OK;
    }
    if (rc == CS_OK)
        rc = put_all(e, err);
    if (rc == CS_OK) {
        begun = false;
        rc = cli_file_finish(&e->file, err);
    }
    if (begun)
        cli_file_abandon(&e->file);
    if (rc == CS_OK && out)
        rc = tell_exported(cli, e, err);
    if (rc == CS_OK && e->broken.code != CS_OK)
        rc = cs_err_set(err, CS_ECORRUPT,
                        "the controller's audit was altered: %s; the export has it as it is", e->broken.msg);
    if (rc == CS_ECORRUPT)
        cli->failure = CLI_ALTERED;
    cli_checkpoint_free(&e->closing);
    cli_audit_line_free(&e->line);
    cs_buf_free(&e->text);
    free(e);
    return rc;
}

/* ---- verify */

enum { CHECKPOINT_FILE_BYTES = 64 * 1024 * 1024, PIN_FILE_BYTES = 16 * 1024 };

static int read_given(struct cli *cli, struct cli_checkpoints *ret, struct cs_err *err)
{
    const char *path;
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && (path = cli_args_option_at(&cli->args, "checkpoint", i)) != NULL; i++) {
        struct cs_buf text = CS_BUF_EMPTY;
        size_t before = ret->count;

        rc = cli_file_read(path, CHECKPOINT_FILE_BYTES, &text, err);
        if (rc == CS_OK)
            rc = cli_checkpoints_parse(cs_buf_slice(&text), path, ret, err);
        if (rc == CS_OK && ret->count == before)
            rc = cs_err_set(err, CS_EPARSE, "there is no checkpoint in %.180s", path);
        cs_buf_free(&text);
    }
    return rc;
}

/* --pin FILE, --roots DIGEST, or the pin at home. */
static int choose_pin(struct cli *cli, struct cs_pin *pin, struct cli_audit_asked *asked, struct cs_err *err)
{
    const char *file = cli_args_option(&cli->args, "pin"), *roots = cli_args_option(&cli->args, "roots");
    struct cs_buf text = CS_BUF_EMPTY;
    int rc = CS_OK;

    if (file && roots)
        return cli_usage(cli, err, "--pin and --roots exclude each other");
    if (file) {
        rc = cli_file_read(file, PIN_FILE_BYTES, &text, err);
        if (rc == CS_OK && cs_buf_append_u8(&text, 0) != CS_OK)
            rc = cs_err_nomem(err);
        if (rc == CS_OK)
            rc = cli_home_pin_parse((const char *)text.ptr, file, pin, err);
        cs_buf_free(&text);
    } else if (roots) {
        *pin = (struct cs_pin){.least_version = 1};
        asked->roots_only = true;
        if (cs_unhex(cs_slice_str(roots), pin->roots_digest.bytes, sizeof pin->roots_digest.bytes) != CS_OK)
            return cli_usage(cli, err, "--roots is 64 hex digits, as `countersign trust show` prints them");
    } else if (cli->home.pinned) {
        *pin = cli->home.pin;
        asked->home = &cli->home;
    } else {
        return CS_OK;
    }
    asked->pin = pin;
    return rc;
}

static int tell_verified(struct cli *cli, const struct cli_audit_found *found, bool anchored,
                         struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();

    cli_field(doc, "deployment_id", "Deployment", cli_hex(CS_SLICE_ARRAY(found->deployment_id)));
    cli_field(doc, "from", "From revision", cli_number(found->from));
    cli_field(doc, "to", "To revision", cli_number(found->to));
    cli_field(doc, "chain", "Hash chain", cli_tinted("whole", CLI_GREEN));
    cli_field(doc, "checkpoints", "Checkpoints contained", cli_number(found->held));
    cli_field(doc, "outside", "Checkpoints outside", cli_number(found->outside));
    cli_field(doc, "confirmed", "Signed up to revision", cli_number(found->confirmed));
    cli_field(doc, "confirmed_at", "Signed at", cli_time(found->confirmed_at_s));
    cli_field(doc, "signatures", "Signatures",
              anchored ? cli_tinted("by keys that the pinned roots named", CLI_GREEN)
                       : cli_tinted("not anchored: by keys that the export itself names", CLI_YELLOW));
    return cli_write(cli, doc, err);
}

static int verify(struct cli *cli, FILE *stream, struct cs_err *err)
{
    const char *path = cli->args.operands[0];
    struct cli_checkpoints kept = {0}, given = {0};
    struct cli_audit_asked asked = {
        .kept = &kept, .given = &given, .part = cli_args_flag(&cli->args, "part")};
    struct cli_audit_found found;
    struct cs_pin pin;
    int rc = choose_pin(cli, &pin, &asked, err);

    if (rc == CS_OK)
        rc = read_given(cli, &given, err);
    /* Without a pin at home nobody verified them when they came there. */
    if (rc == CS_OK && !given.count)
        rc = cli_keep_load(&cli->home, cli->home.pinned ? &kept : &given, err);
    if (rc == CS_OK) {
        rc = cli_audit_verify(stream, &asked, &found, err);
        if (rc == CS_ECORRUPT)
            cli->failure = CLI_ALTERED;
        if (rc != CS_OK)
            cs_err_prefix(err, "%.80s", path);
    }
    if (rc == CS_OK)
        rc = tell_verified(cli, &found, asked.pin != NULL, err);
    if (rc == CS_OK && !(asked.pin && found.confirmed)) {
        cli->failure = CLI_NOT_ANCHORED;
        rc = cs_err_set(err, CS_ESTATE,
                        found.confirmed
                            ? "the chain holds, but its signatures were not anchored: give the pin of the "
                              "deployment with --pin FILE or --roots DIGEST"
                            : "the chain holds, but no checkpoint lies in this part of it");
    }
    cli_checkpoints_free(&kept);
    cli_checkpoints_free(&given);
    return rc;
}

int cli_audit_verify_run(struct cli *cli, struct cs_err *err)
{
    const char *path = cli->args.operands[0];
    FILE *stream = fopen(path, "re");
    int rc;

    if (!stream)
        return cs_err_set(err, errno == ENOENT ? CS_ENOTFOUND : CS_EIO, "opening %.150s: %s", path,
                          strerror(errno));
    rc = verify(cli, stream, err);
    fclose(stream);
    return rc;
}
