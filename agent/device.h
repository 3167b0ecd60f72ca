/* device.h - the device itself: its durable state, its trust policy, and one push at a time through
 *
 *     delivery ─decide─▶ journal ─plan─▶ apply ─▶ journal ─▶ report
 *
 * It knows no connection: link/session.h feeds it what arrives, and carries what it signs. What must not be
 * forgotten is on disk before anything is acted on; after a crash ag_device_recover() ends what was begun.
 * Lives on one loop; blocking but for what the application is asked. */
#ifndef AG_DEVICE_H
#define AG_DEVICE_H

#include "agent/apply.h"
#include "agent/config.h"
#include "agent/core/decide.h"
#include "agent/core/device_time.h"
#include "agent/installed.h"
#include "agent/outbox.h"
#include "agent/renewal.h"
#include "agent/served.h"
#include "agent/store.h"

struct ag_device_events {
    /* A statement is ready for the controller; it stays in the outbox until it is acknowledged. */
    void (*on_statement)(void *owner, struct cs_slice envelope);
    /* A push cannot be judged before policies newer than `version` are here: deliver them with
     * ag_device_take_policy(), or give up with ag_device_give_up_policy(). */
    void (*on_policy_wanted)(void *owner, uint32_t version);
    /* Enough deliveries wait: take no more from the stream for now. Until then it is read on, because a
     * cancel of what waits comes the same way. */
    void (*on_full)(void *owner, bool full);
    /* What is installed or served is not as the controller knows it: advertise. */
    void (*on_change)(void *owner);
    /* The state could be neither written nor read: the process must end, and recovers when it starts again.
     * Not from here: the device is in the middle of something. */
    void (*on_fatal)(void *owner, const struct cs_err *why);
};

struct ag_device {
    const struct ag_config *config; /* borrowed */
    struct ag_store store;
    struct ag_identity identity;
    struct ag_keys keys;
    struct ag_state state;
    struct ag_outbox outbox;
    struct ag_installed installed;
    struct ag_renewal renewal; /* of its identity, while one is under way */
    bool old_key_stays;        /* on disk, until the newest has opened a session */
    uint64_t sequence;         /* of the last statement */
    bool policy_expected;      /* the delivery at the front waits for it */
    bool policy_given_up;
    bool key_policy_expected, key_policy_given_up; /* likewise, for the key request at the front */
    bool recovered;
    bool dead;                    /* on_fatal was called: nothing more is begun */
    int64_t session_time_ahead_s; /* controller's time - clock, for devices marked clockless */
    bool has_session_time;
    struct cs_list deliveries;
    size_t delivery_count, delivery_bytes;
    struct cs_list key_requests;
    size_t key_request_count;

    /* The push that is being applied (device_order.c). */
    bool busy;
    uint8_t order_id[16];
    const struct ag_connector *connector; /* NULL: it is not declared any more */
    struct ag_apply apply;
    struct ag_applied applied, way_back; /* how it went forwards, and back */
    bool unlimited_said;
    bool seen;        /* the application may have seen the new files */
    uint32_t wait_ms; /* before the next try of what could not be done; 0: none failed */
    void (*after_wait)(struct ag_device *device);

    struct ag_served served; /* looks at what applications serve, while there is no push */

    const struct ag_device_events *events;
    void *owner;
};

/* Loads identity, keys and state from config->state. `device` is the caller's; free it in any case. */
CS_MUST_USE int ag_device_open(struct ag_device *device, const struct ag_config *config, struct ag_port *port,
                               struct cs_err *err);
void ag_device_free(struct ag_device *device);
/* NULL: nobody listens. */
void ag_device_listen(struct ag_device *device, const struct ag_device_events *events, void *owner);

/* Before the applications start at boot, and instead of all else: what a power cut left half between two
 * copies becomes one pair again, and nothing is asked of anybody (plan.h). The orders are ended by who runs
 * later. */
CS_MUST_USE int ag_device_restore(struct ag_device *device, unsigned *ret_restored, struct cs_err *err);

/* Ends what is waited for: for a process that ends. The journal knows how far it came. */
void ag_device_stop(struct ag_device *device);

/* Ends what a process that died had begun, one order after the other, and fills the outbox with the reports
 * that are not acknowledged. Deliveries wait until it is done. */
void ag_device_recover(struct ag_device *device);

/* The encoded PushDelivery; copied. CS_EFULL when too many wait: it is offered again later. */
CS_MUST_USE int ag_device_deliver(struct ag_device *device, struct cs_slice delivery, struct cs_err *err);
/* Deliveries and key requests that wait are forgotten: their connection is gone, and they will come again. */
void ag_device_forget_deliveries(struct ag_device *device);
/* An order that still waits, or of which nothing is known, is refused as cancelled; one that has ended
 * answers with its report, and one that is being applied goes on. */
void ag_device_cancel(struct ag_device *device, struct cs_slice order_id);

/* The envelope of a key request; copied. Answered by a statement: with the CSR of a key that was made here,
 * or with a refusal. When too many wait it is passed over: the controller sends it again. */
void ag_device_take_key_request(struct ag_device *device, struct cs_slice wire);

/* CS_OK: kept on disk, or known already. CS_ESTALE: versions between are missing, ask from the device's + 1.
 */
CS_MUST_USE int ag_device_take_policy(struct ag_device *device, struct cs_slice wire, struct cs_err *err);
void ag_device_give_up_policy(struct ag_device *device);
/* The time for the device's own identity, of which nothing but its renewal hangs: the session's, once there
 * was one. Who issues the certificate knows best how old it is; a device whose clock is a month ahead would
 * renew again and again. */
int64_t ag_device_identity_time_s(const struct ag_device *device);
void ag_device_take_session_time(struct ag_device *device, int64_t time_s);
/* Version to ask from: the pin's least before there is any. */
uint32_t ag_device_next_policy(const struct ag_device *device);

/* Looks at what is installed: true when something was changed by hand, or is as it was again, and the
 * controller does not know. Not while a push is being applied, nor where the configuration turns it off. */
bool ag_device_look(struct ag_device *device);
/* The same, for the period: it goes on to what the applications serve, one after the other, and tells by
 * on_change. */
void ag_device_check(struct ag_device *device);
/* Appends a signed advertisement with a sequence of its own. */
CS_MUST_USE int ag_device_advertise(struct ag_device *device, struct cs_buf *out, struct cs_err *err);
void ag_device_take_ack(struct ag_device *device, uint64_t sequence);

#endif
