/* victim.h - a device as the controller meets it: what it pinned when it enrolled, its policy, its durable
 * state and its clock. It decides, journals and restarts with the agent's own core, and finds keys that it
 * made with the agent's own code; its files are in memory, and there are no sockets. Failing ends the test.
 */
#ifndef CS_TESTS_EVIL_VICTIM_H
#define CS_TESTS_EVIL_VICTIM_H

#include "agent/core/decide.h"
#include "agent/core/device_time.h"
#include "agent/core/journal.h"
#include "tests/evil/disk.h"
#include "tests/support/deployment.h"

struct victim {
    char name[CS_LIMIT_NAME_BYTES + 1];
    uint8_t deployment_id[16], device_id[16];
    struct cs_key *kem;
    struct ag_connector declared[2]; /* "web" and "mail" */
    struct ag_connectors connectors;
    struct cs_pin pin;
    struct cs_policy *policy; /* its own copy; NULL: none yet */
    struct ag_state state;
    struct disk disk; /* keys that were made on request, and what was installed */
    int64_t clock_s;
    int64_t session_s; /* what the controller says that it is; 0: nothing */
};

/* Enrolled under this name, and with no policy yet. The device-id follows from `enrolment`, the
 * key-encryption key from the name. */
void victim_make(struct victim *ret, struct deployment *d, const char *name, const char *enrolment);
void victim_free(struct victim *victim);

/* The first policy by the pin, others after the one that is here. */
CS_MUST_USE int victim_take_policy(struct victim *victim, struct cs_slice wire, struct cs_err *err);
/* Decides with the key that was made here, if the order wants it, and journals what it accepts. The caller
 * frees the decision. */
struct ag_decision *victim_offer(struct victim *victim, const countersign_v1_PushDelivery *delivery);
/* The order under way is completed, or put back. */
void victim_end(struct victim *victim, bool completed);
/* The controller says that it has the reports of all orders. */
void victim_acknowledge(struct victim *victim);
/* Nothing stays but what is on disk: the state's bytes and the policy's. */
void victim_restart(struct victim *victim);
/* Forgets every order and generation, as if it were new. */
void victim_forget(struct victim *victim);

/* What came of a request for a key. */
struct victim_answer {
    enum ag_verdict verdict;
    char detail[256];
    struct cs_digest digest; /* of the request's payload */
    bool again;              /* with AG_OK: answered with the key that was made before */
};
/* Decides, and makes and keeps the key that it is to make. */
struct victim_answer victim_ask(struct victim *victim, struct cs_slice envelope);
size_t victim_pending(struct victim *victim);
/* As if this key had been made for the connector, at the request with this digest. */
void victim_keep_key(struct victim *victim, const char *connector, const struct cs_digest *request,
                     const struct cs_key *key);
/* The generation of the connector has this chain and key, and no request's key waits for them any more. */
void victim_has_installed(struct victim *victim, const char *connector, uint64_t generation,
                          const struct cs_chain *chain, const struct cs_key *key);
/* The PKCS#8 of its key to which the delivery's certificate belongs, if it was made for that connector. */
void victim_find_own_key(struct victim *victim, const countersign_v1_PushDelivery *delivery,
                         struct cs_buf *pkcs8);
/* PEM of the generation that the delivery goes back to, if it is kept. */
void victim_find_kept(struct victim *victim, const countersign_v1_PushDelivery *delivery,
                      struct cs_buf *chain, struct cs_buf *key);
/* Of the device, by its policy. */
struct ag_device_time victim_now(const struct victim *victim);

#endif
