#include "controller/cli/attach_like.h"

#include "controller/cli/fetch.h"

static void tell(const countersign_v1_Certificate *certificate,
                 const countersign_v1_AttachLikeResponse *reply)
{
    cs_auto(cs_buf_free) struct cs_buf name = CS_BUF_EMPTY;

    if (cli_clean(cs_slice_str(certificate->common_name), &name) != CS_OK)
        return;
    fprintf(stderr, "\"%.*s\" is attached to %u more app connectors, %u in all.\n", (int)name.len,
            (const char *)name.ptr, reply->attached, reply->attachments);
    if (reply->passed_over)
        fprintf(stderr,
                "%u app connectors of the other certificate are passed over: their devices do not advertise "
                "them any more.\n",
                reply->passed_over);
}

int cli_attach_like(struct cli *cli, const countersign_v1_Certificate *certificate, struct cs_err *err)
{
    const char *like = cli_args_option(&cli->args, "like");
    cs_auto_free countersign_v1_Certificate *other = NULL;
    countersign_v1_AttachLikeRequest request = {0};
    countersign_v1_AttachLikeResponse reply;
    int rc = CS_OK;

    if (!like && !cli_args_flag(&cli->args, "renew"))
        return CS_OK;
    if (like && cli_args_flag(&cli->args, "renew"))
        return cli_usage(cli, err, "--renew finds the certificate that --like names: give one of the two");
    if (cli_dry_run(cli))
        return cli_usage(cli, err, "--dry-run attaches nothing: leave --like and --renew out, or --dry-run");
    CS_PB_SET(&request.certificate_id, CS_PB_BYTES(&certificate->id));
    if (like)
        rc = cli_fetch_certificate(cli, like, &other, err);
    if (rc == CS_OK && like)
        CS_PB_SET(&request.like_certificate_id, CS_PB_BYTES(&other->id));
    if (rc == CS_OK)
        rc = cli_call(cli, &cli_rpc_AttachLike, &request, &reply, err);
    if (rc == CS_OK)
        tell(certificate, &reply);
    return rc;
}
