/* json_random.h - a message of any type with content that a seed repeats, made from the tables of
 * controller/json: canonical bytes, every field at its bounds now and then. */
#ifndef CS_TESTS_JSON_RANDOM_H
#define CS_TESTS_JSON_RANDOM_H

#include "controller/json/tables.h"
#include "shared/base/buf.h"

/* Appends the message. Lists are at their bound one time in sixteen, else short. */
void json_random_message(const struct ctl_json_message *type, uint64_t *seed, struct cs_buf *proto);

#endif
