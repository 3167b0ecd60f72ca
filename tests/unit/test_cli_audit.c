/* An exported audit is checked against what the controller signed: whatever is done to the file is seen, and
 * what only a kept checkpoint can show, a kept checkpoint shows. */
#include "tests/support/check.h"

#include "tests/support/alloc_fail.h"
#include "tests/support/audit_file.h"

enum { LAST = AUDIT_FILE_RECORDS };

struct fixture {
    struct audit_file f;
    struct cs_pin pin;
    struct cli_audit_asked asked;
    struct cli_checkpoints kept;
    struct cli_audit_found found;
    struct cs_err err;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);

    assert_non_null(x);
    audit_file_make(&x->f);
    /* What clients have: the pin follows the newest policy. */
    x->pin = deployment_pin(&x->f.d);
    x->pin.least_version = 2;
    x->asked = (struct cli_audit_asked){.pin = &x->pin, .kept = &x->kept};
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    cli_checkpoints_free(&x->kept);
    audit_file_free(&x->f);
    free(x);
    return 0;
}

static void keep(struct fixture *x, uint64_t revision)
{
    struct cli_checkpoint checkpoint = audit_file_checkpoint(&x->f, revision, "controller");
    struct cs_buf line = CS_BUF_EMPTY;

    assert_int_equal(cli_checkpoint_write(&checkpoint, &line), CS_OK);
    check_ok(cli_checkpoints_parse(cs_buf_slice(&line), "kept", &x->kept, &x->err), x->err);
    cs_buf_free(&line);
    cli_checkpoint_free(&checkpoint);
}

static int verify(struct fixture *x, struct cs_slice text)
{
    x->err = (struct cs_err){0};
    return audit_file_verify(text, &x->asked, &x->found, &x->err);
}

/* Frees the text. */
static int verify_buf(struct fixture *x, struct cs_buf text)
{
    int rc = verify(x, cs_buf_slice(&text));

    cs_buf_free(&text);
    return rc;
}

static void check_refused(struct fixture *x, struct cs_buf text, int code, const char *says)
{
    int rc = verify_buf(x, text);

    if (rc != code || !strstr(x->err.msg, says))
        fail_msg("'%s' (%s) where '%s' (%s) was wanted", x->err.msg, cs_code_text(rc), says,
                 cs_code_text(code));
}

static void a_whole_export_holds(void **state)
{
    struct fixture *x = *state;

    keep(x, 3);
    keep(x, LAST);
    check_ok(verify_buf(x, audit_file_export(&x->f, 1, LAST)), x->err);
    assert_int_equal(x->found.from, 1);
    assert_int_equal(x->found.to, LAST);
    assert_int_equal(x->found.held, 3);
    assert_int_equal(x->found.confirmed, LAST);
    assert_int_equal(x->found.outside, 0);
}

/* ---- one thing changed */

enum { FIELDS = 10 }; /* revision, time, peer's uid, five texts, the hash and its size */

static void change_field(countersign_v1_AuditRecord *record, unsigned field)
{
    char *texts[] = {record->command, record->actor, record->peer, record->subject, record->detail};
    static const uint8_t text_of[] = {9, 9, 0, 1, 2, 9, 3, 4};

    switch (field) {
    case 0:
        record->revision += 100;
        break;
    case 1:
        record->time_s++;
        break;
    case 5:
        record->peer_uid ^= 1;
        break;
    case 8:
        record->hash.bytes[0] ^= 1;
        break;
    case 9:
        record->hash.size--;
        break;
    default:
        texts[text_of[field]][0] = 'X';
    }
}

static void every_field_of_every_record_is_covered(void **state)
{
    struct fixture *x = *state;

    for (unsigned at = 0; at < LAST; at++)
        for (unsigned field = 0; field < FIELDS; field++) {
            countersign_v1_AuditRecord right = x->f.records[at];
            char says[32];
            struct cs_buf text = CS_BUF_EMPTY;

            audit_file_header(&x->f, 1, LAST, &text);
            audit_file_policies(&x->f, &text);
            change_field(&x->f.records[at], field);
            for (unsigned i = 0; i < LAST; i++)
                audit_file_record(&x->f.records[i], &text);
            x->f.records[at] = right;
            audit_file_closing(&x->f, LAST, &text);
            /* The last one's revision, changed to one that is not there, is as good as missing. */
            snprintf(says, sizeof says, "record %u %s", at + 1,
                     field == 0 && at + 1 == LAST ? "is missing" : "");
            check_refused(x, text, CS_ECORRUPT, says);
        }
}

