#include "tests/support/crowd.h"
#include "tests/support/folder.h"

#include "controller/fleet/roster.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void must(int code, const struct cs_err *err, const char *doing)
{
    if (code == CS_OK)
        return;
    fprintf(stderr, "%s: %s\n", doing, err->msg);
    exit(1);
}

/* ---- commands */

struct crowd_command {
    struct ctl_command command;
    struct crowd *crowd;
};

static void on_done(struct ctl_command *command)
{
    sem_post(&CS_CONTAINER_OF(command, struct crowd_command, command)->crowd->done);
}

static void submit(struct crowd *crowd, struct crowd_command *one, enum ctl_command_kind kind,
                   const void *body, void *reply)
{
    struct cs_err err;
    int code;

    *one = (struct crowd_command){.crowd = crowd};
    one->command.kind = kind;
    one->command.body = body;
    one->command.reply = reply;
    one->command.on_done = on_done;
    snprintf(one->command.actor.name, sizeof one->command.actor.name, "crowd");
    while ((code = ctl_core_thread_submit(crowd->shared.core, &one->command, &err)) == CS_EBUSY)
        usleep(1000);
    must(code, &err, "submitting a command");
}

void crowd_run(struct crowd *crowd, enum ctl_command_kind kind, const void *body, void *reply)
{
    struct crowd_command one;

    submit(crowd, &one, kind, body, reply);
    sem_wait(&crowd->done);
    must(one.command.code, &one.command.err, "a command");
}

void crowd_run_all(struct crowd *crowd, enum ctl_command_kind kind, const void *bodies, size_t size,
                   size_t count)
{
    struct crowd_command *commands = calloc(count, sizeof *commands);
    /* No reply of a command that comes in numbers is larger. */
    uint8_t(*replies)[sizeof(countersign_v1_EnrolResponse)] = calloc(count, sizeof *replies);

    cs_assert(commands && replies);
    for (size_t i = 0; i < count; i++)
        submit(crowd, &commands[i], kind, (const uint8_t *)bodies + i * size, replies[i]);
    for (size_t i = 0; i < count; i++)
        sem_wait(&crowd->done);
    for (size_t i = 0; i < count; i++)
        must(commands[i].command.code, &commands[i].command.err, "one of many commands");
    free(commands);
    free(replies);
}

/* ---- the controller */

void crowd_start(struct crowd *crowd, unsigned shards)
{
    struct ctl_core_thread_options options = {.on_effects = ctl_fleet_route, .owner = &crowd->shared};
    struct ctl_publish_policy publish;
    countersign_v1_PublishPolicyResponse published = countersign_v1_PublishPolicyResponse_init_zero;
    char path[96];
    struct cs_err err;

    memset(crowd, 0, sizeof *crowd);
    cs_log_setup(CS_LOG_LOGFMT, CS_LOG_ERROR);
    sem_init(&crowd->done, 0, 0);
    deployment_make_at(&crowd->d, time(NULL));
    must(ctl_config_load(NULL, &crowd->config, &err), &err, "configuration");
    snprintf(crowd->folder, sizeof crowd->folder, "/tmp/countersign-bench-XXXXXX");
    cs_assert(mkdtemp(crowd->folder));
    must(ctl_store_open(crowd->folder, 0, &crowd->store, &err), &err, "store");
    snprintf(path, sizeof path, "%s/keys", crowd->folder);
    snprintf(crowd->config.kek, sizeof crowd->config.kek, "%s/kek", path);
    must(ctl_vault_open(path, crowd->config.kek, time(NULL), &crowd->vault, &err), &err, "vault");
    crowd->shared.config = &crowd->config;
    crowd->shared.vault = crowd->vault;
    crowd->shared.store = options.store = crowd->store;
    crowd->shared.shard_count = shards;
    must(ctl_roster_new(&crowd->shared.roster, &err), &err, "roster");
    must(ctl_core_thread_new(&options, &crowd->shared.core, &err), &err, "core");
    for (unsigned i = 0; i < shards; i++)
        must(ctl_shard_new(&crowd->shared, i, &crowd->shared.shards[i], &err), &err, "shard");
    must(ctl_core_thread_start(crowd->shared.core, &err), &err, "core");
    for (unsigned i = 0; i < shards; i++)
        must(ctl_shard_start(crowd->shared.shards[i], &err), &err, "shard");
    publish = (struct ctl_publish_policy){cs_policy_wire(crowd->d.policy), crowd->d.policy};
    crowd_run(crowd, CTL_PUBLISH_POLICY, &publish, &published);
    must(cs_key_generate(CS_KEY_AGREE, &crowd->kem, &err), &err, "key");
    crowd->ca = pki_make_ca("Example CA");
}

