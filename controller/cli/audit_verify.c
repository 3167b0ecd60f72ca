#include "controller/cli/audit_verify.h"

#include "controller/cli/audit_line.h"
#include "controller/cli/lines.h"

#include "shared/base/text.h"

#include <inttypes.h>

/* What a record has to be. */
struct held {
    uint64_t revision;
    struct cs_digest hash;
    int64_t made_at_s;
    const char *whose;
};

struct audit {
    const struct cli_audit_asked *asked;
    struct cli_lines lines;
    struct cli_audit_line line;
    struct cs_audit_end before, end;
    uint64_t to;
    uint8_t deployment_id[16];
    struct cli_audit_policies policies;
    struct cs_keyring keys;
    struct held *held; /* by rising revision */
    size_t held_count, held_at;
    struct cs_err unread;
    struct cli_audit_found *found;
    struct cs_err *err;
};

static int next_line(struct audit *audit)
{
    struct cs_slice text;
    int rc = cli_lines_next(&audit->lines, CLI_AUDIT_LINE_BYTES, &text, audit->err);

    if (rc == CS_OK) {
        rc = cli_audit_line_parse(text, &audit->line, audit->err);
        if (rc != CS_OK)
            cs_err_prefix(audit->err, "line %" PRIu64, audit->lines.number);
    }
    return rc;
}

/* ---- what stands before the records */

static int read_header(struct audit *audit)
{
    int rc = next_line(audit);

    if (rc == CS_OK && audit->line.kind != CLI_AUDIT_HEADER)
        rc = cs_err_set(audit->err, CS_EPARSE, "it does not begin with the header");
    if (rc == CS_ENOTFOUND)
        rc = cs_err_set(audit->err, CS_EPARSE, "it is empty");
    if (rc == CS_EPARSE || rc == CS_ETOOBIG)
        return cs_err_prefix(audit->err, "this is no audit export");
    if (rc != CS_OK)
        return rc;
    memcpy(audit->deployment_id, audit->line.deployment_id, sizeof audit->deployment_id);
    audit->before = audit->end = audit->line.before;
    audit->to = audit->line.to;
    if (audit->before.revision == 0 && !cs_digest_eq(&audit->before.hash, &(struct cs_digest){{0}}))
        return cs_err_set(audit->err, CS_ECORRUPT, "the hash before the first record was changed");
    if (audit->before.revision != 0 && !audit->asked->part)
        return cs_err_set(audit->err, CS_EINVAL,
                          "this export begins at record %" PRIu64 ": say that a part is enough with --part",
                          audit->before.revision + 1);
    return CS_OK;
}

/* And the first line that is none, which may be one that cannot be read: *ret_next is what next_line() said
 * of it, and audit->unread why. */
static int read_policies(struct audit *audit, int *ret_next)
{
    while ((*ret_next = next_line(audit)) == CS_OK && audit->line.kind == CLI_AUDIT_POLICY) {
        int rc = cli_audit_policies_add(&audit->policies, audit->line.number,
                                        cs_buf_slice(&audit->line.envelope), audit->err);

        if (rc != CS_OK)
            return cs_err_prefix(audit->err, "line %" PRIu64, audit->lines.number);
    }
    audit->unread = *audit->err;
    return CS_OK;
}

static int believe_policies(struct audit *audit)
{
    const struct cli_audit_asked *asked = audit->asked;
    struct cs_pin pin;
    int rc;

    if (asked->pin) {
        pin = *asked->pin;
        if (asked->roots_only)
            memcpy(pin.deployment_id, audit->deployment_id, sizeof pin.deployment_id);
        if (memcmp(pin.deployment_id, audit->deployment_id, sizeof pin.deployment_id) != 0)
            return cs_err_set(audit->err, CS_EDENIED, "this export is of another deployment than the pin");
    }
    rc = cli_audit_policies_open(&audit->policies, asked->pin ? &pin : NULL, asked->home, audit->err);
    if (rc == CS_OK)
        rc = cli_audit_policies_keys(&audit->policies, &audit->keys, audit->err);
    if (rc != CS_OK)
        return cs_err_prefix(audit->err, "the export's trust policies");
    /* Without a pin they are of whatever deployment they say. */
    if (memcmp(cs_policy_body(audit->policies.list[0].policy)->deployment_id.bytes, audit->deployment_id,
               16) != 0)
        return cs_err_set(audit->err, CS_EAUTH, "the export's trust policies are of another deployment");
    return CS_OK;
}

/* ---- the checkpoints that it has to contain */

static int by_revision(const void *a, const void *b)
{
    const struct held *one = a, *other = b;

    return (one->revision > other->revision) - (one->revision < other->revision);
}

static void hold(struct audit *audit, const struct cli_checkpoint *checkpoint, const char *whose)
{
    audit->held[audit->held_count++] =
        (struct held){checkpoint->revision, checkpoint->hash, checkpoint->made_at_s, whose};
}

