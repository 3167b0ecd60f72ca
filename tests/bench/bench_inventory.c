/* What a large inventory costs: certificates and devices written straight into a store on disk
 * (tests/support/filler.h), then asked for page by page through the core's queries. One command; medians of
 * many runs, in processor time of this one thread:
 *
 *   bench_inventory [CERTIFICATES [DEVICES [ORDERS [FOLDER]]]]    (default 1000000 100000 1000000 /tmp/…)
 *
 * With FOLDER the store stays there and is used again. */
#include "controller/core/inventory.h"
#include "controller/core/query.h"
#include "controller/reading.h"
#include "shared/crypto/crypto.h"
#include "tests/support/filler.h"
#include "tests/support/folder.h"
#include "tests/support/inventory.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 21, DEEP_PAGES = 200, TOPOLOGY = 10000 };

struct bench {
    struct ctl_store *store;
    uint64_t certificates, devices, orders;
    countersign_v1_ListCertificatesResponse *reply;
};

static double clock_ms(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static double now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

/* Of this process: what else the machine does is no part of a page. */
static double processor_ms(void)
{
    return clock_ms(CLOCK_PROCESS_CPUTIME_ID);
}

static void must(int rc, const struct cs_err *err, const char *doing)
{
    if (rc == CS_OK)
        return;
    fprintf(stderr, "%s: %s\n", doing, err->msg);
    exit(EXIT_FAILURE);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare_doubles);
    return times[count / 2];
}

/* In kilobytes: VmRSS, and what of it is no page of a file. */
static void print_memory(const char *when)
{
    char line[256];
    long rss = 0, anonymous = 0;
    FILE *status = fopen("/proc/self/status", "r");

    while (status && fgets(line, sizeof line, status)) {
        (void)sscanf(line, "VmRSS: %ld", &rss);
        (void)sscanf(line, "RssAnon: %ld", &anonymous);
    }
    if (status)
        fclose(status);
    printf("memory %-36s %9.1f MB resident, %.1f MB of it our own\n", when, (double)rss / 1024,
           (double)anonymous / 1024);
}

/* ---- asking */

static bool connected(void *data, const uint8_t device_id[16])
{
    (void)data;
    (void)device_id;
    return true;
}

/* A page as a shard answers it: a snapshot of its own. */
static double ask(struct bench *bench, const countersign_v1_ListCertificatesRequest *request)
{
    const struct ctl_presence presence = {.connected = connected};
    struct ctl_reading reading;
    struct cs_err err;
    double begun;

    memset(bench->reply, 0, sizeof *bench->reply);
    begun = processor_ms();
    must(ctl_reading_open(bench->store, &reading, &err), &err, "reading");
    must(ctl_query_ListCertificates(reading.view, &presence, INVENTORY_NOW_S, request, bench->reply, &err),
         &err, "a page");
    ctl_reading_close(&reading);
    return processor_ms() - begun;
}

static double worst_ms;

/* The first page, and one deep in the list: the median of many runs each, and the worst page on the way. */
static void measure(struct bench *bench, const char *what, countersign_v1_ListCertificatesRequest request)
{
    double times[RUNS], first, deep, worst = 0;
    unsigned pages = 1, least = 100, count;

    for (size_t i = 0; i < RUNS; i++)
        times[i] = ask(bench, &request);
    first = median(times, RUNS);
    count = bench->reply->certificates_count;
    for (; pages < DEEP_PAGES && bench->reply->more; pages++) {
        double took;

        memcpy(&request.page_token, &bench->reply->next_page_token, sizeof bench->reply->next_page_token);
        took = ask(bench, &request);
        worst = took > worst ? took : worst;
        if (bench->reply->more && bench->reply->certificates_count < least)
            least = bench->reply->certificates_count;
    }
    for (size_t i = 0; i < RUNS; i++)
        times[i] = ask(bench, &request);
    deep = median(times, RUNS);
    if (first > worst_ms)
        worst_ms = first;
    if (deep > worst_ms)
        worst_ms = deep;
    printf("%-44s first %6.2f ms (%3u rows)  page %3u %6.2f ms  worst %6.2f ms  shortest %3u\n", what, first,
           count, pages, deep, worst, pages > 2 ? least : count);
    fflush(stdout);
}

