#include "controller/cli/pair_link.h"

#include "shared/base/text.h"

#define PATH "/pair#"

int cli_pair_link_write(const struct cli_pair_link *link, const char *url, struct cs_buf *out)
{
    int rc = cs_buf_append_str(out, url);

    if (rc == CS_OK)
        rc = cs_buf_append_str(out, PATH);
    if (rc == CS_OK)
        rc = cs_base64url_encode(CS_SLICE_ARRAY(link->authentication), out);
    if (rc == CS_OK)
        rc = cs_buf_append_u8(out, '.');
    if (rc == CS_OK)
        rc = cs_base64url_encode(CS_SLICE_ARRAY(link->binding), out);
    if (rc == CS_OK)
        rc = cs_buf_append_u8(out, '.');
    return rc == CS_OK ? cs_base64url_encode(CS_SLICE_ARRAY(link->deployment_id), out) : rc;
}

/* The next part of the fragment, of exactly this length. */
static int take_part(struct cs_slice *rest, uint8_t *to, size_t len)
{
    cs_auto(cs_buf_wipe) struct cs_buf bytes = CS_BUF_EMPTY;
    int rc = cs_base64_decode_any(cs_slice_cut(rest, '.', NULL), &bytes);

    if (rc == CS_OK && bytes.len != len)
        rc = CS_EPARSE;
    if (rc == CS_OK)
        memcpy(to, bytes.ptr, len);
    return rc;
}

int cli_pair_link_parse(struct cs_slice text, struct cli_pair_link *ret, struct cs_err *err)
{
    const char *mark = text.len ? memmem(text.ptr, text.len, PATH, sizeof PATH - 1) : NULL;
    struct cli_pair_link link;
    struct cs_slice rest;
    int rc = CS_EPARSE;

    if (mark) {
        rest = cs_slice_from(text, (size_t)((const uint8_t *)mark - text.ptr) + sizeof PATH - 1);
        rc = take_part(&rest, link.authentication, sizeof link.authentication);
        if (rc == CS_OK)
            rc = take_part(&rest, link.binding, sizeof link.binding);
        if (rc == CS_OK)
            rc = take_part(&rest, link.deployment_id, sizeof link.deployment_id);
        if (rc == CS_OK && rest.len)
            rc = CS_EPARSE;
    }
    if (rc == CS_OK)
        *ret = link;
    else
        cs_err_set(err, rc, "the pairing's link is cut or mistyped");
    cs_wipe(&link, sizeof link);
    return rc;
}

struct cs_digest cli_pair_link_mac(const struct cli_pair_link *link, struct cs_slice spki)
{
    const struct cs_slice parts[] = {CS_SLICE_LIT("countersign/v1/pair"), CS_SLICE_ARRAY(link->deployment_id),
                                     spki};

    return cs_hmac_sha256(CS_SLICE_ARRAY(link->binding), parts, CS_ARRAY_LEN(parts));
}
