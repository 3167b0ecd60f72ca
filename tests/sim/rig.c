#include "tests/sim/rig.h"

#include "tests/support/simfs.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

/* After so many waits that are longer than a look at an application the process is ended: what waits for a
 * disk that never gets better would wait for ever. */
enum { LONG_WAIT_MS = 1000, LONG_WAITS = 4 };

/* The port's functions get the port, which is the real one: so there is one rig at a time. */
static struct rig *on;

/* ---- clock and numbers */

static int64_t clock_s(struct ag_port *port CS_UNUSED)
{
    return on->setting->now_s;
}

static bool clock_synchronised(struct ag_port *port CS_UNUSED)
{
    return true;
}

static int64_t ticks_ms(struct ag_port *port CS_UNUSED)
{
    return on->ticks_ms;
}

static void next_random(struct ag_port *port CS_UNUSED, void *out, size_t len)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++) {
        on->random = on->random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(on->random >> 56);
    }
}

/* ---- questions */

static char next_answer(const char **script)
{
    char answer = *script && **script ? **script : RIG_GOOD;

    if (*script && **script && (*script)[1])
        ++*script;
    return answer;
}

static void note_reload(char answer)
{
    on->questions++;
    on->reload_asked = true;
    on->reload_failed = answer != RIG_GOOD;
    if (on->setting->on_reload)
        on->setting->on_reload(on->setting->data, answer == RIG_GOOD);
}

static void take_up(int kind, char answer, void *owner)
{
    cs_assert(on->work.kind == RIG_IDLE);
    on->work = (struct rig_work){.answer = answer, .owner = owner};
    on->work.kind = kind;
}

/* The connectors of the tables have "check" and "reload". */
static int run(struct ag_port *port CS_UNUSED, const struct ag_command *command,
               void (*on_end)(void *owner, const struct ag_command_result *result), void *owner,
               struct cs_err *err)
{
    bool validates = strcmp(command->argv[0], "check") == 0;
    char answer = next_answer(validates ? &on->script.validate : &on->script.reload);

    if (!validates)
        note_reload(answer);
    if (answer == RIG_CANNOT_START)
        return cs_err_set(err, CS_EIO, "no process can be started");
    take_up(RIG_COMMAND, answer, owner);
    on->work.on_end.command = on_end;
    return CS_OK;
}

static int talk(struct ag_port *port CS_UNUSED, const struct ag_talk *question CS_UNUSED,
                void (*on_end)(void *owner, const struct ag_talk_result *result), void *owner,
                struct cs_err *err)
{
    char answer = next_answer(&on->script.reload);

    note_reload(answer);
    if (answer == RIG_CANNOT_START)
        return cs_err_set(err, CS_EIO, "no socket can be opened");
    take_up(RIG_TALK, answer, owner);
    on->work.on_end.talk = on_end;
    return CS_OK;
}

static int send_signal(struct ag_port *port CS_UNUSED, const char *pid_file CS_UNUSED,
                       const char *program CS_UNUSED, int number CS_UNUSED, struct cs_err *err)
{
    char answer = next_answer(&on->script.reload);

    note_reload(answer);
    return answer == RIG_GOOD ? CS_OK : cs_err_set(err, CS_ENOTFOUND, "no such process");
}

static int probe(struct ag_port *port CS_UNUSED, const struct ag_probe *where CS_UNUSED,
                 uint32_t timeout_ms CS_UNUSED,
                 void (*on_end)(void *owner, const struct ag_probe_result *result), void *owner,
                 struct cs_err *err)
{
    char answer = next_answer(&on->script.probe);

    if (answer == RIG_CANNOT_START)
        return cs_err_set(err, CS_EIO, "no socket can be opened");
    take_up(RIG_PROBE, answer, owner);
    on->work.on_end.probe = on_end;
    return CS_OK;
}

