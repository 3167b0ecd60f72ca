#include "controller/cli/audit_line.h"

#include "shared/base/text.h"

#include <yyjson.h>

/* ---- reading: takes one key after the other; the first that is not right sticks */

struct object {
    yyjson_val *root;
    size_t taken;
    const char *wrong; /* the key */
    int code;
};

static yyjson_val *take(struct object *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object->root, key);

    object->taken++;
    if (!value && !object->wrong)
        object->wrong = key;
    return value;
}

static void refuse(struct object *object, const char *key, int code)
{
    if (object->wrong)
        return;
    object->wrong = key;
    object->code = code;
}

static uint64_t take_number(struct object *object, const char *key, uint64_t most)
{
    yyjson_val *value = take(object, key);

    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > most) {
        refuse(object, key, CS_EPARSE);
        return 0;
    }
    return yyjson_get_uint(value);
}

static struct cs_slice take_text(struct object *object, const char *key)
{
    yyjson_val *value = take(object, key);

    if (!yyjson_is_str(value))
        refuse(object, key, CS_EPARSE);
    return cs_slice(yyjson_get_str(value), yyjson_get_len(value));
}

static void take_field(struct object *object, const char *key, char *field, size_t size)
{
    struct cs_slice text = take_text(object, key);

    if (text.len >= size || (text.len && memchr(text.ptr, 0, text.len))) {
        refuse(object, key, CS_EPARSE);
        return;
    }
    if (text.len)
        memcpy(field, text.ptr, text.len);
    field[text.len] = '\0';
}

static void take_hex(struct object *object, const char *key, uint8_t *out, size_t len)
{
    if (cs_unhex(take_text(object, key), out, len) != CS_OK)
        refuse(object, key, CS_EPARSE);
}

static void take_envelope(struct object *object, struct cs_buf *out)
{
    int rc;

    cs_buf_clear(out);
    rc = cs_base64_decode(take_text(object, "envelope"), out);
    if (rc != CS_OK)
        refuse(object, "envelope", rc);
}

static void take_header(struct object *object, struct cli_audit_line *line)
{
    uint64_t from;

    if (take_number(object, "countersign_audit", UINT32_MAX) != CLI_AUDIT_FORMAT)
        refuse(object, "countersign_audit", CS_EUNSUPPORTED);
    take_hex(object, "deployment_id", line->deployment_id, sizeof line->deployment_id);
    from = take_number(object, "from", INT64_MAX);
    line->to = take_number(object, "to", INT64_MAX);
    take_hex(object, "before", line->before.hash.bytes, sizeof line->before.hash.bytes);
    if (from < 1 || line->to < from)
        refuse(object, "from", CS_EPARSE);
    else
        line->before.revision = from - 1;
}

static void take_record(struct object *object, countersign_v1_AuditRecord *record)
{
    record->revision = take_number(object, "revision", UINT64_MAX);
    record->time_s = (int64_t)take_number(object, "time_s", INT64_MAX);
    take_field(object, "command", record->command, sizeof record->command);
    take_field(object, "actor", record->actor, sizeof record->actor);
    take_field(object, "peer", record->peer, sizeof record->peer);
    record->peer_uid = (uint32_t)take_number(object, "peer_uid", UINT32_MAX);
    take_field(object, "subject", record->subject, sizeof record->subject);
    take_field(object, "detail", record->detail, sizeof record->detail);
    take_hex(object, "hash", record->hash.bytes, sizeof record->hash.bytes);
    record->hash.size = sizeof record->hash.bytes;
}

static enum cli_audit_kind kind_of(yyjson_val *root)
{
    if (yyjson_obj_get(root, "countersign_audit"))
        return CLI_AUDIT_HEADER;
    if (yyjson_obj_get(root, "policy"))
        return CLI_AUDIT_POLICY;
    if (yyjson_obj_get(root, "checkpoint"))
        return CLI_AUDIT_CHECKPOINT;
    return yyjson_obj_get(root, "revision") ? CLI_AUDIT_RECORD : CLI_AUDIT_NONE;
}

static int take_line(yyjson_val *root, struct cli_audit_line *line, struct cs_err *err)
{
    struct object object = {.root = root, .code = CS_EPARSE};

    line->kind = kind_of(root);
    switch (line->kind) {
    case CLI_AUDIT_HEADER:
        take_header(&object, line);
        break;
    case CLI_AUDIT_POLICY:
        line->number = take_number(&object, "policy", UINT32_MAX);
        take_envelope(&object, &line->envelope);
        break;
    case CLI_AUDIT_RECORD:
        take_record(&object, &line->record);
        break;
    case CLI_AUDIT_CHECKPOINT:
        line->number = take_number(&object, "checkpoint", INT64_MAX);
        take_envelope(&object, &line->envelope);
        break;
    case CLI_AUDIT_NONE:
        return cs_err_set(err, CS_EPARSE, "it is no line of an audit export");
    }
    if (object.wrong && object.code == CS_EUNSUPPORTED)
        return cs_err_set(err, object.code, "it is of another format: this program knows format %d",
                          CLI_AUDIT_FORMAT);
    if (object.wrong && object.code != CS_EPARSE)
        return cs_err_nomem(err);
    if (object.wrong)
        return cs_err_set(err, CS_EPARSE, "\"%s\" is missing or not what it must be", object.wrong);
    if (yyjson_obj_size(root) != object.taken)
        return cs_err_set(err, CS_EPARSE, "there are other keys than those of its kind, or one twice");
    return CS_OK;
}

