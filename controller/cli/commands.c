/* The table of commands: what there is to type, its help, and the function behind it. */
#include "controller/cli/nouns.h"

const struct cli_option cli_common_options[] = {
    {"socket", "PATH",
     "the controller's admin socket (or COUNTERSIGN_SOCKET; default " CLI_DEFAULT_SOCKET ")", false},
    CLI_OPTION("home", "DIR", "pin, policies and keys (or COUNTERSIGN_HOME; default ~/.config/countersign)"),
    CLI_OPTION("o", "FORMAT", "table (default) or json; json has ids in full"),
    {NULL, NULL, NULL, false},
};

#define OPTIONS(...)  ((const struct cli_option[]){__VA_ARGS__, {NULL, NULL, NULL, false}})
#define EXAMPLES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define CLI_OPTION_OPERATOR                                                                                  \
    CLI_OPTION_MANY("operator", "NAME=ROLE[,ROLE][:FILE]",                                                   \
                    "a person, roles, and the public key's file (default: what `operator keygen` left)")
#define CLI_OPTION_EXPIRES   CLI_OPTION("expires", "TIME", "how long the policy is valid (default 90d)")
#define CLI_OPTION_ROOT_KEYS CLI_OPTION("root-keys", "DIR", "where the root key is (default: roots/ at home)")
#define CLI_OPTION_NO_PASSPHRASE                                                                             \
    CLI_OPTION("no-passphrase", NULL, "leave the new key unencrypted: for machines and tests")
#define CLI_OPTION_MANUAL                                                                                    \
    CLI_OPTION("manual", NULL, "Manual Implementation on: the last decision starts the push")
#define CLI_OPTION_AT     CLI_OPTION("at", "TIME", "Manual Implementation off: not before this time (RFC 3339)")
#define CLI_OPTION_ORDERS CLI_OPTION("orders", "WO-1,WO-2", "only these work orders of the request")

#define DECISION_DETAILS                                                                                     \
    "Fetches the request, its work orders and all earlier decisions, verifies every signature under the "    \
    "pinned "                                                                                                \
    "trust policy, shows what would be signed, asks, signs and sends. Either --manual or --at must be "      \
    "given, or "                                                                                             \
    "is asked for at the terminal."