static int wait_for(struct ag_port *port CS_UNUSED, uint32_t ms, void (*on_end)(void *owner), void *owner,
                    struct cs_err *err CS_UNUSED)
{
    take_up(RIG_WAIT, RIG_GOOD, owner);
    on->work.on_end.wait = on_end;
    on->ticks_ms += ms;
    on->long_waits += ms >= LONG_WAIT_MS;
    return CS_OK;
}

static void stop(struct ag_port *port CS_UNUSED)
{
    on->work.kind = RIG_IDLE;
}

static int watch(struct ag_port *port CS_UNUSED, const char *const *folders CS_UNUSED, size_t count CS_UNUSED,
                 void (*on_change)(void *owner) CS_UNUSED, void *owner CS_UNUSED,
                 struct cs_err *err CS_UNUSED)
{
    return CS_OK;
}

/* ---- answers */

static void end_command(const struct rig_work *work)
{
    struct ag_command_result result = {.how = AG_COMMAND_EXITED, .output = ""};

    result.status = work->answer == RIG_FAILS ? 1 : 0;
    if (work->answer == RIG_TIMES_OUT)
        result.how = AG_COMMAND_TIMEOUT;
    if (work->answer == RIG_IS_KILLED) {
        result.how = AG_COMMAND_KILLED;
        result.status = 9;
    }
    work->on_end.command(work->owner, &result);
}

static void end_talk(const struct rig_work *work)
{
    const struct ag_talk_result result = {
        .good = work->answer == RIG_GOOD, .timed_out = work->answer == RIG_TIMES_OUT, .answer = "no"};

    work->on_end.talk(work->owner, &result);
}

static void end_probe(const struct rig_work *work)
{
    const struct rig_setting *setting = on->setting;
    struct ag_probe_result result = {.why = "nobody listens"};

    if (work->answer == RIG_GOOD || work->answer == RIG_STALE)
        result.served = setting->serves(setting->data, work->answer == RIG_STALE, &result.leaf);
    work->on_end.probe(work->owner, &result);
}

static void let_it_work(struct rig *rig)
{
    while (rig->work.kind != RIG_IDLE && rig->long_waits < LONG_WAITS) {
        const struct rig_work work = rig->work;

        rig->work.kind = RIG_IDLE;
        switch (work.kind) {
        case RIG_COMMAND:
            end_command(&work);
            break;
        case RIG_TALK:
            end_talk(&work);
            break;
        case RIG_PROBE:
            end_probe(&work);
            break;
        case RIG_WAIT:
            work.on_end.wait(work.owner);
            break;
        case RIG_IDLE:
            break;
        }
    }
}

/* ---- what it says */

static enum rig_told told_by(countersign_v1_Outcome outcome)
{
    switch (outcome) {
    case countersign_v1_Outcome_OUTCOME_ACCEPTED:
        return RIG_ACCEPTED;
    case countersign_v1_Outcome_OUTCOME_COMPLETED:
        return RIG_COMPLETED;
    case countersign_v1_Outcome_OUTCOME_FAILED:
        return RIG_FAILED;
    default:
        return RIG_REFUSED;
    }
}

static void on_statement(void *owner, struct cs_slice wire)
{
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    struct rig *rig = owner;
    struct cs_envelope envelope;
    struct cs_err err;

    if (cs_envelope_parse(wire, &envelope, &err) != CS_OK ||
        cs_report_decode(envelope.payload, &report, &err) != CS_OK) {
        rig->is_deaf = true;
        return;
    }
    /* One that could not be read says of no order that it is refused. */
    if (report->order_id.size > 0 && memcmp(report->order_id.bytes, rig->setting->order_id, 16) != 0)
        return;
    rig->told = told_by(report->outcome);
    /* "Tried again until it can be": what is accepted may not have been written down. */
    if (rig->told == RIG_ACCEPTED && strcmp(report->verdict, ag_verdict_word(AG_STORAGE_FAILED)) == 0)
        rig->told = RIG_TRIES_AGAIN;
    snprintf(rig->verdict, sizeof rig->verdict, "%s", report->verdict);
    snprintf(rig->detail, sizeof rig->detail, "%.500s", report->detail);
    simfs_mark((int)rig->told);
}

