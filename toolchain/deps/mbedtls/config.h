/* mbedtls_config.h - what of mbedTLS 3.6 is in Countersign.
 *
 * TLS 1.3 only, all cryptography through PSA. The component builder installs this file in the place of
 * mbedTLS's own mbedtls_config.h, so whoever includes its headers sees the same configuration as the
 * library without any -D. Above this text the builder may have put
 *   CS_MBEDTLS_AGENT                 the smaller build for devices
 *   MBEDTLS_SSL_{IN,OUT}_CONTENT_LEN other record buffer sizes
 * What is not defined here is off.
 */

/* Platform. Time is needed with dates: certificates are checked against the clock. Entropy is the
 * library's platform source, which on Linux is getrandom(2). */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_VERSION_C
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C

/* PSA. The key store grows with the heap, because each TLS session holds its traffic keys in it and a
 * controller has thousands of sessions. Nobody outside this process shares buffers with it, so inputs and
 * outputs need not be copied. Persistent storage stays off: it never syncs. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_USE_PSA_CRYPTO
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS

/* Hashes. SHA-1 is absent, so a certificate signed with it cannot verify. */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C

/* Ciphers. The AES tables are constants: generated ones are
 * filled in at first use without a lock, which is a data race between threads. */
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#if defined(__x86_64__)
#define MBEDTLS_AESNI_C
#endif

/* Public keys: P-256 and P-384, and RSA for certificates that others made. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_PK_PARSE_EC_COMPRESSED
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_BASE64_C

/* X.509 */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* TLS 1.3 with an ephemeral key exchange and nothing else: no 1.2 to fall back to, no tickets (a resumed
 * session has no peer certificate), no early data. The record size limit (RFC 8449) lets two ends with
 * small buffers talk. Keying material export can bind a statement to a connection. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_RECORD_SIZE_LIMIT
#define MBEDTLS_SSL_KEYING_MATERIAL_EXPORT
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#ifndef MBEDTLS_SSL_IN_CONTENT_LEN
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#endif
#ifndef MBEDTLS_SSL_OUT_CONTENT_LEN
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096
#endif

#if defined(CS_MBEDTLS_AGENT)
/* Small before fast, one thread, and only the client's side of TLS. Without comb tables a signature takes
 * longer, which a device makes once a connection. */
#define MBEDTLS_ERROR_STRERROR_DUMMY
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_SHA512_SMALLER
#define MBEDTLS_X509_REMOVE_INFO
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#else
/* The controller serves TLS in several threads, issues identity certificates and reads revocation lists; the
 * tests make RSA keys and requests. CBC is for keys under a passphrase only. */
#define MBEDTLS_PKCS5_C
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_PADDING_PKCS7
#define MBEDTLS_FS_IO
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CSR_WRITE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_CSR_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_GENPRIME
#define MBEDTLS_ERROR_C
#endif
