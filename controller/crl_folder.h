/* crl_folder.h - a folder of revocation lists, watched: every file NAME.crl in it (PEM or DER) is imported
 * when it comes and whenever it changes, and all are looked at again after a while, because notices can be
 * missed and issuers' certificates come later. Beside it, NAME.pem or NAME.crt may hold the issuer's
 * certificate, where no chain in the inventory has it. Other files are passed over.
 *
 * A thread of its own: reading and checking a list of 100,000 entries blocks neither shards nor core. Large
 * lists reach the core in parts. A file that will not do is said once, with what to do. */
#ifndef CTL_CRL_FOLDER_H
#define CTL_CRL_FOLDER_H

#include "controller/core_thread.h"

struct ctl_crl_folder;

/* All borrowed. CS_ENOTFOUND with a sentence where there is no such folder. */
CS_MUST_USE int ctl_crl_folder_new(const char *path, int64_t every_s, struct ctl_store *store,
                                   struct ctl_core_thread *core, struct ctl_crl_folder **ret,
                                   struct cs_err *err);
CS_MUST_USE int ctl_crl_folder_start(struct ctl_crl_folder *folder, struct cs_err *err);
/* While the core still answers. One that was never started is fine, NULL too. */
void ctl_crl_folder_free(struct ctl_crl_folder *folder);

#endif
