/* countersign session open, close, show - who one is for the controller. */
#include "controller/cli/nouns.h"
#include "controller/cli/remote.h"
#include "controller/cli/show.h"

static int needs_remote(struct cli *cli, struct cs_err *err)
{
    if (!cli->home.controller[0])
        return cli_usage(
            cli, err,
            "sessions are for controllers that are reached by --controller URL; on the admin socket the "
            "system says who calls");
    return cli_remote_connect(cli, err);
}

int cli_session_show(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {{"name", "MAY CALL AS", false}};
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    countersign_v1_WhoAmIRequest request = {0};
    cs_auto_free countersign_v1_WhoAmIResponse *me = CLI_NEW(countersign_v1_WhoAmIResponse, err);
    cs_auto(cs_buf_free) struct cs_buf roles = CS_BUF_EMPTY, groups = CS_BUF_EMPTY;
    int rc = me ? cli_call(cli, &cli_rpc_WhoAmI, &request, me, err) : CS_ENOMEM;

    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < me->roles_count && rc == CS_OK; i++) {
        rc = i ? cs_buf_append_u8(&roles, '\n') : CS_OK;
        if (rc == CS_OK)
            rc = cs_buf_append_str(&roles, cli_show_role_word(me->roles[i]));
    }
    for (pb_size_t i = 0; i < me->groups_count && rc == CS_OK; i++) {
        rc = i ? cs_buf_append_u8(&groups, '\n') : CS_OK;
        if (rc == CS_OK)
            rc = cs_buf_append_str(&groups, me->groups[i]);
    }
    if (rc != CS_OK)
        return cs_err_nomem(err);
    cli_field(doc, "operator", "Operator", cli_text(me->operator[0] ? me->operator : "the local administrator"));
    cli_field(doc, "roles", "Roles", cli_list(cs_buf_slice(&roles)));
    cli_field(doc, "groups", "Groups", cli_list(cs_buf_slice(&groups)));
    cli_field(doc, "peer", "Seen as", cli_text(me->peer));
    if (me->operators_count)
        cli_table(doc, "operators", columns, CS_ARRAY_LEN(columns), NULL);
    for (pb_size_t i = 0; i < me->operators_count; i++)
        CLI_ROW(doc, cli_text(me->operators[i]));
    return cli_write(cli, doc, err);
}

int cli_session_open(struct cli *cli, struct cs_err *err)
{
    int rc = needs_remote(cli, err);

    if (rc == CS_OK)
        rc = cli_remote_sign_in(cli, true, err);
    return rc == CS_OK ? cli_session_show(cli, err) : rc;
}

int cli_session_close(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    int rc = needs_remote(cli, err);

    if (rc == CS_OK)
        rc = cli_remote_sign_out(cli, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "closed", "Session closed at", cli_text(cli->home.controller));
    return cli_write(cli, doc, err);
}
