/* show.h - statements and states in words that people read. What is shown before signing is decoded from the
 * very bytes that are signed: callers encode, decode those bytes again, and show that. Pure: fills documents
 * (out.h). */
#ifndef CTL_CLI_SHOW_H
#define CTL_CLI_SHOW_H

#include "controller/cli/check.h"
#include "controller/cli/out.h"

/* "green", and what it means: "available and valid". */
const char *cli_show_colour_word(countersign_v1_Colour colour);
const char *cli_show_colour_meaning(countersign_v1_Colour colour);
enum cli_tint cli_show_colour_tint(countersign_v1_Colour colour);

/* "Push-Approval Pending" … "Completed"; completed orders are green, failed ones red, closed ones gray. */
const char *cli_show_state_word(countersign_v1_OrderState state);
enum cli_tint cli_show_state_tint(countersign_v1_OrderState state);
/* What people type for the states, from the first (ORDER_STATE_UNSPECIFIED is none); ends with NULL. */
extern const char *const cli_show_state_options[];
bool cli_show_state_ended(countersign_v1_OrderState state);
/* The controller's own words for the state ("Push-Review In Progress 1/2") where it has them. */
const char *cli_show_order_state(const countersign_v1_Order *order);

/* "connected", "offline", "banned", … */
const char *cli_show_presence(const countersign_v1_Device *device);
enum cli_tint cli_show_presence_tint(const countersign_v1_Device *device);

/* "in sync", "out of sync", "missing", "unknown". */
const char *cli_show_sync_word(countersign_v1_SyncState state);
enum cli_tint cli_show_sync_tint(countersign_v1_SyncState state);

/* "Waiting for the device", … */
const char *cli_show_key_request_state(struct cli_style style, countersign_v1_KeyRequestState state);
enum cli_tint cli_show_key_request_tint(countersign_v1_KeyRequestState state);

const char *cli_show_action_word(countersign_v1_Action action);
/* Where the private key comes from: "held" for machines, "held by the controller" for people; of a
 * certificate, and of a work order, with which none may travel. */
const char *cli_show_key_mode(struct cli_style style, countersign_v1_KeyMode mode);
const char *cli_show_core_key(struct cli_style style, const countersign_v1_OrderCore *core);
const char *cli_show_role_word(countersign_v1_Role role);
/* Of an operator's key: "file", "browser". */
const char *cli_show_key_kind_word(countersign_v1_KeyKind kind);
/* ROLE_UNSPECIFIED for a word that is none. */
countersign_v1_Role cli_show_role_of(const char *word, size_t len);
const char *cli_show_outcome_word(countersign_v1_Outcome outcome);

enum { CLI_TEXT_BYTES = 128 };
/* "REQ-3", "WO-7" and "gw-1/nginx" into a buffer of CLI_TEXT_BYTES. */
char *cli_show_request_number(uint64_t number, char *out);
char *cli_show_order_number(uint64_t number, char *out);
char *cli_show_target(const char *device, const char *connector, char *out);
/* "24h", "7d", "90s": the largest unit that divides it. */
char *cli_show_duration(int64_t seconds, char *out);
/* "P-256", "RSA 2048". */
char *cli_show_key_kind(countersign_v1_CertificateKey key, uint32_t bits, char *out);

/* The statements, as fields and tables. */
void cli_show_policy(struct cli_doc *doc, const countersign_v1_TrustPolicy *policy);
void cli_show_admission(struct cli_doc *doc, const countersign_v1_Admission *admission);
void cli_show_certificate(struct cli_doc *doc, const struct cli_check_certificate *certificate);
void cli_show_push_request(struct cli_doc *doc, const countersign_v1_PushRequest *request,
                           const char *comment);
/* The part of it that whoever decides takes over: until when, how long, how often, and what is overridden. */
void cli_show_push_terms(struct cli_doc *doc, const countersign_v1_PushRequest *request);
/* What these orders do, in plain words: "remove client.example from gw-1/nginx". */
void cli_show_task(struct cli_doc *doc, countersign_v1_OrderCore *const *cores, size_t count,
                   const char *certificate_name);
void cli_show_cores(struct cli_doc *doc, countersign_v1_OrderCore *const *cores, size_t count);
void cli_show_decision(struct cli_doc *doc, const countersign_v1_Decision *decision, const char *stage_name,
                       const char *comment);
void cli_show_key_request(struct cli_doc *doc, const char *device_name,
                          const countersign_v1_KeyRequest *request);
void cli_show_report(struct cli_doc *doc, const countersign_v1_DeviceReport *report);

/* What differs from `from` to `to`, a row each; version and expiry always. */
void cli_show_policy_changes(struct cli_doc *doc, const countersign_v1_TrustPolicy *from,
                             const countersign_v1_TrustPolicy *to);
/* The payload's digest, in full and in the words that two people compare. */
void cli_show_digest(struct cli_doc *doc, const struct cs_digest *payload);

/* The comment that came beside a statement, or a sentence that says that it is not the one that was signed.
 */
const char *cli_show_signed_comment(const char *comment, struct cs_slice digest);

#endif