/* ---- lines dropped, repeated, swapped */

enum { LINES = LAST + 4 }; /* header, two policies, records, closing */

static void split(const struct cs_buf *text, struct cs_slice lines[LINES])
{
    struct cs_slice rest = cs_buf_slice(text);

    for (unsigned i = 0; i < LINES; i++) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = (size_t)(end - rest.ptr) + 1;

        lines[i] = cs_slice(rest.ptr, len);
        rest = cs_slice_from(rest, len);
    }
    assert_int_equal(rest.len, 0);
}

enum deed { DROP, REPEAT, SWAP, MOVE_TO_END, COPY_TO_END, EMPTY_LINE, DEEDS };

static struct cs_buf arrange(const struct cs_slice lines[LINES], unsigned at, enum deed deed)
{
    struct cs_buf out = CS_BUF_EMPTY;
    int rc = CS_OK;

    for (unsigned i = 0; i < LINES; i++) {
        unsigned which = deed == SWAP && i == at ? at + 1 : deed == SWAP && i == at + 1 ? at : i;

        if (!((deed == DROP || deed == MOVE_TO_END) && i == at))
            rc |= cs_buf_append(&out, lines[which]);
        if (deed == REPEAT && i == at)
            rc |= cs_buf_append(&out, lines[i]);
        if (deed == EMPTY_LINE && i == at)
            rc |= cs_buf_append_u8(&out, '\n');
    }
    if (deed == MOVE_TO_END || deed == COPY_TO_END)
        rc |= cs_buf_append(&out, lines[at]);
    assert_int_equal(rc, CS_OK);
    return out;
}

static void no_line_can_be_dropped_repeated_or_moved(void **state)
{
    static const char *const words[DEEDS] = {
        [DROP] = "is missing",      [REPEAT] = "was repeated",
        [SWAP] = "is out of order", [MOVE_TO_END] = "record",
        [COPY_TO_END] = "added",    [EMPTY_LINE] = "was changed or the export truncated"};
    struct fixture *x = *state;
    struct cs_buf text = audit_file_export(&x->f, 1, LAST);
    struct cs_slice lines[LINES];

    split(&text, lines);
    for (unsigned at = 0; at < LINES; at++)
        for (enum deed deed = DROP; deed < DEEDS; deed++) {
            bool last = at + 1 == LINES;

            if (last && (deed == SWAP || deed == MOVE_TO_END))
                continue;
            /* An old policy less is a key less: nothing that was recorded is other for it. */
            if (at == 1 && deed == DROP)
                check_ok(verify_buf(x, arrange(lines, at, deed)), x->err);
            else if (at >= 3 && at + 2 < LINES)
                check_refused(x, arrange(lines, at, deed), CS_ECORRUPT, words[deed]);
            else
                assert_int_not_equal(verify_buf(x, arrange(lines, at, deed)), CS_OK);
        }
    cs_buf_free(&text);
}

static void no_byte_can_be_cut_off(void **state)
{
    struct fixture *x = *state;
    struct cs_buf text = audit_file_export(&x->f, 1, LAST);
    struct cs_slice lines[LINES];

    split(&text, lines);
    for (unsigned at = 0; at < LINES; at++) {
        size_t end = (size_t)(lines[at].ptr - text.ptr);

        /* At the line's beginning, inside of it, and before its newline. */
        assert_int_not_equal(verify(x, cs_slice(text.ptr, end)), CS_OK);
        assert_int_not_equal(verify(x, cs_slice(text.ptr, end + lines[at].len / 2)), CS_OK);
        assert_int_not_equal(verify(x, cs_slice(text.ptr, end + lines[at].len - 1)), CS_OK);
    }
    check_refused(x, (struct cs_buf){0}, CS_EPARSE, "no audit export");
    cs_buf_free(&text);
}

static void no_byte_of_a_line_can_be_flipped(void **state)
{
    struct fixture *x = *state;
    struct cs_buf text = audit_file_export(&x->f, 1, LAST);
    struct cs_slice lines[LINES];
    size_t step;

    split(&text, lines);
    for (unsigned at = 0; at < LINES; at++) {
        uint8_t *line = text.ptr + (lines[at].ptr - text.ptr);

        /* The newest policy names the one before it, whose signatures then do not matter any more. */
        if (at == 1)
            continue;
        /* Every byte of one record, some of all others. */
        step = at == 7 ? 1 : lines[at].len / 10;
        for (size_t i = 0; i < lines[at].len; i += step) {
            line[i] ^= 1;
            if (verify(x, cs_buf_slice(&text)) == CS_OK)
                fail_msg("byte %zu of line %u was flipped, and nobody saw it", i, at + 1);
            line[i] ^= 1;
        }
    }
    check_ok(verify(x, cs_buf_slice(&text)), x->err);
    cs_buf_free(&text);
}

