/* nouns.h - the functions of the table of commands, a file for each noun. Each finds operands and options in
 * cli->args, prints its result, and returns CS_OK or a code with a sentence; cli->failure has the exit status
 * then. */
#ifndef CTL_CLI_NOUNS_H
#define CTL_CLI_NOUNS_H

#include "controller/cli/cli.h"

int trust_init(struct cli *cli, struct cs_err *err);
int trust_show(struct cli *cli, struct cs_err *err);
int trust_pin(struct cli *cli, struct cs_err *err);
int trust_publish(struct cli *cli, struct cs_err *err);
int operator_keygen(struct cli *cli, struct cs_err *err);
int device_add(struct cli *cli, struct cs_err *err);
int device_admit(struct cli *cli, struct cs_err *err);
int device_list(struct cli *cli, struct cs_err *err);
int device_show(struct cli *cli, struct cs_err *err);
int cert_import(struct cli *cli, struct cs_err *err);
int cert_list(struct cli *cli, struct cs_err *err);
int cert_show(struct cli *cli, struct cs_err *err);
int cert_attach(struct cli *cli, struct cs_err *err);
int cert_detach(struct cli *cli, struct cs_err *err);
int push_run(struct cli *cli, struct cs_err *err);
int approve_run(struct cli *cli, struct cs_err *err);
int implement_run(struct cli *cli, struct cs_err *err);
int decide_run(struct cli *cli, struct cs_err *err);
int reject_run(struct cli *cli, struct cs_err *err);
int cancel_run(struct cli *cli, struct cs_err *err);
int wait_run(struct cli *cli, struct cs_err *err);
int request_list(struct cli *cli, struct cs_err *err);
int request_show(struct cli *cli, struct cs_err *err);
int order_list(struct cli *cli, struct cs_err *err);
int order_show(struct cli *cli, struct cs_err *err);
int topology_run(struct cli *cli, struct cs_err *err);
int status_run(struct cli *cli, struct cs_err *err);
int audit_list(struct cli *cli, struct cs_err *err);

/* A new signing key in a file of mode 0600, with a passphrase by default (operator.c). */
CS_MUST_USE int key_make(struct cli *cli, const char *path, struct cs_key **ret, struct cs_err *err);
/* Waits until every work order of the request has ended, and prints them (wait.c). The command has --timeout.
 */
CS_MUST_USE int wait_for(struct cli *cli, uint64_t request_number, struct cs_err *err);
/* The table of orders that several commands print (order.c). */
struct out_doc;
void order_table(struct out_doc *doc, const countersign_v1_Order *orders, size_t count);

#endif