struct on_shard {
    struct ctl_post post;
    struct crowd *crowd;
    void (*each)(struct crowd_device *device);
    unsigned shard;
};

static void run_on_shard(struct ctl_shard *shard, struct ctl_post *post)
{
    struct on_shard *job = CS_CONTAINER_OF(post, struct on_shard, post);

    (void)shard;
    for (size_t i = 0; i < job->crowd->count; i++)
        if (job->crowd->devices[i].shard == job->shard)
            job->each(&job->crowd->devices[i]);
    sem_post(&job->crowd->done);
    free(job);
}

/* Runs `each` for every device on the loop of its shard. */
static void on_shards(struct crowd *crowd, void (*each)(struct crowd_device *device))
{
    for (unsigned i = 0; i < crowd->shared.shard_count; i++) {
        struct on_shard *job = calloc(1, sizeof *job);

        cs_assert(job);
        *job = (struct on_shard){{.run = run_on_shard}, crowd, each, i};
        ctl_shard_post(crowd->shared.shards[i], &job->post);
    }
    for (unsigned i = 0; i < crowd->shared.shard_count; i++)
        sem_wait(&crowd->done);
}

static void end_call(struct crowd_device *device)
{
    if (device->call.method)
        cs_call_end(&device->call, CS_STATUS_CANCELLED);
    device->call.method = NULL;
}

void crowd_stop(struct crowd *crowd)
{

    on_shards(crowd, end_call);
    for (unsigned i = 0; i < crowd->shared.shard_count; i++)
        ctl_shard_stop(crowd->shared.shards[i]);
    for (unsigned i = 0; i < crowd->shared.shard_count; i++)
        ctl_shard_join(crowd->shared.shards[i]);
    ctl_core_thread_stop(crowd->shared.core);
    for (unsigned i = 0; i < crowd->shared.shard_count; i++)
        ctl_shard_free(crowd->shared.shards[i]);
    ctl_core_thread_free(crowd->shared.core);
    ctl_roster_free(crowd->shared.roster);
    ctl_vault_close(crowd->vault);
    ctl_store_close(crowd->store);
    for (size_t i = 0; i < crowd->count; i++)
        cs_buf_free(&crowd->devices[i].certificate);
    free(crowd->devices);
    cs_key_free(crowd->kem);
    pki_free(&crowd->ca);
    deployment_free(&crowd->d);
    sem_destroy(&crowd->done);
    if (!folder_remove(crowd->folder))
        fprintf(stderr, "cannot remove %s\n", crowd->folder);
}

/* ---- the devices' streams */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The first byte of a ControllerMessage is the tag of its one field. */
static int take_message(struct cs_call *call, struct cs_slice message)
{
    struct crowd *crowd = CS_CONTAINER_OF(call, struct crowd_device, call)->crowd;

    if (message.len && message.ptr[0] == (countersign_v1_ControllerMessage_welcome_tag << 3 | 2)) {
        atomic_fetch_add(&crowd->welcomed, 1);
    } else if (message.len && message.ptr[0] == (countersign_v1_ControllerMessage_push_tag << 3 | 2)) {
        atomic_store(&crowd->last_push_ns, now_ns());
        atomic_fetch_add(&crowd->push_bytes, message.len);
        atomic_fetch_add(&crowd->pushes, 1);
    } else if (message.len && message.ptr[0] == (countersign_v1_ControllerMessage_cancel_tag << 3 | 2)) {
        atomic_fetch_add(&crowd->cancels, 1);
    }
    return CS_OK;
}

static int take_trailer(struct cs_call *call, const char *name, struct cs_slice value)
{
    (void)call, (void)name, (void)value;
    return CS_OK;
}

static void take_finish(struct cs_call *call, enum cs_status status, const char *message)
{
    if (status != CS_STATUS_OK && status != CS_STATUS_UNAVAILABLE)
        fprintf(stderr, "%s: the stream ended: %s\n", CS_CONTAINER_OF(call, struct crowd_device, call)->name,
                message ? message : "");
}