static int gather_held(struct audit *audit)
{
    const struct cli_checkpoints *kept = audit->asked->kept, *given = audit->asked->given;
    size_t most = (kept ? kept->count : 0) + (given ? given->count : 0);

    audit->held = calloc(most + 1, sizeof *audit->held);
    if (!audit->held)
        return cs_err_nomem(audit->err);
    for (size_t i = 0; kept && i < kept->count; i++)
        if (memcmp(kept->list[i].deployment_id, audit->deployment_id, 16) == 0)
            hold(audit, &kept->list[i], "kept at home");
    for (size_t i = 0; given && i < given->count; i++) {
        const struct cli_checkpoint *checkpoint = &given->list[i];
        int rc;

        if (memcmp(checkpoint->deployment_id, audit->deployment_id, 16) != 0)
            return cs_err_set(audit->err, CS_EDENIED,
                              "the checkpoint of revision %" PRIu64
                              " is of another deployment than the export",
                              checkpoint->revision);
        rc = cli_checkpoint_check(checkpoint, &audit->keys, audit->err);
        if (rc != CS_OK)
            return rc;
        hold(audit, checkpoint, "given");
    }
    qsort(audit->held, audit->held_count, sizeof *audit->held, by_revision);
    return CS_OK;
}

static int not_contained(struct audit *audit, const struct held *held, const char *why)
{
    char time[CS_TIME_TEXT_BYTES];

    return cs_err_set(audit->err, CS_ECORRUPT,
                      "the export does not contain the checkpoint of revision %" PRIu64
                      " that was signed at %s (%s): %s",
                      held->revision, cs_time_text(held->made_at_s, time), held->whose, why);
}

/* Those up to where the chain stands now. */
static int compare_held(struct audit *audit)
{
    for (; audit->held_at < audit->held_count; audit->held_at++) {
        const struct held *held = &audit->held[audit->held_at];
        char why[100];

        if (held->revision > audit->end.revision)
            return CS_OK;
        if (held->revision < audit->end.revision) {
            /* Before the first record of a part. */
            audit->found->outside++;
            continue;
        }
        if (!cs_digest_eq(&held->hash, &audit->end.hash)) {
            (void)snprintf(why, sizeof why,
                           "its record %" PRIu64 " is another one; up to %" PRIu64 " it is confirmed",
                           held->revision, audit->found->confirmed);
            return not_contained(audit, held, why);
        }
        audit->found->held++;
        audit->found->confirmed = held->revision;
        audit->found->confirmed_at_s = held->made_at_s;
    }
    return CS_OK;
}

static int compare_rest(struct audit *audit)
{
    size_t rest = audit->held_count - audit->held_at;
    char why[64];

    if (rest && !audit->asked->part) {
        (void)snprintf(why, sizeof why, "it ends with record %" PRIu64, audit->end.revision);
        return not_contained(audit, &audit->held[audit->held_at], why);
    }
    audit->found->outside += rest;
    return CS_OK;
}

/* ---- the chain */

/* Once more from the start, to tell why the record on line `at` does not follow. What cannot be read tells
 * nothing. */
static int explain(struct audit *audit, uint64_t at, struct cs_audit_break *broken)
{
    struct cli_audit_line *line = &audit->line;
    struct cs_slice text;
    struct cs_err why;
    int rc = cli_lines_again(&audit->lines, audit->err);

    while (rc == CS_OK && cli_lines_next(&audit->lines, CLI_AUDIT_LINE_BYTES, &text, &why) == CS_OK)
        if (audit->lines.number != at && cli_audit_line_parse(text, line, &why) == CS_OK &&
            line->kind == CLI_AUDIT_RECORD)
            rc = cs_audit_break_see(broken, &line->record, audit->lines.number > at, audit->err);
    return rc;
}

static int tell_break(struct audit *audit)
{
    struct cs_audit_break broken = {.before = audit->end, .record = audit->line.record};
    uint64_t at = audit->lines.number, found = broken.record.revision, wanted = audit->end.revision + 1;
    enum cs_audit_fault fault;
    int rc = explain(audit, at, &broken);

    if (rc != CS_OK)
        return rc;
    fault = cs_audit_break_explain(&broken);
    switch (fault) {
    case CS_AUDIT_CHANGED:
        return cs_err_set(audit->err, CS_ECORRUPT,
                          "record %" PRIu64 " (line %" PRIu64
                          ") was changed, or the one before it was, and its hash with it",
                          wanted, at);
    case CS_AUDIT_MISSING:
        return cs_err_set(audit->err, CS_ECORRUPT,
                          "record %" PRIu64 " is missing: record %" PRIu64
                          " stands in its place (line %" PRIu64 ")",
                          wanted, found, at);
    case CS_AUDIT_REORDERED:
        return cs_err_set(audit->err, CS_ECORRUPT,
                          "record %" PRIu64 " (line %" PRIu64
                          ") is out of order: it stands before record %" PRIu64,
                          found, at, wanted);
    default:
        return cs_err_set(audit->err, CS_ECORRUPT, "record %" PRIu64 " (line %" PRIu64 ") was %s", found, at,
                          cs_audit_fault_word(fault));
    }
}

static int truncated(struct audit *audit, const char *what)
{
    return cs_err_set(audit->err, CS_ECORRUPT, "the export is truncated behind record %" PRIu64 ": %s",
                      audit->end.revision, what);
}