static void measure_orders(struct bench *bench)
{
    static const char *const names[] = {"",           "common name", "issuer", "serial",     "not after",
                                        "not before", "imported",    "colour", "attachments"};

    for (int sort = 1; sort <= 8; sort++)
        for (int descending = 0; descending < 2; descending++) {
            countersign_v1_ListCertificatesRequest request = {.sort = (countersign_v1_CertificateSort)sort,
                                                              .descending = descending};
            char what[64];

            snprintf(what, sizeof what, "by %s%s", names[sort], descending ? ", descending" : "");
            measure(bench, what, request);
        }
}

static void measure_filters(struct bench *bench)
{
    static const char *const colours[] = {"",       "green", "blue", "yellow", "orange",
                                          "purple", "gray",  "red",  "black"};
    countersign_v1_ListCertificatesRequest request;

    for (int colour = 1; colour <= 8; colour++) {
        char what[64];

        request = (countersign_v1_ListCertificatesRequest){.colours_count = 1,
                                                           .colours = {(countersign_v1_Colour)colour}};
        snprintf(what, sizeof what, "colour %s", colours[colour]);
        measure(bench, what, request);
    }
    measure(bench, "group prod (30 %)", (countersign_v1_ListCertificatesRequest){.group = "prod"});
    measure(bench, "group lab (1 %)", (countersign_v1_ListCertificatesRequest){.group = "lab"});
    measure(bench, "group that is not there", (countersign_v1_ListCertificatesRequest){.group = "none"});
    measure(bench, "issuer with most",
            (countersign_v1_ListCertificatesRequest){.issuer = "C=DE, O=Acme GmbH, CN=Acme Issuing CA 0"});
    measure(bench, "issuer with few",
            (countersign_v1_ListCertificatesRequest){.issuer = "C=DE, O=Acme GmbH, CN=Acme Issuing CA 38"});
    measure(bench, "name", (countersign_v1_ListCertificatesRequest){.name = "mail.berlin.example"});
    measure(
        bench, "key RSA (10 %)",
        (countersign_v1_ListCertificatesRequest){.key = countersign_v1_CertificateKey_CERTIFICATE_KEY_RSA});
    measure(
        bench, "key P-384 (0.1 %)",
        (countersign_v1_ListCertificatesRequest){.key = countersign_v1_CertificateKey_CERTIFICATE_KEY_P384});
    measure(bench, "private key on device",
            (countersign_v1_ListCertificatesRequest){.key_mode = countersign_v1_KeyMode_KEY_MODE_ON_DEVICE});
    measure(bench, "attached", (countersign_v1_ListCertificatesRequest){.attached = true});
    measure(bench, "unattached", (countersign_v1_ListCertificatesRequest){.unattached = true});
    measure(bench, "renewed (none)", (countersign_v1_ListCertificatesRequest){.renewable = true});
    measure(bench, "expires within 1 day",
            (countersign_v1_ListCertificatesRequest){.expires_from_s = INVENTORY_NOW_S,
                                                     .expires_before_s = INVENTORY_NOW_S + 86400});
    measure(bench, "expires within 30 days",
            (countersign_v1_ListCertificatesRequest){.expires_from_s = INVENTORY_NOW_S,
                                                     .expires_before_s = INVENTORY_NOW_S + 30 * 86400});
    measure(bench, "expires within a year",
            (countersign_v1_ListCertificatesRequest){.expires_from_s = INVENTORY_NOW_S,
                                                     .expires_before_s = INVENTORY_NOW_S + 365 * 86400});
}

