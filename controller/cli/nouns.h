/* nouns.h - the functions of the table of commands, a file for each noun. Each finds operands and options in
 * cli->args, prints its result, and returns CS_OK or a code with a sentence; cli->failure has the exit status
 * then. */
#ifndef CTL_CLI_NOUNS_H
#define CTL_CLI_NOUNS_H

#include "controller/cli/cli.h"

int cli_trust_init(struct cli *cli, struct cs_err *err);
int cli_trust_show(struct cli *cli, struct cs_err *err);
int cli_trust_pin(struct cli *cli, struct cs_err *err);
int cli_trust_publish(struct cli *cli, struct cs_err *err);
int cli_trust_keygen(struct cli *cli, struct cs_err *err);
int cli_trust_draft(struct cli *cli, struct cs_err *err);
int cli_trust_add_operator(struct cli *cli, struct cs_err *err);
int cli_trust_remove_operator(struct cli *cli, struct cs_err *err);
int cli_trust_add_key(struct cli *cli, struct cs_err *err);
int cli_trust_remove_key(struct cli *cli, struct cs_err *err);
int cli_trust_add_group(struct cli *cli, struct cs_err *err);
int cli_trust_remove_group(struct cli *cli, struct cs_err *err);
int cli_trust_set_stage(struct cli *cli, struct cs_err *err);
int cli_trust_remove_stage(struct cli *cli, struct cs_err *err);
int cli_trust_add_rule(struct cli *cli, struct cs_err *err);
int cli_trust_remove_rule(struct cli *cli, struct cs_err *err);
int cli_trust_set_roots(struct cli *cli, struct cs_err *err);
int cli_trust_set_expiry(struct cli *cli, struct cs_err *err);
int cli_trust_diff(struct cli *cli, struct cs_err *err);
int cli_trust_sign(struct cli *cli, struct cs_err *err);
int cli_operator_keygen(struct cli *cli, struct cs_err *err);
int cli_operator_pair(struct cli *cli, struct cs_err *err);
int cli_device_add(struct cli *cli, struct cs_err *err);
int cli_device_admit(struct cli *cli, struct cs_err *err);
int cli_device_list(struct cli *cli, struct cs_err *err);
int cli_device_show(struct cli *cli, struct cs_err *err);
int cli_cert_import(struct cli *cli, struct cs_err *err);
int cli_cert_group(struct cli *cli, struct cs_err *err);
int cli_cert_list(struct cli *cli, struct cs_err *err);
int cli_cert_show(struct cli *cli, struct cs_err *err);
int cli_cert_attach(struct cli *cli, struct cs_err *err);
int cli_cert_detach(struct cli *cli, struct cs_err *err);
int cli_push_run(struct cli *cli, struct cs_err *err);
int cli_remove_run(struct cli *cli, struct cs_err *err);
int cli_roll_back_run(struct cli *cli, struct cs_err *err);
int cli_approve_run(struct cli *cli, struct cs_err *err);
int cli_implement_run(struct cli *cli, struct cs_err *err);
int cli_decide_run(struct cli *cli, struct cs_err *err);
int cli_reject_run(struct cli *cli, struct cs_err *err);
int cli_cancel_run(struct cli *cli, struct cs_err *err);
int cli_wait_run(struct cli *cli, struct cs_err *err);
int cli_request_list(struct cli *cli, struct cs_err *err);
int cli_request_show(struct cli *cli, struct cs_err *err);
int cli_order_list(struct cli *cli, struct cs_err *err);
int cli_order_show(struct cli *cli, struct cs_err *err);
int cli_topology_run(struct cli *cli, struct cs_err *err);
int cli_status_run(struct cli *cli, struct cs_err *err);
int cli_session_show(struct cli *cli, struct cs_err *err);
int cli_session_open(struct cli *cli, struct cs_err *err);
int cli_session_close(struct cli *cli, struct cs_err *err);
int cli_session_list(struct cli *cli, struct cs_err *err);
int cli_session_end(struct cli *cli, struct cs_err *err);
int cli_audit_list(struct cli *cli, struct cs_err *err);
int cli_audit_export(struct cli *cli, struct cs_err *err);
int cli_audit_verify_run(struct cli *cli, struct cs_err *err);
int cli_cert_request(struct cli *cli, struct cs_err *err);
int cli_cert_requests(struct cli *cli, struct cs_err *err);
int cli_cert_csr(struct cli *cli, struct cs_err *err);
int cli_cert_revoke(struct cli *cli, struct cs_err *err);
int cli_crl_import(struct cli *cli, struct cs_err *err);
int cli_crl_list(struct cli *cli, struct cs_err *err);
int cli_device_ban(struct cli *cli, struct cs_err *err);
int cli_device_group(struct cli *cli, struct cs_err *err);
int cli_device_topology(struct cli *cli, struct cs_err *err);

int cli_watch_run(struct cli *cli, struct cs_err *err);
int cli_inbox_run(struct cli *cli, struct cs_err *err);
int cli_whoami_run(struct cli *cli, struct cs_err *err);
int cli_console_run(struct cli *cli, struct cs_err *err);
int cli_device_forget(struct cli *cli, struct cs_err *err);
int cli_completion_run(struct cli *cli, struct cs_err *err);

/* A new signing key in a file of mode 0600, with a passphrase by default (operator.c). */
CS_MUST_USE int cli_key_make(struct cli *cli, const char *path, struct cs_key **ret, struct cs_err *err);
/* How long a trust policy is valid where nothing else is said. */
#define CLI_POLICY_LIFE_S ((int64_t)90 * 24 * 3600)
/* --threshold of so many root keys, or more than half of them (trust.c). */
CS_MUST_USE int cli_trust_threshold(struct cli *cli, size_t roots, uint32_t *ret, struct cs_err *err);
/* Waits until every work order of the request has ended, and prints them (wait.c). The command has --timeout.
 */
CS_MUST_USE int cli_wait_for(struct cli *cli, uint64_t request_number, struct cs_err *err);
/* The table of orders that several commands print (order.c). */
struct cli_doc;
void cli_order_table(struct cli_doc *doc, const countersign_v1_Order *orders, size_t count);

#endif
