/* status.h - how a call ends: gRPC's status codes (https://grpc.github.io/grpc/core/md_doc_statuscodes.html),
 * which Connect shares by name, and their relation to our error codes. Pure. */
#ifndef CS_NET_STATUS_H
#define CS_NET_STATUS_H

#include "shared/base/err.h"

enum cs_status {
    CS_STATUS_OK = 0,
    CS_STATUS_CANCELLED = 1,
    CS_STATUS_UNKNOWN = 2,
    CS_STATUS_INVALID_ARGUMENT = 3,
    CS_STATUS_DEADLINE_EXCEEDED = 4,
    CS_STATUS_NOT_FOUND = 5,
    CS_STATUS_ALREADY_EXISTS = 6,
    CS_STATUS_PERMISSION_DENIED = 7,
    CS_STATUS_RESOURCE_EXHAUSTED = 8,
    CS_STATUS_FAILED_PRECONDITION = 9,
    CS_STATUS_ABORTED = 10,
    CS_STATUS_OUT_OF_RANGE = 11,
    CS_STATUS_UNIMPLEMENTED = 12,
    CS_STATUS_INTERNAL = 13,
    CS_STATUS_UNAVAILABLE = 14,
    CS_STATUS_DATA_LOSS = 15,
    CS_STATUS_UNAUTHENTICATED = 16,
};

/* EINVAL, EPARSE → INVALID_ARGUMENT; EDENIED → PERMISSION_DENIED; ESTATE → FAILED_PRECONDITION; ESTALE →
 * ABORTED; EFULL, ETOOBIG → RESOURCE_EXHAUSTED; EBUSY → UNAVAILABLE; and so on. */
enum cs_status cs_status_from_code(int code);
/* The nearest error code, for clients. */
int cs_code_from_status(enum cs_status status);
/* "NOT_FOUND"; "UNKNOWN" for a number that is none. */
const char *cs_status_name(enum cs_status status);

#endif
