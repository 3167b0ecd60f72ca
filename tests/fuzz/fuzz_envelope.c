/* The hand-written envelope parser against nanopb's strict decoding: they must agree on every input. */
#include "shared/trust/envelope.h"

static bool is_complete(const countersign_v1_Envelope *message)
{
    if (message->payload.size == 0 ||
        cs_statement_kind_of(cs_slice_str(message->payload_type)) == CS_STATEMENT_NONE)
        return false;
    for (pb_size_t i = 0; i < message->signatures_count; i++) {
        if (message->signatures[i].key_id.size != CS_SHA256_BYTES ||
            message->signatures[i].signature.size != CS_SIGNATURE_BYTES)
            return false;
        for (pb_size_t k = 0; k < i; k++)
            if (cs_slice_eq(CS_PB_BYTES(&message->signatures[i].key_id),
                            CS_PB_BYTES(&message->signatures[k].key_id)))
                return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static countersign_v1_Envelope message;
    struct cs_slice wire = cs_slice(data, size);
    struct cs_envelope envelope;
    struct cs_err err;
    bool parsed = cs_envelope_parse(wire, &envelope, &err) == CS_OK;
    bool decoded =
        cs_message_decode_strict(countersign_v1_Envelope_fields, wire, &message, "it", &err) == CS_OK;

    cs_assert(parsed == (decoded && is_complete(&message)));
    if (parsed) {
        cs_assert(envelope.signature_count == message.signatures_count);
        cs_assert(cs_slice_eq(envelope.payload, CS_PB_BYTES(&message.payload)));
        cs_assert(envelope.kind == cs_statement_kind_of(envelope.payload_type));
    }
    return 0;
}
