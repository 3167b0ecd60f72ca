/* deployment.h - a deployment for tests: roots, people, a trust policy, devices, requests and decisions, all
 * with real keys and signatures. Keys follow from their owner's name, so that every run has the same. Failing
 * ends the test.
 *
 *   struct deployment d;
 *   struct push_story story;
 *
 *   deployment_make(&d);
 *   story_begin(&story, &d, 1);
 *   story_decide(&story, "bob", 1);
 *   story_decide(&story, "carol", 2);   // the default policy has everything that it wants
 *   story_free(&story);
 *   deployment_free(&d);
 */
#ifndef CS_TESTS_DEPLOYMENT_H
#define CS_TESTS_DEPLOYMENT_H

#include "shared/trust/push.h"

enum {
    DEPLOYMENT_ROOTS = 3,
    DEPLOYMENT_ROOT_THRESHOLD = 2,
    DEPLOYMENT_KEYS = 96,
    DEPLOYMENT_DEVICES = 8,
};

/* alice requests; bob and ben approve; carol and clara implement; dora does all three; eve approves and
 * implements with a browser key; ada is the admin. The first rule has the stages "approve" and "implement" of
 * one person each. */
struct deployment {
    uint8_t id[16];
    int64_t now_s;                    /* stands still until the test moves it */
    countersign_v1_TrustPolicy *body; /* edit and deployment_publish() */
    struct cs_policy *policy;         /* the newest published one */
    struct {
        char name[64];
        struct cs_key *key;
    } keys[DEPLOYMENT_KEYS];
    size_t key_count;
};

/* With version 1 of its policy published. */
void deployment_make(struct deployment *ret);
/* The same at another time: real agents have the system's. */
void deployment_make_at(struct deployment *ret, int64_t now_s);
void deployment_free(struct deployment *d);

/* The signing key of whoever has this name: a person, "root-0" to "root-2", "controller" (its message key),
 * "eve", or any other name, which gets a key that nobody knows. The same name has the same key everywhere. */
const struct cs_key *deployment_key(struct deployment *d, const char *name);
/* Borrowed from `body`: to be edited. Ends the test when there is none. */
countersign_v1_Operator *deployment_operator(struct deployment *d, const char *name);
countersign_v1_Operator *deployment_add_operator(struct deployment *d, const char *name,
                                                 countersign_v1_KeyKind kind, countersign_v1_Role role);
countersign_v1_Rule *deployment_add_rule(struct deployment *d, const char *name);
countersign_v1_Stage *deployment_add_stage(countersign_v1_Rule *rule, const char *name,
                                           countersign_v1_Role role, uint32_t required);

/* The envelope of `body`, signed by the first `root_count` roots. The caller frees it. */
struct cs_buf deployment_sign_policy(struct deployment *d, size_t root_count);
/* Makes `body`, as it is now, the next version. Policies got before are gone. */
void deployment_publish(struct deployment *d);
struct cs_pin deployment_pin(const struct deployment *d);

/* Fixtures of cmocka: *state is a deployment of the test's own. */
int deployment_set_up(void **state);
int deployment_tear_down(void **state);
/* The same of a group: its cases read one deployment, and none of them edits it. */
extern struct deployment deployment_shared;
int deployment_share(void **state);
int deployment_unshare(void **state);

/* The canonical bytes of any message, and the envelope of a statement signed by `who`. The caller frees both.
 */
struct cs_buf deployment_encode(const pb_msgdesc_t *fields, const void *message);
struct cs_buf deployment_sign(struct deployment *d, enum cs_statement_kind kind, const pb_msgdesc_t *fields,
                              const void *message, const char *who);

/* 16 bytes that follow from the text: ids of devices, requests and orders. */
void deployment_make_id(const char *text, uint8_t ret[16]);

/* Complete and valid statements of each kind, to be edited and signed. Devices are called by their name; the
 * connector is "web". */
void deployment_fill_admission(struct deployment *d, const char *device, countersign_v1_Admission *ret);
void deployment_fill_core(const struct deployment *d, const char *device, uint64_t number,
                          countersign_v1_OrderCore *ret);
void deployment_fill_request(const struct deployment *d, countersign_v1_PushRequest *ret);
void deployment_fill_decision(const struct deployment *d, const char *who, uint32_t stage,
                              const struct cs_digest *request_digest, countersign_v1_Decision *ret);
void deployment_fill_key_request(const struct deployment *d, const char *device,
                                 countersign_v1_KeyRequest *ret);
void deployment_fill_advertisement(const struct deployment *d, const char *device,
                                   countersign_v1_DeviceAdvertisement *ret);
void deployment_fill_device_csr(const struct deployment *d, const char *device,
                                countersign_v1_DeviceCsr *ret);
void deployment_fill_report(const struct deployment *d, const char *device, countersign_v1_DeviceReport *ret);
void deployment_fill_batch(const struct deployment *d, countersign_v1_PushBatch *ret);
void deployment_fill_renewal(struct deployment *d, const char *device, countersign_v1_DeviceRenewal *ret);
void deployment_fill_checkpoint(const struct deployment *d, countersign_v1_AuditCheckpoint *ret);
/* Without TLS. */
void deployment_fill_opening(const struct deployment *d, const char *who, countersign_v1_SessionOpening *ret);
/* A valid envelope of this kind, signed by whoever signs such. The caller frees it. */
struct cs_buf deployment_example(struct deployment *d, enum cs_statement_kind kind);

/* One push from its request to its last decision. Edit `core[i]` and `request` before story_submit(), or use
 * story_begin(), which submits at once. */
enum { STORY_ORDERS = 16 };
struct push_story {
    struct deployment *d;
    size_t order_count;
    countersign_v1_OrderCore cores[STORY_ORDERS]; /* of the devices "gw-0", "gw-1", … */
    countersign_v1_PushRequest request;
    struct cs_buf core_wires[STORY_ORDERS];
    struct cs_buf request_wire;
    struct cs_digest request_digest;
    struct cs_buf decision_wires[CS_LIMIT_DECISIONS];
    struct cs_digest decision_digests[CS_LIMIT_DECISIONS];
    size_t decision_count;
};
void story_prepare(struct push_story *ret, struct deployment *d, size_t order_count);
void story_submit(struct push_story *story);
void story_begin(struct push_story *ret, struct deployment *d, size_t order_count);
void story_free(struct push_story *story);

/* A decision that accepts now for all orders and has seen all decisions of the story: to be edited and added.
 */
void story_fill_decision(const struct push_story *story, const char *who, uint32_t stage,
                         countersign_v1_Decision *ret);
/* Signs it with `key_of` and appends it to the story, whatever it says. */
void story_add_decision(struct push_story *story, const countersign_v1_Decision *decision,
                        const char *key_of);
/* Both in one. */
void story_decide(struct push_story *story, const char *who, uint32_t stage);

/* The push message of one order as a device gets it (without a sealed key; `chain` may be empty), and the
 * batch envelope of the controller for this one message. The caller frees both. */
struct cs_buf story_push_message(const struct push_story *story, size_t order, struct cs_slice chain);
struct cs_buf story_batch(const struct push_story *story, struct cs_slice push_message);

#endif
