#include "controller/api/api.h"
#include "controller/api/signed.h"
#include "controller/reading.h"

static bool has(struct cs_slice text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static int parse_chain(struct cs_slice certificates, struct cs_chain **ret, struct cs_err *err)
{
    int code;

    if (!certificates.len)
        return cs_err_set(err, CS_EINVAL, "there is no certificate in the request");
    code = has(certificates, "-----BEGIN") ? cs_chain_parse_pem(certificates, ret, err)
                                           : cs_chain_parse(certificates, ret, err);
    if (code == CS_OK)
        code = cs_chain_check_links(*ret, err);
    /* A mistake in what was sent: neither is it in doubt who sent it, nor is the method unknown. */
    if (code == CS_EAUTH || code == CS_EUNSUPPORTED)
        code = err->code = CS_EINVAL;
    return code;
}

/* The key in a field of its own, or in the PEM beside the certificates; none is fine. Encrypted before it
 * leaves this function. */
static int hold_key(struct ctl_op *op, const struct cs_chain *chain, const struct cs_digest *id,
                    struct cs_err *err)
{
    const countersign_v1_ImportCertificateRequest *request = op->request;
    struct cs_slice encoded = CS_PB_BYTES(&request->private_key);
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    int code;

    if (!encoded.len && has(CS_PB_BYTES(&request->certificates), "PRIVATE KEY-----"))
        encoded = CS_PB_BYTES(&request->certificates);
    if (!encoded.len)
        return CS_OK;
    if (cs_buf_reserve(&pkcs8, CS_LIMIT_PRIVATE_KEY_BYTES) != CS_OK)
        return cs_err_nomem(err);
    code = cs_private_key_to_pkcs8(encoded, CS_SLICE_EMPTY, &pkcs8, err);
    if (code == CS_OK)
        code = cs_chain_check_key(chain, cs_buf_slice(&pkcs8), err);
    if (code == CS_EAUTH)
        return cs_err_set(err, CS_EINVAL,
                          "the private key does not belong to the certificate: send the one that it was "
                          "issued for, with the leaf certificate first");
    if (code == CS_OK)
        code = ctl_vault_hold(op->shard->shared->vault, id->bytes, cs_buf_slice(&pkcs8), &op->secret, err);
    return code;
}

static int prepare_import(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_ImportCertificateRequest *request = op->request;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_cert_info *leaf;
    int code;

    code = parse_chain(CS_PB_BYTES(&request->certificates), &chain, err);
    if (code != CS_OK)
        return code;
    leaf = calloc(1, sizeof *leaf);
    if (!leaf || cs_buf_append(&op->bytes, cs_chain_bytes(chain)) != CS_OK) {
        free(leaf);
        return cs_err_nomem(err);
    }
    op->statement = leaf;
    cs_chain_info(chain, 0, leaf);
    code = hold_key(op, chain, &leaf->digest, err);
    op->body.import_certificate = (struct ctl_import_certificate){
        .chain = cs_buf_slice(&op->bytes),
        .leaf = leaf,
        .chain_count = (uint32_t)cs_chain_count(chain),
        .sealed_key = cs_buf_slice(&op->secret),
    };
    op->task.command.body = &op->body.import_certificate;
    return code;
}

static int prepare_request_key(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_RequestKeyRequest *request = op->request;
    struct cs_slice wire = CS_PB_BYTES(&request->envelope);
    countersign_v1_KeyRequest *key_request = NULL;
    struct cs_verified verified;
    int code;

    code = ctl_signed_verify(op, wire, CS_STATEMENT_KEY_REQUEST, &verified, err);
    if (code == CS_OK)
        code = cs_key_request_decode(verified.payload, &key_request, err);
    op->statement = key_request;
    if (code == CS_OK)
        code = ctl_signed_by(op, &verified, key_request->requester, countersign_v1_Role_ROLE_REQUESTER, err);
    if (code != CS_OK)
        return code;
    op->body.request_key = (struct ctl_request_key){
        .envelope = wire,
        .request = key_request,
        .digest = verified.digest,
        .policy_version = ctl_trust_version(op->trust),
    };
    op->task.command.body = &op->body.request_key;
    return CS_OK;
}

static int prepare_import_crl(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_ImportCrlRequest *request = op->request;
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    int code = ctl_reading_open(op->shard->shared->store, &reading, err);

    if (code == CS_OK)
        code = ctl_crl_open(reading.view, CS_PB_BYTES(&request->crl), CS_PB_BYTES(&request->issuer),
                            ctl_shard_now_s(op->shard), &op->crl, err);
    if (code != CS_OK)
        return code;
    op->body.import_crl = (struct ctl_import_crl){
        .crl = &op->crl.crl,
        .digest = op->crl.digest,
        .issuer = op->crl.issuer,
        .source = "",
        .entries = op->crl.crl.entries,
        .is_last = true,
    };
    op->task.command.body = &op->body.import_crl;
    return CS_OK;
}

#define MAY_CHANGE (CTL_MAY(REQUESTER) | CTL_MAY(ADMIN))
#define MAY_REVOKE CTL_MAY(ADMIN) /* it cannot be taken back */

#define SERVICE "countersign.v1.CertificateService"
#define METHODS(READ, WRITE)                                                                                 \
    WRITE(ImportCertificate, CTL_IMPORT_CERTIFICATE, prepare_import, MAY_CHANGE)                             \
    READ(ListCertificates, ctl_read_ListCertificates, CTL_MAY_ANYONE)                                        \
    READ(GetCertificate, ctl_read_GetCertificate, CTL_MAY_ANYONE)                                            \
    WRITE(Attach, CTL_ATTACH, NULL, MAY_CHANGE)                                                              \
    WRITE(Detach, CTL_DETACH, NULL, MAY_CHANGE)                                                              \
    WRITE(AttachLike, CTL_ATTACH_LIKE, NULL, MAY_CHANGE)                                                     \
    WRITE(SetCertificateGroups, CTL_SET_CERTIFICATE_GROUPS, NULL, MAY_CHANGE)                                \
    READ(GetTopology, ctl_read_GetTopology, CTL_MAY_ANYONE)                                                  \
    WRITE(RequestKey, CTL_REQUEST_KEY, prepare_request_key, CTL_MAY(REQUESTER))                              \
    READ(GetKeyRequest, ctl_read_GetKeyRequest, CTL_MAY_ANYONE)                                              \
    READ(ListKeyRequests, ctl_read_ListKeyRequests, CTL_MAY_ANYONE)                                          \
    WRITE(RevokeCertificate, CTL_REVOKE_CERTIFICATE, NULL, MAY_REVOKE)                                       \
    WRITE(ImportCrl, CTL_IMPORT_CRL, prepare_import_crl, MAY_REVOKE)                                         \
    READ(ListCrls, ctl_read_ListCrls, CTL_MAY_ANYONE)
CTL_SERVICE(ctl_certificate_methods, METHODS)
