#include "tests/support/agent_scene.h"

#include "tests/support/check.h"
#include "tests/support/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files */

const char *agent_scene_path(const struct agent_scene *scene, const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % CS_ARRAY_LEN(paths)];

    assert_true(snprintf(path, sizeof paths[0], "%s/%s", scene->folder, name) < (int)sizeof paths[0]);
    return path;
}

void agent_scene_write(struct agent_scene *scene, const char *name, const char *text, mode_t mode)
{
    const char *path = agent_scene_path(scene, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

struct cs_buf agent_scene_read(const char *path)
{
    struct cs_buf out = CS_BUF_EMPTY;
    char chunk[4096];
    FILE *file = fopen(path, "r");

    if (!file)
        return out;
    for (size_t count; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        assert_int_equal(cs_buf_append(&out, cs_slice(chunk, count)), CS_OK);
    fclose(file);
    return out;
}

void agent_scene_show_log(const struct agent_scene *scene)
{
    cs_auto(cs_buf_free) struct cs_buf log = agent_scene_read(agent_scene_path(scene, "log"));
    size_t shown = log.len < 16384 ? log.len : 16384;

    fprintf(stderr, "%.*s", (int)shown, (const char *)log.ptr + (log.len - shown));
}

bool agent_scene_pair(const char *certificate, const char *key, struct cs_digest *ret_leaf,
                      struct cs_err *err)
{
    cs_auto(cs_buf_free) struct cs_buf pem = agent_scene_read(certificate);
    cs_auto(cs_buf_wipe) struct cs_buf key_pem = agent_scene_read(key);
    cs_auto(cs_buf_wipe) struct cs_buf pkcs8 = CS_BUF_EMPTY;
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;

    if (cs_chain_parse_pem(cs_buf_slice(&pem), &chain, err) != CS_OK ||
        cs_private_key_to_pkcs8(cs_buf_slice(&key_pem), CS_SLICE_EMPTY, &pkcs8, err) != CS_OK ||
        cs_chain_check_key(chain, cs_buf_slice(&pkcs8), err) != CS_OK)
        return false;
    *ret_leaf = cs_sha256(cs_chain_der(chain, 0));
    return true;
}

struct cs_digest agent_scene_leaf(const struct delivery_story *story)
{
    return cs_sha256(cs_chain_der(story->certificate.chain, 0));
}

/* ---- the program */

static pid_t start(const struct agent_scene *scene, char *const argv[])
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    /* With a test that fails. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int fd = open(agent_scene_path(scene, "log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    dup2(fd, 1);
    dup2(fd, 2);
    execv(scene->program, argv);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

void agent_scene_start(struct agent_scene *scene)
{
    char *const argv[] = {(char[]){"countersign-agent"}, (char[]){"-c"}, scene->config, (char[]){"run"},
                          NULL};

    assert_int_equal(scene->pid, 0);
    scene->pid = start(scene, argv);
}

int agent_scene_kill(struct agent_scene *scene, int signal)
{
    pid_t pid = scene->pid;

    scene->pid = 0;
    assert_int_equal(kill(pid, signal), 0);
    return wait_for(pid);
}

bool agent_scene_is_alive(struct agent_scene *scene)
{
    return scene->pid > 0 && waitpid(scene->pid, NULL, WNOHANG) == 0;
}

int agent_scene_run(struct agent_scene *scene, const char *command)
{
    char word[32];
    char *const argv[] = {(char[]){"countersign-agent"}, (char[]){"-c"}, scene->config, word, NULL};

    snprintf(word, sizeof word, "%s", command);
    return wait_for(start(scene, argv));
}

/* ---- the scene */

void agent_scene_begin(struct agent_scene *scene)
{
    static const char built[] = CS_TEST_BIN "/countersign-agent";

    memset(scene, 0, sizeof *scene);
    scene->program = getenv("COUNTERSIGN_AGENT");
    if (!scene->program)
        scene->program = built;
    snprintf(scene->folder, sizeof scene->folder, "/tmp/countersign-field-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->config, sizeof scene->config, "%s/agent.conf", scene->folder);
    snprintf(scene->state, sizeof scene->state, "%s/state", scene->folder);
    deployment_make_at(&scene->d, pki_now() - 60);
    scene->controller = fake_controller_start(&scene->d);
}

void agent_scene_end(struct agent_scene *scene)
{
    if (scene->pid)
        assert_int_equal(agent_scene_kill(scene, SIGTERM), 0);
    fake_controller_stop(scene->controller);
    deployment_free(&scene->d);
    assert_true(folder_remove(scene->folder));
}

void agent_scene_configure(struct agent_scene *scene, const char *format, ...)
{
    FILE *file = fopen(scene->config, "w");
    va_list args;

    assert_non_null(file);
    fprintf(file,
            "[agent]\ncontroller = 127.0.0.1:%u\nenrolment = 127.0.0.1:%u\nstate = %s\nbackoff_base = 1s\n"
            "backoff_max = 1s\n",
            fake_controller_agent_port(scene->controller), fake_controller_enrolment_port(scene->controller),
            scene->state);
    va_start(args, format);
    assert_true(vfprintf(file, format, args) >= 0);
    va_end(args);
    assert_int_equal(fclose(file), 0);
}

void agent_scene_enrol(struct agent_scene *scene)
{
    struct cs_buf token = fake_controller_token(scene->controller, "gw-7");

    assert_int_equal(cs_buf_append_u8(&token, 0), CS_OK);
    char *const argv[] = {(char[]){"countersign-agent"}, (char[]){"-c"},    scene->config, (char[]){"enrol"},
                          (char[]){"--token"},           (char *)token.ptr, NULL};
    int status = wait_for(start(scene, argv));

    if (status != 0)
        agent_scene_show_log(scene);
    assert_int_equal(status, 0);
    cs_buf_free(&token);
    assert_true(fake_controller_enrolled(scene->controller, scene->device_id, scene->kem_spki));
}

/* ---- pushes */

struct delivery_story *agent_scene_push(struct agent_scene *scene)
{
    struct delivery_story *story;

    scene->d.now_s = pki_now();
    story =
        delivery_make(&scene->d, "gw-7", scene->device_id, ++scene->number, CS_SLICE_ARRAY(scene->kem_spki));
    fake_controller_push(scene->controller, story);
    return story;
}

struct delivery_story *agent_scene_prepare(struct agent_scene *scene)
{
    scene->d.now_s = pki_now();
    return delivery_prepare(&scene->d, "gw-7", scene->device_id, ++scene->number);
}

void agent_scene_submit(struct agent_scene *scene, struct delivery_story *story)
{
    delivery_submit(story);
    story_decide(&story->push, "bob", 1);
    story_decide(&story->push, "carol", 2);
    delivery_assemble(story, CS_SLICE_ARRAY(scene->kem_spki));
    if (delivery_core(story)->key_mode == countersign_v1_KeyMode_KEY_MODE_NONE)
        story->message.has_sealed_key = false;
    if (delivery_core(story)->chain_digest.size == 0)
        story->message.chain.size = 0;
    delivery_wrap(story);
    fake_controller_push(scene->controller, story);
}

const uint8_t *agent_scene_order(const struct delivery_story *story)
{
    return story->push.cores[0].order_id.bytes;
}

void agent_scene_wait(struct agent_scene *scene, const struct delivery_story *story, struct fake_reports *ret)
{
    if (!fake_controller_wait(scene->controller, agent_scene_order(story), 30)) {
        agent_scene_show_log(scene);
        fail_msg("no final report of order %u", (unsigned)story->push.cores[0].number);
    }
    fake_controller_reports(scene->controller, agent_scene_order(story), ret);
}

void agent_scene_install(struct agent_scene *scene, struct delivery_story **ret)
{
    struct fake_reports reports;

    *ret = agent_scene_push(scene);
    agent_scene_wait(scene, *ret, &reports);
    if (reports.completed != 1) {
        agent_scene_show_log(scene);
        fail_msg("order %u: %s: %s", (unsigned)scene->number, reports.last.verdict, reports.last.detail);
    }
}
