/* decide_scene.h - a push that reaches a device, whole and decided but for what the input says. People's
 * statements are signed after they were edited, by whoever the input says; so is what the controller makes of
 * them. */
#ifndef CS_TESTS_DECIDE_SCENE_H
#define CS_TESTS_DECIDE_SCENE_H

#include "agent/core/decide.h"
#include "tests/support/delivery.h"

enum { SCENE_OPS = 24, SCENE_DECISIONS = 6 };

/* Made once. */
struct scene_world {
    struct deployment d;
    struct cs_key *kems[2]; /* the device's, and another's */
    struct scene_certificate {
        struct pki pki;
        struct cs_buf plain; /* a SealedKeyPlain with its key */
        struct cs_cert_info info;
        struct cs_digest digest;
    } certificates[2];
    uint8_t device_id[16];
    struct ag_connector declared[2]; /* "web" and "mail" */
};
extern struct scene_world world;

/* Of one input: what was signed, by whom, what is delivered, and what the device knows. */
struct scene {
    size_t op_count;
    struct scene_op {
        uint8_t kind, a, b;
    } ops[SCENE_OPS];
    struct push_story push;
    uint32_t at; /* our order among the request's */
    const char *request_key;
    struct {
        countersign_v1_Decision said;
        const char *key;
    } decided[SCENE_DECISIONS];
    countersign_v1_PushDelivery delivery;
    const char *batch_key;
    bool batch_ours;
    struct ag_state state;
    struct ag_facts facts;
};
extern struct scene scene;

#define CORE (&scene.push.cores[scene.at])

/* From a list of three bytes each: what is different, and two numbers. */
void scene_make(struct cs_slice input);
/* Only what the device knows, for a delivery that the input gives as it is. */
void scene_make_device(void);
void scene_free(void);

/* Of "alice" to "mallory", who is nobody: 8 people. */
const char *scene_person(size_t index);
/* The certificate that the order core names; the first one if it names none of ours. */
const struct scene_certificate *scene_certificate(void);

#endif
