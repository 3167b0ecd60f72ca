/* audit_file.h - exports of an audit for tests: records, two policies and checkpoints with real signatures.
 * Failing ends the test.
 *
 *   struct audit_file f;
 *
 *   audit_file_make(&f);
 *   text = audit_file_export(&f, 1, AUDIT_FILE_RECORDS);   // whole and right; edit f.records before for
 * others audit_file_free(&f); */
#ifndef CS_TESTS_AUDIT_FILE_H
#define CS_TESTS_AUDIT_FILE_H

#include "controller/cli/audit_line.h"
#include "controller/cli/audit_verify.h"
#include "tests/support/deployment.h"

enum { AUDIT_FILE_RECORDS = 12 };

struct audit_file {
    struct deployment d; /* version 2 of its policy is published */
    struct cs_buf policies[2];
    countersign_v1_AuditRecord records[AUDIT_FILE_RECORDS];
};

void audit_file_make(struct audit_file *ret);
void audit_file_free(struct audit_file *f);
/* Gives the records, as they are now, the hashes that fit: what an evil controller does. */
void audit_file_hash(struct audit_file *f);

/* The checkpoint of a revision (beyond the records: of a made-up hash), signed by `who`; the caller frees it.
 */
struct cli_checkpoint audit_file_checkpoint(struct audit_file *f, uint64_t revision, const char *who);

/* Appends one line. */
void audit_file_header(const struct audit_file *f, uint64_t from, uint64_t to, struct cs_buf *out);
void audit_file_policies(const struct audit_file *f, struct cs_buf *out);
void audit_file_record(const countersign_v1_AuditRecord *record, struct cs_buf *out);
void audit_file_closing(struct audit_file *f, uint64_t revision, struct cs_buf *out);
/* All of them; the caller frees it. */
struct cs_buf audit_file_export(struct audit_file *f, uint64_t from, uint64_t to);

/* cli_audit_verify() of a text. */
int audit_file_verify(struct cs_slice text, const struct cli_audit_asked *asked,
                      struct cli_audit_found *found, struct cs_err *err);

#endif