/* A line that cannot be read, where a record or the last line belongs. */
static int tell_unreadable(struct audit *audit, int rc, const struct cs_err *why)
{
    if (rc == CS_ENOTFOUND)
        return truncated(audit, "its closing checkpoint is missing");
    if (rc != CS_EPARSE && rc != CS_ETOOBIG)
        return rc;
    return cs_err_set(audit->err, CS_ECORRUPT, "record %" PRIu64 " was changed or the export truncated: %s",
                      audit->end.revision + 1, why->msg);
}

/* From the first record, which has been read, to the first line that is none. */
static int follow_records(struct audit *audit)
{
    int rc = compare_held(audit);

    while (rc == CS_OK && audit->line.kind == CLI_AUDIT_RECORD) {
        if (audit->end.revision == audit->to)
            return cs_err_set(audit->err, CS_ECORRUPT,
                              "record %" PRIu64 " (line %" PRIu64 ") was inserted behind the last one",
                              audit->line.record.revision, audit->lines.number);
        rc = cs_audit_follow(&audit->end, &audit->line.record, audit->err);
        if (rc == CS_ECORRUPT)
            return tell_break(audit);
        if (rc == CS_OK)
            rc = compare_held(audit);
        if (rc == CS_OK) {
            struct cs_err why;

            rc = next_line(audit);
            if (rc != CS_OK) {
                why = *audit->err;
                return tell_unreadable(audit, rc, &why);
            }
        }
    }
    return rc;
}

/* ---- its last line */

static int check_closing(struct audit *audit)
{
    struct cli_checkpoint closing = {0};
    struct cs_err why;
    int rc = cli_checkpoint_open(cs_buf_slice(&audit->line.envelope), &closing, &why);

    if (rc == CS_OK)
        rc = cli_checkpoint_check(&closing, &audit->keys, &why);
    /* It is never older than the last record; in a part it may be far behind it. */
    if (rc == CS_OK && (closing.revision != audit->line.number || closing.revision < audit->end.revision ||
                        memcmp(closing.deployment_id, audit->deployment_id, 16) != 0))
        rc = cs_err_set(&why, CS_EAUTH, "it is not the one of this export");
    if (rc == CS_ENOMEM) {
        rc = cs_err_nomem(audit->err);
    } else if (rc != CS_OK) {
        rc = cs_err_set(audit->err, CS_ECORRUPT, "the export's closing checkpoint was changed: %s", why.msg);
    } else {
        audit->held[0] =
            (struct held){closing.revision, closing.hash, closing.made_at_s, "the export's last line"};
        audit->held_count = 1;
        audit->held_at = 0;
        rc = compare_held(audit);
        if (rc == CS_OK)
            rc = compare_rest(audit);
    }
    cli_checkpoint_free(&closing);
    return rc;
}

static int check_end(struct audit *audit)
{
    int rc;

    if (audit->line.kind != CLI_AUDIT_CHECKPOINT)
        return cs_err_set(audit->err, CS_ECORRUPT, "line %" PRIu64 " was inserted", audit->lines.number);
    if (audit->end.revision != audit->to)
        return truncated(audit, "the records behind it are missing");
    rc = compare_rest(audit);
    if (rc == CS_OK)
        rc = check_closing(audit);
    if (rc != CS_OK)
        return rc;
    rc = next_line(audit);
    if (rc == CS_ENOMEM || rc == CS_EIO)
        return rc;
    return rc == CS_ENOTFOUND
               ? CS_OK
               : cs_err_set(audit->err, CS_ECORRUPT, "something was added behind the export's last line");
}

static int run(struct audit *audit)
{
    int next = CS_OK;
    int rc = cli_lines_again(&audit->lines, audit->err);

    if (rc == CS_OK)
        rc = read_header(audit);
    if (rc == CS_OK)
        rc = read_policies(audit, &next);
    if (rc == CS_OK)
        rc = believe_policies(audit);
    if (rc == CS_OK)
        rc = gather_held(audit);
    if (rc == CS_OK && next != CS_OK)
        return tell_unreadable(audit, next, &audit->unread);
    if (rc == CS_OK)
        rc = follow_records(audit);
    return rc == CS_OK ? check_end(audit) : rc;
}

int cli_audit_verify(FILE *stream, const struct cli_audit_asked *asked, struct cli_audit_found *ret,
                     struct cs_err *err)
{
    struct cli_audit_found found = {.confirmed = 0};
    struct audit *audit = calloc(1, sizeof *audit);
    int rc;

    if (!audit)
        return cs_err_nomem(err);
    audit->asked = asked;
    audit->lines.stream = stream;
    audit->found = &found;
    audit->err = err;
    rc = run(audit);
    if (rc == CS_OK) {
        memcpy(found.deployment_id, audit->deployment_id, sizeof found.deployment_id);
        found.from = audit->before.revision + 1;
        found.to = audit->end.revision;
        *ret = found;
    }
    cli_lines_free(&audit->lines);
    cli_audit_line_free(&audit->line);
    cli_audit_policies_free(&audit->policies);
    free(audit->held);
    free(audit);
    return rc;
}