static void records_behind_the_last_are_seen(void **state)
{
    struct fixture *x = *state;
    struct cs_buf text = CS_BUF_EMPTY;

    audit_file_header(&x->f, 1, 5, &text);
    audit_file_policies(&x->f, &text);
    for (unsigned i = 0; i < 6; i++)
        audit_file_record(&x->f.records[i], &text);
    audit_file_closing(&x->f, 5, &text);
    check_refused(x, text, CS_ECORRUPT, "record 6 (line 9) was inserted");
}

/* ---- what only a checkpoint shows */

static void an_audit_hashed_anew_is_caught_by_what_was_kept(void **state)
{
    struct fixture *x = *state;

    keep(x, 3);
    keep(x, 7);
    keep(x, 9);
    snprintf(x->f.records[4].actor, sizeof x->f.records[4].actor, "nobody");
    audit_file_hash(&x->f);
    check_refused(x, audit_file_export(&x->f, 1, LAST), CS_ECORRUPT,
                  "does not contain the checkpoint of revision 7 ");
    check_says(x->err, "up to 3 it is confirmed");
    x->asked.kept = NULL;
    check_ok(verify_buf(x, audit_file_export(&x->f, 1, LAST)), x->err);
}

static void an_audit_cut_short_and_signed_is_caught_by_what_was_kept(void **state)
{
    struct fixture *x = *state;

    keep(x, 7);
    keep(x, LAST);
    check_refused(x, audit_file_export(&x->f, 1, 8), CS_ECORRUPT, "revision 12 that was signed at");
    check_says(x->err, "it ends with record 8");
    x->asked.kept = NULL;
    check_ok(verify_buf(x, audit_file_export(&x->f, 1, 8)), x->err);
}

static void it_may_go_further_than_what_was_kept(void **state)
{
    struct fixture *x = *state;

    keep(x, 2);
    check_ok(verify_buf(x, audit_file_export(&x->f, 1, LAST)), x->err);
    assert_int_equal(x->found.held, 2);
}

static void two_truths_that_were_kept_cannot_both_be_in_it(void **state)
{
    struct fixture *x = *state;
    countersign_v1_AuditRecord right = x->f.records[6];

    keep(x, 7);
    x->f.records[6].hash.bytes[0] ^= 1;
    keep(x, 7);
    x->f.records[6] = right;
    check_refused(x, audit_file_export(&x->f, 1, LAST), CS_ECORRUPT, "revision 7 ");
}

/* ---- signatures */

static void given_checkpoints_are_verified(void **state)
{
    struct fixture *x = *state;
    struct cli_checkpoint of_stranger = audit_file_checkpoint(&x->f, 3, "mallory");
    struct cli_checkpoints given = {&of_stranger, 1, 1};

    x->asked.given = &given;
    check_refused(x, audit_file_export(&x->f, 1, LAST), CS_EAUTH, "the checkpoint of revision 3");
    cli_checkpoint_free(&of_stranger);
    of_stranger = audit_file_checkpoint(&x->f, 3, "controller");
    check_ok(verify_buf(x, audit_file_export(&x->f, 1, LAST)), x->err);
    of_stranger.deployment_id[0] ^= 1;
    check_refused(x, audit_file_export(&x->f, 1, LAST), CS_EDENIED, "another deployment");
    cli_checkpoint_free(&of_stranger);
}

static void kept_ones_of_other_deployments_do_not_count(void **state)
{
    struct fixture *x = *state;

    keep(x, 500);
    x->kept.list[0].deployment_id[0] ^= 1;
    check_ok(verify_buf(x, audit_file_export(&x->f, 1, LAST)), x->err);
    assert_int_equal(x->found.held, 1);
}

