/* swarm.h - many agents in one process, for benches: they enrol, are admitted, hold their stream, and answer
 * each push with the two signed reports that a real agent sends. They install nothing and judge nothing: what
 * is measured is the controller. */
#ifndef TESTS_SUPPORT_SWARM_H
#define TESTS_SUPPORT_SWARM_H

#include "controller/cli/rpc.h"
#include "shared/crypto/x509.h"
#include "shared/net/client.h"
#include "tests/support/controller_process.h"

/* The people of a deployment, and its policy with the default two stages, published through the admin socket.
 */
struct swarm_people {
    struct cs_key *root, *requester, *approver, *implementer;
    uint8_t deployment_id[16];
    struct cs_chain *agent_ca;
};
int swarm_people_found(struct swarm_people *people, struct cli_rpc *rpc, struct cs_err *err);
void swarm_people_free(struct swarm_people *people);

struct swarm;

struct swarm_agent {
    struct swarm *swarm;
    char name[64];
    uint8_t device_id[16];
    struct cs_key *identity;
    struct cs_chain *certificate;
    struct cs_tls_config *tls;
    struct cs_client *client;
    struct cs_client_call *stream;
    uint64_t sequence, final_sequence;
    bool up, welcomed;
};

struct swarm {
    uv_loop_t *loop;
    const struct swarm_people *people;
    uint16_t agents_port;
    struct swarm_agent *agents;
    size_t count;
    size_t welcomed, advertised, completed, lost;
    uint64_t last_completed_ns;
    struct cs_key *kem; /* one for all: no bench opens what is sealed to it */
};

/* Makes `count` devices: token, enrolment over TLS, admission. */
int swarm_enrol(struct swarm *swarm, size_t count, struct cli_rpc *rpc, uint16_t enrolment_port,
                struct cs_err *err);
/* Opens connection and stream of agent `index`; runs on swarm->loop. */
int swarm_connect(struct swarm *swarm, size_t index, struct cs_err *err);
/* Runs the loop until *counter reaches `goal`, at most timeout_ms. */
bool swarm_run_until(struct swarm *swarm, const size_t *counter, size_t goal, uint64_t timeout_ms);
void swarm_free(struct swarm *swarm);

/* A held leaf of a small CA, imported; its id comes back. */
int swarm_import(struct cli_rpc *rpc, const char *common_name, uint8_t ret_id[32], struct cs_err *err);
int swarm_attach(struct cli_rpc *rpc, const uint8_t id[32], const struct swarm_agent *agent,
                 struct cs_err *err);
/* Prepares, signs and submits a push to every attachment, approves it, and leaves the second decision in
 * `ret_last`. */
struct swarm_decision;
int swarm_push(struct cli_rpc *rpc, const struct swarm_people *people, const uint8_t id[32],
               struct swarm_decision **ret_last, struct cs_err *err);
int swarm_decide(struct cli_rpc *rpc, struct swarm_decision *decision, struct cs_err *err);
void swarm_decision_free(struct swarm_decision *decision);

#endif
