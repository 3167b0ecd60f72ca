/* Certificates, and which app connectors they are attached to. */
#include "controller/core/attachments.h"
#include "controller/core/inventory.h"
#include "controller/core/key_requests.h"
#include "controller/core/query_rows.h"
#include "controller/core/revocation.h"
#include "controller/core/run.h"

#include "shared/base/text.h"

#include <stdio.h>

/* ---- rows */

int ctl_certificate_load(struct ctl_run *run, struct cs_slice id, ctl_certificate_row *ret)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CERTIFICATE, id);
    int rc = id.len == CS_SHA256_BYTES ? ctl_get(run->view, &key, Certificate, ret, run->err) : CS_ENOTFOUND;

    return rc == CS_ENOTFOUND ? cs_err_set(run->err, rc, "there is no certificate with this id") : rc;
}

int ctl_certificate_store(struct ctl_run *run, const ctl_certificate_row *certificate)
{
    return ctl_inventory_store(run->view, certificate, run->err);
}

/* ---- import */

static countersign_v1_CertificateKey key_of(enum cs_pk_kind kind)
{
    switch (kind) {
    case CS_PK_RSA:
        return countersign_v1_CertificateKey_CERTIFICATE_KEY_RSA;
    case CS_PK_P256:
        return countersign_v1_CertificateKey_CERTIFICATE_KEY_P256;
    case CS_PK_P384:
        return countersign_v1_CertificateKey_CERTIFICATE_KEY_P384;
    case CS_PK_NONE:
        break;
    }
    return countersign_v1_CertificateKey_CERTIFICATE_KEY_UNSPECIFIED;
}

static void fill_certificate(ctl_certificate_row *row, const struct cs_cert_info *leaf, int64_t now_s)
{
    memset(row, 0, sizeof *row);
    CTL_BYTES_SET(row->id, cs_digest_slice(&leaf->digest));
    CTL_TEXT_SET(row->common_name, leaf->common_name);
    CTL_TEXT_SET(row->issuer, leaf->issuer);
    CTL_TEXT_SET(row->serial, leaf->serial_hex);
    row->not_before_s = leaf->not_before_s;
    row->not_after_s = leaf->not_after_s;
    row->key = key_of(leaf->key_kind);
    row->key_bits = leaf->key_bits;
    row->key_mode = countersign_v1_KeyMode_KEY_MODE_NONE;
    for (size_t i = 0; i < leaf->names_count && i < CS_ARRAY_LEN(row->names); i++, row->names_count++)
        CTL_TEXT_SET(row->names[i], leaf->names[i]);
    CTL_BYTES_SET(row->spki_digest, cs_digest_slice(&leaf->spki_digest));
    CTL_BYTES_SET(row->issuer_digest, cs_digest_slice(&leaf->issuer_digest));
    row->imported_at_s = now_s;
}

/* What a new row has besides itself: its renewals, and its place in the count. Its entries in the indexes
 * come with ctl_certificate_store(). */
static int index_certificate(struct ctl_run *run, const struct cs_cert_info *leaf,
                             ctl_certificate_row *certificate)
{
    run->meta.certificates++;
    return ctl_inventory_link(run->view, certificate, leaf->names_left_out, run->err);
}

/* The chain under its own digest: requests name the chain that they were signed for, and keep it when a later
 * import brings another one for the same leaf. */
static int store_chain(struct ctl_run *run, const struct ctl_import_certificate *import,
                       ctl_certificate_row *certificate, bool *ret_changed)
{
    struct cs_digest digest = cs_sha256(import->chain);
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_CHAIN, cs_digest_slice(&digest));

    if (cs_slice_eq(CTL_BYTES(certificate->chain_digest), cs_digest_slice(&digest)))
        return CS_OK;
    CTL_BYTES_SET(certificate->chain_digest, cs_digest_slice(&digest));
    certificate->chain_count = import->chain_count;
    *ret_changed = true;
    return ctl_bytes_put(run->view, &key, import->chain, run->err);
}

/* A key that a device made is known by its CSR: the certificate belongs there, and nobody else has its key.
 */