static void measure_words(struct bench *bench)
{
    static const char *const words[] = {"gw",
                                        "router",
                                        "router0",
                                        "router01",
                                        "router012345",
                                        "gw-0",
                                        "gw-01",
                                        "gw-012345",
                                        "012345",
                                        "0",
                                        "9",
                                        "00",
                                        "example",
                                        "acme",
                                        "a",
                                        "ca",
                                        "berlin",
                                        "prague",
                                        "m\xc3\xbcller",
                                        "shop",
                                        "fleet.example",
                                        "38",
                                        "deadbeef",
                                        "dead",
                                        "zzz",
                                        "e",
                                        "shop-9"};

    for (int descending = 0; descending < 2; descending++)
        for (size_t i = 0; i < CS_ARRAY_LEN(words); i++) {
            countersign_v1_ListCertificatesRequest request = {.descending = descending};
            char what[64];

            snprintf(request.search, sizeof request.search, "%s", words[i]);
            snprintf(what, sizeof what, "word \"%s\"%s", words[i], descending ? ", descending" : "");
            measure(bench, what, request);
        }
}

static void measure_several(struct bench *bench)
{
    const countersign_v1_Colour orange = countersign_v1_Colour_COLOUR_ORANGE;
    const countersign_v1_CertificateSort by_date = countersign_v1_CertificateSort_CERTIFICATE_SORT_NOT_AFTER;

    measure(bench, "words berlin gw, group prod, orange",
            (countersign_v1_ListCertificatesRequest){
                .search = "berlin gw", .group = "prod", .colours_count = 1, .colours = {orange}});
    measure(bench, "words 0123 gw, by not after",
            (countersign_v1_ListCertificatesRequest){.search = "0123 gw", .sort = by_date});
    measure(bench, "word berlin, by not after",
            (countersign_v1_ListCertificatesRequest){.search = "berlin", .sort = by_date});
    measure(bench, "group lab, by not after",
            (countersign_v1_ListCertificatesRequest){.group = "lab", .sort = by_date});
    measure(bench, "key P-384, word prague, by colour",
            (countersign_v1_ListCertificatesRequest){
                .search = "prague",
                .key = countersign_v1_CertificateKey_CERTIFICATE_KEY_P384,
                .sort = countersign_v1_CertificateSort_CERTIFICATE_SORT_COLOUR});
}

/* ---- the rest */

static double time_topology(struct bench *bench)
{
    const struct ctl_presence presence = {.connected = connected};
    countersign_v1_GetTopologyResponse *reply = calloc(1, sizeof *reply);
    countersign_v1_GetTopologyRequest request = {0};
    ctl_certificate_row certificate;
    struct ctl_reading reading;
    struct cs_err err;
    double begun = processor_ms();

    inventory_row(0, bench->certificates, &certificate);
    CTL_BYTES_COPY(request.certificate_id, certificate.id);
    must(ctl_reading_open(bench->store, &reading, &err), &err, "reading");
    must(reply ? ctl_query_GetTopology(reading.view, &presence, INVENTORY_NOW_S, &request, reply, &err)
               : CS_ENOMEM,
         &err, "a topology");
    ctl_reading_close(&reading);
    free(reply);
    return processor_ms() - begun;
}

static uint32_t count_connected(void *data)
{
    return (uint32_t)((struct bench *)data)->devices;
}

static double time_status(struct bench *bench)
{
    const struct ctl_presence presence = {.data = bench, .connected = connected, .count = count_connected};
    countersign_v1_GetStatusRequest request = {0};
    countersign_v1_GetStatusResponse reply = {0};
    struct ctl_reading reading;
    struct cs_err err;
    double begun = processor_ms();

    must(ctl_reading_open(bench->store, &reading, &err), &err, "reading");
    must(ctl_query_GetStatus(reading.view, &presence, INVENTORY_NOW_S, &request, &reply, &err), &err,
         "the status");
    ctl_reading_close(&reading);
    return processor_ms() - begun;
}