static void on_policy_wanted(void *owner, uint32_t version CS_UNUSED)
{
    struct rig *rig = owner;

    rig->wants_policy = true;
}

static void on_full(void *owner CS_UNUSED, bool full CS_UNUSED)
{
}

static void on_change(void *owner CS_UNUSED)
{
}

static void on_fatal(void *owner, const struct cs_err *why)
{
    struct rig *rig = owner;

    snprintf(rig->fatal, sizeof rig->fatal, "%s", why->msg[0] ? why->msg : "?");
}

/* The linker sends the log here: a hundred thousand runs are read by nobody. */
void __wrap_cs_log_fields(enum cs_log_level level, const char *group, const char *msg,
                          const struct cs_log_field *fields);
void __wrap_cs_log_fields(enum cs_log_level level, const char *group CS_UNUSED, const char *msg,
                          const struct cs_log_field *fields)
{
    if (level < CS_LOG_ERROR || !on)
        return;
    snprintf(on->error, sizeof on->error, "%s", msg);
    for (; fields->name; fields++)
        if (fields->text && fields->text[0] && strcmp(fields->name, "error") == 0)
            snprintf(on->error, sizeof on->error, "%s: %s", msg, fields->text);
}

/* ---- on and off */

static void replace(struct rig *rig)
{
    struct ag_port *port = ag_posix_port(rig->posix);

    port->clock_s = clock_s;
    port->clock_synchronised = clock_synchronised;
    port->ticks_ms = ticks_ms;
    port->random = next_random;
    port->run = run;
    port->talk = talk;
    port->probe = probe;
    port->wait = wait_for;
    port->stop = stop;
    port->send_signal = send_signal;
    port->watch = watch;
    if (rig->setting->sabotage)
        rig->setting->sabotage(port);
}

static int open_device(struct rig *ret, const struct rig_setting *setting, struct cs_err *err)
{
    int code;

    *ret = (struct rig){.setting = setting, .script = setting->script};
    on = ret;
    code = ag_posix_new(NULL, &ret->posix, err);
    if (code)
        return code;
    replace(ret);
    code = ag_device_open(&ret->device, setting->config, ag_posix_port(ret->posix), err);
    if (code)
        rig_off(ret);
    return code;
}

int rig_restore(const struct rig_setting *setting, struct cs_err *err)
{
    unsigned restored = 0;
    struct rig rig;
    int code = open_device(&rig, setting, err);

    if (code)
        return code;
    code = ag_device_restore(&rig.device, &restored, err);
    rig_off(&rig);
    return code;
}

int rig_on(struct rig *ret, const struct rig_setting *setting, struct cs_err *err)
{
    static const struct ag_device_events events = {.on_statement = on_statement,
                                                   .on_policy_wanted = on_policy_wanted,
                                                   .on_full = on_full,
                                                   .on_change = on_change,
                                                   .on_fatal = on_fatal};
    int code = open_device(ret, setting, err);

    if (code)
        return code;
    ag_device_listen(&ret->device, &events, ret);
    ag_device_recover(&ret->device);
    let_it_work(ret);
    return CS_OK;
}

int rig_deliver(struct rig *rig, struct cs_slice delivery, struct cs_err *err)
{
    int code = ag_device_deliver(&rig->device, delivery, err);

    let_it_work(rig);
    if (rig->wants_policy) {
        rig->wants_policy = false;
        ag_device_give_up_policy(&rig->device);
    }
    let_it_work(rig);
    return code;
}

void rig_off(struct rig *rig)
{
    ag_device_free(&rig->device);
    ag_posix_close(rig->posix);
    on = NULL;
}

bool rig_is_busy(const struct rig *rig)
{
    return rig->device.busy;
}
