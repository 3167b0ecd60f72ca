/* pki.h - certificates for tests: made at run time, so that they never expire. Failing ends the test. */
#ifndef CS_TESTS_PKI_H
#define CS_TESTS_PKI_H

#include "shared/crypto/x509.h"

/* A key and the chain that certifies it, leaf first. */
struct pki {
    struct cs_key *key;
    struct cs_chain *chain;
};

/* Everything is valid from a day ago for a year unless the caller says otherwise. */
/* The system's time, or where it was made to stand still: for deployments that have a time of their own. */
int64_t pki_now(void);
void pki_set_now(int64_t now_s);

struct pki pki_make_ca(const char *common_name);
/* `issuer` NULL: self-signed. What is 0 in `what` is filled in: dates, and the subject's key. */
struct pki pki_issue(const struct pki *issuer, struct cs_issue what);
/* Leaves that most tests want: CN=name, of `ca`. The server is "localhost" and 127.0.0.1. */
struct pki pki_make_server(const struct pki *ca);
struct pki pki_make_client(const struct pki *ca, const char *name);
void pki_free(struct pki *pki);

#endif
