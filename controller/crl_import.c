#include "controller/crl_import.h"

#include "controller/core/query.h"
#include "controller/crl.h"
#include "controller/limits.h"
#include "controller/reading.h"
#include "shared/base/log.h"

#include <time.h>

enum { TRIES = 3 };

void ctl_crl_importer_init(struct ctl_crl_importer *importer, struct ctl_store *store,
                           struct ctl_core_thread *core)
{
    *importer = (struct ctl_crl_importer){.store = store, .core = core};
    pthread_mutex_init(&importer->lock, NULL);
    pthread_cond_init(&importer->woken, NULL);
}

void ctl_crl_importer_free(struct ctl_crl_importer *importer)
{
    pthread_mutex_destroy(&importer->lock);
    pthread_cond_destroy(&importer->woken);
}

/* ---- to the core and back */

struct order {
    struct ctl_command command; /* first */
    struct ctl_crl_importer *importer;
};

static void on_done(struct ctl_command *command)
{
    struct ctl_crl_importer *importer = CS_CONTAINER_OF(command, struct order, command)->importer;

    pthread_mutex_lock(&importer->lock);
    importer->answered = true;
    pthread_cond_signal(&importer->woken);
    pthread_mutex_unlock(&importer->lock);
}

/* Waits for the answer: every command that was taken is answered. */
static int run(struct ctl_crl_importer *importer, const struct ctl_import_crl *body,
               countersign_v1_ImportCrlResponse *reply, struct cs_err *err)
{
    struct order order = {.command = {.kind = CTL_IMPORT_CRL,
                                      .body = body,
                                      .reply = reply,
                                      .actor = {.name = "controller"},
                                      .on_done = on_done},
                          .importer = importer};
    int rc;

    importer->answered = false;
    rc = ctl_core_thread_submit(importer->core, &order.command, err);
    if (rc != CS_OK)
        return rc;
    pthread_mutex_lock(&importer->lock);
    while (!importer->answered)
        pthread_cond_wait(&importer->woken, &importer->lock);
    pthread_mutex_unlock(&importer->lock);
    if (order.command.code != CS_OK)
        *err = order.command.err;
    return order.command.code;
}

/* Some entries a command, so that others have their turn. */
static int import_parts(struct ctl_crl_importer *importer, const struct ctl_crl *crl, const char *source,
                        struct cs_slice before, countersign_v1_ImportCrlResponse *total, struct cs_err *err)
{
    struct cs_slice rest = crl->crl.entries;
    struct ctl_import_crl body = {.crl = &crl->crl,
                                  .digest = crl->digest,
                                  .issuer = crl->issuer,
                                  .source = source,
                                  .is_part = true,
                                  .before = before};
    int rc = CS_OK;

    while (rc == CS_OK && !body.is_last && !total->existed && !importer->ending) {
        countersign_v1_ImportCrlResponse reply = countersign_v1_ImportCrlResponse_init_zero;
        struct cs_crl_entry entry;

        body.entries = rest;
        for (size_t i = 0; i < CTL_LIMIT_CRL_PART && cs_crl_next(&rest, &entry); i++)
            ;
        body.entries.len -= rest.len;
        body.is_last = rest.len == 0;
        rc = run(importer, &body, &reply, err);
        total->existed = reply.existed;
        total->revoked += reply.revoked;
    }
    return rc;
}

/* ---- one list */

static void log_imported(const struct ctl_crl *crl, const char *source,
                         const countersign_v1_ImportCrlResponse *total)
{
    bool overdue = crl->crl.next_update_s && crl->crl.next_update_s < (int64_t)time(NULL);

    if (total->existed)
        return;
    cs_log(overdue ? CS_LOG_WARN : CS_LOG_INFO, "crl",
           overdue ? "CRL imported; a newer one is overdue: fetch it from the issuer" : "CRL imported",
           CS_F("source", source), CS_F("issuer", crl->issuer), CS_FU("entries", crl->crl.entry_count),
           CS_FU("revoked", total->revoked), CS_FEND);
}

static int open_list(struct ctl_crl_importer *importer, struct cs_slice file, struct cs_slice issuer,
                     struct ctl_crl *ret, struct cs_digest *ret_before, bool *ret_known, struct cs_err *err)
{
    cs_auto(ctl_reading_close) struct ctl_reading reading = CTL_READING_NONE;
    struct cs_digest scope;
    int rc = ctl_reading_open(importer->store, &reading, err);

    if (rc == CS_OK)
        rc = ctl_crl_open(reading.view, file, issuer, (int64_t)time(NULL), ret, err);
    if (rc != CS_OK)
        return rc;
    scope = cs_crl_scope(&ret->crl);
    rc = ctl_query_crl_digest(reading.view, cs_digest_slice(&scope), ret_before, ret_known, err);
    if (rc != CS_OK)
        ctl_crl_free(ret);
    return rc;
}

static int import_once(struct ctl_crl_importer *importer, struct cs_slice file, struct cs_slice issuer,
                       const char *source, struct cs_err *err)
{
    countersign_v1_ImportCrlResponse total = countersign_v1_ImportCrlResponse_init_zero;
    struct cs_digest before;
    struct ctl_crl crl;
    bool known;
    int rc = open_list(importer, file, issuer, &crl, &before, &known, err);

    if (rc != CS_OK)
        return rc;
    rc = import_parts(importer, &crl, source, known ? cs_digest_slice(&before) : CS_SLICE_EMPTY, &total, err);
    if (rc == CS_OK && !importer->ending)
        log_imported(&crl, source, &total);
    ctl_crl_free(&crl);
    return rc;
}

int ctl_crl_import(struct ctl_crl_importer *importer, struct cs_slice file, struct cs_slice issuer,
                   const char *source, struct cs_err *err)
{
    int rc = CS_ESTALE;

    for (unsigned i = 0; i < TRIES && rc == CS_ESTALE; i++)
        rc = import_once(importer, file, issuer, source, err);
    return rc;
}
