/* unary.h - a unary method in a few lines. A read is: decode, ask a snapshot, encode. A write is: decode,
 * prepare (verify what is signed, parse what was sent), give it to the core, encode its reply when it is
 * durable. A service is one table; each row has who may call it.
 *
 *   #define SERVICE "countersign.v1.ControllerService"
 *   #define METHODS(READ, WRITE) READ(GetStatus, get_status, CTL_MAY_ANYONE) …
 *   CTL_SERVICE(ctl_controller_methods, METHODS) */
#ifndef CTL_API_UNARY_H
#define CTL_API_UNARY_H

#include "controller/access.h"
#include "controller/core/evaluate.h"
#include "controller/crl.h"
#include "controller/shard.h"
#include "shared/net/call.h"
#include "shared/trust/statement.h"

typedef int ctl_read_fn(struct ctl_shard *shard, struct ctl_view *view, const void *request, void *reply,
                        struct cs_err *err);

/* A write under way. */
struct ctl_op {
    struct ctl_task task;
    struct cs_call *call; /* NULL once it has ended */
    struct ctl_caller caller;
    const struct ctl_unary *method;
    struct ctl_shard *shard;
    struct ctl_trust *trust; /* the policy against which it was prepared */
    const void *request;
    void *reply;
    bool again; /* prepared a second time, under a newer policy */
    /* What prepare makes: the command's body, and the memory that the body borrows. */
    union {
        struct ctl_publish_policy publish_policy;
        struct ctl_admit_device admit_device;
        struct ctl_import_certificate import_certificate;
        struct ctl_submit_push submit_push;
        struct ctl_decide decide;
        struct ctl_enrol enrol;
        struct ctl_request_key request_key;
        struct ctl_import_crl import_crl;
    } body;
    struct ctl_prepared_renewal *renewal; /* freed */
    struct ctl_crl crl;                   /* freed */
    void *statement;                      /* freed */
    struct cs_policy *policy;
    struct ctl_evaluation evaluation;
    struct cs_buf bytes, secret; /* freed, wiped */
};

/* NULL: the request itself is the body. Sets op->task.command.body otherwise. */
typedef int ctl_prepare_fn(struct ctl_op *op, struct cs_err *err);

struct ctl_unary {
    struct cs_call_handler handler; /* first: a method finds its row by it */
    const char *name;
    const pb_msgdesc_t *request_fields, *reply_fields;
    size_t request_size, reply_size;
    ctl_read_fn *read; /* a read; NULL: a write */
    enum ctl_command_kind kind;
    ctl_prepare_fn *prepare;
};

void ctl_unary_on_message(struct cs_call *call, struct cs_slice message);
void ctl_unary_on_end(struct cs_call *call, enum cs_status how);

/* Requests of newer clients may have fields that we pass over. */
enum { CTL_REQUEST_SLACK_BYTES = 1024 };

#define CTL_UNARY_(name_, read_, kind_, prepare_)                                                            \
    static const struct ctl_unary unary_##name_ = {                                                          \
        .handler = {.on_message = ctl_unary_on_message, .on_end = ctl_unary_on_end},                         \
        .name = #name_,                                                                                      \
        .request_fields = countersign_v1_##name_##Request_fields,                                            \
        .reply_fields = countersign_v1_##name_##Response_fields,                                             \
        .request_size = sizeof(countersign_v1_##name_##Request),                                             \
        .reply_size = sizeof(countersign_v1_##name_##Response),                                              \
        .read = read_,                                                                                       \
        .kind = kind_,                                                                                       \
        .prepare = prepare_,                                                                                 \
    };
/* What a read answers is made in the shard's scratch memory. */
#define CTL_DEFINE_READ_(name_, read_, may_)                                                                 \
    _Static_assert(sizeof(countersign_v1_##name_##Request) <= CTL_SCRATCH_BYTES &&                           \
                       sizeof(countersign_v1_##name_##Response) <= CTL_SCRATCH_BYTES,                        \
                   "the scratch memory is too small for " #name_);                                           \
    CTL_UNARY_(name_, read_, CTL_TICK, NULL)
#define CTL_DEFINE_WRITE_(name_, kind_, prepare_, may_) CTL_UNARY_(name_, NULL, kind_, prepare_)
#define CTL_ROW_(name_, may_)                                                                                \
    {SERVICE,                                                                                                \
     #name_,                                                                                                 \
     CS_CALL_UNARY,                                                                                          \
     countersign_v1_##name_##Request_size + CTL_REQUEST_SLACK_BYTES,                                         \
     &unary_##name_.handler,                                                                                 \
     may_},
/* A method that answers with a stream has a handler of its own and the same row. */
#define CTL_STREAM_ROW(name_, handler_, may_)                                                                \
    {                                                                                                        \
        SERVICE, #name_, CS_CALL_SERVER_STREAM,                                                              \
            countersign_v1_##name_##Request_size + CTL_REQUEST_SLACK_BYTES, handler_, may_                   \
    }
#define CTL_ROW_READ_(name_, read_, may_)            CTL_ROW_(name_, may_)
#define CTL_ROW_WRITE_(name_, kind_, prepare_, may_) CTL_ROW_(name_, may_)
#define CTL_SERVICE(table, methods)                                                                          \
    methods(CTL_DEFINE_READ_, CTL_DEFINE_WRITE_)                                                             \
        const struct cs_method table[] = {methods(CTL_ROW_READ_, CTL_ROW_WRITE_)};                           \
    const size_t table##_count = CS_ARRAY_LEN(table);

/* ctl_read_GetStatus(), …: the core's queries as rows want them. */
#define X(name)                                                                                              \
    int ctl_read_##name(struct ctl_shard *shard, struct ctl_view *view, const void *request, void *reply,    \
                        struct cs_err *err);
CTL_QUERIES(X)
#undef X

#endif
