#include "controller/fleet/roster.h"

#include "controller/fleet/map.h"

#include <pthread.h>

struct ctl_roster {
    pthread_mutex_t lock;
    struct ctl_map sessions; /* device-id: session id */
};

int ctl_roster_new(struct ctl_roster **ret, struct cs_err *err)
{
    struct ctl_roster *roster = calloc(1, sizeof *roster);

    if (!roster)
        return cs_err_nomem(err);
    pthread_mutex_init(&roster->lock, NULL);
    ctl_map_init(&roster->sessions);
    *ret = roster;
    return CS_OK;
}

void ctl_roster_free(struct ctl_roster *roster)
{
    if (!roster)
        return;
    ctl_map_free(&roster->sessions);
    pthread_mutex_destroy(&roster->lock);
    free(roster);
}

int ctl_roster_enter(struct ctl_roster *roster, const uint8_t device_id[16], uint64_t session_id,
                     uint64_t *ret_replaced, struct cs_err *err)
{
    uint64_t replaced = 0;
    int code;

    pthread_mutex_lock(&roster->lock);
    ctl_map_get(&roster->sessions, device_id, &replaced);
    code = ctl_map_set(&roster->sessions, device_id, session_id);
    pthread_mutex_unlock(&roster->lock);
    if (code != CS_OK)
        return cs_err_nomem(err);
    *ret_replaced = replaced;
    return CS_OK;
}

void ctl_roster_leave(struct ctl_roster *roster, const uint8_t device_id[16], uint64_t session_id)
{
    uint64_t current = 0;

    pthread_mutex_lock(&roster->lock);
    if (ctl_map_get(&roster->sessions, device_id, &current) && current == session_id)
        ctl_map_remove(&roster->sessions, device_id);
    pthread_mutex_unlock(&roster->lock);
}

uint64_t ctl_roster_find(struct ctl_roster *roster, const uint8_t device_id[16])
{
    uint64_t session_id = 0;

    pthread_mutex_lock(&roster->lock);
    ctl_map_get(&roster->sessions, device_id, &session_id);
    pthread_mutex_unlock(&roster->lock);
    return session_id;
}

static bool connected(void *data, const uint8_t device_id[16])
{
    return ctl_roster_find(data, device_id) != 0;
}

static uint32_t count(void *data)
{
    struct ctl_roster *roster = data;
    uint32_t sessions;

    pthread_mutex_lock(&roster->lock);
    sessions = (uint32_t)roster->sessions.count;
    pthread_mutex_unlock(&roster->lock);
    return sessions;
}

struct ctl_presence ctl_roster_presence(struct ctl_roster *roster)
{
    return (struct ctl_presence){.data = roster, .connected = connected, .count = count};
}

size_t ctl_roster_count(struct ctl_roster *roster)
{
    size_t count;

    pthread_mutex_lock(&roster->lock);
    count = roster->sessions.count;
    pthread_mutex_unlock(&roster->lock);
    return count;
}
