/* The table of commands: what there is to type, its help, and the function behind it. */
#include "controller/cli/nouns.h"

const struct option common_options[] = {
    {"socket", "PATH",
     "the controller's admin socket (or COUNTERSIGN_SOCKET; default " HOME_DEFAULT_SOCKET ")", false},
    {"home", "DIR", "pin, policies and keys (or COUNTERSIGN_HOME; default ~/.config/countersign)", false},
    {"o", "FORMAT", "table (default) or json; json has ids in full", false},
    {NULL, NULL, NULL, false},
};

/* Every list of options ends so. */
#define OPTIONS_END                                                                                          \
    {                                                                                                        \
        NULL, NULL, NULL, false                                                                              \
    }
#define OPTIONS(...)  ((const struct option[]){__VA_ARGS__, OPTIONS_END})
#define EXAMPLES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define OPTION_OPERATOR                                                                                      \
    {                                                                                                        \
        "operator", "NAME=ROLE[,ROLE][:FILE]",                                                               \
            "a person, roles, and the public key's file (default: what `operator keygen` left)", true        \
    }
#define OPTION_EXPIRES                                                                                       \
    {                                                                                                        \
        "expires", "TIME", "how long the policy is valid (default 90d)", false                               \
    }
#define OPTION_ROOT_KEYS                                                                                     \
    {                                                                                                        \
        "root-keys", "DIR", "where the root key is (default: roots/ at home)", false                         \
    }
#define OPTION_NO_PASSPHRASE                                                                                 \
    {                                                                                                        \
        "no-passphrase", NULL, "leave the new key unencrypted: for machines and tests", false                \
    }
#define OPTION_MANUAL                                                                                        \
    {                                                                                                        \
        "manual", NULL, "Manual Implementation on: the last decision starts the push", false                 \
    }
#define OPTION_AT                                                                                            \
    {                                                                                                        \
        "at", "TIME", "Manual Implementation off: not before this time (RFC 3339)", false                    \
    }
#define OPTION_ORDERS                                                                                        \
    {                                                                                                        \
        "orders", "WO-1,WO-2", "only these work orders of the request", false                                \
    }

#define DECISION_DETAILS                                                                                     \
    "Fetches the request, its work orders and all earlier decisions, verifies every signature under the "    \
    "pinned\n"                                                                                               \
    "trust policy, shows what would be signed, asks, signs and sends. Either --manual or --at must be "      \
    "given, or\n"                                                                                            \
    "is asked for at the terminal."

