/* json.h - a message of the wire as JSON text and back, as the proto3 JSON mapping has it
 * (https://protobuf.dev/programming-guides/json/): what Connect clients and curl send, and what a person
 * reads. Pure: no I/O, constant tables (tables.h). Works on protobuf's bytes, which is what calls carry.
 *
 * Stricter than the mapping where that keeps a mistake from passing: a key given twice (also once by each of
 * its two names), two members of a oneof, U+0000 in a text (no text of ours can hold it), trailing bits in
 * base64, and every bound of .options, both ways. A refusal begins with the place: "certificate.names[3]: …".
 *
 * Secrets: what was allocated here is overwritten before it is given back; the text and `proto` are the
 * caller's. Reading a text needs at most some twenty times its size (many small values), for long strings
 * three times. */
#ifndef CTL_JSON_JSON_H
#define CTL_JSON_JSON_H

#include "controller/json/tables.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum ctl_json_option {
    /* Reading: a field that the message does not have is refused. Without it such a field is passed over, as
     * Connect asks, so that a newer client can talk to an older controller. */
    CTL_JSON_STRICT = 1,
    /* Writing: fields that have their default are written, too; not messages and members of a oneof that are
     * not there. */
    CTL_JSON_WITH_DEFAULTS = 2,
    CTL_JSON_PRETTY = 4, /* writing: in lines, indented */
};

/* Appends the message's bytes in canonical form. CS_EPARSE for what is not JSON; CS_EINVAL for JSON that is
 * not this message; CS_ETOOBIG beyond CTL_LIMIT_JSON_BYTES or the buffer's limit. */
CS_MUST_USE int ctl_json_to_proto(const struct ctl_json_message *type, unsigned options, struct cs_slice json,
                                  struct cs_buf *proto, struct cs_err *err);

/* Appends the text, without a line's end. Fields that the message does not have are passed over. CS_EPARSE
 * for bytes that are not this message, CS_EINVAL for a value beyond a bound. */
CS_MUST_USE int ctl_json_from_proto(const struct ctl_json_message *type, unsigned options,
                                    struct cs_slice proto, struct cs_buf *json, struct cs_err *err);

#endif
