#include "shared/trust/audit.h"

#define LABEL CS_SLICE_LIT("countersign/v1/audit-record")

int cs_audit_hash(const struct cs_digest *before, const countersign_v1_AuditRecord *record,
                  struct cs_digest *ret, struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf bytes = CS_BUF_EMPTY;
    countersign_v1_AuditRecord bare = *record;
    struct cs_slice parts[3];
    int rc;

    bare.hash.size = 0;
    rc = cs_message_encode(countersign_v1_AuditRecord_fields, &bare, &bytes, err);
    if (rc != CS_OK)
        return rc;
    parts[0] = LABEL;
    parts[1] = cs_digest_slice(before);
    parts[2] = cs_buf_slice(&bytes);
    *ret = cs_sha256_parts(parts, CS_ARRAY_LEN(parts));
    return CS_OK;
}

int cs_audit_append(struct cs_audit_end *end, countersign_v1_AuditRecord *record, struct cs_err *err)
{
    struct cs_digest hash;
    int rc;

    record->revision = end->revision + 1;
    rc = cs_audit_hash(&end->hash, record, &hash, err);
    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&record->hash, cs_digest_slice(&hash));
    *end = (struct cs_audit_end){record->revision, hash};
    return CS_OK;
}

int cs_audit_follow(struct cs_audit_end *end, const countersign_v1_AuditRecord *record, struct cs_err *err)
{
    struct cs_digest hash;
    int rc;

    if (record->revision != end->revision + 1)
        return cs_err_set(err, CS_ECORRUPT, "record %llu stands where record %llu belongs",
                          (unsigned long long)record->revision, (unsigned long long)end->revision + 1);
    rc = cs_audit_hash(&end->hash, record, &hash, err);
    if (rc != CS_OK)
        return rc;
    if (!cs_slice_eq(CS_PB_BYTES(&record->hash), cs_digest_slice(&hash)))
        return cs_err_set(err, CS_ECORRUPT, "record %llu does not follow from the one before it",
                          (unsigned long long)record->revision);
    *end = (struct cs_audit_end){record->revision, hash};
    return CS_OK;
}

const char *cs_audit_fault_word(enum cs_audit_fault fault)
{
    static const char *const words[] = {
#define X(name, word) [CS_AUDIT_##name] = word,
        CS_AUDIT_FAULTS(X)
#undef X
    };

    cs_assert((size_t)fault < CS_ARRAY_LEN(words));
    return words[fault];
}

int cs_audit_break_see(struct cs_audit_break *broken, const countersign_v1_AuditRecord *other, bool behind,
                       struct cs_err *err)
{
    struct cs_audit_end end = broken->before;
    struct cs_err why;
    int rc;

    if (other->revision == broken->record.revision) {
        bool same = cs_slice_eq(CS_PB_BYTES(&other->hash), CS_PB_BYTES(&broken->record.hash));

        broken->same_before |= same && !behind;
        broken->same_behind |= same && behind;
        broken->twin_behind |= !same && behind;
    }
    if (!behind)
        return CS_OK;
    if (broken->next_revision == 0)
        broken->next_revision = other->revision;
    rc = cs_audit_follow(&end, other, &why);
    if (rc == CS_OK)
        broken->wanted_behind = true;
    else if (rc != CS_ECORRUPT)
        return cs_err_set(err, rc, "%s", why.msg);
    return CS_OK;
}

/* What stands behind it goes on as if it were the record that belongs in its place. */
static bool holds_its_place(const struct cs_audit_break *broken)
{
    return broken->next_revision == broken->before.revision + 2;
}

enum cs_audit_fault cs_audit_break_explain(const struct cs_audit_break *broken)
{
    uint64_t wanted = broken->before.revision + 1, found = broken->record.revision;

    if (broken->same_before || (broken->same_behind && broken->wanted_behind))
        return CS_AUDIT_REPEATED;
    if (broken->wanted_behind)
        return found > wanted && !broken->twin_behind ? CS_AUDIT_REORDERED : CS_AUDIT_INSERTED;
    if (found == wanted || holds_its_place(broken))
        return CS_AUDIT_CHANGED;
    /* Two different ones of the same revision, and the chain follows the first. */
    if (found < wanted)
        return CS_AUDIT_INSERTED;
    return CS_AUDIT_MISSING;
}
