/* A request for a list of certificates, and a token of that list with a place that nobody gave: a page, or a
 * sentence. The first byte says how many bytes at the end are the place; the others are the request. */
#include "controller/core/query.h"
#include "tests/support/inventory.h"
#include "tests/support/memview.h"

#include <pb_decode.h>

enum { CERTIFICATES = 64, TOKEN_HEAD_BYTES = 27 };

static struct memview store;

static void fill(void)
{
    struct ctl_source source = memview_source(&store);
    struct ctl_view *view;
    struct cs_err err;

    cs_assert(ctl_view_new(&source, &view, &err) == CS_OK);
    for (size_t i = 0; i < CERTIFICATES; i++) {
        ctl_certificate_row row;

        inventory_row(i, CERTIFICATES, &row);
        cs_assert(ctl_inventory_store(view, &row, &err) == CS_OK);
    }
    memview_commit(&store, view);
    ctl_view_free(view);
}

static bool nobody(void *data, const uint8_t device_id[16])
{
    (void)data;
    (void)device_id;
    return false;
}

static int ask(const countersign_v1_ListCertificatesRequest *request,
               countersign_v1_ListCertificatesResponse *reply)
{
    const struct ctl_presence presence = {.connected = nobody};
    struct ctl_source source = memview_source(&store);
    struct ctl_view *view;
    struct cs_err err;
    int rc;

    memset(reply, 0, sizeof *reply);
    cs_assert(ctl_view_new(&source, &view, &err) == CS_OK);
    rc = ctl_query_ListCertificates(view, &presence, INVENTORY_NOW_S, request, reply, &err);
    ctl_view_free(view);
    cs_assert(rc == CS_OK || (rc == CS_EINVAL && err.msg[0]));
    cs_assert(rc != CS_OK || reply->more == (reply->next_page_token.size > 0));
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static countersign_v1_ListCertificatesRequest request;
    static countersign_v1_ListCertificatesResponse reply;
    size_t place = size ? data[0] : 0;
    pb_istream_t stream;

    if (size == 0 || place > size - 1)
        return 0;
    if (store.count == 0)
        fill();
    stream = pb_istream_from_buffer(data + 1, size - 1 - place);
    memset(&request, 0, sizeof request);
    if (!pb_decode(&stream, countersign_v1_ListCertificatesRequest_fields, &request))
        return 0;
    if (ask(&request, &reply) != CS_OK || !reply.more)
        return 0;
    request.page_token.size = (pb_size_t)(TOKEN_HEAD_BYTES + place);
    memcpy(request.page_token.bytes, reply.next_page_token.bytes, TOKEN_HEAD_BYTES);
    memcpy(request.page_token.bytes + TOKEN_HEAD_BYTES, data + size - place, place);
    (void)!ask(&request, &reply);
    return 0;
}
