/* tables.h - what JSON has to know of every message on the wire. The tables are made of the .proto files at
 * build (make-tables), so that a message, field or method that is added there is in them. Constant data. */
#ifndef CTL_JSON_TABLES_H
#define CTL_JSON_TABLES_H

#include "shared/base/slice.h"

enum ctl_json_kind {
    CTL_JSON_BOOL,
    CTL_JSON_INT32,
    CTL_JSON_INT64,
    CTL_JSON_UINT32,
    CTL_JSON_UINT64,
    CTL_JSON_ENUM,
    CTL_JSON_STRING,
    CTL_JSON_BYTES,
    CTL_JSON_MESSAGE,
};

struct ctl_json_enum_value {
    const char *name;
    int32_t number;
};

struct ctl_json_enum {
    const char *name; /* without its package: for people */
    const struct ctl_json_enum_value *values;
    size_t count;
};

struct ctl_json_message;
struct pb_msgdesc_s;

struct ctl_json_field {
    const char *json_name; /* "deviceName" */
    const char *name;      /* "device_name" */
    uint32_t number;
    enum ctl_json_kind kind;
    bool repeated;
    bool has_presence;   /* being there says something, whatever the value: `optional`, a message */
    uint8_t oneof;       /* the same number for those of which one at most is there; 0: none */
    uint32_t most_count; /* repeated */
    uint32_t most_bytes; /* STRING, BYTES */
    const struct ctl_json_enum *enumeration;
    const struct ctl_json_message *message;
};

enum {
    /* Fields of one message: one bit and one pointer each while it is read. */
    CTL_JSON_MOST_FIELDS = 32,
};

struct ctl_json_message {
    const char *name;                    /* "countersign.v1.Device" */
    const struct ctl_json_field *fields; /* by rising number */
    size_t field_count;
    const struct pb_msgdesc_s *descriptor; /* nanopb's, for those who have the struct */
    size_t struct_bytes;
};

struct ctl_json_method {
    const char *service; /* "countersign.v1.DeviceService" */
    const char *name;    /* "GetDevice" */
    const struct ctl_json_message *request, *reply;
};

extern const struct ctl_json_message *const ctl_json_messages[]; /* by name */
extern const size_t ctl_json_message_count;
extern const struct ctl_json_method ctl_json_methods[];
extern const size_t ctl_json_method_count;

/* NULL: there is none of that name. */
const struct ctl_json_message *ctl_json_find_message(const char *name);
const struct ctl_json_method *ctl_json_find_method(const char *service, const char *name);

#endif
