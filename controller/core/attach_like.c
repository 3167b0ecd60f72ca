/* What is done to a certificate as a whole: to wherever another one is, and into groups. */
#include "controller/core/attachments.h"
#include "controller/core/groups.h"

#include "shared/base/limits.h"
#include "shared/base/text.h"

/* ---- to wherever the other one is */

struct like {
    ctl_certificate_row certificate, other;
    uint32_t added, passed_over;
};

/* The one that it renews where the request names none. */
static int load_both(struct ctl_run *run, const countersign_v1_AttachLikeRequest *request, struct like *ret)
{
    int rc = ctl_certificate_load(run, CTL_BYTES(request->certificate_id), &ret->certificate);

    if (rc != CS_OK)
        return rc;
    if (request->like_certificate_id.size)
        rc = ctl_certificate_load(run, CTL_BYTES(request->like_certificate_id), &ret->other);
    else if (ret->certificate.replaces.size)
        rc = ctl_certificate_load(run, CTL_BYTES(ret->certificate.replaces), &ret->other);
    else
        return cs_err_set(run->err, CS_ESTATE,
                          "no certificate in the inventory has the same names and an older date: say which "
                          "one it is to take the place of");
    if (rc == CS_OK && cs_slice_eq(CTL_BYTES(ret->certificate.id), CTL_BYTES(ret->other.id)))
        return cs_err_set(run->err, CS_EINVAL, "a certificate cannot take its own place: name another one");
    return rc;
}

/* Before anything is written: where its key can be, and how much it may become. */
static int check_like(struct ctl_run *run, const struct like *like)
{
    if (like->other.attachments == 0)
        return cs_err_set(run->err, CS_ESTATE,
                          "%s (until then) is attached to no app connector: attach "
                          "the new one by hand",
                          like->other.common_name);
    if (like->other.attachments > CS_LIMIT_ORDERS_PER_REQUEST)
        return cs_err_set(run->err, CS_ETOOBIG,
                          "the other certificate is attached to %u app connectors, and one request carries "
                          "%d: attach and push by hand, in parts",
                          (unsigned)like->other.attachments, CS_LIMIT_ORDERS_PER_REQUEST);
    return CS_OK;
}

/* A key that was made on a device is nowhere else. */
static int check_key(struct ctl_run *run, const struct like *like, const ctl_attachment_row *place)
{
    const ctl_certificate_row *certificate = &like->certificate;

    if (certificate->key_mode != countersign_v1_KeyMode_KEY_MODE_ON_DEVICE ||
        (strcmp(certificate->device_name, place->device_name) == 0 &&
         strcmp(certificate->connector, place->connector) == 0))
        return CS_OK;
    return cs_err_set(run->err, CS_ESTATE,
                      "the certificate's key was made on %s for %s, and the other one is attached to %s on "
                      "%s, too: attach it by hand, only there",
                      certificate->device_name, certificate->connector, place->connector, place->device_name);
}

/* A device or connector that is not there any more would never come to a push: it is counted, not refused, or
 * one device that was taken down would keep a fleet from its renewal. */
static int add_place(struct ctl_run *run, struct like *like, const ctl_attachment_row *place)
{
    bool added = false;
    int rc = check_key(run, like, place);

    if (rc == CS_OK)
        rc = ctl_attachment_check(run, place->device_name, place->connector);
    if (rc == CS_ENOTFOUND) {
        like->passed_over++;
        return CS_OK;
    }
    if (rc == CS_OK)
        rc = ctl_attachment_add(run, &like->certificate, place->device_name, place->connector, &added);
    like->added += added;
    return rc;
}

static int add_places(struct ctl_run *run, struct like *like)
{
    struct ctl_key prefix = ctl_key_bytes(CTL_TABLE_ATTACHMENT, CTL_BYTES(like->other.id));
    struct ctl_walk walk = ctl_walk(&prefix);
    ctl_attachment_row place;
    int rc;

    while ((rc = ctl_walk_next(run->view, &walk, run->err)) == CS_OK) {
        rc = ctl_decode(walk.value, Attachment, &place, run->err);
        if (rc == CS_OK)
            rc = add_place(run, like, &place);
        if (rc != CS_OK)
            return rc;
    }
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

int ctl_attach_like_run(struct ctl_run *run, const void *body, void *reply)
{
    countersign_v1_AttachLikeResponse *answer = reply;
    struct like like = {.added = 0};
    int rc = load_both(run, body, &like);

    if (rc == CS_OK)
        rc = check_like(run, &like);
    if (rc == CS_OK)
        rc = add_places(run, &like);
    if (rc == CS_OK && like.added)
        rc = ctl_certificate_store(run, &like.certificate);
    if (rc != CS_OK)
        return rc;
    answer->attached = like.added;
    answer->attachments = like.certificate.attachments;
    answer->passed_over = like.passed_over;
    if (like.added == 0)
        return CS_OK;
    ctl_run_changed(run, "", "certificate %s", like.certificate.common_name);
    ctl_run_detail(run, "to %u app connectors, like the one until %lld", (unsigned)like.added,
                   (long long)like.other.not_after_s);
    return CS_OK;
}

/* ---- groups */

int ctl_set_certificate_groups_run(struct ctl_run *run, const void *body, void *reply)
{
    const countersign_v1_SetCertificateGroupsRequest *request = body;
    ctl_certificate_row certificate;
    int rc = ctl_groups_check(request->groups, request->groups_count, run->err);

    (void)reply;
    if (rc == CS_OK)
        rc = ctl_certificate_load(run, CTL_BYTES(request->certificate_id), &certificate);
    if (rc != CS_OK ||
        ctl_groups_same(certificate.groups, certificate.groups_count, request->groups, request->groups_count))
        return rc;
    ctl_run_changed(run, request->groups_count ? "to" : "to none", "certificate %s", certificate.common_name);
    certificate.groups_count = request->groups_count;
    for (pb_size_t i = 0; i < request->groups_count; i++) {
        CTL_TEXT_SET(certificate.groups[i], request->groups[i]);
        ctl_run_detail(run, "%s", request->groups[i]);
    }
    return ctl_certificate_store(run, &certificate);
}
