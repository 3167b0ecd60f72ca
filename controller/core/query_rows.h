/* query_rows.h - a stored row as its message on the wire: shared by the queries and by the commands that
 * answer with one. Pure. */
#ifndef CTL_CORE_QUERY_ROWS_H
#define CTL_CORE_QUERY_ROWS_H

#include "controller/core/query.h"
#include "controller/core/record.h"

void ctl_show_certificate(const ctl_certificate_row *row, const struct ctl_settings *settings, int64_t now_s,
                          countersign_v1_Certificate *ret);
void ctl_show_order(const ctl_order_row *row, countersign_v1_Order *ret);
void ctl_show_request(const ctl_request_row *row, countersign_v1_Request *ret);
/* With its declared connectors. `name` is the row of its name. */
CS_MUST_USE int ctl_show_device(struct ctl_view *view, const struct ctl_presence *presence,
                                const ctl_name_row *name, const ctl_device_row *row,
                                countersign_v1_Device *ret, struct cs_err *err);
/* The groups of the device of this name. */
CS_MUST_USE int ctl_show_device_groups(struct ctl_view *view, countersign_v1_Device *ret, struct cs_err *err);
/* CS_EDENIED with a sentence for a device that is banned or quarantined. */
CS_MUST_USE int ctl_device_closed(const ctl_device_row *device, struct cs_err *err);

/* How many rows a page may hold: what was asked for, if it is less than what the message has room for. */
static inline size_t ctl_page_size(uint32_t limit, size_t room)
{
    return limit && limit < room ? limit : room;
}

/* A walk that ran to its end is what a page wants. */
static inline int ctl_walked(int rc)
{
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* The device's row by name: the admitted enrolment, or the one that waits. CS_ENOTFOUND with a sentence. */
CS_MUST_USE int ctl_find_device(struct ctl_view *view, const char *name, ctl_name_row *ret_name,
                                ctl_device_row *ret, struct cs_err *err);
CS_MUST_USE int ctl_find_certificate(struct ctl_view *view, struct cs_slice id, ctl_certificate_row *ret,
                                     struct cs_err *err);
CS_MUST_USE int ctl_find_request(struct ctl_view *view, uint64_t number, ctl_request_row *ret,
                                 struct cs_err *err);
CS_MUST_USE int ctl_find_order(struct ctl_view *view, uint64_t number, ctl_order_row *ret,
                               struct cs_err *err);

#endif
