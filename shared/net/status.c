#include "shared/net/status.h"

static const char *const names[] = {
    [CS_STATUS_OK] = "OK",
    [CS_STATUS_CANCELLED] = "CANCELLED",
    [CS_STATUS_UNKNOWN] = "UNKNOWN",
    [CS_STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [CS_STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [CS_STATUS_NOT_FOUND] = "NOT_FOUND",
    [CS_STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [CS_STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [CS_STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [CS_STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [CS_STATUS_ABORTED] = "ABORTED",
    [CS_STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [CS_STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [CS_STATUS_INTERNAL] = "INTERNAL",
    [CS_STATUS_UNAVAILABLE] = "UNAVAILABLE",
    [CS_STATUS_DATA_LOSS] = "DATA_LOSS",
    [CS_STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

enum cs_status cs_status_from_code(int code)
{
    switch ((enum cs_code)code) {
    case CS_OK:
        return CS_STATUS_OK;
    case CS_EINVAL:
    case CS_EPARSE:
        return CS_STATUS_INVALID_ARGUMENT;
    case CS_ENOMEM:
    case CS_ETOOBIG:
    case CS_EFULL:
        return CS_STATUS_RESOURCE_EXHAUSTED;
    case CS_EAUTH:
        return CS_STATUS_UNAUTHENTICATED;
    case CS_EDENIED:
        return CS_STATUS_PERMISSION_DENIED;
    case CS_ENOTFOUND:
        return CS_STATUS_NOT_FOUND;
    case CS_EEXISTS:
        return CS_STATUS_ALREADY_EXISTS;
    case CS_ESTATE:
        return CS_STATUS_FAILED_PRECONDITION;
    case CS_ESTALE:
        return CS_STATUS_ABORTED;
    case CS_EBUSY:
    case CS_ECLOSED:
        return CS_STATUS_UNAVAILABLE;
    case CS_ETIMEOUT:
        return CS_STATUS_DEADLINE_EXCEEDED;
    case CS_ECANCELLED:
        return CS_STATUS_CANCELLED;
    case CS_ECORRUPT:
        return CS_STATUS_DATA_LOSS;
    case CS_EUNSUPPORTED:
        return CS_STATUS_UNIMPLEMENTED;
    case CS_ERANGE:
        return CS_STATUS_OUT_OF_RANGE;
    case CS_EIO:
    case CS_EINTERNAL:
        return CS_STATUS_INTERNAL;
    }
    return CS_STATUS_UNKNOWN;
}

int cs_code_from_status(enum cs_status status)
{
    switch (status) {
    case CS_STATUS_OK:
        return CS_OK;
    case CS_STATUS_CANCELLED:
        return CS_ECANCELLED;
    case CS_STATUS_INVALID_ARGUMENT:
        return CS_EINVAL;
    case CS_STATUS_OUT_OF_RANGE:
        return CS_ERANGE;
    case CS_STATUS_DEADLINE_EXCEEDED:
        return CS_ETIMEOUT;
    case CS_STATUS_NOT_FOUND:
        return CS_ENOTFOUND;
    case CS_STATUS_ALREADY_EXISTS:
        return CS_EEXISTS;
    case CS_STATUS_PERMISSION_DENIED:
        return CS_EDENIED;
    case CS_STATUS_RESOURCE_EXHAUSTED:
        return CS_EFULL;
    case CS_STATUS_FAILED_PRECONDITION:
        return CS_ESTATE;
    case CS_STATUS_ABORTED:
        return CS_ESTALE;
    case CS_STATUS_UNIMPLEMENTED:
        return CS_EUNSUPPORTED;
    case CS_STATUS_UNAVAILABLE:
        return CS_EBUSY;
    case CS_STATUS_DATA_LOSS:
        return CS_ECORRUPT;
    case CS_STATUS_UNAUTHENTICATED:
        return CS_EAUTH;
    case CS_STATUS_UNKNOWN:
    case CS_STATUS_INTERNAL:
        break;
    }
    return CS_EINTERNAL;
}

const char *cs_status_name(enum cs_status status)
{
    if ((size_t)status >= CS_ARRAY_LEN(names))
        return names[CS_STATUS_UNKNOWN];
    return names[status];
}
