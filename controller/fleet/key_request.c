/* Key requests on their way to the device: the envelope as the requester signed it, in each session until the
 * device's answer is durable. */
#include "controller/fleet/session.h"

#include "shared/trust/statement.h"

static bool send_one(void *data, struct cs_slice envelope)
{
    struct ctl_session *session = data;
    countersign_v1_ControllerMessage *message =
        ctl_shard_scratch(session->fleet->shard, CTL_SCRATCH_REPLY, sizeof *message);

    if (envelope.len > sizeof message->body.key_request.bytes)
        return true;
    message->which_body = countersign_v1_ControllerMessage_key_request_tag;
    CS_PB_SET(&message->body.key_request, envelope);
    return ctl_session_send(session, message);
}

int ctl_session_send_key_requests(struct ctl_session *session, struct ctl_view *view, struct cs_err *err)
{
    int code;

    if (!session->more_key_requests || session->reads_slowly)
        return CS_OK;
    session->more_key_requests = false;
    code = ctl_query_key_requests(view, session->identity.device_id, ctl_shard_now_s(session->fleet->shard),
                                  send_one, session, err);
    /* What was not taken is sent with all others once more: the device knows what it has answered. */
    session->more_key_requests = session->reads_slowly;
    return code;
}
