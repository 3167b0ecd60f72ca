/* crl_import.h - a revocation list from a folder or a URL on its way to the core: read and checked on the
 * caller's thread, which waits for each part. Blocking; not for shards. */
#ifndef CTL_CRL_IMPORT_H
#define CTL_CRL_IMPORT_H

#include "controller/core_thread.h"

#include <pthread.h>
#include <stdatomic.h>

/* Of one thread. */
struct ctl_crl_importer {
    struct ctl_store *store; /* both borrowed */
    struct ctl_core_thread *core;
    atomic_bool ending; /* from any thread: no further part */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool answered;
};

void ctl_crl_importer_init(struct ctl_crl_importer *importer, struct ctl_store *store,
                           struct ctl_core_thread *core);
void ctl_crl_importer_free(struct ctl_crl_importer *importer);

/* PEM or DER; `issuer` as ctl_crl_open() has it. Says in the log what is new. Tries again when another list
 * of the same issuer came in between. */
CS_MUST_USE int ctl_crl_import(struct ctl_crl_importer *importer, struct cs_slice file,
                               struct cs_slice issuer, const char *source, struct cs_err *err);

#endif