const struct cli_command cli_commands[] = {
    {"status", NULL, "", "Show how the controller is", NULL, NULL, EXAMPLES("status", "status -o json"), 0, 0,
     cli_status_run},

    {"trust", "init", "", "Make a deployment: root key, people, and the first trust policy",
     "Makes the root key, asks the controller for its public keys, composes the policy with the default rule "
     "(one "
     "approver approves, then one implementer implements), shows it, signs it, publishes it and pins it "
     "here. "
     "Roles: requester, approver, implementer, admin, auditor.",
     OPTIONS(CLI_OPTION_OPERATOR, CLI_OPTION("roots", "N", "how many root keys (1)"), CLI_OPTION_ROOT_KEYS,
             CLI_OPTION_EXPIRES, CLI_OPTION_NO_PASSPHRASE, CLI_OPTION_PASSPHRASE, CLI_OPTION_YES),
     EXAMPLES(
         "trust init --operator alice=admin,requester --operator bob=approver --operator carol=implementer"),
     0, 0, cli_trust_init},
    {"trust", "show", "", "Show the newest trust policy, verified from the pin", NULL, NULL,
     EXAMPLES("trust show", "trust show -o json"), 0, 0, cli_trust_show},
    {"trust", "pin", "DEPLOYMENT ROOTS", "Trust a deployment that somebody else made", NULL,
     OPTIONS(CLI_OPTION("least-version", "N", "of the policy (default 1)")),
     EXAMPLES("trust pin 7f42…d0 52a1…9e --least-version 3"), 2, 2, cli_trust_pin},
    {"trust", "publish", "", "Sign and publish the next version of the trust policy",
     "The same policy with a new expiry and the changes that are given.",
     OPTIONS(CLI_OPTION_OPERATOR, CLI_OPTION_MANY("remove-operator", "NAME", "who is no operator any more"),
             CLI_OPTION_ROOT_KEYS, CLI_OPTION_EXPIRES, CLI_OPTION_PASSPHRASE, CLI_OPTION_YES),
     EXAMPLES("trust publish", "trust publish --operator dave=approver:dave.pub --remove-operator bob"), 0, 0,
     cli_trust_publish},

    {"operator", "keygen", "NAME", "Make a person's key", NULL,
     OPTIONS(CLI_OPTION("keys", "DIR", "where to write NAME.key and NAME.pub (default: operators/ at home)"),
             CLI_OPTION_NO_PASSPHRASE, CLI_OPTION_PASSPHRASE),
     EXAMPLES("operator keygen alice"), 1, 1, cli_operator_keygen},

    {"device", "add", "NAME", "Make the one-use token with which a device enrols",
     "Prints the token; it is valid for an hour. With --wait it stays until the device has used it, checks "
     "that the "
     "token's holder made the keys, and signs the admission; otherwise `device admit` does that later.",
     OPTIONS(CLI_OPTION("wait", NULL, "wait for the device and admit it"), CLI_OPTION_TIMEOUT, CLI_OPTION_AS,
             CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("device add gw-1 --wait --as alice", "device add gw-1"), 1, 1, cli_device_add},
    {"device", "admit", "[NAME]", "Sign the admission of a device, or of one whose trust was taken away",
     "For a device that has enrolled: checks with the token that its holder made the keys. For one whose "
     "identity "
     "had expired: checks that the key that was admitted signed for the fresh one. For one that is banned or "
     "quarantined: admits the same keys anew. With --pending, everything that waits is listed, with or "
     "without "
     "the token at hand: compare both fingerprints with those of `countersign-agent status` on the device.",
     OPTIONS(CLI_OPTION("pending", NULL, "list all that waits, and ask for each"),
             CLI_OPTION_MANY("fingerprint", "HEX",
                             "of the identity key and of the KEM key, as the device shows them: instead of "
                             "comparing by eye"),
             CLI_OPTION_AS, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("device admit gw-1 --as alice", "device admit --pending --as alice",
              "device admit gw-1 --pending --fingerprint 9f3c…01 --fingerprint 77ab…e2 --as alice"),
     0, 1, cli_device_admit},
    {"device", "ban", "NAME", "End a device's session at once, and take no other before a new admission",
     "Work orders that were not handed over yet become Cancelled. `device admit NAME` lifts it.",
     OPTIONS(CLI_OPTION_COMMENT, CLI_OPTION_YES),
     EXAMPLES("device ban gw-1 --comment \"stolen from the van\""), 1, 1, cli_device_ban},
    {"device", "list", "", "List the devices", NULL, NULL, EXAMPLES("device list"), 0, 0, cli_device_list},
    {"device", "show", "NAME", "Show a device, its connectors, and who vouches for it", NULL, NULL,
     EXAMPLES("device show gw-1"), 1, 1, cli_device_show},

    {"cert", "import", "FILE...", "Import a certificate with its chain, leaf first",
     "PEM, or one certificate in DER; - is standard input. The private key may stand in the same PEM. An "
     "encrypted key "
     "is opened here, the controller never sees its passphrase.",
     OPTIONS(CLI_OPTION("key", "FILE", "the private key, for the controller to hold encrypted"),
             CLI_OPTION_PASSPHRASE),
     EXAMPLES("cert import client.pem --key client.key",
              "cert import leaf.pem intermediate.pem --key client.key", "cert import - <all.pem"),
     1, 16, cli_cert_import},
    {"cert", "list", "", "List the certificates", NULL, NULL, EXAMPLES("cert list", "cert list -o json"), 0,
     0, cli_cert_list},
    {"cert", "show", "CERT", "Show a certificate; CERT is its common name or the beginning of its id", NULL,
     NULL, EXAMPLES("cert show client.example", "cert show 3fa94c"), 1, 1, cli_cert_show},
    {"cert", "attach", "CERT DEVICE CONNECTOR", "Tie a certificate to an app connector", NULL, NULL,
     EXAMPLES("cert attach client.example gw-1 nginx"), 3, 3, cli_cert_attach},
    {"cert", "detach", "CERT DEVICE CONNECTOR", "Untie it again", NULL, NULL,
     EXAMPLES("cert detach client.example gw-1 nginx"), 3, 3, cli_cert_detach},

    {"push", NULL, "CERT", "Request that a certificate be pushed to its app connectors",
     "Reserves the work orders, checks each against what was asked for, shows the request, asks, signs and "
     "submits it. "
     "Nothing happens on a device before the stages of the trust policy are decided.",
     OPTIONS(CLI_OPTION_COMMENT, CLI_OPTION_AS,
             CLI_OPTION_MANY("to", "DEVICE/CONNECTOR", "only there (default: everywhere it is attached)"),
             CLI_OPTION("window", "TIME", "how long after its start the push stays valid (default 24h)"),
             CLI_OPTION("decide-by", "TIME", "how long people may take to decide (default 7d)"),
             CLI_OPTION("attempts", "N", "how often a device may try (default 3)"),
             CLI_OPTION("even-expired", NULL, "push although the certificate has expired"), CLI_OPTION_WAIT,
             CLI_OPTION_TIMEOUT, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("push client.example --comment \"yearly renewal\" --as alice",
              "push client.example --to gw-1/nginx --window 8h --comment test --as alice"),
     1, 1, cli_push_run},
    {"approve", NULL, "REQ-n", "Accept a push request at the stage \"approve\"", DECISION_DETAILS,
     OPTIONS(CLI_OPTION_MANUAL, CLI_OPTION_AT, CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_AS,
             CLI_OPTION_WAIT, CLI_OPTION_TIMEOUT, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("approve REQ-1 --manual --as bob",
              "approve REQ-1 --at 2026-12-24T22:00:00Z --comment \"at night\" --as bob"),
     1, 1, cli_approve_run},
    {"implement", NULL, "REQ-n", "Accept a push request at the stage \"implement\": the push starts",
     DECISION_DETAILS,
     OPTIONS(CLI_OPTION_MANUAL, CLI_OPTION_AT, CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_AS,
             CLI_OPTION_WAIT, CLI_OPTION_TIMEOUT, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("implement REQ-1 --manual --wait --as carol"), 1, 1, cli_implement_run},
    {"decide", NULL, "REQ-n", "Accept a push request at whatever stage is open", DECISION_DETAILS,
     OPTIONS(CLI_OPTION_MANUAL, CLI_OPTION_AT, CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_AS,
             CLI_OPTION_WAIT, CLI_OPTION_TIMEOUT, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("decide REQ-1 --manual --as dave"), 1, 1, cli_decide_run},
    {"reject", NULL, "REQ-n", "Reject a push request at the open stage; one reject closes its work orders",
     NULL,
     OPTIONS(CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_AS, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("reject REQ-1 --comment \"wrong certificate\" --as bob", "reject REQ-1 --orders WO-2 --as bob"),
     1, 1, cli_reject_run},
    {"cancel", NULL, "REQ-n", "Cancel what has not been handed over to devices yet", NULL,
     OPTIONS(CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_YES),
     EXAMPLES("cancel REQ-1", "cancel REQ-1 --orders WO-2,WO-3"), 1, 1, cli_cancel_run},
    {"wait", NULL, "REQ-n", "Wait until every work order of a push request has ended", NULL,
     OPTIONS(CLI_OPTION_TIMEOUT), EXAMPLES("wait REQ-1 --timeout 10m"), 1, 1, cli_wait_run},

    {"request", "list", "", "List the push requests, newest first", NULL,
     OPTIONS(CLI_OPTION("open", NULL, "only those that have not ended")), EXAMPLES("request list --open"), 0,
     0, cli_request_list},
    {"request", "show", "REQ-n", "Show a push request with its decisions, verified here", NULL, NULL,
     EXAMPLES("request show REQ-1"), 1, 1, cli_request_show},
    {"order", "list", "", "List the work orders", NULL,
     OPTIONS(CLI_OPTION("request", "REQ-n", "only those of this request"),
             CLI_OPTION("device", "NAME", "only those for this device")),
     EXAMPLES("order list", "order list --request REQ-1"), 0, 0, cli_order_list},
    {"order", "show", "WO-n", "Show a work order and the device's own signed account of it", NULL, NULL,
     EXAMPLES("order show WO-1"), 1, 1, cli_order_show},
    {"topology", NULL, "CERT", "Show a certificate's app connectors and devices, and how each push stands",
     NULL, NULL, EXAMPLES("topology client.example"), 1, 1, cli_topology_run},
    {"audit", "list", "", "List what was changed, by whom", NULL,
     OPTIONS(CLI_OPTION("after", "REVISION", "only what came after it")),
     EXAMPLES("audit list --after 100 -o json"), 0, 0, cli_audit_list},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
