/* audit_line.h - the lines of an audit export, between JSON and structs. Pure. proto/README.md, "The audit".
 * Strict: each kind of line has its keys, all of them and no others. */
#ifndef CTL_CLI_AUDIT_LINE_H
#define CTL_CLI_AUDIT_LINE_H

#include "shared/base/limits.h"
#include "shared/trust/audit.h"

enum {
    CLI_AUDIT_FORMAT = 1,
    /* A policy's envelope in base64; records have some hundred bytes. */
    CLI_AUDIT_LINE_BYTES = 96 * 1024,
};
_Static_assert((CS_LIMIT_POLICY_BYTES + CS_LIMIT_STATEMENT_BYTES) * 4 / 3 + 1024 < CLI_AUDIT_LINE_BYTES,
               "a policy fits a line");

enum cli_audit_kind {
    CLI_AUDIT_NONE,
    CLI_AUDIT_HEADER,
    CLI_AUDIT_POLICY,
    CLI_AUDIT_RECORD,
    CLI_AUDIT_CHECKPOINT,
};

struct cli_audit_line {
    enum cli_audit_kind kind;
    /* of the header: what the export has, and the record before its first */
    uint8_t deployment_id[16];
    struct cs_audit_end before;
    uint64_t to;
    /* of a policy or the checkpoint: its version or revision, and its envelope */
    uint64_t number;
    struct cs_buf envelope;
    /* of a record */
    countersign_v1_AuditRecord record;
};

/* CS_EPARSE; CS_EUNSUPPORTED for a header of another format. The caller owns *ret on success; its own buffer
 * is used again: zero it before the first line. */
CS_MUST_USE int cli_audit_line_parse(struct cs_slice text, struct cli_audit_line *ret, struct cs_err *err);
/* Appends the line with its newline. CS_EPARSE for a record whose texts are no UTF-8. */
CS_MUST_USE int cli_audit_line_write(const struct cli_audit_line *line, struct cs_buf *out,
                                     struct cs_err *err);
void cli_audit_line_free(struct cli_audit_line *line);

#endif