static int bind_to_device(struct ctl_run *run, const struct ctl_import_certificate *import,
                          ctl_certificate_row *certificate, bool *ret_changed)
{
    ctl_key_request_row request;
    bool found;
    int rc = ctl_key_request_of_key(run, CTL_BYTES(certificate->spki_digest), &request, &found);

    if (rc != CS_OK || !found)
        return rc;
    if (import->sealed_key.len)
        return cs_err_set(run->err, CS_EINVAL,
                          "the certificate's key was made on %s for %s: leave the private key out",
                          request.device_name, request.connector);
    if (certificate->key_mode != countersign_v1_KeyMode_KEY_MODE_NONE)
        return CS_OK;
    *ret_changed = true;
    return ctl_key_request_bind(run, &request, certificate);
}

static int store_key(struct ctl_run *run, const struct ctl_import_certificate *import,
                     ctl_certificate_row *certificate, bool *ret_changed)
{
    struct ctl_key key = ctl_key_bytes(CTL_TABLE_HELD_KEY, CTL_BYTES(certificate->id));

    /* The key that is held already is the same one: the shard checked that it fits the leaf. */
    if (import->sealed_key.len == 0 || certificate->key_mode == countersign_v1_KeyMode_KEY_MODE_HELD)
        return CS_OK;
    certificate->key_mode = countersign_v1_KeyMode_KEY_MODE_HELD;
    *ret_changed = true;
    return ctl_bytes_put(run->view, &key, import->sealed_key, run->err);
}

static void note_import(struct ctl_run *run, const ctl_certificate_row *certificate)
{
    ctl_run_changed(run, certificate->key_mode == countersign_v1_KeyMode_KEY_MODE_HELD ? "with its key" : "",
                    "certificate %s", certificate->common_name);
    if (certificate->revoked)
        ctl_run_detail(run, "revoked");
    if (certificate->key_mode == countersign_v1_KeyMode_KEY_MODE_ON_DEVICE)
        ctl_run_detail(run, "for the key that %s made for %s", certificate->device_name,
                       certificate->connector);
}

int ctl_import_certificate_run(struct ctl_run *run, const void *body, void *reply)
{
    const struct ctl_import_certificate *import = body;
    countersign_v1_ImportCertificateResponse *answer = reply;
    ctl_certificate_row certificate;
    bool changed = false;
    int rc = ctl_certificate_load(run, cs_digest_slice(&import->leaf->digest), &certificate);

    if (rc != CS_OK && rc != CS_ENOTFOUND)
        return rc;
    answer->existed = rc == CS_OK;
    rc = CS_OK;
    if (!answer->existed) {
        fill_certificate(&certificate, import->leaf, run->now_s);
        rc = index_certificate(run, import->leaf, &certificate);
        if (rc == CS_OK)
            rc = ctl_revocation_look(run, &certificate);
        changed = true;
    }
    if (rc == CS_OK)
        rc = store_chain(run, import, &certificate, &changed);
    if (rc == CS_OK)
        rc = bind_to_device(run, import, &certificate, &changed);
    if (rc == CS_OK)
        rc = store_key(run, import, &certificate, &changed);
    if (rc == CS_OK && changed)
        rc = ctl_certificate_store(run, &certificate);
    if (rc != CS_OK)
        return rc;
    if (changed)
        note_import(run, &certificate);
    answer->has_certificate = true;
    ctl_show_certificate(&certificate, run->settings, run->now_s, &answer->certificate);
    return CS_OK;
}

/* ---- attachments */

static int check_place(struct ctl_run *run, const char *device_name, const char *connector)
{
    int rc = cs_name_check(cs_slice_str(device_name), "device name", run->err);

    return rc == CS_OK ? cs_name_check(cs_slice_str(connector), "app connector", run->err) : rc;
}

/* As the device knows its connectors: attaching to one that it does not declare would never come to a push.
 */
