/* session.h - the stream of one device, from its certificate to its end. Inside controller/fleet/ only.
 *
 *             Hello              durable
 *   EXPECTED ───────▶ OPENING ───────────▶ OPEN ───▶ ENDED     (ENDED from any state)
 *       │               ▲         Welcome, policies that the device lacks, deliveries ▸
 *       └─▶ CONTESTED ──┘         ◂ statements: verified here, acknowledged when durable
 *           another stream of the device is open: contest.h
 *
 * The memory of a session stays until its call has ended and no command of it is under way. */
#ifndef CTL_FLEET_SESSION_H
#define CTL_FLEET_SESSION_H

#include "controller/fleet/fleet.h"
#include "controller/fleet/map.h"

enum ctl_session_state {
    CTL_SESSION_EXPECTED,
    CTL_SESSION_CONTESTED,
    CTL_SESSION_OPENING,
    CTL_SESSION_OPEN,
    CTL_SESSION_ENDED
};

/* What a device hears whose stream is ended for good. */
#define CTL_BANNED "this device is banned: an admin has to admit it anew"
#define CTL_QUARANTINED                                                                                      \
    "this device is quarantined, because two processes spoke for it: an admin has to admit it anew"

struct ctl_opening;

struct ctl_session {
    struct ctl_fleet *fleet;
    struct cs_call *call; /* NULL once it has ended */
    enum ctl_session_state state;
    uint64_t id;
    struct ctl_identity identity;
    uint8_t process_nonce[16];
    struct cs_device *device;    /* the keys that speak for it; NULL before its first statement */
    struct ctl_opening *opening; /* while CONTESTED */
    char address[64];
    unsigned under_way;   /* commands */
    bool in_store;        /* the core was told that it opened */
    bool reads_slowly;    /* send nothing before on_writable */
    uint32_t next_policy; /* version to send next */
    uint64_t
        *orders; /* to deliver or to cancel; room for CTL_LIMIT_SESSION_ORDERS, NULL while there are none */
    size_t order_count;
    bool more_orders;          /* in the store */
    bool more_key_requests;    /* likewise */
    struct cs_list all, ready; /* in the fleet's lists; `ready` also among the contested */
};

struct ctl_fleet {
    struct ctl_shard *shard;
    struct ctl_map sessions;   /* device-id: the session that speaks for it here */
    struct cs_list all, ready; /* ready: has orders and a stream that takes them */
    struct cs_list contested;  /* sessions that wait for a place */
    struct cs_list contests;   /* that wait for an answer on this shard; of contest.c, like the timer */
    uv_timer_t contest_timer;
    struct ctl_map refused; /* device-ids whose refusal was logged: once is enough */
    uint64_t last_number;
    bool stopping;
};

/* Encodes and sends; ends the session when its stream cannot take it. `message` is in the reply scratch or
 * anywhere else. False: do not go on with this session now. */
bool ctl_session_send(struct ctl_session *session, const countersign_v1_ControllerMessage *message);
/* The same with an encoded ControllerMessage. */
bool ctl_session_send_bytes(struct ctl_session *session, struct cs_slice message);
/* Sends what the device lacks, as far as its stream takes it; deliveries are left to the loop's next turn. */
void ctl_session_pump(struct ctl_session *session);
void ctl_session_add_order(struct ctl_session *session, uint64_t order_number);
/* Ends it with a sentence for the device. */
void ctl_session_fail(struct ctl_session *session, const struct cs_err *err);
void ctl_session_fail_with(struct ctl_session *session, int code, const char *why);

/* The place is free, or becomes free now: goes on to OPENING. */
void ctl_session_open(struct ctl_session *session);
bool ctl_session_send_welcome(struct ctl_session *session);
bool ctl_session_send_ack(struct ctl_session *session, uint64_t sequence);
/* The certificate that the renewal with this sequence asked for. */
bool ctl_session_send_identity(struct ctl_session *session, uint64_t sequence);
struct ctl_actor ctl_session_actor(const struct ctl_session *session);
/* Whoever gave up a hold on it (a call, a command) calls this last. */
void ctl_session_maybe_free(struct ctl_session *session);

/* statement.c: an envelope from the device. An error ends the stream. */
CS_MUST_USE int ctl_session_on_statement(struct ctl_session *session, struct cs_slice wire,
                                         struct cs_err *err);

/* key_request.c: what waits in the store for the device's answer, as far as its stream takes it; CS_OK also
 * when something is left. */
CS_MUST_USE int ctl_session_send_key_requests(struct ctl_session *session, struct ctl_view *view,
                                              struct cs_err *err);

/* delivery.c: builds, signs and sends what the ready sessions wait for, up to one batch. */
void ctl_delivery_turn(struct ctl_fleet *fleet);

#endif
