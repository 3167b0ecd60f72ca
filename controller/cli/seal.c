#include "controller/cli/seal.h"

#include "shared/trust/sealed_key.h"

int cli_seal_key(const struct cs_device *device, const countersign_v1_OrderCore *core,
                 struct cs_slice core_bytes, struct cs_slice pkcs8, countersign_v1_SealedKey *ret,
                 struct cs_err *err)
{
    const countersign_v1_Admission *admitted = cs_device_admission(device);
    const struct cs_sealed_key_place place = {
        .deployment_id = CS_PB_BYTES(&admitted->deployment_id),
        .device_id = CS_PB_BYTES(&core->device_id),
        .order_id = CS_PB_BYTES(&core->order_id),
        .core = core_bytes,
    };

    if (strcmp(admitted->device_name, core->device_name) != 0 ||
        !cs_slice_eq(CS_PB_BYTES(&admitted->device_id), CS_PB_BYTES(&core->device_id)))
        return cs_err_set(
            err, CS_EAUTH,
            "WO-%llu names another device-id than the one that was admitted as %s: no key was sealed",
            (unsigned long long)core->number, core->device_name);
    return cs_sealed_key_seal(CS_PB_BYTES(&admitted->kem_spki), &place, pkcs8, ret, err);
}

static int put_page(struct cli *cli, countersign_v1_PutSealedKeysRequest *page, struct cs_err *err)
{
    countersign_v1_PutSealedKeysResponse reply;
    int rc = cli_call(cli, &cli_rpc_PutSealedKeys, page, &reply, err);

    page->from_index += page->keys_count;
    page->keys_count = 0;
    return rc;
}

int cli_seal_keys(struct cli *cli, uint64_t request_number, const struct cli_fetched_cores *cores,
                  struct cs_slice pkcs8, struct cs_err *err)
{
    cs_auto_free countersign_v1_PutSealedKeysRequest *page =
        CLI_NEW(countersign_v1_PutSealedKeysRequest, err);
    int rc = page ? CS_OK : CS_ENOMEM;

    if (rc == CS_OK)
        page->number = request_number;
    for (size_t i = 0; rc == CS_OK && i < cores->count; i++) {
        rc = cli_seal_key(cores->devices[i], cores->cores[i], cores->bytes[i], pkcs8,
                          &page->keys[page->keys_count++], err);
        if (rc == CS_OK && (page->keys_count == CS_ARRAY_LEN(page->keys) || i + 1 == cores->count))
            rc = put_page(cli, page, err);
    }
    return rc;
}