int ctl_attachment_check(struct ctl_run *run, const char *device_name, const char *name)
{
    ctl_connector_row connector;
    ctl_device_row device;
    int rc = ctl_device_load_named(run, device_name, &device);

    if (rc != CS_OK)
        return rc;
    rc = ctl_connector_load(run, CTL_BYTES(device.device_id), name, &connector);
    if (rc == CS_ENOTFOUND || (rc == CS_OK && !connector.declared))
        return cs_err_set(run->err, CS_ENOTFOUND, "device %s does not advertise an app connector %s",
                          device_name, name);
    return rc;
}

/* A key that was made on a device is nowhere else. */
static int check_key_place(struct ctl_run *run, const countersign_v1_AttachRequest *attach,
                           const ctl_certificate_row *certificate)
{
    if (certificate->key_mode != countersign_v1_KeyMode_KEY_MODE_ON_DEVICE ||
        (strcmp(certificate->device_name, attach->device_name) == 0 &&
         strcmp(certificate->connector, attach->connector) == 0))
        return CS_OK;
    return cs_err_set(run->err, CS_ESTATE,
                      "the certificate's key was made on %s for %s: it can be attached only there",
                      certificate->device_name, certificate->connector);
}

int ctl_attachment_add(struct ctl_run *run, ctl_certificate_row *certificate, const char *device_name,
                       const char *connector, bool *ret_added)
{
    struct ctl_key key = ctl_key_attachment(CTL_BYTES(certificate->id), device_name, connector);
    struct ctl_key reverse = ctl_key_attached(device_name, connector, CTL_BYTES(certificate->id));
    ctl_attachment_row row = countersign_store_v1_Attachment_init_zero;
    struct cs_slice there;
    int rc = ctl_bytes_get(run->view, &key, &there, run->err);

    *ret_added = rc == CS_ENOTFOUND;
    if (rc != CS_ENOTFOUND) /* there already, which is what was asked for */
        return rc;
    CTL_BYTES_COPY(row.certificate_id, certificate->id);
    CTL_TEXT_SET(row.device_name, device_name);
    CTL_TEXT_SET(row.connector, connector);
    row.attached_at_s = run->now_s;
    certificate->attachments++;
    rc = ctl_put(run->view, &key, Attachment, &row, run->err);
    return rc == CS_OK ? ctl_index_put(run->view, &reverse, run->err) : rc;
}

int ctl_attach_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_AttachRequest *attach = body;
    ctl_certificate_row certificate;
    bool added = false;
    int rc = check_place(run, attach->device_name, attach->connector);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_certificate_load(run, CTL_BYTES(attach->certificate_id), &certificate);
    if (rc == CS_OK)
        rc = check_key_place(run, attach, &certificate);
    if (rc == CS_OK)
        rc = ctl_attachment_check(run, attach->device_name, attach->connector);
    if (rc == CS_OK)
        rc = ctl_attachment_add(run, &certificate, attach->device_name, attach->connector, &added);
    if (rc == CS_OK && added)
        rc = ctl_certificate_store(run, &certificate);
    if (rc != CS_OK || !added)
        return rc;
    ctl_run_changed(run, "", "certificate %s", certificate.common_name);
    ctl_run_detail(run, "to %s on %s", attach->connector, attach->device_name);
    return CS_OK;
}

static void count_condition(ctl_certificate_row *certificate, countersign_store_v1_Condition condition,
                            bool gone)
{
    uint32_t *count = condition == countersign_store_v1_Condition_CONDITION_FAILED    ? &certificate->failed
                      : condition == countersign_store_v1_Condition_CONDITION_CHANGED ? &certificate->changed
                                                                                      : NULL;

    if (count)
        *count = gone ? *count - 1 : *count + 1;
}

/* An order that is on its way would come back to an attachment that is not there. */
static int check_idle(struct ctl_run *run, const ctl_attachment_row *attachment)
{
    ctl_order_row order;
    int rc;

    if (attachment->newest_order == 0)
        return CS_OK;
    rc = ctl_order_load(run, attachment->newest_order, &order);
    if (rc == CS_OK && order.phase < countersign_store_v1_Phase_PHASE_COMPLETED)
        return cs_err_set(run->err, CS_ESTATE, "WO-%llu is on its way there: cancel it or wait for its end",
                          (unsigned long long)order.number);
    return rc;
}

