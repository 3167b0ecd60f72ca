#include "controller/api/api.h"
#include "controller/api/signed.h"

static int prepare_admit(struct ctl_op *op, struct cs_err *err)
{
    const countersign_v1_AdmitDeviceRequest *request = op->request;
    struct cs_slice wire = CS_PB_BYTES(&request->envelope);
    countersign_v1_Admission *admission = NULL;
    struct cs_verified verified;
    int code;

    code = ctl_signed_verify(op, wire, CS_STATEMENT_ADMISSION, &verified, err);
    if (code == CS_OK)
        code = cs_admission_decode(verified.payload, &admission, err);
    op->statement = admission;
    if (code == CS_OK)
        code = ctl_signed_by(op, &verified, admission->admin, countersign_v1_Role_ROLE_ADMIN, err);
    op->body.admit_device = (struct ctl_admit_device){
        .envelope = wire,
        .admission = admission,
        .policy_version = ctl_trust_version(op->trust),
    };
    op->task.command.body = &op->body.admit_device;
    return code;
}

#define SERVICE "countersign.v1.DeviceService"
#define METHODS(READ, WRITE)                                                                                 \
    WRITE(CreateToken, CTL_CREATE_TOKEN, NULL, CTL_MAY(ADMIN))                                               \
    READ(GetEnrolment, ctl_read_GetEnrolment, CTL_MAY(ADMIN) | CTL_MAY(AUDITOR))                             \
    WRITE(AdmitDevice, CTL_ADMIT_DEVICE, prepare_admit, CTL_MAY(ADMIN))                                      \
    READ(ListDevices, ctl_read_ListDevices, CTL_MAY_ANYONE)                                                  \
    READ(GetDevice, ctl_read_GetDevice, CTL_MAY_ANYONE)                                                      \
    READ(GetDeviceTopology, ctl_read_GetDeviceTopology, CTL_MAY_ANYONE)                                      \
    WRITE(SetDeviceGroups, CTL_SET_DEVICE_GROUPS, NULL, CTL_MAY(ADMIN))                                      \
    WRITE(BanDevice, CTL_BAN_DEVICE, NULL, CTL_MAY(ADMIN))
CTL_SERVICE(ctl_device_methods, METHODS)
