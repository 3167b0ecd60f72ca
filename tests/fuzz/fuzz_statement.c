/* Every strict decoder; the first byte chooses. What is taken encodes back to what it came from. */
#include "shared/trust/statement.h"

#define DECODE(function, type)                                                                               \
    do {                                                                                                     \
        type *message cs_auto_free = NULL;                                                                   \
                                                                                                             \
        if (function(bytes, &message, &err) != CS_OK) {                                                      \
            cs_assert(!message && err.code != CS_OK);                                                        \
            break;                                                                                           \
        }                                                                                                    \
        cs_assert(cs_message_encode(type##_fields, message, &again, &err) == CS_OK);                         \
        cs_assert(cs_slice_eq(cs_buf_slice(&again), bytes));                                                 \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_slice bytes = cs_slice_from(cs_slice(data, size), 1);
    struct cs_buf again = CS_BUF_EMPTY;
    struct cs_err err;

    switch (size ? data[0] : 0) {
    case 0:
        DECODE(cs_core_decode, countersign_v1_OrderCore);
        break;
    case CS_STATEMENT_TRUST_POLICY:
        DECODE(cs_policy_decode, countersign_v1_TrustPolicy);
        break;
    case CS_STATEMENT_ADMISSION:
        DECODE(cs_admission_decode, countersign_v1_Admission);
        break;
    case CS_STATEMENT_PUSH_REQUEST:
        DECODE(cs_request_decode, countersign_v1_PushRequest);
        break;
    case CS_STATEMENT_DECISION:
        DECODE(cs_decision_decode, countersign_v1_Decision);
        break;
    case CS_STATEMENT_KEY_REQUEST:
        DECODE(cs_key_request_decode, countersign_v1_KeyRequest);
        break;
    case CS_STATEMENT_DEVICE_ADVERTISEMENT:
        DECODE(cs_advertisement_decode, countersign_v1_DeviceAdvertisement);
        break;
    case CS_STATEMENT_DEVICE_CSR:
        DECODE(cs_device_csr_decode, countersign_v1_DeviceCsr);
        break;
    case CS_STATEMENT_DEVICE_REPORT:
        DECODE(cs_report_decode, countersign_v1_DeviceReport);
        break;
    case CS_STATEMENT_PUSH_BATCH:
        DECODE(cs_batch_decode, countersign_v1_PushBatch);
        break;
    case CS_STATEMENT_DEVICE_RENEWAL:
        DECODE(cs_renewal_decode, countersign_v1_DeviceRenewal);
        break;
    case CS_STATEMENT_AUDIT_CHECKPOINT:
        DECODE(cs_checkpoint_decode, countersign_v1_AuditCheckpoint);
        break;
    case CS_STATEMENT_SESSION_OPENING:
        DECODE(cs_opening_decode, countersign_v1_SessionOpening);
        break;
    default:
        DECODE(cs_push_message_decode, countersign_v1_PushMessage);
        break;
    }
    cs_buf_free(&again);
    return 0;
}
