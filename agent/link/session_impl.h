/* session_impl.h - what the files of session.h share: session.c has the connection and what is said over it,
 * session_identity.c renews the identity with which it is opened. */
#ifndef AG_LINK_SESSION_IMPL_H
#define AG_LINK_SESSION_IMPL_H

#include "agent/link/late.h"
#include "agent/link/session.h"

enum ag_session_state {
    AG_SESSION_WAITING,
    AG_SESSION_DIALLING,
    AG_SESSION_GREETING,
    AG_SESSION_SYNCING,
    AG_SESSION_STREAMING
};

struct ag_session {
    uv_loop_t *loop;
    struct ag_device *device;
    void (*on_fatal)(void *owner, const struct cs_err *why);
    void *owner;

    enum ag_session_state state;
    struct ag_backoff backoff;
    uint8_t process_nonce[16];
    uint32_t newest_policy; /* that the controller has */
    uint64_t up_since_ms;
    bool failing; /* the last attempt failed too: say less */
    bool admitted;

    uint32_t renewal_random; /* when in its span this device renews */
    bool refused_as_expired; /* by the controller */
    bool dial_failed;        /* since the last session */
    bool renewed_late; /* since the last session: whatever our clock says of the certificate, it is dialled */
    bool waits_said;
    struct ag_late *late;

    struct cs_tls_config *tls;
    struct cs_client *client;
    struct cs_client_call *call;
    countersign_v1_AgentMessage *outgoing; /* scratch: one struct for all that is sent */

    uv_timer_t dial_timer, policy_timer, renewal_timer, check_timer, tell_timer;
    uint64_t told_ms; /* of the loop, and what was left then for telling of changes (session.c) */
    uint64_t tell_room_ms;
    int open; /* handles and the client */
    bool closing;
    void (*on_closed)(void *owner);
};

/* ---- session.c */

/* Ends the connection, if there is one, and sees to the next. `why` NULL: said already. */
void ag_session_drop(struct ag_session *session, const char *why);
void ag_session_dial_later(struct ag_session *session);
void ag_session_maybe_closed(struct ag_session *session);

static inline void ag_session_random(const struct ag_session *session, void *out, size_t len)
{
    struct ag_port *port = session->device->store.port;

    port->random(port, out, len);
}

/* ---- session_identity.c */

/* In time: half of the certificate's life is over, a session is open, and people have admitted the device.
 * Looks again by itself. */
void ag_session_look_at_identity(struct ag_session *session);
/* The next session has the fresh key. */
void ag_session_take_identity(struct ag_session *session, const countersign_v1_Identity *identity);
/* The controller has the renewal: its certificate follows at once, unless an admin has to admit the device
 * first. */
void ag_session_expect_identity(struct ag_session *session, uint64_t sequence);
bool ag_session_has_expired(const struct ag_session *session);
/* In place of dialling. */
CS_MUST_USE int ag_session_renew_late(struct ag_session *session, struct cs_err *err);

#endif
