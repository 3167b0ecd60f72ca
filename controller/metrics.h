/* metrics.h - the page that monitoring reads: Prometheus text exposition format 0.0.4. Pure: turns numbers
 * into text. Metrics of certificates are named, and labelled, as x509-certificate-exporter does it (its
 * docs/metrics.md); our own begin with countersign_. */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include "controller/core/survey.h"
#include "controller/core_stats.h"
#include "shared/base/buf.h"

#define CTL_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct ctl_metrics_listener {
    const char *name;
    uint64_t connections_open, connections_total, refused_total, calls_open, calls_total, handshakes_total;
};

struct ctl_metrics {
    int64_t now_s;
    const struct ctl_survey_count *counted; /* at_s 0: nothing of it is written */
    const struct ctl_survey_totals *totals;
    const struct ctl_core_stats *core;
    const struct ctl_metrics_listener *listeners;
    size_t listener_count;
    size_t devices_connected, sessions;
    int64_t policy_expires_s;        /* 0: there is no policy */
    int64_t started_s;               /* the process */
    uint64_t resident_bytes, cpu_ms; /* 0: not known */
};

/* Appends the page; CS_ENOMEM, CS_ETOOBIG. */
CS_MUST_USE int ctl_metrics_write(const struct ctl_metrics *metrics, struct cs_buf *out);

/* For the test: "0a1b" as a decimal number, as the exporter writes serial numbers. `out` has room for
 * CTL_SERIAL_TEXT_BYTES. */
enum { CTL_SERIAL_TEXT_BYTES = 96 };
char *ctl_metrics_serial(const char *hex, char *out);

#endif
