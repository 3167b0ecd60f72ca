/* The audit's hash chain: its hashes, and what is said of one that is broken. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check.h"

#include "shared/base/text.h"
#include "shared/trust/audit.h"

#include <stdio.h>

enum { RECORDS = 8, STANDING = 16, VECTORS = 4 };

static void hex_line(const char *text, struct cs_buf *out)
{
    size_t len = strcspn(text, "\n") / 2;

    cs_buf_clear(out);
    assert_int_equal(cs_buf_reserve(out, len), CS_OK);
    assert_int_equal(cs_unhex(cs_slice(text, 2 * len), out->ptr, len), CS_OK);
    out->len = len;
}

static void has_the_hashes_of_the_vectors(void **state)
{
    FILE *file = fopen(CS_TEST_VECTORS "/audit-chain.txt", "r");
    struct cs_buf bytes = CS_BUF_EMPTY;
    struct cs_audit_end end = {0};
    countersign_v1_AuditRecord record;
    unsigned seen = 0;
    char line[2048];
    struct cs_err err;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "record ", 7) == 0) {
            hex_line(line + 7, &bytes);
            check_ok(cs_message_decode_strict(countersign_v1_AuditRecord_fields, cs_buf_slice(&bytes),
                                              &record, "the vector", &err),
                     err);
        } else if (strncmp(line, "hash ", 5) == 0) {
            struct cs_audit_end before = end;

            hex_line(line + 5, &bytes);
            CS_PB_SET(&record.hash, cs_buf_slice(&bytes));
            check_ok(cs_audit_follow(&end, &record, &err), err);
            record.hash.size = 0;
            check_ok(cs_audit_append(&before, &record, &err), err);
            check_slice(CS_PB_BYTES(&record.hash), cs_buf_slice(&bytes));
            seen++;
        }
    }
    fclose(file);
    cs_buf_free(&bytes);
    assert_int_equal(seen, VECTORS);
}

static void make_chain(countersign_v1_AuditRecord records[RECORDS])
{
    struct cs_audit_end end = {0};
    struct cs_err err;

    for (unsigned i = 0; i < RECORDS; i++) {
        records[i] = (countersign_v1_AuditRecord){.time_s = 1000 + i, .peer_uid = i};
        snprintf(records[i].command, sizeof records[i].command, "Command%u", i);
        snprintf(records[i].actor, sizeof records[i].actor, "alice");
        snprintf(records[i].subject, sizeof records[i].subject, "REQ-%u", i + 1);
        check_ok(cs_audit_append(&end, &records[i], &err), err);
        assert_int_equal(records[i].revision, i + 1);
    }
}

static void change_field(countersign_v1_AuditRecord *record, unsigned field)
{
    switch (field) {
    case 0:
        record->revision++;
        break;
    case 1:
        record->time_s--;
        break;
    case 2:
        record->command[0] ^= 1;
        break;
    case 3:
        record->actor[0] ^= 1;
        break;
    case 4:
        record->peer[0] ^= 'x';
        break;
    case 5:
        record->peer_uid ^= 1;
        break;
    case 6:
        record->subject[0] ^= 1;
        break;
    case 7:
        record->detail[0] ^= 'x';
        break;
    case 8:
        record->hash.bytes[31] ^= 1;
        break;
    default:
        record->hash.size = 0;
    }
}

static void every_field_of_every_record_counts(void **state)
{
    (void)state;
    for (unsigned changed = 0; changed < RECORDS; changed++)
        for (unsigned field = 0; field < 10; field++) {
            countersign_v1_AuditRecord records[RECORDS];
            struct cs_audit_end end = {0};
            struct cs_err err;
            unsigned at = 0;

            make_chain(records);
            change_field(&records[changed], field);
            while (at < RECORDS && cs_audit_follow(&end, &records[at], &err) == CS_OK)
                at++;
            assert_int_equal(at, changed);
            assert_int_equal(end.revision, changed);
        }
}

/* A standing: '1' to '8' are the chain's records; 'a' to 'h' the same ones with another actor; 'A' to 'H'
 * those with a hash that fits what stands before them. */
static const struct {
    const char *says, *standing;
    enum cs_audit_fault fault;
    unsigned record; /* that is named */
} standings[] = {
    {"the first was changed", "a2345678", CS_AUDIT_CHANGED, 1},
    {"one was changed", "123d5678", CS_AUDIT_CHANGED, 4},
    {"the last was changed", "1234567h", CS_AUDIT_CHANGED, 8},
    {"one was changed and hashed anew", "123D5678", CS_AUDIT_CHANGED, 5},
    {"the first is missing", "2345678", CS_AUDIT_MISSING, 2},
    {"one is missing", "1235678", CS_AUDIT_MISSING, 5},
    {"three are missing", "15678", CS_AUDIT_MISSING, 5},
    {"one stands twice", "12334567", CS_AUDIT_REPEATED, 3},
    {"an early one stands again later", "12345267", CS_AUDIT_REPEATED, 2},
    {"an early one stands again at the end", "123456782", CS_AUDIT_REPEATED, 2},
    {"a late one stands early as well", "1272345678", CS_AUDIT_REPEATED, 7},
    {"the chain stands twice", "1234567812345678", CS_AUDIT_REPEATED, 1},
    {"two changed places", "12435678", CS_AUDIT_REORDERED, 4},
    {"one was moved forward", "12734568", CS_AUDIT_REORDERED, 7},
    {"one was moved back", "13456728", CS_AUDIT_REORDERED, 3},
    {"all stand in reverse", "87654321", CS_AUDIT_REORDERED, 8},
    {"another one was put in before its like", "123d45678", CS_AUDIT_INSERTED, 4},
    {"another one was put in early", "12g345678", CS_AUDIT_INSERTED, 7},
    {"another one was put in late", "12345b678", CS_AUDIT_INSERTED, 2},
    {"another one that fits was put in", "123D45678", CS_AUDIT_INSERTED, 4},
    {"another one was put at the end", "12345678b", CS_AUDIT_INSERTED, 2},
};

