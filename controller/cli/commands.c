/* The table of commands: what there is to type, its help, and the function behind it. */
#include "controller/cli/nouns.h"

const struct cli_option cli_common_options[] = {
    {"socket", "PATH",
     "the controller's admin socket (or COUNTERSIGN_SOCKET; default " CLI_DEFAULT_SOCKET ")", false},
    CLI_OPTION(
        "controller", "URL",
        "instead of the socket: https://HOST:PORT of its operators' listener (or COUNTERSIGN_CONTROLLER)"),
    CLI_OPTION("ca", "FILE", "with --controller: the CA of its certificate (default: the trust policy's)"),
    CLI_OPTION("as", "NAME", "the operator who calls, and signs (or COUNTERSIGN_AS)"),
    CLI_OPTION("home", "DIR", "pin, policies and keys (or COUNTERSIGN_HOME; default ~/.config/countersign)"),
    CLI_OPTION("o", "FORMAT",
               "table (default), wide, json, jsonl (a line a row) or name (for the next command)"),
    CLI_OPTION("no-headers", NULL, "tables without their first line"),
    CLI_OPTION("quiet", NULL, "no progress on standard error"),
    CLI_OPTION("v", NULL, "say on standard error what the controller is asked, and how long it took"),
    {NULL, NULL, NULL, false},
};

#define OPTIONS(...)  ((const struct cli_option[]){__VA_ARGS__, {NULL, NULL, NULL, false}})
#define EXAMPLES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define CLI_OPTION_OPERATOR                                                                                  \
    CLI_OPTION_MANY("operator", "NAME=ROLE[,ROLE][:FILE]",                                                   \
                    "a person, roles, and the public key's file (default: what `operator keygen` left)")
#define CLI_OPTION_EXPIRES CLI_OPTION("expires", "TIME", "how long the policy is valid (default 90d)")
#define CLI_OPTION_ROOT_KEYS                                                                                 \
    CLI_OPTION("root-keys", "DIR", "where the root keys are (default: roots/ at home)")
#define CLI_OPTION_THRESHOLD                                                                                 \
    CLI_OPTION("threshold", "N", "how many roots sign a version (default: more than half)")
#define CLI_OPTION_DRAFT    CLI_OPTION("draft", "FILE", "the draft (default: `draft` at home)")
#define CLI_OPTION_POSITION CLI_OPTION("position", "N", "its place, from 1")
#define CLI_OPTION_NO_PASSPHRASE                                                                             \
    CLI_OPTION("no-passphrase", NULL, "leave the new key unencrypted: for machines and tests")
#define CLI_OPTION_MANUAL                                                                                    \
    CLI_OPTION("manual", NULL, "Manual Implementation on: the last decision starts the push")
#define CLI_OPTION_AT                                                                                        \
    CLI_OPTION("at", "TIME",                                                                                 \
               "Manual Implementation off: not before then: \"tomorrow 02:00\", \"monday 02:00\", "          \
               "\"2026-12-24 02:00\", \"in 3h\", or RFC 3339")
#define CLI_OPTION_ZONE   CLI_OPTION("zone", "ZONE", "of --at: Europe/Berlin, +01:00 or UTC (default: yours)")
#define CLI_OPTION_ORDERS CLI_OPTION("orders", "WO-1,WO-4..WO-9", "only these work orders of the request")

/* What a request can be told, whichever command makes it. */
#define CLI_OPTIONS_REQUEST                                                                                  \
    CLI_OPTION("dry-run", NULL, "say which rules and people it would need; sign and send nothing"),          \
        CLI_OPTION("window", "TIME", "how long after its start the push stays valid (default 24h)"),         \
        CLI_OPTION("decide-by", "TIME", "how long people may take to decide (default 7d)"),                  \
        CLI_OPTION("attempts", "N", "how often a device may try (default 3)"), CLI_OPTION_WAIT,              \
        CLI_OPTION_TIMEOUT, CLI_OPTION_YES, CLI_OPTION_PASSPHRASE
/* And one that brings a certificate. */
#define CLI_OPTIONS_PUSH                                                                                     \
    CLI_OPTIONS_REQUEST, CLI_OPTION("even-expired", NULL, "push although the certificate has expired"),      \
        CLI_OPTION("even-revoked", NULL, "push although the certificate is revoked"),                        \
        CLI_OPTION("key", "FILE", "seal this private key to the devices: the controller never sees it"),     \
        CLI_OPTION("key-passphrase-file", "FILE", "read the passphrase of --key from there")

#define DECISION_DETAILS                                                                                     \
    "Fetches the request, its work orders and all earlier decisions, verifies every signature under the "    \
    "pinned "                                                                                                \
    "trust policy, shows what would be signed, asks, signs and sends. Either --manual or --at must be "      \
    "given, or "                                                                                             \
    "is asked for at the terminal."

