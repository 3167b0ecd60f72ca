/* limits.h - every limit of the system, each with its reason. What a stranger may make us hold is bounded
 * here. */
#ifndef CS_BASE_LIMITS_H
#define CS_BASE_LIMITS_H

enum {
    /* Certificates that we carry. Real chains have 2 to 4 certificates of 1 to 2 KB. */
    CS_LIMIT_CHAIN_CERTS = 8,
    CS_LIMIT_CERT_BYTES = 8 * 1024,
    CS_LIMIT_CHAIN_BYTES = 24 * 1024,
    /* An RSA 4096 key in PKCS#8 is 2.4 KB. */
    CS_LIMIT_PRIVATE_KEY_BYTES = 4 * 1024,
    /* PBKDF2 rounds of an encrypted key that is imported. Good practice is under a million; this many take
     * seconds, and what a stranger writes there without a limit takes hours. */
    CS_LIMIT_PBKDF2_ROUNDS = 10 * 1000 * 1000,
    /* A PEM file that is offered for import: a chain and a key in text, with comments. */
    CS_LIMIT_PEM_BYTES = 96 * 1024,

    /* A revocation list: 100,000 entries of some 40 bytes, and as many again for those with reasons. */
    CS_LIMIT_CRL_ENTRIES = 100 * 1000,
    CS_LIMIT_CRL_BYTES = 8 * 1024 * 1024,

    /* Signed statements, as envelopes on the wire. */
    CS_LIMIT_ENVELOPE_SIGNATURES = 16,
    CS_LIMIT_POLICY_BYTES = 48 * 1024,
    CS_LIMIT_STATEMENT_BYTES =
        4 * 1024, /* request, decision, admission, key request, device statement without a CSR */
    CS_LIMIT_PUSH_MESSAGE_BYTES = 96 * 1024,

    /* Policy and workflow (DESIGN.md sections 2 and 4). */
    CS_LIMIT_STAGES = 4,
    CS_LIMIT_DECISIONS = 16,             /* 4 stages of 4 people */
    CS_LIMIT_ORDERS_PER_REQUEST = 16384, /* the decision's bitmap is 2 KB */
    CS_LIMIT_MERKLE_DEPTH = 14,          /* 2^14 leaves */
    CS_LIMIT_GENERATION_JUMP = 1024,
    CS_LIMIT_OPERATORS = 64,
    CS_LIMIT_KEYS_PER_OPERATOR = 3,
    CS_LIMIT_ROOTS = 8,
    /* Renewals of a device's identity that one admission vouches for: with half of 30 days each, two and a
     * half years. */
    CS_LIMIT_RENEWALS = 64,
    CS_LIMIT_RULES = 16,
    CS_LIMIT_CONNECTORS_PER_DEVICE = 32,
    CS_LIMIT_NAME_BYTES = 63,
    CS_LIMIT_COMMENT_BYTES = 1024,

    /* One gRPC message, either way. The largest is a push delivery. */
    CS_LIMIT_MESSAGE_BYTES = 128 * 1024,
    /* HTTP/2: what one peer may open or make us keep. The agent needs 1 stream, the CLI a few, a test 1,000s.
     */
    CS_LIMIT_STREAMS_PER_CONNECTION = 4096,
    CS_LIMIT_HEADER_BYTES = 16 * 1024,
    /* Bytes that wait for a slow reader before its calls see back-pressure, and before it is cut off. */
    CS_LIMIT_STREAM_HIGH_WATER = 256 * 1024,
    CS_LIMIT_CONNECTION_BACKLOG = 4 * 1024 * 1024,
};

#endif
