#include "controller/cli/fetch.h"

#include "controller/cli/cert_list.h"
#include "controller/cli/known.h"

#include "shared/base/text.h"

#include <ctype.h>

enum { LEAST_PREFIX_DIGITS = 4 };

static bool is_hex_prefix(const char *text)
{
    size_t len = strlen(text);

    return len >= LEAST_PREFIX_DIGITS && len <= 64 && strspn(text, "0123456789abcdefABCDEF") == len;
}

static bool has_prefix(const countersign_v1_Certificate *certificate, const char *prefix)
{
    char id[2 * sizeof certificate->id.bytes + 1];

    cs_hex(CS_PB_BYTES(&certificate->id), id);
    return strncasecmp(id, prefix, strlen(prefix)) == 0;
}

/* What has matched so far: the first, and enough of the others for a sentence. */
struct matches {
    countersign_v1_Certificate *first;
    size_t count;
    struct cs_buf ids;
};

static int add_match(struct matches *matches, const countersign_v1_Certificate *certificate,
                     struct cs_err *err)
{
    char id[2 * sizeof certificate->id.bytes + 1], until[CS_TIME_TEXT_BYTES];

    if (matches->count++ == 0)
        *matches->first = *certificate;
    if (matches->count > 3)
        return CS_OK;
    cs_hex(CS_PB_BYTES(&certificate->id), id);
    cs_time_text(certificate->not_after_s, until);
    if (cs_buf_printf(&matches->ids, "%s%.12s (until %.10s)", matches->count > 1 ? ", " : "", id, until) !=
        CS_OK)
        return cs_err_nomem(err);
    return CS_OK;
}

/* Pages through the certificates with this name, or those that have the prefix as a word, and collects those
 * with the prefix. */
static int match(struct cli *cli, const char *name, const char *prefix, struct matches *matches,
                 struct cs_err *err)
{
    cs_auto_free countersign_v1_ListCertificatesRequest *request =
        CLI_NEW(countersign_v1_ListCertificatesRequest, err);
    cs_auto_free countersign_v1_ListCertificatesResponse *reply =
        CLI_NEW(countersign_v1_ListCertificatesResponse, err);
    struct cli_pages pages = {.more = true};