static void the_closing_checkpoint_is_the_controllers(void **state)
{
    struct fixture *x = *state;
    struct cs_buf text = audit_file_export(&x->f, 1, LAST);
    struct cs_slice lines[LINES];
    struct cli_checkpoint forged = audit_file_checkpoint(&x->f, LAST, "mallory");

    split(&text, lines);
    text.len -= lines[LINES - 1].len;
    check_ok(cli_audit_line_write(&(struct cli_audit_line){.kind = CLI_AUDIT_CHECKPOINT,
                                                           .number = LAST,
                                                           .envelope = forged.envelope},
                                  &text, &x->err),
             x->err);
    check_refused(x, text, CS_ECORRUPT, "closing checkpoint was changed");
    cli_checkpoint_free(&forged);
}

static void keys_follow_from_the_pin_both_ways(void **state)
{
    struct fixture *x = *state;
    struct cs_buf text = audit_file_export(&x->f, 1, LAST);

    check_ok(verify(x, cs_buf_slice(&text)), x->err);
    x->pin.least_version = 3;
    assert_int_equal(verify(x, cs_buf_slice(&text)), CS_ESTALE);
    x->pin.least_version = 1;
    x->pin.roots_digest.bytes[0] ^= 1;
    assert_int_equal(verify(x, cs_buf_slice(&text)), CS_EAUTH);
    x->pin.roots_digest.bytes[0] ^= 1;
    x->pin.deployment_id[0] ^= 1;
    assert_int_equal(verify(x, cs_buf_slice(&text)), CS_EDENIED);
    x->asked.roots_only = true;
    check_ok(verify(x, cs_buf_slice(&text)), x->err);
    x->asked.pin = NULL;
    check_ok(verify(x, cs_buf_slice(&text)), x->err);
    cs_buf_free(&text);
}

/* Another first version that the same roots signed, before a second that does not name it. */
static void an_older_policy_must_be_the_one_that_was_named(void **state)
{
    struct fixture *x = *state;
    struct audit_file other;
    struct cs_buf right = x->f.policies[0];

    audit_file_make(&other);
    other.d.body->version = 1;
    other.d.body->previous_digest.size = 0;
    other.d.body->expires_at_s++;
    x->f.policies[0] = deployment_sign_policy(&other.d, DEPLOYMENT_ROOT_THRESHOLD);
    x->pin.least_version = 2;
    check_refused(x, audit_file_export(&x->f, 1, LAST), CS_EAUTH, "is not the one before version 2");
    x->pin.least_version = 1;
    assert_int_not_equal(verify_buf(x, audit_file_export(&x->f, 1, LAST)), CS_OK);
    cs_buf_free(&x->f.policies[0]);
    x->f.policies[0] = right;
    audit_file_free(&other);
}

/* ---- parts */

static void a_part_has_to_be_asked_for(void **state)
{
    struct fixture *x = *state;

    keep(x, 1);
    keep(x, 4);
    keep(x, 6);
    keep(x, LAST);
    check_refused(x, audit_file_export(&x->f, 5, 8), CS_EINVAL, "--part");
    x->asked.part = true;
    check_ok(verify_buf(x, audit_file_export(&x->f, 5, 8)), x->err);
    /* The one of the record before the first is held against the header. */
    assert_int_equal(x->found.held, 3);
    assert_int_equal(x->found.outside, 2);
    assert_int_equal(x->found.confirmed, 8);
    x->f.records[3].hash.bytes[0] ^= 1;
    check_refused(x, audit_file_export(&x->f, 5, 8), CS_ECORRUPT, "revision 4 ");
}

/* ---- what is no export at all */

static void garbage_is_refused_within_bounds(void **state)
{
    enum { GARBAGE_BYTES = 10 * 1024 * 1024 };
    struct fixture *x = *state;
    struct cs_buf garbage = CS_BUF_EMPTY, text = CS_BUF_EMPTY;

    assert_int_equal(cs_buf_reserve(&garbage, GARBAGE_BYTES), CS_OK);
    garbage.len = GARBAGE_BYTES;
    memset(garbage.ptr, '{', GARBAGE_BYTES);
    assert_int_equal(verify(x, cs_buf_slice(&garbage)), CS_ETOOBIG);
    memset(garbage.ptr, '\n', GARBAGE_BYTES);
    assert_int_equal(verify(x, cs_buf_slice(&garbage)), CS_EPARSE);
    for (size_t i = 0, roll = 1; i < GARBAGE_BYTES;
         i++, roll = roll * 6364136223846793005u + 1442695040888963407u)
        garbage.ptr[i] = (uint8_t)(roll >> 40);
    assert_int_equal(verify(x, cs_buf_slice(&garbage)), CS_EPARSE);
    /* Behind a beginning that is right. */
    audit_file_header(&x->f, 1, LAST, &text);
    audit_file_policies(&x->f, &text);
    audit_file_record(&x->f.records[0], &text);
    assert_int_equal(cs_buf_append(&text, cs_buf_slice(&garbage)), CS_OK);
    check_refused(x, text, CS_ECORRUPT, "record 2 was changed or the export truncated");
    cs_buf_free(&garbage);
}

