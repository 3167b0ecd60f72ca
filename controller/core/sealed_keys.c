#include "controller/core/sealed_keys.h"

#include "controller/core/reservations.h"
#include "shared/trust/statement.h"

#include <inttypes.h>

static int check_page(struct ctl_run *run, const countersign_v1_PutSealedKeysRequest *page,
                      const ctl_reservation_row *reserved)
{
    if (reserved->key_mode != countersign_v1_KeyMode_KEY_MODE_SEALED)
        return cs_err_set(run->err, CS_ESTATE, "REQ-%" PRIu64 " was not prepared for sealed keys",
                          page->number);
    if (page->keys_count == 0)
        return cs_err_set(run->err, CS_EINVAL, "there is no sealed key in the page");
    if (page->from_index >= reserved->order_count ||
        page->keys_count > reserved->order_count - page->from_index)
        return cs_err_set(run->err, CS_EINVAL,
                          "REQ-%" PRIu64 " has %u orders: there is no order for each key", page->number,
                          (unsigned)reserved->order_count);
    for (pb_size_t i = 0; i < page->keys_count; i++)
        if (page->keys[i].enc.size != CS_POINT_BYTES || page->keys[i].ciphertext.size <= CS_AEAD_TAG_BYTES)
            return cs_err_set(run->err, CS_EINVAL, "the sealed key of index %u is malformed",
                              (unsigned)(page->from_index + i));
    return CS_OK;
}

int ctl_put_sealed_keys_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_PutSealedKeysRequest *page = body;
    ctl_reservation_row reserved;
    int rc = ctl_reservation_load(run, page->number, &reserved);

    (void)reply;
    if (rc == CS_OK)
        rc = check_page(run, page, &reserved);
    for (pb_size_t i = 0; rc == CS_OK && i < page->keys_count; i++) {
        struct ctl_key key = ctl_key_numbers(CTL_TABLE_SEALED_KEY, page->number, page->from_index + i);

        rc = ctl_record_put(run->view, &key, countersign_v1_SealedKey_fields, &page->keys[i], run->err);
    }
    if (rc != CS_OK)
        return rc;
    ctl_run_changed(run, "", "REQ-%" PRIu64, page->number);
    ctl_run_detail(run, "%u sealed keys from WO-%" PRIu64, (unsigned)page->keys_count,
                   reserved.first_order + page->from_index);
    return CS_OK;
}

int ctl_sealed_keys_check(struct ctl_run *run, const ctl_reservation_row *reserved)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_SEALED_KEY, reserved->number);
    struct ctl_walk walk = ctl_walk(&prefix);
    uint32_t there = 0;
    uint64_t first_missing = 0;
    int rc;

    if (reserved->key_mode != countersign_v1_KeyMode_KEY_MODE_SEALED)
        return CS_OK;
    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        struct ctl_key expected = ctl_key_numbers(CTL_TABLE_SEALED_KEY, reserved->number, there);

        if (!first_missing && !cs_slice_eq(walk.key, ctl_key_slice(&expected)))
            first_missing = reserved->first_order + there;
        there++;
    }
    if (rc != CS_ENOTFOUND)
        return rc;
    if (there == reserved->order_count)
        return CS_OK;
    return cs_err_set(run->err, CS_ESTATE,
                      "the sealed keys of %u of %u work orders are missing, the first is WO-%" PRIu64,
                      (unsigned)(reserved->order_count - there), (unsigned)reserved->order_count,
                      first_missing ? first_missing : reserved->first_order + there);
}

int ctl_sealed_key_drop(struct ctl_run *run, const ctl_request_row *request, const ctl_order_row *order)
{
    struct ctl_key key = ctl_key_numbers(CTL_TABLE_SEALED_KEY, request->number, order->index);

    return request->key_mode == countersign_v1_KeyMode_KEY_MODE_SEALED ? ctl_drop(run->view, &key, run->err)
                                                                       : CS_OK;
}

int ctl_sealed_keys_drop_all(struct ctl_run *run, uint64_t request_number)
{
    struct ctl_key prefix = ctl_key_number(CTL_TABLE_SEALED_KEY, request_number);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK)
        if ((rc = ctl_view_delete(run->view, walk.key, run->err)) != CS_OK)
            return rc;
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}
