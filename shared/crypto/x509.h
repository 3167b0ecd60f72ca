/* x509.h - what Countersign reads in X.509 certificates and requests, and the few that it writes.
 * Pure. A chain is parsed once, owns its DER, and answers from it; mbedTLS's structures are known to x509*.c,
 * issue.c and shared/net/tls*.c only. Accepted keys: RSA of 2048 to 4096 bits, P-256, P-384; any other kind
 * is refused by name. RFC 5280. */
#ifndef CS_CRYPTO_X509_H
#define CS_CRYPTO_X509_H

#include "shared/crypto/crypto.h"

enum cs_pk_kind { CS_PK_NONE, CS_PK_RSA, CS_PK_P256, CS_PK_P384 };

/* One or more certificates, leaf first. */
struct cs_chain;

/* PEM: every certificate block in the text, in order; other blocks are passed over. At most
 * CS_LIMIT_CHAIN_CERTS and CS_LIMIT_CHAIN_BYTES of DER (limits.h). The chain is not verified here. */
CS_MUST_USE int cs_chain_parse_pem(struct cs_slice pem, struct cs_chain **ret, struct cs_err *err);
/* `ders`: the certificates' DER one behind the other, leaf first, as a chain travels; nothing else between or
 * behind. */
CS_MUST_USE int cs_chain_parse(struct cs_slice ders, struct cs_chain **ret, struct cs_err *err);
void cs_chain_free(struct cs_chain *chain);
CS_DEFINE_AUTO(cs_chain_freep, struct cs_chain, cs_chain_free)

size_t cs_chain_count(const struct cs_chain *chain);
/* DER of certificate `index`; valid as long as the chain. */
struct cs_slice cs_chain_der(const struct cs_chain *chain, size_t index);

/* What people want to know of a certificate. Text is UTF-8 or escaped, cut to fit, always terminated. */
struct cs_cert_info {
    char common_name[128];
    char subject[256]; /* RFC 4514 style, as mbedTLS prints it */
    char issuer[256];
    char issuer_common_name[128]; /* the most specific one, as common_name */
    char serial_hex[64];
    char names[8][128]; /* subjectAltName: dNSName, rfc822Name, iPAddress, URI as "dns:…", "email:…", "ip:…",
                           "uri:…" */
    size_t names_count;
    bool names_left_out; /* it has more than fit */
    int64_t not_before_s, not_after_s;
    enum cs_pk_kind key_kind;
    uint16_t key_bits;
    bool is_ca;
    bool client_auth, server_auth; /* extended key usage allows it (absent: both) */
    struct cs_digest digest;       /* SHA-256 of this DER; of the leaf: the certificate's id */
    struct cs_digest spki_digest;
    struct cs_digest
        issuer_digest; /* SHA-256 of the issuer's name as DER: with the serial, what a CRL names */
};
void cs_chain_info(const struct cs_chain *chain, size_t index, struct cs_cert_info *ret);

/* The leaf is for this DNS name or IP address: by its subjectAltName, a wildcard covering one label (RFC 6125
 * section 6.4); one that has no DNS name and no address there by its common name. */
bool cs_chain_leaf_bears(const struct cs_chain *chain, const char *name);

/* All DER one behind the other, as cs_chain_parse() takes it; valid as long as the chain. */
struct cs_slice cs_chain_bytes(const struct cs_chain *chain);
/* SHA-256 over these bytes: what an order core names as chain digest. */
struct cs_digest cs_chain_digest(const struct cs_chain *chain);
/* SubjectPublicKeyInfo DER of the leaf. */
struct cs_slice cs_chain_leaf_spki(const struct cs_chain *chain);

/* Each certificate is signed by the next one, names match, issuers are CAs. Dates are not looked at.
 * The sentence names the place where the chain breaks. A single certificate chains. mbedTLS does not tell a
 * signature that it had no memory to check from one that is wrong: here and below both are CS_EAUTH. */
CS_MUST_USE int cs_chain_check_links(const struct cs_chain *chain, struct cs_err *err);
/* The leaf leads to one of the `anchors` (a chain used as a set), every date holds at `now_s`. For the
 * agents' identities. */
