/* metadata.h - the names and values that go with a call beside its messages, kept in one piece of memory.
 * Pure. "-bin" values are held decoded and travel as base64 (gRPC over HTTP/2, "Custom-Metadata"). */
#ifndef CS_NET_METADATA_H
#define CS_NET_METADATA_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* A zeroed list is empty. Each entry: length of the name, length of the value (32 bits each), name, value. */
struct cs_metadata_list {
    struct cs_buf bytes;
};

CS_MUST_USE int cs_metadata_add(struct cs_metadata_list *list, struct cs_slice name, struct cs_slice value);
/* As it came from the wire: a "-bin" value is decoded, padded or not. CS_EPARSE if it is no base64. */
CS_MUST_USE int cs_metadata_add_wire(struct cs_metadata_list *list, struct cs_slice name,
                                     struct cs_slice value);
/* The first value by that name, empty if there is none; valid until the list changes. */
struct cs_slice cs_metadata_find(const struct cs_metadata_list *list, const char *name);
/* Goes through the entries: begin with *cursor = 0; false at the end. */
bool cs_metadata_next(const struct cs_metadata_list *list, size_t *cursor, struct cs_slice *ret_name,
                      struct cs_slice *ret_value);
/* Adds what came from the wire to another list, without the names that are the protocol's own. */
CS_MUST_USE int cs_metadata_copy(const struct cs_metadata_list *from, bool (*is_own)(struct cs_slice name),
                                 struct cs_metadata_list *to);
void cs_metadata_free(struct cs_metadata_list *list);

/* Names that a caller may send: lower-case letters, digits, "_", "-", "."; not reserved ("grpc-…") and no
 * pseudo-header. */
bool cs_metadata_name_ok(struct cs_slice name);
bool cs_metadata_is_binary(struct cs_slice name);
/* Printable ASCII, what a value without "-bin" may hold. */
bool cs_metadata_value_ok(struct cs_slice value);

#endif
