/* countersign session open, close, show, list, end - who one is for the controller, and who is signed in. */
#include "controller/cli/nouns.h"
#include "controller/cli/remote.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

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

static int list_sessions(struct cli *cli, countersign_v1_ListSessionsResponse **ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_ListSessionsResponse *reply =
        CLI_NEW(countersign_v1_ListSessionsResponse, err);
    countersign_v1_ListSessionsRequest request = {0};
    int rc = reply ? cli_call(cli, &cli_rpc_ListSessions, &request, reply, err) : CS_ENOMEM;

    if (rc == CS_OK)
        *ret = cs_steal(reply);
    return rc;
}

int cli_session_list(struct cli *cli, struct cs_err *err)
{
    static const struct cli_column columns[] = {
        {"id", "ID", CLI_ID},        {"operator", "OPERATOR", 0},           {"peer", "FROM", 0},
        {"key_kind", "KEY", 0},      {"key_id", "KEY (SHA-256)", CLI_WIDE}, {"opened_at", "OPENED", 0},
        {"seen_at", "LAST CALL", 0}, {"expires_at", "EXPIRES", CLI_WIDE},   {"own", "THIS ONE", 0},
    };
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    cs_auto_free countersign_v1_ListSessionsResponse *reply = NULL;
    int rc = list_sessions(cli, &reply, err);

    if (rc != CS_OK)
        return rc;
    cli_table(doc, "sessions", columns, CS_ARRAY_LEN(columns), "No session is open.");
    for (pb_size_t i = 0; i < reply->sessions_count; i++) {
        const countersign_v1_SessionInfo *one = &reply->sessions[i];

        CLI_ROW(doc, cli_hex(CS_PB_BYTES(&one->id)), cli_text(one->operator), cli_text(one->peer),
                cli_text(cli_show_key_kind_word(one->key_kind)), cli_hex(CS_PB_BYTES(&one->key_id)),
                cli_time(one->opened_at_s), cli_time(one->seen_at_s), cli_time(one->expires_at_s),
                cli_bool(one->own));
    }
    if (reply->more)
        cli_hint(doc, "These are the ones that were used last; there are more.");
    return cli_write(cli, doc, err);
}

/* The one session whose id begins so. */
static int find_session(struct cli *cli, const char *text, countersign_v1_SessionInfo *ret,
                        struct cs_err *err)
{
    enum { DIGITS_LEAST = 4 };
    cs_auto_free countersign_v1_ListSessionsResponse *reply = NULL;
    size_t len = strlen(text), count = 0;
    int rc;

    if (len < DIGITS_LEAST)
        return cli_usage(cli, err, "a session is named by the first %d hex digits of its id or more",
                         DIGITS_LEAST);
    rc = list_sessions(cli, &reply, err);
    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < reply->sessions_count; i++) {
        char hex[2 * CS_SHA256_BYTES + 1];

        if (strncmp(cs_hex(CS_PB_BYTES(&reply->sessions[i].id), hex), text, len) == 0) {
            *ret = reply->sessions[i];
            count++;
        }
    }
    if (count == 1)
        return CS_OK;
    return cs_err_set(err, CS_ENOTFOUND, "%s session that you may see has an id that begins with %.64s",
                      count ? "more than one" : "no", text);
}

int cli_session_end(struct cli *cli, struct cs_err *err)
{
    cs_auto(cli_doc_freep) struct cli_doc *doc = cli_doc_new();
    countersign_v1_SessionInfo session = countersign_v1_SessionInfo_init_zero;
    countersign_v1_EndSessionRequest request = {.id = {0}};
    countersign_v1_EndSessionResponse reply;
    int rc = find_session(cli, cli->args.operands[0], &session, err);

    if (rc != CS_OK)
        return rc;
    CS_PB_SET(&request.id, CS_PB_BYTES(&session.id));
    rc = cli_call(cli, &cli_rpc_EndSession, &request, &reply, err);
    if (rc != CS_OK)
        return rc;
    cli_field(doc, "ended", "Session ended", cli_hex(CS_PB_BYTES(&session.id)));
    cli_field(doc, "operator", "Of", cli_text(session.operator));
    return cli_write(cli, doc, err);
}
