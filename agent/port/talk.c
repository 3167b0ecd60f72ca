#include "agent/port/talk.h"

#include "agent/port/said.h"
#include "agent/port/socket.h"

struct talk {
    struct ag_task task;
    struct ag_socket socket;
    struct cs_buf send; /* a key may be in it */
    char *expect;       /* NULL: anything */
    char answer[AG_LIMIT_ANSWER_BYTES + 1];
    size_t answer_len;
    struct ag_talk_result result;
    struct ag_said said;
    void (*on_end)(void *owner, const struct ag_talk_result *result);
    void *owner;
};

static struct talk *of_socket(struct ag_socket *socket)
{
    return CS_CONTAINER_OF(socket, struct talk, socket);
}

static void on_closed(struct ag_socket *socket)
{
    struct talk *talk = of_socket(socket);

    cs_buf_wipe(&talk->send);
    free(talk->expect);
    free(talk);
}

/* `why` is told where there is no answer. */
static void end(struct talk *talk, const char *why)
{
    ag_socket_close(&talk->socket);
    if (!ag_task_end(&talk->task))
        return;
    ag_said_hear(&talk->said,
                 talk->answer_len ? cs_slice(talk->answer, talk->answer_len) : cs_slice_str(why));
    talk->result.answer = ag_said_text(&talk->said);
    talk->on_end(talk->owner, &talk->result);
}

static void on_connected(struct ag_socket *socket)
{
    struct talk *talk = of_socket(socket);
    struct cs_err err;

    if (ag_socket_send(socket, cs_buf_slice(&talk->send), &err) != CS_OK)
        end(talk, err.msg);
    else
        cs_buf_wipe(&talk->send);
}

static const char *find_expected(const struct talk *talk)
{
    const char *found = strstr(talk->answer, talk->expect ? talk->expect : "");

    return found ? found + (talk->expect ? strlen(talk->expect) : 0) : NULL;
}

static void on_bytes(struct ag_socket *socket, struct cs_slice bytes)
{
    struct talk *talk = of_socket(socket);
    size_t room = AG_LIMIT_ANSWER_BYTES - talk->answer_len, take = bytes.len < room ? bytes.len : room;

    for (size_t i = 0; i < take; i++)
        talk->answer[talk->answer_len++] = bytes.ptr[i] ? (char)bytes.ptr[i] : ' ';
    talk->answer[talk->answer_len] = '\0';
    const char *behind = find_expected(talk);

    talk->result.good = behind != NULL;
    if ((behind && strchr(behind, '\n')) || talk->answer_len == AG_LIMIT_ANSWER_BYTES)
        end(talk, "");
}

static bool was_all_sent(const struct ag_socket *socket)
{
    return socket->connected && socket->sending.len == 0 && socket->waiting.len == 0;
}

static void on_over(struct ag_socket *socket, const struct cs_err *why)
{
    struct talk *talk = of_socket(socket);

    talk->result.timed_out = why->code == CS_ETIMEOUT;
    if (!talk->expect)
        talk->result.good = was_all_sent(socket) && (why->code == CS_ECLOSED || why->code == CS_ETIMEOUT);
    end(talk, why->msg);
}

static void abandon(struct ag_task *task)
{
    ag_socket_close(&CS_CONTAINER_OF(task, struct talk, task)->socket);
}

static const struct ag_socket_events events = {
    .on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_over = on_over,
    .on_closed = on_closed,
};

int ag_talk_begin(uv_loop_t *loop, struct ag_task **slot, const struct ag_talk *question,
                  void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                  struct cs_err *err)
{
    struct talk *talk = calloc(1, sizeof *talk);
    int code = CS_OK;

    if (!talk)
        return cs_err_nomem(err);
    talk->on_end = on_end;
    talk->owner = owner;
    if (question->expect && !(talk->expect = strdup(question->expect)))
        code = cs_err_nomem(err);
    if (!code && (cs_buf_reserve(&talk->send, question->send.len) != CS_OK ||
                  cs_buf_append(&talk->send, question->send) != CS_OK))
        code = cs_err_nomem(err);
    if (!code)
        code = ag_socket_open_address(&talk->socket, loop, question->address, question->timeout_ms, &events,
                                      err);
    if (code) {
        cs_buf_wipe(&talk->send);
        free(talk->expect);
        free(talk);
        return code;
    }
    ag_task_begin(&talk->task, slot, abandon);
    return CS_OK;
}
