/* verdict.h - every reason for which this device accepts, refuses, or fails an order: one value a reason, a
 * word for machines (reports, logs) and a sentence for people. Pure.
 * The first ones are those of shared/trust/push.h with the same numbers; 0 is "undecided", a refusal until
 * proven otherwise. */
#ifndef AG_CORE_VERDICT_H
#define AG_CORE_VERDICT_H

#include "shared/trust/push.h"

#define AG_OWN_VERDICTS(X)                                                                                   \
    /* the delivery */                                                                                       \
    X(NO_POLICY, "no-policy", "this device has no trust policy yet")                                         \
    X(BATCH_MALFORMED, "batch-malformed", "the delivery's batch does not parse")                             \
    X(BATCH_SIGNATURE, "batch-signature", "the delivery is not signed by a message key of the policy")       \
    X(NOT_IN_BATCH, "not-in-batch", "the message is not among those that the batch signs")                   \
    X(MESSAGE_MALFORMED, "message-malformed", "the push message does not parse")                             \
    X(ORDER_MALFORMED, "order-malformed", "the order core does not parse")                                   \
    X(NOT_IN_REQUEST, "not-in-request", "the order is not among those that the request signs")               \
    /* the order */                                                                                          \
    X(WRONG_DEVICE, "wrong-device", "the order is for another device-id")                                    \
    X(WRONG_NAME, "wrong-name", "the order names this device-id with another device name")                   \
    X(UNKNOWN_CONNECTOR, "unknown-connector", "no such app connector is declared on this device")            \
    X(ACTION_UNSUPPORTED, "action-unsupported", "this agent cannot do what the order asks for")              \
    X(ENDED_BEFORE, "ended-before", "the order has ended here before; its report is sent again")             \
    X(IN_PROGRESS, "in-progress", "the order is being applied; its report follows")                          \
    X(ORDER_CHANGED, "order-changed", "an order with this id came before with another content")              \
    X(ATTEMPTS_USED, "attempts-used", "the order was tried as often as its request allows")                  \
    X(GENERATION_SEEN, "generation-seen", "an order of this generation or a later one was accepted before")  \
    X(GENERATION_JUMP, "generation-jump", "the generation is too far above the last one")                    \
    X(NOT_YET, "not-yet", "the order is not due by this device's time")                                      \
    X(WINDOW_PASSED, "window-passed", "the order's time window has ended")                                   \
    X(EXPECTS_OTHER, "expects-other", "what is installed is not what the order expects")                     \
    X(CANCELLED, "cancelled", "the order was cancelled before it was begun")                                 \
    /* the certificate and its key */                                                                        \
    X(CHAIN_MALFORMED, "chain-malformed", "the certificate chain does not parse")                            \
    X(CHAIN_DIGEST, "chain-digest", "the certificate chain is not the one that was signed for")              \
    X(CHAIN_LINKS, "chain-links", "the certificates do not form a chain")                                    \
    X(LEAF_KEY, "leaf-key", "the certificate's public key is not the one that was signed for")               \
    X(CERTIFICATE_EXPIRED, "certificate-expired",                                                            \
      "the certificate has expired and the request says not to go on")                                       \
    X(CERTIFICATE_NOT_YET, "certificate-not-yet-valid", "the certificate is not valid yet")                  \
    X(KEY_MISSING, "key-missing", "there is no private key for the certificate")                             \
    X(KEY_SEAL, "key-seal", "the sealed private key cannot be opened by this device for this order")         \
    X(KEY_MALFORMED, "key-malformed", "what was sealed is not a private key")                                \
    X(KEY_MISMATCH, "key-mismatch", "the private key does not fit the certificate")                          \
    X(NAMES_OTHER, "names-other", "the certificate is not for a name that the app connector must have")      \
    X(GENERATION_GONE, "generation-gone", "this device has the generation to go back to no more")            \
    X(GENERATION_OTHER, "generation-other", "the generation to go back to is not what was signed for")       \
    /* applying it */                                                                                        \
    X(TARGET_UNSAFE, "target-unsafe", "somebody else decides what is where the files belong")                \
    X(NO_ROOM, "no-room", "there is not enough room on the disk")                                            \
    X(FOREIGN_FILE, "foreign-file", "a file that is not ours is where the certificate or key belongs")       \
    X(STORAGE_FAILED, "storage-failed", "the files could not be written")                                    \
    X(VALIDATE_FAILED, "validate-failed", "the application would not take the new files")                    \
    X(VALIDATE_TIMEOUT, "validate-timeout", "the validate command did not end in its time")                  \
    X(RELOAD_FAILED, "reload-failed", "the reload command failed")                                           \
    X(RELOAD_TIMEOUT, "reload-timeout", "the reload command did not end in its time")                        \
    X(PROBE_FAILED, "probe-failed", "the application does not serve what was installed")                     \
    X(INTERRUPTED, "interrupted", "the agent was stopped before the certificate was in place")               \
    /* requests for a key (key_request.h) */                                                                 \
    X(KEY_REQUEST_MALFORMED, "key-request-malformed", "the key request does not parse")                      \
    X(KEY_REQUEST_SIGNATURE, "key-request-signature",                                                        \
      "the key request is not signed by a key of the requester")                                             \
    X(KEY_REQUEST_EXPIRED, "key-request-expired", "the key request has expired")                             \
    X(KEYS_PENDING, "keys-pending", "4 keys that were made here wait for their certificates already")

/* AG_OK, AG_NOT_YET, … */
enum ag_verdict {
#define X(name, word, sentence) AG_##name,
    CS_PUSH_REASONS(X) AG_OWN_VERDICTS(X)
#undef X
        AG_VERDICT_COUNT
};

static inline enum ag_verdict ag_verdict_of(enum cs_push_reason reason)
{
    return (enum ag_verdict)reason;
}

const char *ag_verdict_word(enum ag_verdict verdict);
const char *ag_verdict_sentence(enum ag_verdict verdict);

#endif