    if (!request || !reply)
        return CS_ENOMEM;
    snprintf(request->name, sizeof request->name, "%s", name);
    snprintf(request->search, sizeof request->search, "%s", prefix);
    while (pages.more) {
        int rc = cli_pages_next(cli, &pages, request, reply, err);

        for (pb_size_t i = 0; rc == CS_OK && i < reply->certificates_count; i++)
            if (has_prefix(&reply->certificates[i], prefix))
                rc = add_match(matches, &reply->certificates[i], err);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

int cli_fetch_certificate(struct cli *cli, const char *text, countersign_v1_Certificate **ret,
                          struct cs_err *err)
{
    cs_auto_free countersign_v1_Certificate *first = CLI_NEW(countersign_v1_Certificate, err);
    struct matches matches = {.first = first};
    int rc = first ? CS_OK : CS_ENOMEM;

    if (rc == CS_OK && strlen(text) < sizeof first->common_name)
        rc = match(cli, text, "", &matches, err);
    if (rc == CS_OK && matches.count == 0 && is_hex_prefix(text))
        rc = match(cli, "", text, &matches, err);
    if (rc == CS_OK && matches.count == 0)
        rc = cs_err_set(
            err, CS_ENOTFOUND,
            "no certificate has the common name, or an id that begins with, \"%.80s\": `countersign cert "
            "list` shows all",
            text);
    if (rc == CS_OK && matches.count > 1)
        rc = cs_err_set(err, CS_EINVAL,
                        "%zu certificates are called \"%.60s\"; give the beginning of an id: %.*s%s",
                        matches.count, text, (int)matches.ids.len, (const char *)matches.ids.ptr,
                        matches.count > 3 ? ", …" : "");
    cs_buf_free(&matches.ids);
    if (rc == CS_OK)
        *ret = cs_steal(first);
    return rc;
}

int cli_fetch_chain(struct cli *cli, struct cs_slice id, struct cli_check_certificate *ret,
                    struct cs_err *err)
{
    cs_auto_free countersign_v1_GetCertificateResponse *reply =
        CLI_NEW(countersign_v1_GetCertificateResponse, err);
    countersign_v1_GetCertificateRequest request = {0};
    int rc;

    if (!reply)
        return CS_ENOMEM;
    CS_PB_SET(&request.id, id);
    rc = cli_call(cli, &cli_rpc_GetCertificate, &request, reply, err);
    return rc == CS_OK ? cli_check_certificate(id, CS_PB_BYTES(&reply->chain), ret, err) : rc;
}

int cli_fetch_device(struct cli *cli, const char *name, countersign_v1_GetDeviceResponse **ret,
                     struct cs_err *err)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = CLI_NEW(countersign_v1_GetDeviceResponse, err);
    countersign_v1_GetDeviceRequest request = {0};
    int rc = cs_name_check(cs_slice_str(name), "the device's name", err);

    if (!reply)
        return CS_ENOMEM;
    if (rc != CS_OK)
        return rc;
    snprintf(request.name, sizeof request.name, "%s", name);
    rc = cli_call(cli, &cli_rpc_GetDevice, &request, reply, err);
    if (rc == CS_OK)
        *ret = cs_steal(reply);
    return rc;
}

void cli_fetched_cores_free(struct cli_fetched_cores *cores)
{
    for (size_t i = 0; i < cores->count; i++) {
        free(cores->cores[i]);
        cs_buf_free(&cores->storage[i]);
        if (cores->devices && (i == 0 || cores->devices[i] != cores->devices[i - 1]))
            cs_device_free(cores->devices[i]);
    }
    free(cores->devices);
    free(cores->cores);
    free(cores->bytes);
    free(cores->storage);
    free(cores->said);
    *cores = (struct cli_fetched_cores){0};
}

static int add_core(struct cli_fetched_cores *cores, struct cs_slice bytes, struct cs_err *err)
{
    countersign_v1_OrderCore *core;
    int rc = cs_core_decode(bytes, &core, err);

    if (rc != CS_OK)
        return rc;
    if (cs_buf_append(&cores->storage[cores->count], bytes) != CS_OK) {
        free(core);
        return cs_err_nomem(err);
    }
    cores->bytes[cores->count] = cs_buf_slice(&cores->storage[cores->count]);
    cores->cores[cores->count++] = core;
    return CS_OK;
}

static int page_cores(struct cli *cli, uint64_t number, uint32_t expected, struct cli_fetched_cores *cores,
                      struct cs_err *err)
{
    cs_auto_free countersign_v1_GetOrderCoresResponse *reply =
        CLI_NEW(countersign_v1_GetOrderCoresResponse, err);

    if (!reply)
        return CS_ENOMEM;
    while (cores->count < expected) {
        countersign_v1_GetOrderCoresRequest request = {.number = number,
                                                       .from_index = (uint32_t)cores->count};
        int rc = cli_call(cli, &cli_rpc_GetOrderCores, &request, reply, err);

        if (rc != CS_OK)
            return rc;
        if (reply->cores_count == 0 || reply->cores_count > expected - cores->count)
            return cs_err_set(err, CS_EAUTH,
                              "the controller gave another number of work orders than it said (%u)",
                              expected);
        for (pb_size_t i = 0; i < reply->cores_count; i++) {
            rc = add_core(cores, CS_PB_BYTES(&reply->cores[i]), err);
            if (rc != CS_OK)
                return rc;
        }
    }
    return CS_OK;
}

int cli_fetch_cores(struct cli *cli, uint64_t number, uint32_t expected, struct cli_fetched_cores *ret,
                    struct cs_err *err)
{
    struct cli_fetched_cores cores = {0};
    int rc;

