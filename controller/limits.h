/* limits.h - the controller's own limits, each with its reason; what both programs share is in
 * shared/base/limits.h. */
#ifndef CTL_LIMITS_H
#define CTL_LIMITS_H

enum {
    /* Commands that wait for the core. Beyond it a shard says "busy" instead of holding more memory: some
     * seconds of work at the rate of group commits. */
    CTL_LIMIT_COMMANDS_WAITING = 16384,
    /* Commands in one transaction: more would only make the first of them wait longer for its answer. */
    CTL_LIMIT_GROUP_COMMANDS = 512,
    /* Orders that one turn of the clock moves, so that commands are not kept waiting behind a large push. */
    CTL_LIMIT_TICK_ORDERS = 256,

    /* Statements of one device that wait for the core; its stream is paused meanwhile. */
    CTL_LIMIT_STATEMENTS_UNDER_WAY = 4,
    /* How long a device may take to answer a challenge: a round trip of the slowest link, and no more,
     * because the device's newer stream waits meanwhile. */
    CTL_LIMIT_CHALLENGE_MS = 3000,
    /* Orders that one session holds to deliver; more are asked of the store when these are gone. */
    CTL_LIMIT_SESSION_ORDERS = 64,
    /* Deliveries under one signature, and their bytes that are held until it is made. */
    CTL_LIMIT_BATCH_MESSAGES = 256,
    CTL_LIMIT_BATCH_BYTES = 4 * 1024 * 1024,
    /* What one turn may keep the loop from everything else: sealing a held key takes a millisecond. The
     * signature of a batch takes a third of one. */
    CTL_LIMIT_BATCH_MS = 20,
    /* Deliveries of one device in a batch before the next device has its turn. */
    CTL_LIMIT_BATCH_SESSION = 4,

    /* Addresses whose enrolments are counted. A token has 128 random bits: this protects processor and disk,
     * not the token. */
    CTL_LIMIT_ENROL_ADDRESSES = 1024,

    /* A message as JSON: CS_LIMIT_MESSAGE_BYTES of it in base64, with room for names and white space. */
    CTL_LIMIT_JSON_BYTES = 256 * 1024,

    /* Calls that watch, on one shard: each costs a look at every revision. And on one connection, so that
     * one client leaves room for the others. */
    CTL_LIMIT_WATCHERS = 4096,
    CTL_LIMIT_WATCHERS_CONNECTION = 64,
    /* What telling may keep the loop from everything else in one turn. */
    CTL_LIMIT_WATCH_TURN_MS = 10,
    /* Who was told nothing for this long is told where it stands. Looked for this often, so that it is less
     * than the 30 seconds that watch.proto promises. */
    CTL_LIMIT_WATCH_QUIET_MS = 20 * 1000,
    CTL_LIMIT_WATCH_LOOK_MS = 5 * 1000,

    /* Entries of a revocation list in one transaction: some 20 ms of the core. */
    CTL_LIMIT_CRL_PART = 1000,
    /* Files of a watched folder that are remembered: an installation knows some ten issuers. */
    CTL_LIMIT_CRL_FILES = 1024,

    /* URLs of revocation lists that are fetched: an installation knows some issuers, a folder takes more. */
    CTL_LIMIT_CRL_URLS = 8,

    CTL_LIMIT_SHARDS = 64,
    CTL_LIMIT_PATH_BYTES = 256,
    /* A unix socket's path: sun_path of Linux. */
    CTL_LIMIT_SOCKET_PATH_BYTES = 108,
    /* Any one of our own key files. */
    CTL_LIMIT_KEY_FILE_BYTES = 16 * 1024,
};

#endif
