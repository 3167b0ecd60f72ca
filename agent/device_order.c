/* An order that was accepted, up to its end: forwards, or back to what was there before. Each step is written
 * down before it is done (journal.h), so that whoever comes after a crash can go on from what is on disk.
 * What cannot be written is tried again, with growing waits: there is no end but these two. */
#include "agent/device_impl.h"

#include "agent/core/journal.h"

#include <stdio.h>

enum { WAIT_FIRST_MS = 1000, WAIT_MOST_MS = 60 * 1000 };

static struct ag_order *current_order(struct ag_device *device, struct ag_connector_state **ret_connector)
{
    struct ag_order *order = ag_state_order(&device->state, CS_SLICE_ARRAY(device->order_id), ret_connector);

    cs_assert(order);
    return order;
}

/* ---- what cannot be done now */

static void on_waited(void *owner)
{
    struct ag_device *device = owner;
    void (*next)(struct ag_device * device) = device->after_wait;

    device->after_wait = NULL;
    next(device);
}

/* Told once, to the log and to the controller, which would take silence for failure. */
static void tell_trouble(struct ag_device *device, const char *what, const char *why)
{
    const struct ag_order *order = current_order(device, NULL);
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    char detail[400];

    cs_log(CS_LOG_ERROR, "push", what, CS_F("error", why), CS_FEND);
    if (cs_report_decode(cs_buf_slice(&order->account), &report, NULL) != CS_OK)
        return;
    snprintf(detail, sizeof detail, "%s, and tried again until it can be: %.300s", what, why);
    report->outcome = countersign_v1_Outcome_OUTCOME_ACCEPTED;
    ag_report_set_verdict(report, AG_STORAGE_FAILED, detail);
    ag_report_pass(device, report);
}

static void later(struct ag_device *device, void (*next)(struct ag_device *device), const char *what,
                  const char *why)
{
    struct ag_port *port = device->store.port;
    struct cs_err err = {0};

    if (device->wait_ms == 0) {
        device->wait_ms = WAIT_FIRST_MS;
        tell_trouble(device, what, why);
    }
    device->after_wait = next;
    if (port->wait(port, device->wait_ms, on_waited, device, &err) != CS_OK) {
        device->after_wait = NULL;
        ag_device_fatal(device, &err);
        return;
    }
    device->wait_ms = device->wait_ms < WAIT_MOST_MS / 2 ? 2 * device->wait_ms : WAIT_MOST_MS;
}

/* ---- the end */

static void add_way_back(const struct ag_device *device, countersign_v1_DeviceReport *report)
{
    const struct ag_applied *back = &device->way_back;
    char detail[sizeof report->detail + 256];
    const char *then = !device->seen              ? "; nothing was changed"
                       : back->complaint != AG_OK ? "; put back, but then: "
                       : back->proven             ? "; put back, and the application serves it"
                                                  : "; put back";

    if (!device->connector)
        return;
    snprintf(detail, sizeof detail, "%s%s%s", report->detail, then,
             device->seen && back->complaint != AG_OK ? back->complaint_detail : "");
    ag_report_set_detail(report, detail);
}

static void say_completed(const struct ag_device *device, const struct ag_order *order,
                          countersign_v1_DeviceReport *report)
{
    const struct ag_connector *connector = device->connector;
    const char *what = order->removes ? "removed" : "installed";
    char detail[256], where[160] = "";

    if (connector->probe.host)
        snprintf(where, sizeof where,
                 order->removes ? ", not served at %.100s:%u any more" : ", served at %.100s:%u",
                 connector->probe.host, (unsigned)connector->probe.port);
    snprintf(detail, sizeof detail, "%s%s%s%s", what, connector->validate[0] ? ", validated" : "",
             connector->reload.kind != AG_RELOAD_NONE ? ", reloaded" : "", where);
    report->outcome = countersign_v1_Outcome_OUTCOME_COMPLETED;
    ag_report_set_verdict(report, AG_OK, detail);
    report->installed_digest.size = 0;
    if (!order->removes)
        CS_PB_SET(&report->installed_digest, cs_digest_slice(&order->chain_digest));
}