CS_MUST_USE int cs_chain_check_anchored(const struct cs_chain *chain, const struct cs_chain *anchors,
                                        int64_t now_s, struct cs_err *err);

/* The leaf's key has signed the parts, one behind the other, with this SignatureScheme (RFC 8446
 * section 4.2.3): ECDSA, RSA PKCS #1 v1.5 or PSS, with SHA-256, SHA-384 or SHA-512. CS_EAUTH: it has not;
 * CS_EUNSUPPORTED: another scheme. */
CS_MUST_USE int cs_chain_check_signature(const struct cs_chain *chain, uint16_t scheme,
                                         const struct cs_slice *parts, size_t count,
                                         struct cs_slice signature, struct cs_err *err);

/* A private key of any accepted kind for a certificate that we carry: PKCS#8, PKCS#1 or SEC 1, PEM or DER.
 * Finds the key block in a PEM that also holds certificates. Appends unencrypted PKCS#8 DER to `out` (which
 * the caller wipes). */
CS_MUST_USE int cs_private_key_to_pkcs8(struct cs_slice encoded, struct cs_slice passphrase,
                                        struct cs_buf *out, struct cs_err *err);
/* CS_OK when the PKCS#8 key's public half is the leaf's, CS_EAUTH otherwise. */
CS_MUST_USE int cs_chain_check_key(const struct cs_chain *chain, struct cs_slice pkcs8, struct cs_err *err);

/* Appends PEM: of one DER with the label ("CERTIFICATE", "PRIVATE KEY", …), or of every certificate of a
 * chain. */
CS_MUST_USE int cs_pem_write(const char *label, struct cs_slice der, struct cs_buf *out, struct cs_err *err);
CS_MUST_USE int cs_chain_write_pem(const struct cs_chain *chain, struct cs_buf *out, struct cs_err *err);

/* A certificate signing request (RFC 2986) for a P-256 key with CN=common_name; DER is appended. */
CS_MUST_USE int cs_csr_make(const struct cs_key *key, const char *common_name, struct cs_buf *out,
                            struct cs_err *err);
/* What a request asks for. Borrows. The DNS names may be none. */
struct cs_csr_subject {
    const char *common_name;
    const char *dns_names[8];
    size_t dns_count;
};
/* The same with DNS names, as the one extension that is asked for. One form only (proto/README.md): so
 * cs_csr_check_for() can compare. CS_EINVAL for a name that is none. */
CS_MUST_USE int cs_csr_make_for(const struct cs_key *key, const struct cs_csr_subject *subject,
                                struct cs_buf *out, struct cs_err *err);
/* The request asks for exactly this subject, and is signed by the key that it is for. */
CS_MUST_USE int cs_csr_check_for(struct cs_slice csr_der, const struct cs_csr_subject *subject,
                                 uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err);
/* Of characters that a dNSName may have, `*` and `_` included. */
CS_MUST_USE int cs_csr_check_dns_name(const char *name, struct cs_err *err);
/* Checks the request's own signature and gives its P-256 SPKI. Subject and extensions in it are not looked
 * at. */
CS_MUST_USE int cs_csr_check(struct cs_slice csr_der, uint8_t ret_spki[CS_SPKI_BYTES], struct cs_err *err);

/* What the controller's own small CAs write (and test fixtures). Not in the agent's build. */
struct cs_issue {
    const char *common_name;
    struct cs_slice subject_spki; /* P-256 */
    int64_t not_before_s, not_after_s;
    bool is_ca;
    bool server_auth, client_auth;
    const char *dns_name, *uri; /* NULL: none */
    uint8_t ip[4];              /* with has_ip */
    bool has_ip;
};
/* Signed by `issuer_key` under `issuer` (NULL: self-signed under its own name). The serial is random. DER is
 * appended. */
CS_MUST_USE int cs_cert_issue(const struct cs_issue *what, const struct cs_chain *issuer,
                              const struct cs_key *issuer_key, struct cs_buf *out, struct cs_err *err);

#endif
