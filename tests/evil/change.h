/* change.h - changes any field of any message, by what nanopb knows of it, so that no field is forgotten. */
#ifndef CS_TESTS_EVIL_CHANGE_H
#define CS_TESTS_EVIL_CHANGE_H

#include "tests/support/deployment.h"

enum change_how {
    CHANGE_ALTER,  /* another value of the same kind: one bit, one more, another letter; what was empty is
                      filled */
    CHANGE_EMPTY,  /* proto3's default */
    CHANGE_DOUBLE, /* of what is repeated: the last one comes twice */
    CHANGE_COUNT
};

/* A message inside a statement: the tags that lead there, of repeated ones to the first. */
struct change_path {
    uint32_t tags[2];
    size_t len;
};

/* False, and nothing is changed: the field cannot be changed in this way, or is not there. */
bool change_field(const pb_msgdesc_t *fields, void *message, struct change_path path, uint32_t tag,
                  enum change_how how);

#endif
