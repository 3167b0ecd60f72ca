/* delivery.h - a push as it reaches a device: whole, decided by bob and carol, with a sealed key; to be
 * spoilt one field at a time. Failing ends the test.
 *
 *   prepare ─▶ (edit push.cores[0], push.request) ─▶ submit ─▶ (decide) ─▶ assemble ─▶ (edit message) ─▶ wrap
 */
#ifndef CS_TESTS_DELIVERY_H
#define CS_TESTS_DELIVERY_H

#include "tests/support/deployment.h"
#include "tests/support/pki.h"

#include "countersign/v1/agent.pb.h"

/* Large: made on the heap. */
struct delivery_story {
    struct deployment *d;
    struct push_story push;
    struct pki ca, certificate;
    struct cs_buf chain; /* DER, leaf first */
    struct cs_buf pkcs8; /* the leaf's key */
    countersign_v1_PushMessage message;
    countersign_v1_PushDelivery delivery;
};

/* An install for the connector "web" of this device; `number` makes order and request differ, generation =
 * number. */
struct delivery_story *delivery_prepare(struct deployment *d, const char *device, const uint8_t device_id[16],
                                        uint64_t number);
/* Signs the request; then decide with story_decide(&story->push, …). */
void delivery_submit(struct delivery_story *story);
/* Seals the key for kem_spki and fills `message`. */
void delivery_assemble(struct delivery_story *story, struct cs_slice kem_spki);
void delivery_seal(struct delivery_story *story, struct cs_slice kem_spki, struct cs_slice plain);
/* Fills `delivery` from `message`, with a batch of one. */
void delivery_wrap(struct delivery_story *story);
/* All in one: decided by bob and carol now. */
struct delivery_story *delivery_make(struct deployment *d, const char *device, const uint8_t device_id[16],
                                     uint64_t number, struct cs_slice kem_spki);
void delivery_free(struct delivery_story *story);

#endif