const struct cli_command cli_commands[] = {
    {"status", NULL, "", "Show how the controller is", NULL, NULL, EXAMPLES("status", "status -o json"), 0, 0,
     cli_status_run},

    {"trust", "init", "", "Make a deployment: root keys, people, and the first trust policy",
     "Makes the root keys, each in a file with a passphrase of its own, asks the controller for its public "
     "keys, composes "
     "the policy with the default rule (one approver approves, then one implementer implements), shows it, "
     "signs it with "
     "as many roots as it takes, publishes it and pins it here. Later versions are signed by the holders of "
     "the root keys "
     "one after the other, each on an own machine: `trust sign`. Roles: requester, approver, implementer, "
     "admin, auditor.",
     OPTIONS(CLI_OPTION_OPERATOR,
             CLI_OPTION("roots", "N", "how many root keys (default 3; 1 for small deployments)"),
             CLI_OPTION_THRESHOLD, CLI_OPTION_ROOT_KEYS, CLI_OPTION_EXPIRES, CLI_OPTION_NO_PASSPHRASE,
             CLI_OPTION_PASSPHRASE, CLI_OPTION_YES),
     EXAMPLES(
         "trust init --operator alice=admin,requester --operator bob=approver --operator carol=implementer",
         "trust init --roots 1 --operator alice=admin,requester --operator bob=approver --operator "
         "carol=implementer"),
     0, 0, cli_trust_init},
    {"trust", "show", "[FILE]", "Show the newest trust policy, verified from the pin, or a draft",
     "FILE is a draft or a policy: what it says, its digest in words, and which roots have signed it; the "
     "controller is "
     "not asked.",
     NULL, EXAMPLES("trust show", "trust show -o json", "trust show policy-4.draft"), 0, 1, cli_trust_show},
    {"trust", "pin", "DEPLOYMENT ROOTS", "Trust a deployment that somebody else made",
     "The two numbers come from the owner, on a way that you trust. From then on this client follows the "
     "policy version by "
     "version and keeps each one.",
     OPTIONS(CLI_OPTION("least-version", "N", "of the policy (default 1)"),
             CLI_OPTION("policy", "FILE",
                        "take the first policy from there, on a machine without the controller")),
     EXAMPLES("trust pin 7f42…d0 52a1…9e --least-version 3", "trust pin 7f42…d0 52a1…9e --policy policies/1"),
     2, 2, cli_trust_pin},
    {"trust", "draft", "", "Begin the next version of the trust policy",
     "Fetches the newest policy and writes the next version as a draft: the same with a new expiry. The "
     "commands `trust "
     "add-operator`, `remove-operator`, `set-stage`, `remove-stage`, `add-rule`, `remove-rule`, `set-roots` "
     "and "
     "`set-expiry` change it, `trust diff` shows what is changed, the holders of root keys sign it with "
     "`trust sign`, and "
     "`trust publish` makes it count.",
     OPTIONS(CLI_OPTION_DRAFT, CLI_OPTION_EXPIRES,
             CLI_OPTION("replace", NULL, "throw away a draft that is there")),
     EXAMPLES("trust draft", "trust draft --draft policy-4.draft --expires 30d"), 0, 0, cli_trust_draft},
    {"trust", "add-operator", "NAME=ROLE[,ROLE][:FILE]...", "Add people to the draft, or change their roles",
     "FILE is a public key. Without it somebody whom the draft has keeps the key and gets these roles; "
     "somebody new gets "
     "the key that `operator keygen` left here. - for FILE is no key: who works in a browser alone gets one "
     "by "
     "`operator pair`.",
     OPTIONS(CLI_OPTION_DRAFT),
     EXAMPLES("trust add-operator dave=approver:dave.pub", "trust add-operator bob=approver,implementer"), 1,
     16, cli_trust_add_operator},
    {"trust", "remove-operator", "NAME...", "Remove people from the draft",
     "What they signed before counts no more once the policy is published: requests that it does not satisfy "
     "end as "
     "Cancelled. Where a stage needs them, change it or add somebody first.",
     OPTIONS(CLI_OPTION_DRAFT), EXAMPLES("trust remove-operator bob"), 1, 16, cli_trust_remove_operator},
    {"trust", "add-key", "NAME FILE", "Add a key of a person to the draft",
     "FILE is a public key: of another machine, or of a browser, as `operator pair` wrote it. A key of kind "
     "browser completes the last stage of a push only where the rule allows it.",
     OPTIONS(CLI_OPTION("kind", "file|browser|passkey|pkcs11", "where its private half is (default file)"),
             CLI_OPTION_DRAFT),
     EXAMPLES("trust add-key bob bob-browser-5e08b1c2.pub --kind browser", "trust add-key bob laptop.pub"), 2,
     2, cli_trust_add_key},
    {"trust", "remove-key", "NAME ID", "Remove a key of a person from the draft",
     "ID is the key's, or its first 8 digits or more, as `trust show` lists them. Once the policy is "
     "published "
     "what the key signs counts no more, and the sessions that it opened end.",
     OPTIONS(CLI_OPTION_DRAFT), EXAMPLES("trust remove-key bob 5e08b1c2"), 2, 2, cli_trust_remove_key},
    {"trust", "add-group", "NAME=ROLE[,ROLE]:PERSON[,PERSON]...",
     "Add groups of people to the draft, or replace the one with the name",
     "Members have the group's roles beside their own. A stage that names @NAME means the members that have "
     "its role; "
     "a group may be without roles and only be named.",
     OPTIONS(CLI_OPTION_DRAFT),
     EXAMPLES("trust add-group night=approver,implementer:carol,dora", "trust add-group plant-2=:bob,ben"), 1,
     16, cli_trust_add_group},
    {"trust", "remove-group", "NAME...", "Remove groups from the draft; their members stay operators", NULL,
     OPTIONS(CLI_OPTION_DRAFT), EXAMPLES("trust remove-group night"), 1, 16, cli_trust_remove_group},
    {"trust", "set-stage", "RULE STAGE", "Change a stage of a rule in the draft, or add one",
     "STAGE is a name or a number. A name that the rule does not have adds a stage, which needs --role. What "
     "is not given "
     "stays as it is.",
     OPTIONS(CLI_OPTION("role", "ROLE", "who decides: approver, implementer, …"),
             CLI_OPTION("required", "N", "how many different people (a new stage: 1)"),
             CLI_OPTION_MANY("operator", "NAME", "only these people of the role; @GROUP: the group's"),
             CLI_OPTION("anybody", NULL, "everybody with the role, nobody named"), CLI_OPTION_POSITION,
             CLI_OPTION_DRAFT),
     EXAMPLES("trust set-stage default approve --required 2",
              "trust set-stage default 2 --operator carol --operator @night",
              "trust set-stage default security --role auditor --position 2"),
     2, 2, cli_trust_set_stage},
    {"trust", "remove-stage", "RULE STAGE", "Remove a stage of a rule from the draft", NULL,
     OPTIONS(CLI_OPTION_DRAFT), EXAMPLES("trust remove-stage default security"), 2, 2,
     cli_trust_remove_stage},
    {"trust", "add-rule", "NAME", "Add a rule to the draft",
     "A rule is for the pushes that match: each list of conditions that is given must have an entry that "
     "fits. The first "
     "rule that matches is taken; where none does, the strictest. So strict rules stand first: without "
     "--position the new "
     "rule comes behind those that want as many people or more, and before the first that matches "
     "everything.",
     OPTIONS(CLI_OPTION_MANY("stage", "NAME=ROLE[:COUNT][:PERSON,PERSON]",
                             "who decides, in the order of the stages"),
             CLI_OPTION_MANY("device", "NAME", "matches this device"),
             CLI_OPTION_MANY("connector", "NAME", "matches this app connector"),
             CLI_OPTION_MANY("issuer", "CN", "matches certificates of this issuer"),
             CLI_OPTION_MANY("name", "NAME",
                             "matches certificates with this name; *.example: one label before it"),
             CLI_OPTION("requester-may-decide", NULL, "the requester is not excluded from the stages"),
             CLI_OPTION("browser-may-finish", NULL, "a key made in a browser may complete the last stage"),
             CLI_OPTION("nobody-decides", NULL, "no stages: pushes start when they are requested"),
             CLI_OPTION_POSITION, CLI_OPTION_DRAFT),
     EXAMPLES("trust add-rule payments --name *.pay.example --stage approve=approver:2 --stage "
              "implement=implementer",
              "trust add-rule lab --device lab-1 --stage approve=approver --requester-may-decide"),
     1, 1, cli_trust_add_rule},
    {"trust", "remove-rule", "NAME", "Remove a rule from the draft", NULL, OPTIONS(CLI_OPTION_DRAFT),
     EXAMPLES("trust remove-rule lab"), 1, 1, cli_trust_remove_rule},
    {"trust", "set-roots", "FILE...", "Change the root keys in the draft",
     "Each FILE is a public key (`trust keygen` makes one); these and no others are the roots then. The "
     "version that "
     "changes the roots is signed by as many as it takes of the old and of the new ones; a key that is in "
     "both counts for "
     "both.",
     OPTIONS(CLI_OPTION_THRESHOLD, CLI_OPTION_DRAFT),
     EXAMPLES("trust set-roots root-1.pub root-2.pub root-4.pub --threshold 2"), 1, 8, cli_trust_set_roots},
    {"trust", "set-expiry", "TIME", "Change how long the draft's policy is valid, from now on", NULL,
     OPTIONS(CLI_OPTION_DRAFT), EXAMPLES("trust set-expiry 90d"), 1, 1, cli_trust_set_expiry},
    {"trust", "diff", "[FILE]", "Show what a draft changes, and which roots have signed it",
     "Compares with the newest policy that is kept here; the controller is not asked.", NULL,
     EXAMPLES("trust diff", "trust diff policy-4.draft"), 0, 1, cli_trust_diff},
    {"trust", "sign", "[FILE]", "Sign a draft with a root key",
     "Wants no network: only the draft, the pin and the policies kept here, and the key. Shows what the "
     "draft says and "
     "what it changes, decoded from the bytes that are signed, with the digest in words that all holders of "
     "root keys "
     "compare; asks; adds the signature to FILE. Each holder runs it once.",
     OPTIONS(CLI_OPTION("root-key", "FILE", "the private root key"), CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("trust sign --root-key roots/root-1.key",
              "trust sign policy-4.draft --root-key /media/stick/root-2.key"),
     0, 1, cli_trust_sign},
    {"trust", "publish", "[FILE]", "Publish a draft that enough roots have signed",
     "Checks it as every device will, gives it to the controller and pins it here. Open requests that it "
     "still satisfies "
     "live on, others end as Cancelled.",
     NULL, EXAMPLES("trust publish", "trust publish policy-4.draft"), 0, 1, cli_trust_publish},
    {"trust", "keygen", "NAME", "Make a root key", "For a change of roots: `trust set-roots`.",
     OPTIONS(CLI_OPTION_ROOT_KEYS, CLI_OPTION_NO_PASSPHRASE, CLI_OPTION_PASSPHRASE),
     EXAMPLES("trust keygen root-4"), 1, 1, cli_trust_keygen},

    {"operator", "keygen", "NAME", "Make a person's key", NULL,
     OPTIONS(CLI_OPTION("keys", "DIR", "where to write NAME.key and NAME.pub (default: operators/ at home)"),
             CLI_OPTION_NO_PASSPHRASE, CLI_OPTION_PASSPHRASE),
     EXAMPLES("operator keygen alice"), 1, 1, cli_operator_keygen},
    {"operator", "pair", "NAME", "Make the link by which a person's browser gets a key",
     "For who has only a browser, at a controller that serves the console (`console = yes`). The person "
     "opens "
     "the link within ten minutes; the browser makes a key and keeps its private half. With --wait the key "
     "comes back here: it is checked that whoever had the link made it, its public half is written to a "
     "file, "
     "and both of you compare the words that stand on both screens. It counts once `trust add-key` and the "
     "roots have put it into the trust policy.",
     OPTIONS(CLI_OPTION("url", "URL", "where the browser finds the controller (default: --controller)"),
             CLI_OPTION("wait", NULL, "wait for the browser, for the link made before if it is good still"),
             CLI_OPTION_TIMEOUT, CLI_OPTION("new", NULL, "another link, also where one waits"),
             CLI_OPTION("out", "FILE", "the public key's file (default: beside the operators' keys)"),
             CLI_OPTION_AS),
     EXAMPLES("operator pair bob --url https://controller.example:9443 --wait --as alice"), 1, 1,
     cli_operator_pair},

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
     OPTIONS(CLI_OPTION_COMMENT, CLI_OPTION_DRY_RUN, CLI_OPTION_YES),
     EXAMPLES("device ban gw-1 --comment \"stolen from the van\""), 1, 1, cli_device_ban},
    {"device", "list", "", "List the devices", NULL,
     OPTIONS(CLI_OPTION("group", "NAME", "only those in this group"),
             CLI_OPTION("search", "TEXT", "only those whose names begin so")),
     EXAMPLES("device list", "device list --group edge", "device list --search gw-"), 0, 0, cli_device_list},
    {"device", "group", "NAME [GROUP...]", "Set the groups that a device is in, for lists and pushes",
     "Replaces the groups that it was in. A group is there as long as a device is in it; no authority hangs "
     "on it.",
     OPTIONS(CLI_OPTION("none", NULL, "in no group"), CLI_OPTION_DRY_RUN),
     EXAMPLES("device group gw-1 edge north", "device group gw-1 --none"), 1, 9, cli_device_group},
    {"device", "topology", "NAME",
     "Show a device's app connectors and certificates, and how each push stands",
     "What the controller says; `request show REQ-n` verifies the signatures behind it.", NULL,
     EXAMPLES("device topology gw-1", "device topology gw-1 -o json"), 1, 1, cli_device_topology},
    {"device", "forget", "NAME", "Take older admissions of a device again",
     "This client keeps when each device was admitted, and refuses an admission that is older than one it "
     "has "
     "seen: a controller that was taken over could hand out the keys of a device that was lost.",
     OPTIONS(CLI_OPTION_DRY_RUN), EXAMPLES("device forget gw-1"), 1, 1, cli_device_forget},
    {"device", "show", "NAME", "Show a device, its connectors, and who vouches for it", NULL, NULL,
     EXAMPLES("device show gw-1"), 1, 1, cli_device_show},

    {"cert", "import", "FILE...", "Import certificates with their chains, leaf first",
     "PEM, or one certificate in DER; - is standard input. The private key may stand in the same PEM. An "
     "encrypted key is opened here, the controller never sees its passphrase. Several files with --key are "
     "one certificate with its chain. Several without, and a folder (its *.pem, *.crt, *.cer, *.der and "
     "*.key), are imported one by one: each key goes with the certificate that it fits, a line says what "
     "became of each file, and the command fails if one was refused.",
     OPTIONS(CLI_OPTION("key", "FILE", "the private key, for the controller to hold encrypted"),
             CLI_OPTION_DRY_RUN, CLI_OPTION_PASSPHRASE),
     EXAMPLES("cert import client.pem --key client.key",
              "cert import leaf.pem intermediate.pem --key client.key", "cert import certificates/",
              "cert import - <all.pem"),
     1, CLI_ARGS_OPERANDS_MAX, cli_cert_import},
    {"cert", "list", "", "List the certificates",
     "Everything that is given must hold. A word of --search begins a word of the common name, of another "
     "name or of the issuer, or (from 4 digits on) the serial or the id; capital and small letters are one. "
     "COLOUR: green, blue, yellow, orange, purple, gray, red, black. ORDER: name, issuer, serial, expires, "
     "issued, imported, colour (worst first), connectors.",
     OPTIONS(CLI_OPTION_MANY("search", "WORDS", "with all of these words"),
             CLI_OPTION_MANY("colour", "COLOUR", "of one of these colours"),
             CLI_OPTION("name", "CN", "with exactly this common name"),
             CLI_OPTION("issuer", "NAME", "with exactly this issuer, as the list shows it"),
             CLI_OPTION("group", "NAME", "in this group"),
             CLI_OPTION("expires-within", "TIME", "valid now, and not any more after this time: 30d"),
             CLI_OPTION("key-kind", "KIND", "rsa, p256 or p384"),
             CLI_OPTION("private-key", "WHERE", "held, on-device or none"),
             CLI_OPTION("attached", NULL, "attached to an app connector"),
             CLI_OPTION("unattached", NULL, "attached to none"),
             CLI_OPTION("renewed", NULL, "with a newer one of the same names in the inventory"),
             CLI_OPTION("sort", "ORDER", "in this order (default: name)"),
             CLI_OPTION("descending", NULL, "the other way round"),
             CLI_OPTION("limit", "N", "this many at most")),
     EXAMPLES("cert list", "cert list --search berlin --expires-within 30d --sort expires",
              "cert list --colour red --colour orange -o json", "cert list --group prod --unattached"),
     0, 0, cli_cert_list},
    {"cert", "group", "CERT [+NAME|-NAME]...", "Put a certificate into groups, or take it out",
     "+NAME (or NAME) adds, -NAME takes away: put -- before the first one that begins with a dash. Without "
     "any, shows the groups.",
     OPTIONS(CLI_OPTION_DRY_RUN),
     EXAMPLES("cert group client.example +prod +berlin", "cert group client.example -- -lab +prod"), 1, 9,
     cli_cert_group},
    {"cert", "show", "CERT", "Show a certificate; CERT is its common name or the beginning of its id", NULL,
     NULL, EXAMPLES("cert show client.example", "cert show 3fa94c"), 1, 1, cli_cert_show},
    {"cert", "attach", "CERT DEVICE CONNECTOR", "Tie a certificate to an app connector", NULL,
     OPTIONS(CLI_OPTION_DRY_RUN), EXAMPLES("cert attach client.example gw-1 nginx"), 3, 3, cli_cert_attach},
    {"cert", "detach", "CERT DEVICE CONNECTOR", "Untie it again", NULL, OPTIONS(CLI_OPTION_DRY_RUN),
     EXAMPLES("cert detach client.example gw-1 nginx"), 3, 3, cli_cert_detach},

    {"push", NULL, "CERT", "Request that a certificate be pushed to its app connectors",
     "Reserves the work orders, checks each against what was asked for, shows the request, asks, signs and "
     "submits it. "
     "Nothing happens on a device before the stages of the trust policy are decided.",
     OPTIONS(
         CLI_OPTION_COMMENT, CLI_OPTION_AS,
         CLI_OPTION_MANY("to", "DEVICE/CONNECTOR", "only there (default: everywhere it is attached)"),
         CLI_OPTION("like", "CERT", "attach it to wherever this one is, first"),
         CLI_OPTION("renew", NULL, "the same with the certificate that it renews"),
         CLI_OPTION_MANY("group", "NAME", "only where it is attached on devices of this group, beside --to"),
         CLI_OPTIONS_PUSH),
     EXAMPLES("push client.example --comment \"yearly renewal\" --as alice",
              "push 3fa94c --renew --comment \"yearly renewal\" --as alice",
              "push client.example --to gw-1/nginx --window 8h --comment test --as alice",
              "push client.example --group edge --comment \"edge first\" --as alice",
              "push client.example --key client.key --comment \"key stays with us\" --as alice",
              "push client.example --dry-run --as alice"),
     1, 1, cli_push_run},
    {"remove", NULL, "CERT", "Request that a certificate be removed from its app connectors",
     "As a push, with the same stages and signatures: each device takes away what was installed, if it is "
     "this certificate, and its application goes on without. Expired and revoked ones, too. The certificate "
     "stays attached: `cert detach` unties it.",
     OPTIONS(CLI_OPTION_COMMENT, CLI_OPTION_AS,
             CLI_OPTION_MANY("to", "DEVICE/CONNECTOR", "only there (default: wherever it is installed)"),
             CLI_OPTION_MANY("group", "NAME", "only on devices of this group, beside --to"),
             CLI_OPTIONS_REQUEST),
     EXAMPLES("remove client.example --comment \"service ended\" --as alice",
              "remove client.example --to gw-1/nginx --comment \"moved to gw-2\" --as alice"),
     1, 1, cli_remove_run},
    {"roll-back", NULL, "DEVICE CONNECTOR", "Request that the certificate that was there before come back",
     "Finds the completed work order before the one that brought what is installed now, says which "
     "certificate it brought, and requests it back, with the same stages and signatures as any push. It has "
     "to be attached there still. Where the device's own signed report, verified here, tells which of its "
     "generations that is, the device goes back to that one and no key travels; otherwise, and with --push "
     "or "
     "--key, it is an ordinary push. What is shown says which.",
     OPTIONS(CLI_OPTION_COMMENT, CLI_OPTION_AS,
             CLI_OPTION("push", NULL, "an ordinary push, whatever the device has kept"), CLI_OPTIONS_PUSH),
     EXAMPLES("roll-back gw-1 nginx --comment \"the new one breaks old clients\" --as alice",
              "roll-back gw-1 nginx --push --comment \"the new one breaks old clients\" --as alice"),
     2, 2, cli_roll_back_run},
    {"approve", NULL, "REQ-n", "Accept a push request at the stage \"approve\"", DECISION_DETAILS,
     OPTIONS(CLI_OPTION_MANUAL, CLI_OPTION_AT, CLI_OPTION_ZONE, CLI_OPTION_ORDERS, CLI_OPTION_COMMENT,
             CLI_OPTION_AS, CLI_OPTION_WAIT, CLI_OPTION_TIMEOUT, CLI_OPTION_DRY_RUN, CLI_OPTION_YES,
             CLI_OPTION_PASSPHRASE),
     EXAMPLES("approve REQ-1 --manual --as bob",
              "approve REQ-1 --at \"tomorrow 02:00\" --zone Europe/Berlin --comment \"at night\" --as bob"),
     1, 1, cli_approve_run},
    {"implement", NULL, "REQ-n", "Accept a push request at the stage \"implement\": the push starts",
     DECISION_DETAILS,
     OPTIONS(CLI_OPTION_MANUAL, CLI_OPTION_AT, CLI_OPTION_ZONE, CLI_OPTION_ORDERS, CLI_OPTION_COMMENT,
             CLI_OPTION_AS, CLI_OPTION_WAIT, CLI_OPTION_TIMEOUT, CLI_OPTION_DRY_RUN, CLI_OPTION_YES,
             CLI_OPTION_PASSPHRASE),
     EXAMPLES("implement REQ-1 --manual --wait --as carol"), 1, 1, cli_implement_run},
    {"decide", NULL, "REQ-n", "Accept a push request at whatever stage is open", DECISION_DETAILS,
     OPTIONS(CLI_OPTION_MANUAL, CLI_OPTION_AT, CLI_OPTION_ZONE, CLI_OPTION_ORDERS, CLI_OPTION_COMMENT,
             CLI_OPTION_AS, CLI_OPTION_WAIT, CLI_OPTION_TIMEOUT, CLI_OPTION_DRY_RUN, CLI_OPTION_YES,
             CLI_OPTION_PASSPHRASE),
     EXAMPLES("decide REQ-1 --manual --as dave"), 1, 1, cli_decide_run},
    {"reject", NULL, "REQ-n", "Reject a push request at the open stage; one reject closes its work orders",
     NULL,
     OPTIONS(CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_AS, CLI_OPTION_DRY_RUN, CLI_OPTION_YES,
             CLI_OPTION_PASSPHRASE),
     EXAMPLES("reject REQ-1 --comment \"wrong certificate\" --as bob", "reject REQ-1 --orders WO-2 --as bob"),
     1, 1, cli_reject_run},
    {"cancel", NULL, "REQ-n", "Cancel what has not been handed over to devices yet", NULL,
     OPTIONS(CLI_OPTION_ORDERS, CLI_OPTION_COMMENT, CLI_OPTION_DRY_RUN, CLI_OPTION_YES),
     EXAMPLES("cancel REQ-1", "cancel REQ-1 --orders WO-2,WO-3"), 1, 1, cli_cancel_run},
    {"wait", NULL, "REQ-n", "Wait until every work order of a push request has ended", NULL,
     OPTIONS(CLI_OPTION_TIMEOUT), EXAMPLES("wait REQ-1 --timeout 10m"), 1, 1, cli_wait_run},

    {"watch", NULL, "[requests|orders|certificates|devices|REQ-n|CERT]", "Show what changes, as it changes",
     "On a terminal a table that is drawn anew, until Ctrl-C; elsewhere the rows, and then each row again "
     "that "
     "changed "
     "(-o jsonl: an object a line). Of REQ-n its work orders, of CERT its app connectors; without an "
     "argument the "
     "push "
     "requests. The newest 200 at most.",
     OPTIONS(CLI_OPTION("for", "TIME", "end after this long: 30s, 10m, 2h")),
     EXAMPLES("watch", "watch REQ-3", "watch client.example", "watch devices -o jsonl",
              "watch orders --for 1h"),
     0, 1, cli_watch_run},
    {"inbox", NULL, "", "List the push requests that wait for you",
     "Those whose open stage you may decide under the pinned trust policy and have not decided yet. Verified "
     "here, "
     "as "
     "`approve` would.",
     OPTIONS(CLI_OPTION_AS), EXAMPLES("inbox --as bob", "inbox --as bob -o name"), 0, 0, cli_inbox_run},
    {"whoami", NULL, "", "Show who you are to this client and to the trust policy", NULL,
     OPTIONS(CLI_OPTION_AS), EXAMPLES("whoami", "whoami --as alice -o json"), 0, 0, cli_whoami_run},

    {"request", "list", "", "List the push requests, newest first", NULL,
     OPTIONS(CLI_OPTION("open", NULL, "only those that have not ended")), EXAMPLES("request list --open"), 0,
     0, cli_request_list},
    {"request", "show", "REQ-n", "Show a push request with its decisions, verified here", NULL, NULL,
     EXAMPLES("request show REQ-1"), 1, 1, cli_request_show},
    {"order", "list", "", "List the work orders, newest first", NULL,
     OPTIONS(CLI_OPTION("request", "REQ-n", "only those of this request"),
             CLI_OPTION("device", "NAME", "only those for this device"),
             CLI_OPTION("state", "STATE",
                        "only those in it: approval-pending, review, scheduled, in-progress, completed, "
                        "failed, rejected, cancelled, expired or superseded")),
     EXAMPLES("order list", "order list --request REQ-1", "order list --state failed --device gw-1"), 0, 0,
     cli_order_list},
    {"order", "show", "WO-n", "Show a work order and the device's own signed account of it", NULL, NULL,
     EXAMPLES("order show WO-1"), 1, 1, cli_order_show},
    {"topology", NULL, "CERT", "Show a certificate's app connectors and devices, and how each push stands",
     "With each app connector: whether the device has the certificate (in sync, out of sync, missing; "
     "unknown "
     "while it is offline), the newest work order, and who decided it. What the controller says; `request "
     "show "
     "REQ-n` verifies the signatures behind it.",
     NULL, EXAMPLES("topology client.example"), 1, 1, cli_topology_run},
    {"console", NULL, "", "Show the certificate topology in a browser, and sign there",
     "Serves the console's pages on this machine's loopback, for as long as it runs, and asks the controller "
     "in "
     "the name of the operator. Prints a link, good for one use, and opens it where there is a display. What "
     "people do in the page is signed here, with the operator's key: each statement is decoded from the very "
     "bytes that are signed, and is a line in this terminal, with its digest in the words that the page "
     "shows. "
     "Without a key the page signs nothing; what takes no signature it does all the same.",
     OPTIONS(CLI_OPTION("port", "N", "listen on this port (default: any that is free)"),
             CLI_OPTION("no-open", NULL, "print the link, and start no browser"),
             CLI_OPTION("idle", "TIME",
                        "end after so long without a request of the page: 30m, 8h (default: never)"),
             CLI_OPTION_PASSPHRASE),
     EXAMPLES("console --as alice", "console --controller https://controller.example:9443 --as alice",
              "console --no-open --port 8443 --idle 1h"),
     0, 0, cli_console_run},
    {"session", "show", "", "Show who one is for the controller: operator, roles, groups", NULL, NULL,
     EXAMPLES("session show", "session show --controller https://controller.example:9443 --as alice"), 0, 0,
     cli_session_show},
    {"session", "open", "", "Sign in at a controller's operators' listener",
     "Signs a challenge of the controller's with the operator's key. The session's token is kept at home "
     "until it "
     "ends; other commands sign in by themselves when they need to.",
     OPTIONS(CLI_OPTION_PASSPHRASE),
     EXAMPLES("session open --controller https://controller.example:9443 --as alice"), 0, 0,
     cli_session_open},
    {"session", "close", "", "End the session that is kept at home", NULL, NULL,
     EXAMPLES("session close --controller https://controller.example:9443 --as alice"), 0, 0,
     cli_session_close},
    {"session", "list", "", "List the sessions that are open at the operators' listener",
     "One's own; an admin's are everybody's.", NULL, EXAMPLES("session list", "session list -o wide"), 0, 0,
     cli_session_list},
    {"session", "end", "ID", "End a session at once",
     "ID as `session list` has it, or its beginning. Of others an admin may. To keep somebody out, take the "
     "key out of the trust policy: `trust remove-key`.",
     NULL, EXAMPLES("session end 3fa94c71"), 1, 1, cli_session_end},
    {"audit", "list", "", "List what was changed, by whom", NULL,
     OPTIONS(CLI_OPTION("after", "REVISION", "only what came after it")),
     EXAMPLES("audit list --after 100 -o json"), 0, 0, cli_audit_list},
    {"audit", "export", "", "Write the audit as JSON lines that `audit verify` checks without the controller",
     "A header, the trust policies, a line for each record with everything that its hash covers, and the "
     "controller's signed checkpoint. A file is there once it is whole.",
     OPTIONS(CLI_OPTION("out", "FILE", "where to (default: standard output)"),
             CLI_OPTION("from", "REVISION", "the first record (default 1)"),
             CLI_OPTION("to", "REVISION", "the last record (default: the newest)")),
     EXAMPLES("audit export --out audit.jsonl", "audit export --from 1000 --to 2000 --out part.jsonl"), 0, 0,
     cli_audit_export},
    {"audit", "verify", "FILE", "Check an exported audit, without the controller",
     "Computes the chain of hashes, names the first record that was changed, repeated, inserted, moved or "
     "left "
     "out, and requires that every checkpoint that was kept is in it. Keys are those that the pinned roots "
     "named. Exit status: 0 it holds and is signed, 6 it was altered, 7 it holds but the signatures are not "
     "anchored, 1 it could not be checked.",
     OPTIONS(CLI_OPTION_MANY("checkpoint", "FILE", "checkpoints that were kept (default: those at home)"),
             CLI_OPTION("pin", "FILE", "the pin's file (default: the one at home)"),
             CLI_OPTION("roots", "DIGEST", "instead of a pin: the roots' digest, as `trust show` prints it"),
             CLI_OPTION("part", NULL, "it may be a part: pass over checkpoints that lie outside")),
     EXAMPLES("audit verify audit.jsonl",
              "audit verify audit.jsonl --checkpoint ~/.config/countersign/checkpoints --roots 52a1…9e"),
     1, 1, cli_audit_verify_run},
    {"cert", "request", "", "Have a device make a key that never leaves it, and answer with a CSR",
     "Shows the key request, asks, signs and sends it. The device checks the signature itself, makes the key "
     "and answers "
     "under its own signature. `cert csr` verifies that and writes the CSR for the CA; the certificate that "
     "comes "
     "back is imported with `cert import` and can be pushed to this one app connector.",
     OPTIONS(CLI_OPTION("device", "NAME", "where the key is to be made"),
             CLI_OPTION("connector", "NAME", "the app connector that will use it"),
             CLI_OPTION("name", "CN", "the common name to ask the CA for"),
             CLI_OPTION_MANY("dns", "NAME", "a DNS name to ask for, at most 8"),
             CLI_OPTION("expires", "TIME", "how long the device may take to answer (default 7d)"),
             CLI_OPTION("wait", NULL, "wait for the device's answer"), CLI_OPTION_TIMEOUT, CLI_OPTION_AS,
             CLI_OPTION_YES, CLI_OPTION_PASSPHRASE),
     EXAMPLES("cert request --device gw-1 --connector nginx --name gw-1.example --as alice --wait"), 0, 0,
     cli_cert_request},
    {"cert", "requests", "", "List the key requests", NULL, NULL, EXAMPLES("cert requests"), 0, 0,
     cli_cert_requests},
    {"cert", "csr", "ID", "Verify the CSR that a device answered with, and write it as PEM",
     "ID is that of the key request, or its beginning.",
     OPTIONS(CLI_OPTION("out", "FILE", "write it there (default: standard output)")),
     EXAMPLES("cert csr 5e08b1 --out gw-1.csr"), 1, 1, cli_cert_csr},
    {"cert", "revoke", "CERT", "Revoke a certificate here, for good",
     "Black at once, everywhere. Its pushes that are not handed over end; from then on a push of it needs "
     "--even-revoked. It "
     "cannot be taken back. REASON: unspecified, key-compromise, ca-compromise, affiliation-changed, "
     "superseded, cessation-of-operation, privilege-withdrawn, aa-compromise. The certificate's issuer is "
     "not "
     "told: where it "
     "publishes CRLs, ask it to revoke, too.",
     OPTIONS(CLI_OPTION("reason", "REASON", "why"), CLI_OPTION_COMMENT, CLI_OPTION_DRY_RUN,
             CLI_OPTION("yes", NULL, "revoke without asking, for scripts")),
     EXAMPLES("cert revoke client.example --reason key-compromise --comment \"laptop stolen\""), 1, 1,
     cli_cert_revoke},
    {"crl", "import", "FILE", "Import a certificate revocation list of an issuer",
     "PEM or DER, complete and signed by the issuer; - is standard input. What it names becomes black at "
     "once, now and when it is imported later. A hold ends with a newer list that does not name it; "
     "everything else is for "
     "good. A list larger than 96 KB goes into the controller's watched folder (`crls` in its "
     "configuration).",
     OPTIONS(CLI_OPTION("issuer", "FILE",
                        "the issuer's certificate (default: from the chains of imported certificates)")),
     EXAMPLES("crl import fleet-ca.crl", "crl import fleet-ca.crl --issuer fleet-ca.pem"), 1, 1,
     cli_crl_import},
    {"crl", "list", "", "List the newest certificate revocation list of each issuer", NULL, NULL,
     EXAMPLES("crl list", "crl list -o json"), 0, 0, cli_crl_list},
    {"completion", NULL, "bash|zsh|fish", "Print what completes this program's commands in a shell",
     "Completes commands, options, and the names of certificates, devices, app connectors, requests and "
     "people. "
     "For this "
     "session: source the output; for all: put it where the shell looks for it, if the package has not done "
     "so.",
     NULL,
     EXAMPLES("completion bash >~/.local/share/bash-completion/completions/countersign",
              "completion zsh >~/.zfunc/_countersign",
              "completion fish >~/.config/fish/completions/countersign.fish"),
     1, 1, cli_completion_run},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