int ctl_detach_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_DetachRequest *detach = body;
    struct ctl_key key, reverse;
    ctl_certificate_row certificate;
    ctl_attachment_row row;
    int rc = check_place(run, detach->device_name, detach->connector);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_certificate_load(run, CTL_BYTES(detach->certificate_id), &certificate);
    if (rc != CS_OK)
        return rc;
    key = ctl_key_attachment(CTL_BYTES(certificate.id), detach->device_name, detach->connector);
    reverse = ctl_key_attached(detach->device_name, detach->connector, CTL_BYTES(certificate.id));
    rc = ctl_get(run->view, &key, Attachment, &row, run->err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(run->err, rc, "the certificate is not attached to %s on %s", detach->connector,
                          detach->device_name);
    if (rc == CS_OK)
        rc = check_idle(run, &row);
    if (rc == CS_OK)
        rc = ctl_drop(run->view, &key, run->err);
    if (rc == CS_OK)
        rc = ctl_drop(run->view, &reverse, run->err);
    if (rc != CS_OK)
        return rc;
    certificate.attachments--;
    count_condition(&certificate, row.condition, true);
    ctl_run_changed(run, "", "certificate %s", certificate.common_name);
    ctl_run_detail(run, "from %s on %s", detach->connector, detach->device_name);
    return ctl_certificate_store(run, &certificate);
}

/* ---- how an attachment is */

static int condition_of(struct ctl_run *run, const ctl_attachment_row *attachment,
                        const ctl_connector_row *connector, countersign_store_v1_Condition *ret)
{
    *ret = countersign_store_v1_Condition_CONDITION_FINE;
    if (attachment->newest_order) {
        ctl_order_row order;
        int rc = ctl_order_load(run, attachment->newest_order, &order);

        if (rc != CS_OK)
            return rc;
        if (order.phase == countersign_store_v1_Phase_PHASE_FAILED ||
            order.phase == countersign_store_v1_Phase_PHASE_SILENT) {
            *ret = countersign_store_v1_Condition_CONDITION_FAILED;
            return CS_OK;
        }
    }
    /* This certificate is what the last completed push left there, and the device says that something else
     * is installed now. */
    if (cs_slice_eq(CTL_BYTES(connector->certificate_id), CTL_BYTES(attachment->certificate_id)) &&
        !cs_slice_eq(CTL_BYTES(connector->installed_digest), CTL_BYTES(connector->completed_digest)))
        *ret = countersign_store_v1_Condition_CONDITION_CHANGED;
    return CS_OK;
}

int ctl_attachment_refresh(struct ctl_run *run, const char *device_name, const ctl_connector_row *connector,
                           struct cs_slice certificate_id)
{
    struct ctl_key key = ctl_key_attachment(certificate_id, device_name, connector->name);
    countersign_store_v1_Condition condition;
    ctl_certificate_row certificate;
    ctl_attachment_row row;
    int rc = ctl_get(run->view, &key, Attachment, &row, run->err);

    if (rc == CS_ENOTFOUND) /* detached since */
        return CS_OK;
    if (rc == CS_OK)
        rc = condition_of(run, &row, connector, &condition);
    if (rc != CS_OK || condition == row.condition)
        return rc;
    rc = ctl_certificate_load(run, certificate_id, &certificate);
    if (rc != CS_OK)
        return rc;
    count_condition(&certificate, row.condition, true);
    count_condition(&certificate, condition, false);
    row.condition = condition;
    rc = ctl_put(run->view, &key, Attachment, &row, run->err);
    return rc == CS_OK ? ctl_certificate_store(run, &certificate) : rc;
}

int ctl_attachments_refresh(struct ctl_run *run, const char *device_name, const ctl_connector_row *connector)
{
    struct ctl_key prefix = ctl_key_attached(device_name, connector->name, CS_SLICE_EMPTY);
    struct ctl_walk walk = ctl_walk(&prefix);
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = ctl_attachment_refresh(run, device_name, connector, ctl_key_last(walk.key, CS_SHA256_BYTES));
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}
