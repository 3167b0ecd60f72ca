/* control.h - a controller for tests: the core over a map in memory, with the people of deployment.h, devices
 * and certificates, and one line for each thing that people and devices do. The invariants are checked after
 * every command. Failing ends the test.
 *
 *   control_start(&c);
 *   control_device(&c, "gw-0");                 // enrolled, admitted, advertises "web"
 *   control_certificate(&c, "shop");
 *   control_attach(&c, "shop", "gw-0");
 *   push = control_push(&c, "shop");            // prepared, signed by alice, submitted: REQ-n
 *   control_decide(&c, push, "bob", 1);
 *   control_decide(&c, push, "carol", 2);
 *   control_tick(&c);
 *   control_stop(&c); */
#ifndef CS_TESTS_CONTROL_H
#define CS_TESTS_CONTROL_H

#include "controller/core/core.h"
#include "controller/core/record.h"
#include "tests/support/deployment.h"
#include "tests/support/memview.h"
#include "tests/support/pki.h"

enum { CONTROL_CERTIFICATES = 4, CONTROL_EFFECTS = 512 };

struct control {
    struct deployment d; /* d.now_s is the clock */
    struct memview store;
    struct pki ca;
    struct {
        char name[64];
        struct pki pki;
    } certificates[CONTROL_CERTIFICATES];
    uint64_t random;
    uint64_t sequence, session;                           /* last ones given */
    struct cs_err err;                                    /* of the last command */
    struct ctl_outcome outcome;                           /* of the last command */
    bool fast;                                            /* hand the core the shard's evaluation */
    void (*on_commit)(void *data, struct ctl_view *view); /* NULL: nobody else keeps what is written */
    void *on_commit_data;
    struct ctl_settings settings; /* the defaults, until a test sets others */
    /* What the next requests sign beside the usual. */
    uint32_t max_attempts; /* 0: the 3 of deployment.h */
    bool even_expired, even_revoked;
    countersign_v1_Action action; /* unspecified: install */
    bool with_mail;               /* devices advertise "mail" beside "web" */
    const char *remark;           /* that they make about "web"; NULL: none */
    int64_t decide_within_s;      /* 0: as deployment.h has it */
    bool unchecked;               /* leave the invariants alone: the caller checks now and then */
};

void control_start(struct control *ret);
void control_stop(struct control *c);

/* One command in a group of its own: committed if it succeeds, without a trace if not. */
int control_run(struct control *c, enum ctl_command_kind kind, const void *body, void *reply);
/* The process ends and starts again: what was committed is there, presence is not. */
void control_restart(struct control *c);

/* ---- people; those with a code return the core's, the others end the test */
void control_policy(struct control *c); /* publishes d.policy */
void control_certificate(struct control *c, const char *name);
struct cs_digest control_certificate_id(struct control *c, const char *name);
struct cs_digest control_chain_digest(struct control *c, const char *name);
int control_attach(struct control *c, const char *certificate, const char *device);
int control_attach_at(struct control *c, const char *certificate, const char *device, const char *connector);
int control_detach(struct control *c, const char *certificate, const char *device);
int control_prepare(struct control *c, const char *certificate, const char *device, uint64_t *ret_number);
int control_submit(struct control *c, uint64_t number);
/* Both, to every attachment. */
uint64_t control_push(struct control *c, const char *certificate);
/* Accepts; manual. */
int control_decide(struct control *c, uint64_t request, const char *who, uint32_t stage);
/* With everything that a decision can say, `not_before_s` 0: manual. */
int control_decide_so(struct control *c, uint64_t number, const char *who, uint32_t stage,
                      countersign_v1_Verdict verdict, int64_t not_before_s);
/* The two halves of it, for decisions that say something else: what `who` would sign now, having seen all
 * decisions; and whatever it says then, signed with the key of `key_of`. */
void control_fill_decision(struct control *c, uint64_t number, const char *who, uint32_t stage,
                           countersign_v1_Decision *ret);
int control_send_decision(struct control *c, uint64_t number, const countersign_v1_Decision *decision,
                          const char *key_of);
int control_cancel(struct control *c, uint64_t request);
/* bob and carol. */
void control_approve(struct control *c, uint64_t request);

/* ---- devices */
void control_device(struct control *c, const char *name);
int control_token(struct control *c, const char *name, const char *token);
/* `generation` tells one enrolment's keys from another's. */
int control_enrol(struct control *c, const char *name, const char *token, unsigned generation);
int control_admit(struct control *c, const char *name, unsigned generation);
int control_open(struct control *c, const char *name); /* a new session */
int control_close(struct control *c, const char *name);
/* With `installed` on the connector "web": NULL: nothing. */
int control_advertise(struct control *c, const char *name, const struct cs_digest *installed);
int control_report(struct control *c, uint64_t number, countersign_v1_Outcome outcome);
/* Refused with this word, by a device that knows the order's id and nothing else. */
int control_refuse_unread(struct control *c, uint64_t number, const char *verdict);

/* By hand, for good. */
void control_revoke(struct control *c, const char *name);

/* ---- time */
int control_tick(struct control *c);
/* When the clock has to run next. */
int64_t control_next_due(struct control *c);

/* ---- looking */
ctl_order_row control_order(struct control *c, uint64_t number);
ctl_request_row control_request(struct control *c, uint64_t number);
ctl_device_row control_device_row(struct control *c, const char *name);
ctl_meta_row control_meta(struct control *c);
bool control_get(struct control *c, const struct ctl_key *key, const pb_msgdesc_t *fields, void *row);
/* Behind the core's back. */
void control_put(struct control *c, const struct ctl_key *key, const pb_msgdesc_t *fields, const void *row);
/* Did the last command hand this order over? */
bool control_delivered(const struct control *c, uint64_t order);
/* Or told the device to leave it? */
bool control_cancel_sent(const struct control *c, uint64_t order);
/* Everything that must hold between any two commands; ends the test where it does not. */
void control_check(struct control *c);

#endif
