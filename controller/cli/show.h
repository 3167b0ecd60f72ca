/* show.h - statements and states in words that people read. What is shown before signing is decoded from the
 * very bytes that are signed: callers encode, decode those bytes again, and show that. Pure: fills documents
 * (out.h). */
#ifndef CTL_CLI_SHOW_H
#define CTL_CLI_SHOW_H

#include "controller/cli/check.h"
#include "controller/cli/out.h"

/* "green", and what it means: "available and valid". */
const char *show_colour_word(countersign_v1_Colour colour);
const char *show_colour_meaning(countersign_v1_Colour colour);
enum out_tint show_colour_tint(countersign_v1_Colour colour);

/* "Push-Approval Pending" … "Completed"; completed orders are green, failed ones red, closed ones gray. */
const char *show_state_word(countersign_v1_OrderState state);
enum out_tint show_state_tint(countersign_v1_OrderState state);
bool show_state_ended(countersign_v1_OrderState state);
/* The controller's own words for the state ("Push-Review In Progress 1/2") where it has them. */
const char *show_order_state(const countersign_v1_Order *order);

const char *show_action_word(countersign_v1_Action action);
const char *show_key_mode_word(countersign_v1_KeyMode mode);
const char *show_role_word(countersign_v1_Role role);
/* ROLE_UNSPECIFIED for a word that is none. */
countersign_v1_Role show_role_of(const char *word, size_t len);
const char *show_outcome_word(countersign_v1_Outcome outcome);

enum { SHOW_TEXT_BYTES = 128 };
/* "REQ-3", "WO-7" and "gw-1/nginx" into a buffer of SHOW_TEXT_BYTES. */
char *show_request_number(uint64_t number, char *out);
char *show_order_number(uint64_t number, char *out);
char *show_target(const char *device, const char *connector, char *out);
/* "24h", "7d", "90s": the largest unit that divides it. */
char *show_duration(int64_t seconds, char *out);
/* "P-256", "RSA 2048". */
char *show_key_kind(countersign_v1_CertificateKey key, uint32_t bits, char *out);

/* The statements, as fields and tables. */
void show_policy(struct out_doc *doc, const countersign_v1_TrustPolicy *policy);
void show_admission(struct out_doc *doc, const countersign_v1_Admission *admission);
void show_certificate(struct out_doc *doc, const struct check_certificate *certificate);
void show_push_request(struct out_doc *doc, const countersign_v1_PushRequest *request, const char *comment);
void show_cores(struct out_doc *doc, countersign_v1_OrderCore *const *cores, size_t count);
void show_decision(struct out_doc *doc, const countersign_v1_Decision *decision, const char *stage_name,
                   const char *comment);
void show_report(struct out_doc *doc, const countersign_v1_DeviceReport *report);

/* The comment that came beside a statement, or a sentence that says that it is not the one that was signed.
 */
const char *show_signed_comment(const char *comment, struct cs_slice digest);

#endif