    if (expected == 0 || expected > CS_LIMIT_ORDERS_PER_REQUEST)
        return cs_err_set(err, CS_EAUTH, "a request has 1 to %d work orders, not %u",
                          CS_LIMIT_ORDERS_PER_REQUEST, expected);
    cores.bytes = calloc(expected, sizeof *cores.bytes);
    cores.cores = calloc(expected, sizeof(countersign_v1_OrderCore *));
    cores.storage = calloc(expected, sizeof *cores.storage);
    rc = cores.bytes && cores.cores && cores.storage ? page_cores(cli, number, expected, &cores, err)
                                                     : cs_err_nomem(err);
    if (rc == CS_OK)
        *ret = cores;
    else
        cli_fetched_cores_free(&cores);
    return rc;
}

/* A device as it is verified, and with `fresh` what it says of itself. */
static int fetch_verified(struct cli *cli, const char *name, bool fresh, struct cs_device **ret_device,
                          countersign_v1_DeviceAdvertisement **ret_said, struct cs_err *err)
{
    cs_auto_free countersign_v1_GetDeviceResponse *reply = NULL;
    cs_auto(cs_device_freep) struct cs_device *device = NULL;
    int rc = cli_fetch_device(cli, name, &reply, err);

    if (rc == CS_OK)
        rc = cli_known_open(cli, reply, name, &device, err);
    if (rc == CS_OK && fresh)
        rc = cli_check_advertisement(device, CS_PB_BYTES(&reply->advertisement), ret_said, err);
    if (rc == CS_OK)
        *ret_device = cs_steal(device);
    return rc;
}

int cli_fetch_check_cores(struct cli *cli, struct cli_fetched_cores *cores,
                          const struct cli_check_certificate *certificate, bool fresh, struct cs_err *err)
{
    cs_auto_free countersign_v1_DeviceAdvertisement *said = NULL;
    const struct cs_policy *policy;
    int rc = cli_policy(cli, &policy, err);

    cs_assert(!cores->devices);
    cores->devices = calloc(cores->count, sizeof(struct cs_device *));
    if (fresh)
        cores->said = calloc(cores->count, sizeof *cores->said);
    if (!cores->devices || (fresh && !cores->said))
        return cs_err_nomem(err);
    for (size_t i = 0; rc == CS_OK && i < cores->count; i++) {
        if (i > 0 && strcmp(cores->cores[i]->device_name, cores->cores[i - 1]->device_name) == 0) {
            cores->devices[i] = cores->devices[i - 1];
        } else {
            free(cs_steal(said));
            rc = fetch_verified(cli, cores->cores[i]->device_name, fresh, &cores->devices[i], &said, err);
        }
        if (rc == CS_OK)
            rc = cli_check_core_of(cores->cores[i], certificate, cores->devices[i], said, err);
        if (rc == CS_OK && fresh)
            cores->said[i] = *cli_check_find_said(said, cores->cores[i]->connector);
    }
    return rc;
}

/* Makes room for `more` elements behind the first `count`. */
static int grow(void **array, size_t element, size_t count, size_t more, struct cs_err *err)
{
    void *grown = reallocarray(*array, count + more + 1, element);

    if (!grown)
        return cs_err_nomem(err);
    *array = grown;
    return CS_OK;
}

int cli_fetch_orders(struct cli *cli, uint64_t request_number, countersign_v1_Order **ret_orders,
                     size_t *ret_count, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListOrdersResponse *reply = CLI_NEW(countersign_v1_ListOrdersResponse, err);
    countersign_v1_ListOrdersRequest request = {.request_number = request_number};
    cs_auto_free void *orders = NULL;
    countersign_v1_Order *all = NULL;
    size_t count = 0;

    if (!reply)
        return CS_ENOMEM;
    do {
        int rc = cli_call(cli, &cli_rpc_ListOrders, &request, reply, err);

        if (rc == CS_OK)
            rc = grow(&orders, sizeof *all, count, reply->orders_count, err);
        if (rc != CS_OK)
            return rc;
        all = orders;
        for (pb_size_t i = 0; i < reply->orders_count; i++)
            all[count++] = reply->orders[i];
        if (count)
            request.before_number = all[count - 1].number;
    } while (reply->more && reply->orders_count);
    for (size_t i = 0; i < count / 2; i++) {
        countersign_v1_Order kept = all[i];

        all[i] = all[count - 1 - i];
        all[count - 1 - i] = kept;
    }
    *ret_orders = cs_steal(orders);
    *ret_count = count;
    return CS_OK;
}