const struct command commands[] = {
    {"status", NULL, "", "Show how the controller is", NULL, NULL, EXAMPLES("status", "status -o json"), 0, 0,
     status_run},

    {"trust", "init", "", "Make a deployment: root key, people, and the first trust policy",
     "Makes the root key, asks the controller for its public keys, composes the policy with the default rule "
     "(one\n"
     "approver approves, then one implementer implements), shows it, signs it, publishes it and pins it "
     "here.\n"
     "Roles: requester, approver, implementer, admin, auditor.",
     OPTIONS(OPTION_OPERATOR, {"roots", "N", "how many root keys (1)", false}, OPTION_ROOT_KEYS,
             OPTION_EXPIRES, OPTION_NO_PASSPHRASE, OPTION_PASSPHRASE, OPTION_YES),
     EXAMPLES(
         "trust init --operator alice=admin,requester --operator bob=approver --operator carol=implementer"),
     0, 0, trust_init},
    {"trust", "show", "", "Show the newest trust policy, verified from the pin", NULL, NULL,
     EXAMPLES("trust show", "trust show -o json"), 0, 0, trust_show},
    {"trust", "pin", "DEPLOYMENT ROOTS", "Trust a deployment that somebody else made", NULL,
     OPTIONS({"least-version", "N", "of the policy (default 1)", false}),
     EXAMPLES("trust pin 7f…d0 52…9e --least-version 3"), 2, 2, trust_pin},
    {"trust", "publish", "", "Sign and publish the next version of the trust policy",
     "The same policy with a new expiry and the changes that are given.",
     OPTIONS(OPTION_OPERATOR, {"remove-operator", "NAME", "who is no operator any more", true},
             OPTION_ROOT_KEYS, OPTION_EXPIRES, OPTION_PASSPHRASE, OPTION_YES),
     EXAMPLES("trust publish", "trust publish --operator dave=approver:dave.pub --remove-operator bob"), 0, 0,
     trust_publish},

    {"operator", "keygen", "NAME", "Make a person's key", NULL,
     OPTIONS({"keys", "DIR", "where to write NAME.key and NAME.pub (default: operators/ at home)", false},
             OPTION_NO_PASSPHRASE, OPTION_PASSPHRASE),
     EXAMPLES("operator keygen alice"), 1, 1, operator_keygen},

    {"device", "add", "NAME", "Make the one-use token with which a device enrols",
     "Prints the token; it is valid for an hour. With --wait it stays until the device has used it, checks "
     "that the\n"
     "token's holder made the keys, and signs the admission; otherwise `device admit` does that later.",
     OPTIONS({"wait", NULL, "wait for the device and admit it", false}, OPTION_TIMEOUT, OPTION_AS, OPTION_YES,
             OPTION_PASSPHRASE),
     EXAMPLES("device add gw-1 --wait --as alice", "device add gw-1"), 1, 1, device_add},
    {"device", "admit", "NAME", "Sign the admission of a device that has enrolled", NULL,
     OPTIONS(OPTION_AS, OPTION_YES, OPTION_PASSPHRASE), EXAMPLES("device admit gw-1 --as alice"), 1, 1,
     device_admit},
    {"device", "list", "", "List the devices", NULL, NULL, EXAMPLES("device list"), 0, 0, device_list},
    {"device", "show", "NAME", "Show a device, its connectors, and who vouches for it", NULL, NULL,
     EXAMPLES("device show gw-1"), 1, 1, device_show},

    {"cert", "import", "FILE…", "Import a certificate with its chain, leaf first",
     "PEM, or one certificate in DER; - is standard input. The private key may stand in the same PEM. An "
     "encrypted key\n"
     "is opened here, the controller never sees its passphrase.",
     OPTIONS({"key", "FILE", "the private key, for the controller to hold encrypted", false},
             OPTION_PASSPHRASE),
     EXAMPLES("cert import client.pem --key client.key",
              "cert import leaf.pem intermediate.pem --key client.key", "cert import - <all.pem"),
     1, 16, cert_import},
    {"cert", "list", "", "List the certificates", NULL, NULL, EXAMPLES("cert list", "cert list -o json"), 0,
     0, cert_list},
    {"cert", "show", "CERT", "Show a certificate; CERT is its common name or the beginning of its id", NULL,
     NULL, EXAMPLES("cert show client.example", "cert show 3fa94c"), 1, 1, cert_show},
    {"cert", "attach", "CERT DEVICE CONNECTOR", "Tie a certificate to an app connector", NULL, NULL,
     EXAMPLES("cert attach client.example gw-1 nginx"), 3, 3, cert_attach},
    {"cert", "detach", "CERT DEVICE CONNECTOR", "Untie it again", NULL, NULL,
     EXAMPLES("cert detach client.example gw-1 nginx"), 3, 3, cert_detach},

    {"push", NULL, "CERT", "Request that a certificate be pushed to its app connectors",
     "Reserves the work orders, checks each against what was asked for, shows the request, asks, signs and "
     "submits it.\n"
     "Nothing happens on a device before the stages of the trust policy are decided.",
     OPTIONS(OPTION_COMMENT, OPTION_AS,
             {"to", "DEVICE/CONNECTOR", "only there (default: everywhere it is attached)", true},
             {"window", "TIME", "how long after its start the push stays valid (default 24h)", false},
             {"decide-by", "TIME", "how long people may take to decide (default 7d)", false},
             {"attempts", "N", "how often a device may try (default 3)", false},
             {"even-expired", NULL, "push although the certificate has expired", false}, OPTION_WAIT,
             OPTION_TIMEOUT, OPTION_YES, OPTION_PASSPHRASE),
     EXAMPLES("push client.example --comment \"yearly renewal\" --as alice",
              "push client.example --to gw-1/nginx --window 8h --comment test --as alice"),
     1, 1, push_run},
    {"approve", NULL, "REQ-n", "Accept a push request at the stage \"approve\"", DECISION_DETAILS,
     OPTIONS(OPTION_MANUAL, OPTION_AT, OPTION_ORDERS, OPTION_COMMENT, OPTION_AS, OPTION_WAIT, OPTION_TIMEOUT,
             OPTION_YES, OPTION_PASSPHRASE),
     EXAMPLES("approve REQ-1 --manual --as bob",
              "approve REQ-1 --at 2026-12-24T22:00:00Z --comment \"at night\" --as bob"),
     1, 1, approve_run},
    {"implement", NULL, "REQ-n", "Accept a push request at the stage \"implement\": the push starts",
     DECISION_DETAILS,
     OPTIONS(OPTION_MANUAL, OPTION_AT, OPTION_ORDERS, OPTION_COMMENT, OPTION_AS, OPTION_WAIT, OPTION_TIMEOUT,
             OPTION_YES, OPTION_PASSPHRASE),
     EXAMPLES("implement REQ-1 --manual --wait --as carol"), 1, 1, implement_run},
    {"decide", NULL, "REQ-n", "Accept a push request at whatever stage is open", DECISION_DETAILS,
     OPTIONS(OPTION_MANUAL, OPTION_AT, OPTION_ORDERS, OPTION_COMMENT, OPTION_AS, OPTION_WAIT, OPTION_TIMEOUT,
             OPTION_YES, OPTION_PASSPHRASE),
     EXAMPLES("decide REQ-1 --manual --as dave"), 1, 1, decide_run},
    {"reject", NULL, "REQ-n", "Reject a push request at the open stage; one reject closes its work orders",
     NULL, OPTIONS(OPTION_ORDERS, OPTION_COMMENT, OPTION_AS, OPTION_YES, OPTION_PASSPHRASE),
     EXAMPLES("reject REQ-1 --comment \"wrong certificate\" --as bob", "reject REQ-1 --orders WO-2 --as bob"),
     1, 1, reject_run},
    {"cancel", NULL, "REQ-n", "Cancel what has not been handed over to devices yet", NULL,
     OPTIONS(OPTION_ORDERS, OPTION_COMMENT, OPTION_YES),
     EXAMPLES("cancel REQ-1", "cancel REQ-1 --orders WO-2,WO-3"), 1, 1, cancel_run},
    {"wait", NULL, "REQ-n", "Wait until every work order of a push request has ended", NULL,
     OPTIONS(OPTION_TIMEOUT), EXAMPLES("wait REQ-1 --timeout 10m"), 1, 1, wait_run},

    {"request", "list", "", "List the push requests, newest first", NULL,
     OPTIONS({"open", NULL, "only those that have not ended", false}), EXAMPLES("request list --open"), 0, 0,
     request_list},
    {"request", "show", "REQ-n", "Show a push request with its decisions, verified here", NULL, NULL,
     EXAMPLES("request show REQ-1"), 1, 1, request_show},
    {"order", "list", "", "List the work orders", NULL,
     OPTIONS({"request", "REQ-n", "only those of this request", false},
             {"device", "NAME", "only those for this device", false}),
     EXAMPLES("order list", "order list --request REQ-1"), 0, 0, order_list},
    {"order", "show", "WO-n", "Show a work order and the device's own signed account of it", NULL, NULL,
     EXAMPLES("order show WO-1"), 1, 1, order_show},
    {"topology", NULL, "CERT", "Show a certificate's app connectors and devices, and how each push stands",
     NULL, NULL, EXAMPLES("topology client.example"), 1, 1, topology_run},
    {"audit", "list", "", "List what was changed, by whom", NULL,
     OPTIONS({"after", "REVISION", "only what came after it", false}),
     EXAMPLES("audit list --after 100 -o json"), 0, 0, audit_list},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
