/* audit.h - the audit's hash chain: what a record's hash is, whether a record follows from the one before it,
 * and what became of a chain in which one does not. Pure. proto/README.md, "The audit".
 *
 * The controller's core writes the chain and the client checks it, with the same functions. Whoever has the
 * controller's store can compute a whole new chain that fits: only checkpoints (statement.proto,
 * AuditCheckpoint) that somebody else has kept show that. Start at cs_audit_follow(). */
#ifndef CS_TRUST_AUDIT_H
#define CS_TRUST_AUDIT_H

#include "shared/trust/statement.h"

#include "countersign/v1/operator.pb.h"

/* Where a chain stands: its last record. Zeroed: before the first, whose "hash before" is 32 zero bytes. */
struct cs_audit_end {
    uint64_t revision;
    struct cs_digest hash;
};

/* SHA-256("countersign/v1/audit-record" ‖ hash before ‖ canonical bytes of the record without its hash).
 * CS_ENOMEM. */
CS_MUST_USE int cs_audit_hash(const struct cs_digest *before, const countersign_v1_AuditRecord *record,
                              struct cs_digest *ret, struct cs_err *err);

/* Makes `record` the next one: gives it revision and hash, and moves *end on to it. CS_ENOMEM. */
CS_MUST_USE int cs_audit_append(struct cs_audit_end *end, countersign_v1_AuditRecord *record,
                                struct cs_err *err);
/* Moves *end on to `record` if that is the next one and has the hash that it must have; CS_ECORRUPT if not.
 * CS_ENOMEM is no verdict. */
CS_MUST_USE int cs_audit_follow(struct cs_audit_end *end, const countersign_v1_AuditRecord *record,
                                struct cs_err *err);

/* X(name, word) */
#define CS_AUDIT_FAULTS(X)                                                                                   \
    X(UNDECIDED, "not understood")                                                                           \
    X(CHANGED, "changed")   /* the record that belongs here is another one, or the one before it is */       \
    X(MISSING, "missing")   /* it is nowhere */                                                              \
    X(REPEATED, "repeated") /* a copy of a record that stands elsewhere stands here */                       \
    X(REORDERED, "out of order")                                                                             \
    X(INSERTED, "inserted") /* without the record that stands here the chain goes on */

enum cs_audit_fault {
#define X(name, word) CS_AUDIT_##name,
    CS_AUDIT_FAULTS(X)
#undef X
};
const char *cs_audit_fault_word(enum cs_audit_fault fault);

/* The first record that does not follow, and what the records around it tell about why. Begin with the two
 * fields above the line, show it every other record of the chain in their order, then ask. */
struct cs_audit_break {
    struct cs_audit_end before; /* where the chain stood */
    countersign_v1_AuditRecord record;
    /* ---- */
    bool same_before, same_behind; /* a record with its very hash and revision */
    bool twin_behind;              /* another one with its revision */
    bool wanted_behind;            /* the one that belongs in its place */
    uint64_t next_revision;        /* of the record right behind it; 0: none */
};
CS_MUST_USE int cs_audit_break_see(struct cs_audit_break *broken, const countersign_v1_AuditRecord *other,
                                   bool behind, struct cs_err *err);
enum cs_audit_fault cs_audit_break_explain(const struct cs_audit_break *broken);

#endif