/* Outcome and report, in memory; save_end() makes both durable with one write. */
static int journal_end(struct ag_device *device, struct cs_err *err)
{
    struct ag_order *order = current_order(device, NULL);
    const struct ag_applied *last = order->phase == AG_PHASE_ACCEPTED ? &device->applied : &device->way_back;
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    int code = cs_report_decode(cs_buf_slice(&order->account), &report, err);

    if (code)
        return code;
    if (order->phase == AG_PHASE_ACCEPTED)
        say_completed(device, order, report);
    else
        add_way_back(device, report);
    if (last->served)
        CS_PB_SET(&report->served_digest, cs_digest_slice(&last->leaf));
    code = ag_report_finish(device, report, &payload, err);
    return code ? code : ag_journal_end(&device->state, order, cs_buf_slice(&payload), err);
}

static void tell_end(struct ag_device *device)
{
    struct ag_connector_state *connector = NULL;
    const struct ag_order *order = current_order(device, &connector);
    cs_auto_free countersign_v1_DeviceReport *report = NULL;

    if (cs_report_decode(cs_buf_slice(&order->account), &report, NULL) == CS_OK)
        ag_report_log(report);
    ag_report_repeat(device, order);
    if (order->phase != AG_PHASE_COMPLETED)
        return;
    ag_keys_settle(device, connector->name, order->generation);
    ag_apply_tidy(device->store.port, device->config->state, connector->name, order->generation,
                  device->config->generations_kept);
}

static void save_end(struct ag_device *device)
{
    struct cs_err err = {0};

    if (ag_device_save(device, &err) != CS_OK) {
        later(device, save_end, "the push has ended here, which cannot be written down", err.msg);
        return;
    }
    tell_end(device);
    device->busy = false;
    device->connector = NULL;
    ag_device_look_again(device);
    /* What people changed meanwhile was passed over while the push had its own changes to make. */
    if (ag_device_look(device))
        device->events->on_change(device->owner);
    ag_device_go_on(device);
}

static void end_order(struct ag_device *device)
{
    struct cs_err err = {0};

    if (journal_end(device, &err) != CS_OK)
        later(device, end_order, "the push has ended here, which cannot be written down", err.msg);
    else
        save_end(device);
}

/* ---- where the connector's link leads */

static int find_place(struct ag_device *device, const struct ag_order *order, enum ag_place *ret,
                      struct cs_err *err)
{
    char now[AG_CURRENT_BYTES], new_name[AG_PLACE_NAME_BYTES], previous[AG_PLACE_NAME_BYTES];
    int code = ag_apply_current(device->store.port, device->config->state, device->connector->name, now, err);

    if (code)
        return code;
    *ret = strcmp(now, ag_generation_name(order->generation, new_name)) == 0 ? AG_AT_NEW
           : strcmp(now, ag_previous_name(order->generation, order->previous_generation, previous)) == 0
               ? AG_AT_PREVIOUS
               : AG_AT_OTHER;
    return CS_OK;
}

/* ---- the way back */

static void put_back(struct ag_device *device);

static void on_put_back(void *owner, const struct ag_applied *applied)
{
    struct ag_device *device = owner;

    device->way_back = *applied;
    if (applied->verdict != AG_OK)
        later(device, put_back, "what was there before cannot be put back", applied->detail);
    else
        end_order(device);
}

/* Looks at the disk each time: it may be the next try, or the next process. */
static void put_back(struct ag_device *device)
{
    const struct ag_order *order = current_order(device, NULL);
    struct ag_put_back what = {
        .folder = device->config->state,
        .connector = device->connector,
        .generation = order->generation,
        .previous = order->previous_generation,
        .seen = device->seen,
        .reloaded = device->applied.reloaded,
    };
    struct ag_plan *plan = NULL;
    struct cs_err err = {0};
    int code = find_place(device, order, &what.at, &err);

    if (!code)
        code = ag_plan_put_back(&what, &plan, &err);
    if (code) {
        later(device, put_back, "what was there before cannot be put back", err.msg);
        return;
    }
    device->seen |= what.at == AG_AT_NEW;
    ag_apply_start(&device->apply, device->store.port, plan, on_put_back, device);
}

/* The reason goes into the account first, so that it is not lost with a crash on the way back. Where it
 * cannot be written, only the reason is lost: the disk still says that the order has no end. */
static int begin_put_back(struct ag_device *device, enum ag_verdict verdict, const char *detail,
                          struct cs_err *err)
{
    struct ag_order *order = current_order(device, NULL);
    cs_auto_free countersign_v1_DeviceReport *report = NULL;
    cs_auto(cs_buf_free) struct cs_buf payload = CS_BUF_EMPTY;
    int code = cs_report_decode(cs_buf_slice(&order->account), &report, err);