static unsigned stand(const char *standing, countersign_v1_AuditRecord ret[STANDING])
{
    countersign_v1_AuditRecord records[RECORDS];
    struct cs_audit_end end = {0};
    struct cs_err err;
    unsigned count = 0;

    make_chain(records);
    for (; standing[count]; count++) {
        char what = standing[count];
        unsigned index = (unsigned)(what <= '9' ? what - '1' : (what | 0x20) - 'a');

        ret[count] = records[index];
        if (what > '9')
            snprintf(ret[count].actor, sizeof ret[count].actor, "mallory");
        if (what >= 'a')
            ret[count].hash.bytes[0] ^= 1;
        else if (what >= 'A')
            check_ok(cs_audit_append(&end, &ret[count], &err), err);
        end.revision = ret[count].revision;
        memcpy(end.hash.bytes, ret[count].hash.bytes, sizeof end.hash.bytes);
    }
    return count;
}

static void what_broke_a_chain_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(standings); i++) {
        countersign_v1_AuditRecord records[STANDING];
        unsigned count = stand(standings[i].standing, records), at = 0;
        struct cs_audit_break broken = {0};
        enum cs_audit_fault fault;
        struct cs_err err;

        while (at < count && cs_audit_follow(&broken.before, &records[at], &err) == CS_OK)
            at++;
        assert_true(at < count);
        broken.record = records[at];
        for (unsigned k = 0; k < count; k++)
            if (k != at)
                check_ok(cs_audit_break_see(&broken, &records[k], k > at, &err), err);
        fault = cs_audit_break_explain(&broken);
        if (fault != standings[i].fault || broken.record.revision != standings[i].record)
            fail_msg("%s: record %llu is %s", standings[i].says, (unsigned long long)broken.record.revision,
                     cs_audit_fault_word(fault));
    }
}

static void a_chain_that_was_hashed_anew_holds(void **state)
{
    countersign_v1_AuditRecord records[RECORDS], forged[RECORDS];
    struct cs_audit_end end = {0};
    struct cs_err err;

    (void)state;
    make_chain(records);
    for (unsigned i = 0; i < RECORDS; i++) {
        forged[i] = records[i];
        if (i == 3)
            snprintf(forged[i].actor, sizeof forged[i].actor, "nobody");
        check_ok(cs_audit_append(&end, &forged[i], &err), err);
    }
    end = (struct cs_audit_end){0};
    for (unsigned i = 0; i < RECORDS; i++) {
        check_ok(cs_audit_follow(&end, &forged[i], &err), err);
        /* This is what somebody has to have kept. */
        assert_true(cs_slice_eq(CS_PB_BYTES(&forged[i].hash), CS_PB_BYTES(&records[i].hash)) == (i < 3));
    }
}

static void chain_short_of_memory(void *data)
{
    const countersign_v1_AuditRecord *records = data;
    countersign_v1_AuditRecord record = records[0];
    struct cs_audit_end end = {0}, appended = {0};
    struct cs_audit_break broken = {.record = records[2]};
    struct cs_err err;
    int rc = cs_audit_append(&appended, &record, &err);

    if (rc == CS_OK)
        rc = cs_audit_follow(&end, &records[0], &err);
    if (rc == CS_OK)
        rc = cs_audit_break_see(&broken, &records[0], true, &err);
    if (rc != CS_OK) {
        check_code(rc, CS_ENOMEM);
        assert_true(alloc_fail_happened());
    }
}

static void short_of_memory_is_no_broken_chain(void **state)
{
    countersign_v1_AuditRecord records[RECORDS];

    (void)state;
    make_chain(records);
    assert_int_equal(alloc_fail_run(chain_short_of_memory, records), 3);
}

static void each_fault_has_a_word(void **state)
{
    static const enum cs_audit_fault faults[] = {
#define X(name, word) CS_AUDIT_##name,
        CS_AUDIT_FAULTS(X)
#undef X
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(faults); i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(cs_audit_fault_word(faults[i]), cs_audit_fault_word(faults[k]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_hashes_of_the_vectors),
        cmocka_unit_test(every_field_of_every_record_counts),
        cmocka_unit_test(what_broke_a_chain_is_named),
        cmocka_unit_test(a_chain_that_was_hashed_anew_holds),
        cmocka_unit_test(short_of_memory_is_no_broken_chain),
        cmocka_unit_test(each_fault_has_a_word),
    };
    struct cs_err err;

    return cs_crypto_init(&err) == CS_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
