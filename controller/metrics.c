#include "controller/metrics.h"

#include "shared/base/version.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* What is appended sticks: the first failure is what the page ends with. */
struct page {
    struct cs_buf *out;
    int code;
};

static void add(struct page *page, const char *format, ...) CS_PRINTF(2, 3);
static void add(struct page *page, const char *format, ...)
{
    char line[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cs_assert(len >= 0 && (size_t)len < sizeof line);
    if (page->code == CS_OK)
        page->code = cs_buf_append_str(page->out, line);
}

static void family(struct page *page, const char *name, const char *type, const char *help)
{
    add(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct page *page, const char *name, const char *type, const char *help, uint64_t value)
{
    family(page, name, type, help);
    add(page, "%s %" PRIu64 "\n", name, value);
}

/* ---- certificates */

char *ctl_metrics_serial(const char *hex, char *out)
{
    uint8_t digits[CTL_SERIAL_TEXT_BYTES - 1] = {0}; /* of the decimal number, lowest first */
    size_t count = 1;

    for (const char *at = hex; *at; at++) {
        unsigned carry;

        if (!isxdigit((unsigned char)*at))
            continue;
        carry = (unsigned)(isdigit((unsigned char)*at) ? *at - '0' : tolower((unsigned char)*at) - 'a' + 10);
        for (size_t i = 0; i < count; i++) {
            carry += digits[i] * 16u;
            digits[i] = (uint8_t)(carry % 10);
            carry /= 10;
        }
        for (; carry && count < sizeof digits; carry /= 10)
            digits[count++] = (uint8_t)(carry % 10);
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (char)('0' + digits[count - 1 - i]);
    out[count] = '\0';
    return out;
}

/* The most specific CN of a name as it is shown, "C=DE, O=Plant, CN=Plant CA"; with its escapes, empty if
 * there is none. */
static struct cs_slice common_name_of(const char *name)
{
    const char *at = strncmp(name, "CN=", 3) == 0 ? name : strstr(name, ", CN=");
    size_t len = 0;

    if (!at)
        return CS_SLICE_EMPTY;
    at += at == name ? 3 : 5;
    while (at[len] && at[len] != ',')
        len += at[len] == '\\' && at[len + 1] ? 2 : 1;
    return cs_slice(at, len);
}

/* As a label's value: backslash, quote and newline are escaped. */
static void add_escaped(struct page *page, struct cs_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.ptr[i];

        if (c == '\\' || c == '"')
            add(page, "\\%c", c);
        else if (c == '\n')
            add(page, "\\n");
        else
            add(page, "%c", c);
    }
}

static void add_labels(struct page *page, const char *name, const struct ctl_survey_certificate *certificate)
{
    char serial[CTL_SERIAL_TEXT_BYTES];

    add(page, "%s{serial_number=\"%s\",subject_CN=\"", name, ctl_metrics_serial(certificate->serial, serial));
    add_escaped(page, cs_slice_str(certificate->common_name));
    add(page, "\",issuer_CN=\"");
    add_escaped(page, common_name_of(certificate->issuer));
    add(page, "\",discriminator=\"");
    for (size_t i = 0; i < sizeof certificate->id; i++)
        add(page, "%02x", certificate->id[i]);
    add(page, "\"} ");
}

static int64_t not_before(const struct ctl_survey_certificate *certificate, int64_t now_s)
{
    (void)now_s;
    return certificate->not_before_s;
}
static int64_t not_after(const struct ctl_survey_certificate *certificate, int64_t now_s)
{
    (void)now_s;
    return certificate->not_after_s;
}
static int64_t expired(const struct ctl_survey_certificate *certificate, int64_t now_s)
{
    return now_s > certificate->not_after_s;
}
static int64_t expires_in(const struct ctl_survey_certificate *certificate, int64_t now_s)
{
    return certificate->not_after_s - now_s;
}

static void add_certificates(struct page *page, const struct ctl_metrics *metrics)
{
    static const struct {
        const char *name, *help;
        int64_t (*value)(const struct ctl_survey_certificate *certificate, int64_t now_s);
    } families[] = {
        {"x509_cert_not_before", "Not valid before, of attached certificates", not_before},
        {"x509_cert_not_after", "Not valid after, of attached certificates", not_after},
        {"x509_cert_expired", "1 if the attached certificate has expired", expired},
        {"x509_cert_expires_in_seconds", "Time until the attached certificate expires", expires_in},
    };
    const struct ctl_survey_count *counted = metrics->counted;

    for (size_t f = 0; f < CS_ARRAY_LEN(families) && counted->soonest_count; f++) {
        family(page, families[f].name, "gauge", families[f].help);
        for (size_t i = 0; i < counted->soonest_count; i++) {
            add_labels(page, families[f].name, &counted->soonest[i]);
            add(page, "%" PRId64 "\n", families[f].value(&counted->soonest[i], metrics->now_s));
        }
    }
}

/* ---- what was counted */

static void add_counted(struct page *page, const struct ctl_survey_count *counted)
{
    static const char *const colours[CTL_SURVEY_COLOURS] = {NULL,     "green", "blue", "yellow", "orange",
                                                            "purple", "gray",  "red",  "black"};
    static const char *const states[CTL_SURVEY_STATES] = {NULL,
                                                          "push_approval_pending",
                                                          "push_review_in_progress",
                                                          "push_scheduled",
                                                          "push_in_progress",
                                                          "completed",
                                                          "failed",
                                                          "rejected",
                                                          "cancelled",
                                                          "expired",
                                                          "superseded"};

    family(page, "countersign_certificates", "gauge", "Certificates by their colour");
    for (size_t i = 1; i < CTL_SURVEY_COLOURS; i++)
        add(page, "countersign_certificates{colour=\"%s\"} %" PRIu64 "\n", colours[i], counted->colours[i]);
    one(page, "countersign_certificates_attached", "gauge", "Certificates attached to an app connector",
        counted->attached);
    one(page, "countersign_certificates_with_series", "gauge",
        "Attached certificates with series of their own, those that expire first", counted->soonest_count);
    family(page, "countersign_orders", "gauge", "Work orders by their state");
    for (size_t i = 1; i < CTL_SURVEY_STATES; i++)
        add(page, "countersign_orders{state=\"%s\"} %" PRIu64 "\n", states[i], counted->orders[i]);
    one(page, "countersign_counted_timestamp_seconds", "gauge",
        "When certificates and work orders were last counted to the end", (uint64_t)counted->at_s);
}

/* ---- the process */

static void add_totals(struct page *page, const struct ctl_metrics *metrics)
{
    const struct ctl_survey_totals *totals = metrics->totals;

    family(page, "countersign_build_info", "gauge", "The version that runs");
    add(page, "countersign_build_info{version=\"%s\"} 1\n", CS_VERSION);
    one(page, "countersign_audit_revision", "gauge", "The one revision: the newest record of the audit",
        totals->revision);
    one(page, "countersign_policy_version", "gauge", "Newest trust policy, 0 before the first",
        totals->policy_version);
    if (metrics->policy_expires_s)
        one(page, "countersign_policy_expiry_timestamp_seconds", "gauge",
            "When devices stop to accept pushes under the newest trust policy",
            (uint64_t)metrics->policy_expires_s);
    one(page, "countersign_devices", "gauge", "Devices that are admitted", totals->devices);
    one(page, "countersign_devices_connected", "gauge", "Devices whose stream is open",
        metrics->devices_connected);
    one(page, "countersign_certificates_stored", "gauge", "Certificates in the inventory",
        totals->certificates);
    one(page, "countersign_requests_open", "gauge", "Push requests that have not ended",
        totals->requests_open);
    one(page, "countersign_orders_open", "gauge", "Work orders that have not ended", totals->orders_open);
    one(page, "countersign_sessions", "gauge", "Operators' sessions at the operators' listener",
        metrics->sessions);
}

static void add_core(struct page *page, const struct ctl_core_stats *core)
{
    static const uint32_t ends_us[CTL_COMMIT_BUCKETS] = CTL_COMMIT_BUCKETS_US;
    static const char name[] = "countersign_commit_duration_seconds";
    uint64_t below = 0;

    family(page, "countersign_commands_total", "counter", "Commands that the core ran");
    add(page, "countersign_commands_total{result=\"accepted\"} %" PRIu64 "\n", (uint64_t)core->accepted);
    add(page, "countersign_commands_total{result=\"refused\"} %" PRIu64 "\n", (uint64_t)core->refused);
    one(page, "countersign_commands_waiting", "gauge", "Commands that wait for the core", core->waiting);
    one(page, "countersign_syncs_total", "counter", "Times that the store was synced to disk", core->commits);
    family(page, name, "histogram", "How long a group of commands took to be on disk");
    for (size_t i = 0; i < CTL_COMMIT_BUCKETS; i++) {
        below += core->commits_in[i];
        add(page, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)ends_us[i] / 1e6, below);
    }
    below += core->commits_in[CTL_COMMIT_BUCKETS];
    add(page, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, below);
    add(page, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, (double)core->commit_us / 1e6, name, below);
}

static void add_listeners(struct page *page, const struct ctl_metrics *metrics)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } families[] = {
#define FIELD(field) offsetof(struct ctl_metrics_listener, field)
        {"countersign_connections", "gauge", "Connections that are open", FIELD(connections_open)},
        {"countersign_connections_total", "counter", "Connections that were accepted",
         FIELD(connections_total)},
        {"countersign_connections_refused_total", "counter",
         "Peers that did not get as far as a call: handshakes that failed, floods", FIELD(refused_total)},
        {"countersign_handshakes_total", "counter", "TLS handshakes that were completed",
         FIELD(handshakes_total)},
        {"countersign_streams", "gauge", "Calls that are open", FIELD(calls_open)},
        {"countersign_streams_total", "counter", "Calls that were begun", FIELD(calls_total)},
#undef FIELD
    };

    for (size_t f = 0; f < CS_ARRAY_LEN(families); f++) {
        family(page, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < metrics->listener_count; i++) {
            const struct ctl_metrics_listener *listener = &metrics->listeners[i];
            uint64_t value;

            memcpy(&value, (const char *)listener + families[f].offset, sizeof value);
            add(page, "%s{listener=\"%s\"} %" PRIu64 "\n", families[f].name, listener->name, value);
        }
    }
}

static void add_process(struct page *page, const struct ctl_metrics *metrics)
{
    one(page, "process_start_time_seconds", "gauge", "When the process started",
        (uint64_t)metrics->started_s);
    if (metrics->resident_bytes)
        one(page, "process_resident_memory_bytes", "gauge", "Memory of the process", metrics->resident_bytes);
    family(page, "process_cpu_seconds_total", "counter", "Processor time of the process");
    add(page, "process_cpu_seconds_total %.3f\n", (double)metrics->cpu_ms / 1e3);
}

int ctl_metrics_write(const struct ctl_metrics *metrics, struct cs_buf *out)
{
    struct page page = {.out = out, .code = CS_OK};

    add_totals(&page, metrics);
    if (metrics->counted->at_s)
        add_counted(&page, metrics->counted);
    add_core(&page, metrics->core);
    add_listeners(&page, metrics);
    add_process(&page, metrics);
    if (metrics->counted->at_s)
        add_certificates(&page, metrics);
    return page.code;
}