static void take_pause(struct cs_call *call, bool paused)
{
    (void)call, (void)paused;
}

static const struct cs_call_transport transport = {take_message, take_trailer, take_finish, take_pause};

static void open_call(struct crowd_device *device)
{
    countersign_v1_AgentMessage *message = calloc(1, sizeof *message);
    cs_auto(cs_buf_free) struct cs_buf wire = CS_BUF_EMPTY;
    struct cs_err err;

    cs_assert(message);
    message->which_body = countersign_v1_AgentMessage_hello_tag;
    snprintf(message->body.hello.agent_version, sizeof message->body.hello.agent_version, "crowd");
    message->body.hello.process_nonce.size = 16;
    message->body.hello.policy_version = 1;
    must(cs_message_encode(countersign_v1_AgentMessage_fields, message, &wire, &err), &err, "hello");
    free(message);
    device->peer.kind = CS_PEER_TLS;
    snprintf(device->peer.address, sizeof device->peer.address, "crowd");
    device->peer.certificate = cs_buf_slice(&device->certificate);
    device->call = (struct cs_call){.transport = &transport,
                                    .method = &ctl_agent_methods[0],
                                    .peer = &device->peer,
                                    .service = device->crowd->shared.shards[device->shard]};
    cs_call_begin(&device->call);
    cs_call_take_message(&device->call, cs_buf_slice(&wire));
}

static bool wait_for(atomic_size_t *counter, size_t count, uint64_t timeout_ms)
{
    uint64_t end_ns = now_ns() + timeout_ms * 1000000;

    while (atomic_load(counter) < count && now_ns() < end_ns)
        usleep(200);
    return atomic_load(counter) >= count;
}

void crowd_connect(struct crowd *crowd)
{
    on_shards(crowd, end_call);
    atomic_store(&crowd->welcomed, 0);
    on_shards(crowd, open_call);
    cs_assert(wait_for(&crowd->welcomed, crowd->count, 60000));
}

bool crowd_wait_pushes(struct crowd *crowd, size_t count, uint64_t timeout_ms)
{
    return wait_for(&crowd->pushes, count, timeout_ms);
}

/* ---- enrolment */

static void make_device(struct crowd *crowd, size_t index)
{
    struct crowd_device *device = &crowd->devices[index];
    cs_auto(cs_key_freep) struct cs_key *key = NULL;
    struct cs_err err;

    device->crowd = crowd;
    device->shard = (unsigned)(index % crowd->shared.shard_count);
    snprintf(device->name, sizeof device->name, "gw-%05zu", index);
    cs_random(device->device_id, sizeof device->device_id);
    must(cs_key_generate(CS_KEY_SIGN, &key, &err), &err, "key");
    memcpy(device->identity_spki, cs_key_spki(key).ptr, CS_SPKI_BYTES);
    must(ctl_vault_issue_identity(crowd->vault, device->name, cs_key_spki(key), time(NULL), 30,
                                  &device->certificate, &err),
         &err, "identity");
}

static void make_tokens(struct crowd *crowd)
{
    countersign_v1_CreateTokenRequest *bodies = calloc(crowd->count, sizeof *bodies);

    cs_assert(bodies);
    for (size_t i = 0; i < crowd->count; i++) {
        /* The device-id stands in for the token's secret. */
        struct cs_digest digest = cs_sha256(CS_SLICE_ARRAY(crowd->devices[i].device_id));

        snprintf(bodies[i].device_name, sizeof bodies[i].device_name, "%s", crowd->devices[i].name);
        CS_PB_SET(&bodies[i].authentication_digest, cs_digest_slice(&digest));
        bodies[i].expires_at_s = time(NULL) + 3000;
    }
    crowd_run_all(crowd, CTL_CREATE_TOKEN, bodies, sizeof *bodies, crowd->count);
    free(bodies);
}