int cli_audit_line_parse(struct cs_slice text, struct cli_audit_line *ret, struct cs_err *err)
{
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)(text.len ? (const void *)text.ptr : ""), text.len,
                                       0, NULL, &why);
    int rc;

    if (!doc && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return cs_err_nomem(err);
    if (!doc)
        return cs_err_set(err, CS_EPARSE, "it is no JSON (%.60s)", why.msg);
    rc = take_line(yyjson_doc_get_root(doc), ret, err);
    yyjson_doc_free(doc);
    return rc;
}

/* ---- writing: what yyjson had no memory for is missing, and counted at the end */

static const size_t keys_of[] = {
    [CLI_AUDIT_HEADER] = 5, [CLI_AUDIT_POLICY] = 2, [CLI_AUDIT_RECORD] = 9, [CLI_AUDIT_CHECKPOINT] = 2};

static void put_hex(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *key, struct cs_slice bytes)
{
    char text[2 * CS_SHA256_BYTES + 1];

    yyjson_mut_obj_add_strcpy(doc, root, key, cs_hex(bytes, text));
}

static int put_envelope(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct cs_buf *envelope)
{
    struct cs_buf text = CS_BUF_EMPTY;
    int rc = cs_base64_encode(cs_buf_slice(envelope), &text);

    if (rc == CS_OK && !yyjson_mut_obj_add_strncpy(doc, root, "envelope", (const char *)text.ptr, text.len))
        rc = CS_ENOMEM;
    cs_buf_free(&text);
    return rc;
}

static void put_header(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct cli_audit_line *line)
{
    yyjson_mut_obj_add_uint(doc, root, "countersign_audit", CLI_AUDIT_FORMAT);
    put_hex(doc, root, "deployment_id", CS_SLICE_ARRAY(line->deployment_id));
    yyjson_mut_obj_add_uint(doc, root, "from", line->before.revision + 1);
    yyjson_mut_obj_add_uint(doc, root, "to", line->to);
    put_hex(doc, root, "before", cs_digest_slice(&line->before.hash));
}

static void put_record(yyjson_mut_doc *doc, yyjson_mut_val *root, const countersign_v1_AuditRecord *record)
{
    yyjson_mut_obj_add_uint(doc, root, "revision", record->revision);
    yyjson_mut_obj_add_int(doc, root, "time_s", record->time_s);
    yyjson_mut_obj_add_str(doc, root, "command", record->command);
    yyjson_mut_obj_add_str(doc, root, "actor", record->actor);
    yyjson_mut_obj_add_str(doc, root, "peer", record->peer);
    yyjson_mut_obj_add_uint(doc, root, "peer_uid", record->peer_uid);
    yyjson_mut_obj_add_str(doc, root, "subject", record->subject);
    yyjson_mut_obj_add_str(doc, root, "detail", record->detail);
    put_hex(doc, root, "hash", CS_PB_BYTES(&record->hash));
}

static int put_line(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct cli_audit_line *line)
{
    switch (line->kind) {
    case CLI_AUDIT_HEADER:
        put_header(doc, root, line);
        break;
    case CLI_AUDIT_RECORD:
        put_record(doc, root, &line->record);
        break;
    case CLI_AUDIT_POLICY:
        yyjson_mut_obj_add_uint(doc, root, "policy", line->number);
        return put_envelope(doc, root, &line->envelope);
    case CLI_AUDIT_CHECKPOINT:
        yyjson_mut_obj_add_uint(doc, root, "checkpoint", line->number);
        return put_envelope(doc, root, &line->envelope);
    case CLI_AUDIT_NONE:
        cs_assert_failed("a line is of some kind", __FILE__, __LINE__);
    }
    return CS_OK;
}

int cli_audit_line_write(const struct cli_audit_line *line, struct cs_buf *out, struct cs_err *err)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc ? yyjson_mut_obj(doc) : NULL;
    yyjson_write_err why = {.code = YYJSON_WRITE_ERROR_MEMORY_ALLOCATION};
    char *text = NULL;
    size_t len = 0, before = out->len;
    int rc = CS_ENOMEM;

    if (root && put_line(doc, root, line) == CS_OK && yyjson_mut_obj_size(root) == keys_of[line->kind]) {
        yyjson_mut_doc_set_root(doc, root);
        text = yyjson_mut_write_opts(doc, YYJSON_WRITE_NOFLAG, NULL, &len, &why);
    }
    if (text)
        rc = cs_buf_append(out, cs_slice(text, len));
    if (rc == CS_OK)
        rc = cs_buf_append_u8(out, '\n');
    if (rc != CS_OK)
        out->len = before;
    free(text);
    yyjson_mut_doc_free(doc);
    if (rc == CS_OK)
        return rc;
    return why.code == YYJSON_WRITE_ERROR_INVALID_STRING
               ? cs_err_set(err, CS_EPARSE, "the texts of record %llu are no UTF-8",
                            (unsigned long long)line->record.revision)
               : cs_err_nomem(err);
}

void cli_audit_line_free(struct cli_audit_line *line)
{
    cs_buf_free(&line->envelope);
}
