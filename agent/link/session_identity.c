/* The identity with which sessions are opened: renewed in one while it holds, without one when it has
 * expired. */
#include "agent/link/session_impl.h"

#include "shared/base/text.h"

enum {
    /* Wall clocks jump: whether it is time to renew is looked at again after this at the latest. */
    RENEWAL_LOOK_MS = 60 * 60 * 1000,
    RENEWAL_RETRY_MS = 60 * 1000,
    IDENTITY_WAIT_MS = 10 * 1000,
};

/* ---- in time */

static void say_what_is_waited_for(struct ag_session *session, const char *why)
{
    struct cs_digest digest = cs_key_id(cs_key_spki(session->device->renewal.key));
    char hex[2 * CS_SHA256_BYTES + 1];

    if (!session->waits_said)
        cs_log(CS_LOG_WARN, "identity", why, CS_F("device", session->device->identity.device_name),
               CS_F("identity_key", cs_hex(cs_digest_slice(&digest), hex)), CS_FEND);
    session->waits_said = true;
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_session *session = timer->data;

    if (ag_renewal_pending(&session->device->renewal))
        say_what_is_waited_for(session, "the renewal waits: an admin has to admit the fresh key (countersign "
                                        "device admit)");
    else
        ag_session_look_at_identity(session);
}

void ag_session_expect_identity(struct ag_session *session, uint64_t sequence)
{
    const struct ag_renewal *renewal = &session->device->renewal;

    if (ag_renewal_pending(renewal) && sequence == renewal->sequence)
        uv_timer_start(&session->renewal_timer, on_timer, IDENTITY_WAIT_MS, 0);
}

void ag_session_look_at_identity(struct ag_session *session)
{
    struct ag_device *device = session->device;
    uint64_t again_ms = RENEWAL_LOOK_MS;
    int64_t due_s = 0, expires_s = 0;
    struct cs_err err = {0};

    if (session->state != AG_SESSION_STREAMING || !session->admitted || ag_renewal_pending(&device->renewal))
        return;
    int code = ag_renewal_times(device, session->renewal_random, &due_s, &expires_s, &err);
    int64_t wait_s = due_s - ag_device_identity_time_s(device);

    if (!code && wait_s <= 0)
        code = ag_renewal_begin(device, &err);
    else if (wait_s < RENEWAL_LOOK_MS / 1000)
        again_ms = (uint64_t)wait_s * 1000;
    if (code) {
        cs_log(CS_LOG_ERROR, "identity", "not renewed", CS_F("error", err.msg), CS_FEND);
        again_ms = RENEWAL_RETRY_MS;
    }
    uv_timer_start(&session->renewal_timer, on_timer, again_ms, 0);
}

static int adopt(struct ag_session *session, struct cs_slice certificate)
{
    struct ag_device *device = session->device;
    char until[CS_TIME_TEXT_BYTES];
    int64_t due_s = 0, expires_s = 0;
    struct cs_err err = {0};
    int code = ag_renewal_take(device, certificate, &err);

    if (!code)
        code = ag_renewal_times(device, 0, &due_s, &expires_s, &err);
    if (code)
        cs_log(CS_LOG_ERROR, "identity", "certificate not taken", CS_F("error", err.msg), CS_FEND);
    else
        cs_log(CS_LOG_INFO, "identity", "renewed", CS_F("until", cs_time_text(expires_s, until)), CS_FEND);
    ag_session_random(session, &session->renewal_random, sizeof session->renewal_random);
    return code;
}

void ag_session_take_identity(struct ag_session *session, const countersign_v1_Identity *identity)
{
    const struct ag_renewal *renewal = &session->device->renewal;

    if (!ag_renewal_pending(renewal) || identity->sequence != renewal->sequence ||
        adopt(session, CS_PB_BYTES(&identity->certificate)) != CS_OK)
        return;
    ag_backoff_reset(&session->backoff);
    ag_session_drop(session, NULL);
    session->failing = false;
}

/* ---- too late */

/* By our clock alone it is tried once more: a clock may be wrong, and renewals are counted. */
bool ag_session_has_expired(const struct ag_session *session)
{
    int64_t due_s = 0, expires_s = 0;

    if (session->refused_as_expired)
        return true;
    return session->dial_failed && !session->renewed_late &&
           ag_renewal_times(session->device, 0, &due_s, &expires_s, NULL) == CS_OK &&
           expires_s <= ag_device_identity_time_s(session->device);
}

static void on_late_end(void *owner, int code, struct cs_slice certificate, const struct cs_err *why)
{
    struct ag_session *session = owner;

    session->late = NULL;
    session->open--;
    if (session->closing) {
        ag_session_maybe_closed(session);
        return;
    }
    /* A certificate that the controller takes for valid is taken here, too, whatever our clock says. */
    if (!code && certificate.len && adopt(session, certificate) == CS_OK) {
        session->renewed_late = true;
        session->refused_as_expired = false;
        ag_backoff_reset(&session->backoff);
    } else if (!code && !certificate.len) {
        say_what_is_waited_for(session,
                               "the identity certificate has expired: an admin has to admit the fresh key "
                               "(countersign device admit)");
    } else if (code && !session->failing) {
        cs_log(CS_LOG_WARN, "identity", "the expired identity is not renewed", CS_F("error", why->msg),
               CS_FEND);
    }
    session->failing = code != CS_OK;
    ag_session_dial_later(session);
}

int ag_session_renew_late(struct ag_session *session, struct cs_err *err)
{
    int code = ag_renewal_pending(&session->device->renewal) ? CS_OK : ag_renewal_begin(session->device, err);

    if (!code)
        code = ag_late_start(session->loop, session->device, on_late_end, session, &session->late, err);
    if (!code)
        session->open++;
    return code;
}