static double time_next_due(struct bench *bench)
{
    struct ctl_reading reading;
    struct cs_err err;
    int64_t due_s;
    double begun = processor_ms();

    must(ctl_reading_open(bench->store, &reading, &err), &err, "reading");
    must(ctl_core_next_due(reading.view, &due_s, &err), &err, "the next due time");
    ctl_reading_close(&reading);
    return processor_ms() - begun;
}

static void no_random(void *data, void *out, size_t len)
{
    (void)data;
    memset(out, 0, len);
}

static double time_tick(struct bench *bench)
{
    const struct ctl_context context = {.now_s = INVENTORY_NOW_S, .random = no_random};
    const struct ctl_actor actor = {.name = "controller"};
    struct ctl_tick tick = {.most = 256};
    struct ctl_outcome outcome = {0};
    struct ctl_reading reading;
    struct cs_err err;
    double begun = processor_ms();

    must(ctl_reading_open(bench->store, &reading, &err), &err, "reading");
    ctl_view_mark(reading.view);
    must(ctl_core_run(reading.view, &context, CTL_TICK, &tick, &actor, &outcome, &err), &err, "a tick");
    ctl_reading_close(&reading);
    free(outcome.effects);
    return processor_ms() - begun;
}

/* Nothing is committed, so every run finds the same. */
static double time_start(struct bench *bench)
{
    const struct ctl_context context = {.now_s = INVENTORY_NOW_S, .random = no_random};
    struct ctl_outcome outcome = {0};
    struct ctl_reading reading;
    struct cs_err err;
    double begun = processor_ms();

    must(ctl_reading_open(bench->store, &reading, &err), &err, "reading");
    ctl_view_mark(reading.view);
    must(ctl_core_start(reading.view, &context, &outcome, &err), &err, "the start");
    ctl_reading_close(&reading);
    free(outcome.effects);
    return processor_ms() - begun;
}

static void print_median(struct bench *bench, const char *what, double (*time)(struct bench *bench))
{
    double times[RUNS];

    for (size_t i = 0; i < RUNS; i++)
        times[i] = time(bench);
    printf("%-44s %8.3f ms\n", what, median(times, RUNS));
}

static void measure_rest(struct bench *bench)
{
    print_median(bench, "the core's start", time_start);
    print_median(bench, "the next due time", time_next_due);
    print_median(bench, "a tick with none due", time_tick);
    print_median(bench, "a page of a topology of 10,000", time_topology);
    print_median(bench, "the status", time_status);
}

int main(int argc, char **argv)
{
    struct bench bench = {
        .certificates = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000,
        .devices = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000,
        .orders = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000,
        .reply = calloc(1, sizeof *bench.reply),
    };
    char made[] = "/tmp/countersign-bench-XXXXXX";
    const char *folder = argc > 4 ? argv[4] : mkdtemp(made);
    struct stat there;
    struct cs_err err;
    double begun;
    bool filled;

    if (!bench.reply || !folder)
        return EXIT_FAILURE;
    must(cs_crypto_init(&err), &err, "crypto");
    filled = argc > 4 && stat(folder, &there) == 0;
    begun = now_ms();
    must(ctl_store_open(folder, 0, &bench.store, &err), &err, "the store");
    printf("%llu certificates, %llu devices, %llu scheduled orders in %s; opened in %.1f ms\n",
           (unsigned long long)bench.certificates, (unsigned long long)bench.devices,
           (unsigned long long)bench.orders, folder, now_ms() - begun);
    print_memory("before");
    if (!filled)
        filler_fill(bench.store, &(struct filler){.certificates = bench.certificates,
                                                  .devices = bench.devices,
                                                  .attachments = TOPOLOGY,
                                                  .orders = bench.orders});
    measure_rest(&bench);
    measure_orders(&bench);
    measure_filters(&bench);
    measure_words(&bench);
    measure_several(&bench);
    print_memory("after all of that");
    printf("slowest median page: %.2f ms\n", worst_ms);
    ctl_store_close(bench.store);
    free(bench.reply);
    if (argc <= 4)
        (void)folder_remove(folder);
    return EXIT_SUCCESS;
}