    if (code)
        return code;
    report->outcome = countersign_v1_Outcome_OUTCOME_FAILED;
    ag_report_set_verdict(report, verdict, detail);
    code = cs_message_encode(countersign_v1_DeviceReport_fields, report, &payload, err);
    if (!code)
        code = ag_journal_begin_put_back(order, cs_buf_slice(&payload), err);
    if (!code && ag_device_save(device, err) != CS_OK)
        cs_log(CS_LOG_WARN, "push", "the way back is begun without being written down",
               CS_F("error", err->msg), CS_FEND);
    return code;
}

static void on_applied(void *owner, const struct ag_applied *applied)
{
    struct ag_device *device = owner;
    struct cs_err err = {0};

    if (applied->unlimited[0] && !device->unlimited_said)
        cs_log(CS_LOG_WARN, "push", "no cgroup limits the processes of commands",
               CS_F("why", applied->unlimited), CS_FEND);
    device->unlimited_said |= applied->unlimited[0] != '\0';
    device->applied = *applied;
    device->seen = applied->switched;
    if (applied->verdict == AG_OK)
        end_order(device);
    else if (begin_put_back(device, applied->verdict, applied->detail, &err) == CS_OK)
        put_back(device);
    else
        ag_device_fatal(device, &err);
}

/* ---- forwards */

static void take_up(struct ag_device *device, const uint8_t order_id[16],
                    const struct ag_connector *connector)
{
    ag_device_stop_looking(device);
    memcpy(device->order_id, order_id, sizeof device->order_id);
    device->connector = connector;
    device->busy = true;
    device->seen = false;
    device->wait_ms = 0;
    device->applied = device->way_back = (struct ag_applied){.complaint = AG_OK};
}

/* The chain and key of the decision, in every form that some application reads. */
struct written {
    struct cs_buf chain_pem, intermediates_pem, key_pem; /* the last is wiped */
    struct ag_material material;
};

static void written_free(struct written *written)
{
    cs_buf_free(&written->chain_pem);
    cs_buf_free(&written->intermediates_pem);
    cs_buf_wipe(&written->key_pem);
}

static int write_material(const struct ag_decision *decision, struct written *ret, struct cs_err *err)
{
    const struct cs_chain *chain = decision->chain;
    int code = cs_chain_write_pem(chain, &ret->chain_pem, err);

    for (size_t i = 1; !code && i < cs_chain_count(chain); i++)
        code = cs_pem_write("CERTIFICATE", cs_chain_der(chain, i), &ret->intermediates_pem, err);
    if (!code && cs_buf_reserve(&ret->key_pem, 2 * decision->pkcs8.len + 256) != CS_OK)
        code = cs_err_nomem(err);
    if (!code)
        code = cs_pem_write("PRIVATE KEY", cs_buf_slice(&decision->pkcs8), &ret->key_pem, err);
    ret->material = (struct ag_material){
        .chain_pem = cs_buf_slice(&ret->chain_pem),
        .intermediates_pem = cs_buf_slice(&ret->intermediates_pem),
        .key_pem = cs_buf_slice(&ret->key_pem),
        .leaf_der = cs_chain_der(chain, 0),
        .key_der = cs_buf_slice(&decision->pkcs8),
    };
    return code;
}

void ag_order_begin(struct ag_device *device, const struct ag_decision *decision)
{
    cs_auto(written_free) struct written written = {.material = {.chain_pem = CS_SLICE_EMPTY}};
    struct ag_applied failed = {.verdict = AG_STORAGE_FAILED, .complaint = AG_OK};
    struct ag_plan *plan = NULL;
    struct cs_err err = {0};
    int code = CS_OK;

    take_up(device, decision->report.order_id.bytes, decision->connector);
    if (!decision->removes)
        code = write_material(decision, &written, &err);
    const struct ag_install what = {
        .folder = device->config->state,
        .connector = decision->connector,
        .generation = decision->report.generation,
        .previous = current_order(device, NULL)->previous_generation,
        .material = decision->removes ? NULL : &written.material,
    };

    if (!code)
        code = ag_plan_install(&what, &plan, &err);
    if (!code) {
        ag_apply_start(&device->apply, device->store.port, plan, on_applied, device);
        return;
    }
    snprintf(failed.detail, sizeof failed.detail, "%s", err.msg);
    on_applied(device, &failed);
}

/* ---- after a crash */

static void recover(struct ag_device *device);

