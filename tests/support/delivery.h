/* delivery.h - a push as it reaches a device: whole, decided by bob and carol, with a sealed key; to be
 * spoilt one field at a time. Failing ends the test.
 *
 *   prepare ─▶ (edit the core and push.request) ─▶ submit ─▶ (decide) ─▶ assemble ─▶ (edit message) ─▶ wrap
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
    size_t order; /* which of the request's orders is delivered */
    struct pki root, ca, certificate;
    struct cs_buf chain; /* DER of the leaf and its CA */
    struct cs_buf pkcs8; /* the leaf's key */
    countersign_v1_PushMessage message;
    countersign_v1_PushDelivery delivery;
};

/* An install for the connector "web" of this device; `number` makes order and request differ, generation =
 * number. */
struct delivery_story *delivery_prepare(struct deployment *d, const char *device, const uint8_t device_id[16],
                                        uint64_t number);
/* The same as order `at` of `order_count`; the others are of the devices "gw-0", "gw-1", …. */
struct delivery_story *delivery_prepare_among(struct deployment *d, const char *device,
                                              const uint8_t device_id[16], uint64_t number,
                                              size_t order_count, size_t at);
/* Another certificate with these dates, to be delivered in place of the one that was made; that is valid from
 * a day before the deployment's time for a year. */
void delivery_certify(struct delivery_story *story, int64_t not_before_s, int64_t not_after_s);
countersign_v1_OrderCore *delivery_core(struct delivery_story *story);
/* Signs the request; then decide with story_decide(&story->push, …). */
void delivery_submit(struct delivery_story *story);
/* Seals the key for kem_spki and fills `message`. */
void delivery_assemble(struct delivery_story *story, struct cs_slice kem_spki);
void delivery_seal(struct delivery_story *story, struct cs_slice kem_spki, struct cs_slice plain);
/* Fills `delivery` from `message`, with a batch of one. */
void delivery_wrap(struct delivery_story *story);
/* The same as message `at` of a batch of `count`. */
void delivery_wrap_among(struct delivery_story *story, size_t count, size_t at);
/* The controller's signature over a batch that says this. */
void delivery_sign_batch(struct delivery_story *story, const countersign_v1_PushBatch *batch);
/* All in one: decided by bob and carol now. */
struct delivery_story *delivery_make(struct deployment *d, const char *device, const uint8_t device_id[16],
                                     uint64_t number, struct cs_slice kem_spki);
void delivery_free(struct delivery_story *story);

#endif