static void lines_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } cases[] = {
        {"", CS_EPARSE, "no JSON"},
        {"[]", CS_EPARSE, "no line of an audit export"},
        {"{\"records\":1}", CS_EPARSE, "no line of an audit export"},
        {"{\"countersign_audit\":2}", CS_EUNSUPPORTED, "format 1"},
        {"{\"countersign_audit\":1}", CS_EPARSE, "deployment_id"},
        {"{\"policy\":1,\"envelope\":\"AA==\",\"more\":1}", CS_EPARSE, "other keys"},
        {"{\"policy\":1,\"envelope\":\"AA==\",\"policy\":1}", CS_EPARSE, "other keys"},
        {"{\"policy\":-1,\"envelope\":\"AA==\"}", CS_EPARSE, "policy"},
        {"{\"policy\":4294967296,\"envelope\":\"AA==\"}", CS_EPARSE, "policy"},
        {"{\"policy\":1,\"envelope\":\"AA\"}", CS_EPARSE, "envelope"},
        {"{\"checkpoint\":1.5,\"envelope\":\"AA==\"}", CS_EPARSE, "checkpoint"},
        {"{\"revision\":1}", CS_EPARSE, "time_s"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cli_audit_line line = {.kind = CLI_AUDIT_NONE};
        struct cs_err err;

        check_code(cli_audit_line_parse(cs_slice_str(cases[i].text), &line, &err), cases[i].code);
        check_says(err, cases[i].says);
        cli_audit_line_free(&line);
    }
}

static void a_text_that_json_cannot_carry_is_refused(void **state)
{
    struct cli_audit_line line = {.kind = CLI_AUDIT_RECORD, .record = {.revision = 3, .actor = "\xff"}};
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_code(cli_audit_line_write(&line, &out, &err), CS_EPARSE);
    check_says(err, "record 3");
    assert_int_equal(out.len, 0);
}

/* ---- memory */

struct scarce {
    struct fixture *x;
    struct cs_buf text;
    int wanted;
};

static void verify_short_of_memory(void *data)
{
    struct scarce *scarce = data;
    int rc = verify(scarce->x, cs_buf_slice(&scarce->text));

    if (alloc_fail_happened())
        assert_true(rc == CS_ENOMEM || rc == scarce->wanted || rc == CS_EINTERNAL);
    else
        assert_int_equal(rc, scarce->wanted);
    if (rc == CS_OK)
        assert_int_equal(scarce->x->found.to, LAST);
}

static void short_of_memory_nothing_is_said_to_be_altered(void **state)
{
    struct scarce scarce = {.x = *state};

    keep(scarce.x, 3);
    scarce.text = audit_file_export(&scarce.x->f, 1, LAST);
    scarce.wanted = CS_OK;
    assert_true(alloc_fail_sample(verify_short_of_memory, &scarce, 100) > 50);
    cs_buf_free(&scarce.text);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_whole_export_holds),
        test(every_field_of_every_record_is_covered),
        test(no_line_can_be_dropped_repeated_or_moved),
        test(no_byte_can_be_cut_off),
        test(no_byte_of_a_line_can_be_flipped),
        test(records_behind_the_last_are_seen),
        test(an_audit_hashed_anew_is_caught_by_what_was_kept),
        test(an_audit_cut_short_and_signed_is_caught_by_what_was_kept),
        test(it_may_go_further_than_what_was_kept),
        test(two_truths_that_were_kept_cannot_both_be_in_it),
        test(given_checkpoints_are_verified),
        test(kept_ones_of_other_deployments_do_not_count),
        test(the_closing_checkpoint_is_the_controllers),
        test(keys_follow_from_the_pin_both_ways),
        test(an_older_policy_must_be_the_one_that_was_named),
        test(a_part_has_to_be_asked_for),
        test(garbage_is_refused_within_bounds),
        cmocka_unit_test(lines_that_are_none_are_refused),
        cmocka_unit_test(a_text_that_json_cannot_carry_is_refused),
        test(short_of_memory_nothing_is_said_to_be_altered),
    };
    struct cs_err err;

    return cs_crypto_init(&err) == CS_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