static void finish(struct ag_device *device)
{
    const struct ag_order *order = current_order(device, NULL);
    const struct ag_finish what = {
        .folder = device->config->state,
        .connector = device->connector,
        .generation = order->generation,
        .previous = order->previous_generation,
        .removes = order->removes,
    };
    struct ag_plan *plan = NULL;
    struct cs_err err = {0};

    if (ag_plan_finish(&what, &plan, &err) != CS_OK)
        later(device, recover, "an interrupted push cannot be ended", err.msg);
    else
        ag_apply_start(&device->apply, device->store.port, plan, on_applied, device);
}

/* It has not taken place, or not any more. */
static void give_up(struct ag_device *device)
{
    struct cs_err err = {0};

    if (begin_put_back(device, AG_INTERRUPTED, NULL, &err) == CS_OK)
        put_back(device);
    else
        ag_device_fatal(device, &err);
}

/* An order whose connector is not declared any more: nothing of it is touched. */
static void abandon(struct ag_device *device)
{
    static const char detail[] =
        "its app connector is declared no more: whatever files this push has brought there stay";
    struct cs_err err = {0};

    if (current_order(device, NULL)->phase == AG_PHASE_ACCEPTED &&
        begin_put_back(device, AG_UNKNOWN_CONNECTOR, detail, &err) != CS_OK)
        ag_device_fatal(device, &err);
    else
        end_order(device);
}

static void recover(struct ag_device *device)
{
    const struct ag_order *order = current_order(device, NULL);
    enum ag_place at = AG_AT_OTHER;
    struct cs_err err = {0};

    if (!device->connector) {
        abandon(device);
        return;
    }
    if (find_place(device, order, &at, &err) != CS_OK) {
        later(device, recover, "an interrupted push cannot be ended", err.msg);
        return;
    }
    /* Where the link leads back, too: it may have been switched, and back by a way back that could not be
     * written down. */
    device->seen = at != AG_AT_OTHER || order->phase == AG_PHASE_PUTTING_BACK;
    if (order->phase == AG_PHASE_PUTTING_BACK)
        put_back(device);
    else if (at == AG_AT_NEW)
        finish(device);
    else
        give_up(device);
}

bool ag_order_recover_one(struct ag_device *device)
{
    struct ag_connector_state *connector = NULL;
    const struct ag_order *order = ag_journal_unfinished(&device->state, &connector);

    if (!order)
        return false;
    take_up(device, order->order_id, ag_connectors_find(&device->config->connectors, connector->name));
    cs_log(CS_LOG_WARN, "push", "an order was interrupted", CS_F("connector", connector->name),
           CS_FU("generation", order->generation), CS_FEND);
    recover(device);
    return true;
}

/* ---- before the application starts */

static void on_restored(void *owner, const struct ag_applied *applied)
{
    struct ag_applied *ret = owner;

    *ret = *applied;
}

/* No way back has an order that took place: it is ended forwards, or not, by who runs later. */
static int restore_one(struct ag_device *device, const struct ag_order *order, struct cs_err *err)
{
    struct ag_applied applied = {.verdict = AG_UNDECIDED};
    struct ag_plan *plan = NULL;
    enum ag_place at = AG_AT_OTHER;
    int code = find_place(device, order, &at, err);
    const struct ag_restore what = {
        .folder = device->config->state,
        .connector = device->connector,
        .generation = order->generation,
        .previous = order->previous_generation,
        .back = at == AG_AT_PREVIOUS || order->phase == AG_PHASE_PUTTING_BACK,
    };

    if (code || at == AG_AT_OTHER)
        return code;
    code = ag_plan_restore(&what, &plan, err);
    if (code)
        return code;
    /* Files only: it ends before it returns. */
    ag_apply_start(&device->apply, device->store.port, plan, on_restored, &applied);
    return applied.verdict == AG_OK
               ? CS_OK
               : cs_err_set(err, CS_EIO, "%s: %s", device->connector->name, applied.detail);
}

int ag_device_restore(struct ag_device *device, unsigned *ret_restored, struct cs_err *err)
{
    int code = CS_OK;

    *ret_restored = 0;
    for (size_t i = 0; i < device->state.connector_count; i++) {
        const struct ag_connector_state *known = &device->state.connectors[i];
        struct cs_err why = {0};

        if (known->order_count == 0 || ag_phase_final(known->orders[0].phase))
            continue;
        device->connector = ag_connectors_find(&device->config->connectors, known->name);
        if (!device->connector)
            continue;
        if (restore_one(device, &known->orders[0], &why) == CS_OK)
            ++*ret_restored;
        else if (!code)
            code = cs_err_set(err, why.code, "%s", why.msg);
    }
    device->connector = NULL;
    return code;
}