static void enrol_all(struct crowd *crowd)
{
    countersign_v1_EnrolRequest *requests = calloc(crowd->count, sizeof *requests);
    struct ctl_enrol *bodies = calloc(crowd->count, sizeof *bodies);

    cs_assert(requests && bodies);
    for (size_t i = 0; i < crowd->count; i++) {
        const struct crowd_device *device = &crowd->devices[i];

        CS_PB_SET(&requests[i].authentication, CS_SLICE_ARRAY(device->device_id));
        CS_PB_SET(&requests[i].device_id, CS_SLICE_ARRAY(device->device_id));
        snprintf(requests[i].device_name, sizeof requests[i].device_name, "%s", device->name);
        CS_PB_SET(&requests[i].kem_spki, cs_key_spki(crowd->kem));
        requests[i].binding_mac.size = CS_SHA256_BYTES;
        bodies[i].request = &requests[i];
        bodies[i].certificate = cs_buf_slice(&device->certificate);
        memcpy(bodies[i].identity_spki, device->identity_spki, CS_SPKI_BYTES);
    }
    crowd_run_all(crowd, CTL_ENROL, bodies, sizeof *bodies, crowd->count);
    free(requests);
    free(bodies);
}

static void admit_all(struct crowd *crowd)
{
    countersign_v1_Admission *admissions = calloc(crowd->count, sizeof *admissions);
    struct ctl_admit_device *bodies = calloc(crowd->count, sizeof *bodies);

    cs_assert(admissions && bodies);
    for (size_t i = 0; i < crowd->count; i++) {
        const struct crowd_device *device = &crowd->devices[i];

        deployment_fill_admission(&crowd->d, "gw", &admissions[i]);
        snprintf(admissions[i].device_name, sizeof admissions[i].device_name, "%s", device->name);
        CS_PB_SET(&admissions[i].device_id, CS_SLICE_ARRAY(device->device_id));
        CS_PB_SET(&admissions[i].identity_spki, CS_SLICE_ARRAY(device->identity_spki));
        CS_PB_SET(&admissions[i].kem_spki, cs_key_spki(crowd->kem));
        bodies[i] = (struct ctl_admit_device){CS_SLICE_LIT("admission"), &admissions[i], 1};
    }
    crowd_run_all(crowd, CTL_ADMIT_DEVICE, bodies, sizeof *bodies, crowd->count);
    free(admissions);
    free(bodies);
}

/* Statements are large: so many at a time. */
static void advertise_all(struct crowd *crowd)
{
    enum { AT_ONCE = 500 };
    countersign_v1_DeviceAdvertisement *said = calloc(AT_ONCE, sizeof *said);
    struct ctl_device_statement *bodies = calloc(AT_ONCE, sizeof *bodies);

    cs_assert(said && bodies);
    for (size_t done = 0; done < crowd->count; done += AT_ONCE) {
        size_t count = crowd->count - done < AT_ONCE ? crowd->count - done : AT_ONCE;

        for (size_t i = 0; i < count; i++) {
            struct crowd_device *device = &crowd->devices[done + i];

            deployment_fill_advertisement(&crowd->d, "gw", &said[i]);
            CS_PB_SET(&said[i].device_id, CS_SLICE_ARRAY(device->device_id));
            said[i].sequence = ++device->sequence;
            bodies[i] = (struct ctl_device_statement){.envelope = CS_SLICE_LIT("advertisement"),
                                                      .statement = &said[i]};
            memcpy(bodies[i].device_id, device->device_id, sizeof bodies[i].device_id);
        }
        crowd_run_all(crowd, CTL_ADVERTISEMENT, bodies, sizeof *bodies, count);
    }
    free(said);
    free(bodies);
}

void crowd_enrol(struct crowd *crowd, size_t count)
{
    crowd->devices = calloc(count, sizeof *crowd->devices);
    cs_assert(crowd->devices);
    crowd->count = count;
    for (size_t i = 0; i < count; i++)
        make_device(crowd, i);
    make_tokens(crowd);
    enrol_all(crowd);
    admit_all(crowd);
    advertise_all(crowd);
}

/* ---- looking */

uint64_t crowd_thread_cpu_ms(const char *name)
{
    DIR *tasks = opendir("/proc/self/task");
    uint64_t ms = 0;

    for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;) {
        char path[320], line[1024] = "", pattern[32];
        unsigned long user = 0, kernel = 0;
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        snprintf(pattern, sizeof pattern, "(%s)", name);
        file = fopen(path, "r");
        if (file && fgets(line, sizeof line, file) && strstr(line, pattern) &&
            sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &kernel) == 2)
            ms += (uint64_t)(user + kernel) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return ms;
}
