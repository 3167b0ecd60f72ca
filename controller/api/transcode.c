#include "controller/api/transcode.h"

#include "controller/json/json.h"

static const struct ctl_json_method *messages_of(const struct cs_method *method, struct cs_err *err)
{
    const struct ctl_json_method *found = ctl_json_find_method(method->service, method->name);

    if (!found)
        cs_err_set(err, CS_EUNSUPPORTED, "%s/%s has no JSON: send protobuf", method->service, method->name);
    return found;
}

static int to_proto(void *owner, const struct cs_method *method, struct cs_slice json, struct cs_buf *proto,
                    struct cs_err *err)
{
    const struct ctl_json_method *messages = messages_of(method, err);

    (void)owner;
    return messages ? ctl_json_to_proto(messages->request, 0, json, proto, err) : CS_EUNSUPPORTED;
}

static int to_json(void *owner, const struct cs_method *method, struct cs_slice proto, struct cs_buf *json,
                   struct cs_err *err)
{
    const struct ctl_json_method *messages = messages_of(method, err);

    (void)owner;
    return messages ? ctl_json_from_proto(messages->reply, 0, proto, json, err) : CS_EUNSUPPORTED;
}

const struct cs_transcode ctl_transcode = {.to_proto = to_proto, .to_json = to_json};
