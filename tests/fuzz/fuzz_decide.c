/* Whatever a controller delivers, the device ends with a verdict, and never with "ok" for what was not
 * signed. */
#include "agent/core/decide.h"
#include "tests/support/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One good delivery, made once; the input is written over it at a place that it names. */
static struct deployment d;
static struct delivery_story *story;
static struct cs_key *kem;
static struct ag_state state;
static struct ag_connector web = {.name = "web"};

static void make_once(void)
{
    uint8_t device_id[16];
    struct cs_err err;

    if (story)
        return;
    deployment_make(&d);
    cs_assert(cs_key_generate(CS_KEY_AGREE, &kem, &err) == CS_OK);
    deployment_make_id("gw-0", device_id);
    ag_state_init(&state, CS_SLICE_ARRAY(device_id));
    story = delivery_make(&d, "gw-0", device_id, 1, cs_key_spki(kem));
}

/* Byte 0: 0 for the delivery's own bytes, 1 and 2 for message and batch, others for a message that the
 * controller has signed as it is. Bytes 1 and 2: where. */
static void write_over(countersign_v1_PushDelivery *delivery, struct cs_slice input)
{
    size_t at = (size_t)input.ptr[1] << 8 | input.ptr[2];
    struct cs_slice bytes = cs_slice_from(input, 3);
    uint8_t *target = input.ptr[0] == 2 ? delivery->batch.bytes : delivery->message.bytes;
    size_t room = input.ptr[0] == 2 ? delivery->batch.size : delivery->message.size;

    for (size_t i = 0; room > 0 && i < bytes.len; i++)
        target[(at + i) % room] ^= bytes.ptr[i];
    if (input.ptr[0] > 2) {
        struct cs_buf batch = story_batch(&story->push, CS_PB_BYTES(&delivery->message));

        CS_PB_SET(&delivery->batch, cs_buf_slice(&batch));
        cs_buf_free(&batch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ag_connectors connectors = {&web, 1};
    countersign_v1_PushDelivery *delivery;
    struct cs_err err;

    make_once();
    if (size < 3)
        return 0;
    delivery = calloc(1, sizeof *delivery);
    cs_assert(delivery);
    if (data[0] == 0) {
        if (cs_message_decode(countersign_v1_PushDelivery_fields, cs_slice(data + 1, size - 1), delivery,
                              "it", &err) != CS_OK)
            goto out;
    } else {
        *delivery = story->delivery;
        write_over(delivery, cs_slice(data, size));
    }
    const struct ag_facts facts = {
        .deployment_id = CS_SLICE_ARRAY(d.id),
        .device_id = CS_SLICE_ARRAY(state.device_id),
        .device_name = "gw-0",
        .policy = d.policy,
        .state = &state,
        .connectors = &connectors,
        .kem_key = kem,
        .now_s = d.now_s,
        .time_known = true,
    };
    struct ag_decision *decision = ag_decide(&facts, delivery);

    cs_assert(decision);
    cs_assert(decision->verdict != AG_OK ||
              cs_slice_eq(CS_PB_BYTES(&delivery->message), CS_PB_BYTES(&story->delivery.message)));
    ag_decision_free(decision);
out:
    free(delivery);
    return 0;
}
