/* fake_controller.h - a controller for tests of the agent: both listeners over TLS on 127.0.0.1, on a thread
 * and loop of its own. It enrols one device, sends policies when asked, delivers pushes until each has a
 * final report, and checks every signature that it gets. Every function may be called from the test's thread.
 * Failing ends the test. */
#ifndef CS_TESTS_FAKE_CONTROLLER_H
#define CS_TESTS_FAKE_CONTROLLER_H

#include "tests/support/delivery.h"

struct fake_controller;

/* `d` is borrowed, and read when policies are published: publish before starting. */
struct fake_controller *fake_controller_start(struct deployment *d);
void fake_controller_stop(struct fake_controller *controller);

uint16_t fake_controller_agent_port(const struct fake_controller *controller);
uint16_t fake_controller_enrolment_port(const struct fake_controller *controller);
/* The token's text for a device of this name; the caller frees it. */
struct cs_buf fake_controller_token(const struct fake_controller *controller, const char *device_name);

/* False until the device has enrolled. */
bool fake_controller_enrolled(struct fake_controller *controller, uint8_t ret_device_id[16],
                              uint8_t ret_kem_spki[CS_SPKI_BYTES]);
/* Streams that have begun. */
unsigned fake_controller_sessions(struct fake_controller *controller);
/* Ends the stream, as a restart would. */
void fake_controller_drop_stream(struct fake_controller *controller);
/* Acknowledge statements, or lose what was said. */
void fake_controller_set_acks(struct fake_controller *controller, bool acks);

/* Delivers it now or as soon as the device is there, and again on each connection until it has a final
 * report. */
void fake_controller_push(struct fake_controller *controller, const struct delivery_story *story);
/* Once more, whatever was reported: a retry, or a controller that lost its memory. */
void fake_controller_push_again(struct fake_controller *controller, const uint8_t order_id[16]);

/* Asks for an order that was pushed to be left. */
void fake_controller_cancel(struct fake_controller *controller, const uint8_t order_id[16]);

struct fake_reports {
    unsigned accepted, completed, failed, refused, not_yet; /* distinct sequences */
    unsigned repeated;                                      /* statements that were here before */
    bool out_of_order;                                      /* a new sequence below an older one */
    countersign_v1_DeviceReport last;
};
void fake_controller_reports(struct fake_controller *controller, const uint8_t order_id[16],
                             struct fake_reports *ret);
/* Waits at most seconds for a final report; false if there is none. */
bool fake_controller_wait(struct fake_controller *controller, const uint8_t order_id[16], unsigned seconds);
/* Of the connector, as last advertised. */
bool fake_controller_advertised(struct fake_controller *controller, const char *connector,
                                countersign_v1_AdvertisedConnector *ret);

#endif
