/* enrol.h - one call with which a device becomes known: token in, identity out. Blocks until it is done: it
 * runs its own loop. Keys and device-id are on disk before anything is sent, so that an interrupted enrolment
 * is repeated with the same ones and gets the same answer. The server is believed because it leads to the
 * token's agent CA. */
#ifndef AG_LINK_ENROL_H
#define AG_LINK_ENROL_H

#include "agent/config.h"
#include "agent/store.h"

/* CS_EEXISTS on a device that is enrolled. On success the identity and an empty state are on disk; *ret is
 * the caller's. */
CS_MUST_USE int ag_enrol(const struct ag_store *store, const struct ag_config *config,
                         struct cs_slice token_text, struct ag_identity *ret, struct cs_err *err);

#endif
