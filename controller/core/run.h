/* run.h - one command on its way through the core: what all nouns share. Pure. Internal to controller/core.
 */
#ifndef CTL_CORE_RUN_H
#define CTL_CORE_RUN_H

#include "controller/core/core.h"
#include "controller/core/record.h"

/* Times that the core itself decides; the signed ones come from people. */
enum {
    CTL_RESERVATION_S = 15 * 60, /* from PreparePush to SubmitPush */
    CTL_TOKEN_MOST_S = 60 * 60,  /* a token's longest life */
    CTL_CLOCK_SKEW_S = 5 * 60,   /* how far a client's clock may be ahead of ours */
    CTL_OFFER_AGAIN_LEAST_S = 5, /* after NOT_YET */
    CTL_OFFER_AGAIN_MOST_S = 60 * 60,
    CTL_RESERVATIONS = 256,                     /* that nobody has submitted yet, all together */
    CTL_KEY_REQUESTS = 8,                       /* that wait for one device's answer */
    CTL_KEY_REQUEST_MOST_S = 90 * 24 * 60 * 60, /* a key request's longest life */
    CTL_KEY_ANSWER_S = 24 * 60 * 60, /* how long an answer may be under way after its request expired */
};

struct ctl_run {
    struct ctl_view *view;
    const struct ctl_context *context;
    const struct ctl_actor *actor;
    struct ctl_outcome *outcome;
    struct cs_err *err;
    const struct ctl_settings *settings; /* never NULL */
    int64_t now_s;
    ctl_meta_row meta; /* written back at the end of a command that changed anything */
    bool changed;
    countersign_v1_AuditRecord audit;
};

/* Says that this command changed something, and what: fills the audit record's subject and detail. */
void ctl_run_changed(struct ctl_run *run, const char *detail, const char *subject_format, ...)
    CS_PRINTF(3, 4);
/* Adds words to the detail, as far as there is room. */
void ctl_run_detail(struct ctl_run *run, const char *format, ...) CS_PRINTF(2, 3);

/* Effects: CS_ENOMEM, or CS_OK. One REQUEST effect for a request is enough. */
CS_MUST_USE int ctl_run_effect(struct ctl_run *run, const struct ctl_effect *effect);
CS_MUST_USE int ctl_run_wake(struct ctl_run *run, uint64_t request_number);

/* The statement was checked under the newest policy, or CS_ESTALE. */
CS_MUST_USE int ctl_run_check_policy(struct ctl_run *run, uint32_t policy_version);
/* A comment is what its statement signed. */
CS_MUST_USE int ctl_run_check_comment(struct ctl_run *run, const char *comment, struct cs_slice digest);

/* A handler of one kind of command; `body` and `reply` as in CTL_COMMANDS. */
typedef int ctl_handler(struct ctl_run *run, const void *body, void *reply);
ctl_handler ctl_publish_policy_run, ctl_create_token_run, ctl_admit_device_run, ctl_import_certificate_run,
    ctl_attach_run, ctl_detach_run, ctl_prepare_push_run, ctl_submit_push_run, ctl_decide_run,
    ctl_cancel_request_run, ctl_enrol_run, ctl_session_opened_run, ctl_session_closed_run,
    ctl_advertisement_run, ctl_report_run, ctl_device_csr_run, ctl_tick_run, ctl_ban_device_run,
    ctl_renewal_run, ctl_renew_run, ctl_quarantine_device_run, ctl_request_key_run, ctl_put_sealed_keys_run,
    ctl_revoke_certificate_run, ctl_import_crl_run, ctl_open_session_run, ctl_close_session_run,
    ctl_attach_like_run, ctl_set_certificate_groups_run, ctl_set_device_groups_run, ctl_create_pairing_run,
    ctl_pair_run;

/* Rows by their ids, with sentences that name what is not there. */
CS_MUST_USE int ctl_device_load(struct ctl_run *run, struct cs_slice device_id, ctl_device_row *ret);
CS_MUST_USE int ctl_device_store(struct ctl_run *run, const ctl_device_row *device);
/* Names: CS_ENOTFOUND leaves the sentence to the caller. */
CS_MUST_USE int ctl_name_load(struct ctl_run *run, const char *name, ctl_name_row *ret);
CS_MUST_USE int ctl_name_store(struct ctl_run *run, const char *name, const ctl_name_row *row);
/* Takes an enrolment out: its rows, its connectors, and the orders that were signed for this device-id. */
CS_MUST_USE int ctl_device_retire(struct ctl_run *run, struct cs_slice device_id);
/* The device is neither banned nor quarantined, or CS_EDENIED with a sentence. */
CS_MUST_USE int ctl_device_check_open(struct ctl_run *run, const ctl_device_row *device);
/* The key that opened a session is the newest: the one before it may open none any more. */
CS_MUST_USE int ctl_device_drop_previous(struct ctl_run *run, ctl_device_row *device);
/* The renewals of a device-id and the index entries of its keys; those below `below` only. */
CS_MUST_USE int ctl_renewals_drop(struct ctl_run *run, struct cs_slice device_id, uint64_t below);
CS_MUST_USE int ctl_identity_drop(struct ctl_run *run, struct cs_slice spki);
/* The admitted device of this name. */
CS_MUST_USE int ctl_device_load_named(struct ctl_run *run, const char *name, ctl_device_row *ret);
CS_MUST_USE int ctl_connector_load(struct ctl_run *run, struct cs_slice device_id, const char *name,
                                   ctl_connector_row *ret);
CS_MUST_USE int ctl_connector_store(struct ctl_run *run, struct cs_slice device_id,
                                    const ctl_connector_row *connector);
CS_MUST_USE int ctl_certificate_load(struct ctl_run *run, struct cs_slice id, ctl_certificate_row *ret);
CS_MUST_USE int ctl_certificate_store(struct ctl_run *run, const ctl_certificate_row *certificate);
CS_MUST_USE int ctl_request_load(struct ctl_run *run, uint64_t number, ctl_request_row *ret);
CS_MUST_USE int ctl_request_store(struct ctl_run *run, const ctl_request_row *request);
CS_MUST_USE int ctl_order_load(struct ctl_run *run, uint64_t number, ctl_order_row *ret);

/* Is the device's stream open? */
CS_MUST_USE int ctl_session_load(struct ctl_run *run, struct cs_slice device_id, ctl_session_row *ret,
                                 bool *ret_open);

/* A device's statement is its own, and of this deployment; gives the device. Its sequence is durable with
 * this command. */
CS_MUST_USE int ctl_statement_check_sender(struct ctl_run *run, const struct ctl_device_statement *said,
                                           const pb_byte_t deployment_id[16], const pb_byte_t device_id[16],
                                           ctl_device_row *ret);
CS_MUST_USE int ctl_statement_acknowledge(struct ctl_run *run, const struct ctl_device_statement *said,
                                          uint64_t sequence);

/* What the newest order and the device's last word make of the attachments at a connector: all of them, or
 * one certificate's. */
CS_MUST_USE int ctl_attachments_refresh(struct ctl_run *run, const char *device_name,
                                        const ctl_connector_row *connector);
CS_MUST_USE int ctl_attachment_refresh(struct ctl_run *run, const char *device_name,
                                       const ctl_connector_row *connector, struct cs_slice certificate_id);

#endif
