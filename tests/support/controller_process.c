#include "tests/support/controller_process.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TIMEOUT_MS = 20000 };

static int write_config(const struct controller_process *process, struct cs_err *err)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%s/countersignd.conf", process->folder);
    file = fopen(path, "w");
    if (!file)
        return cs_err_set(err, CS_EIO, "cannot write %s: %s", path, strerror(errno));
    fprintf(
        file,
        "[controller]\nstate = %s/state\nadmin_socket = %s\nagents = 127.0.0.1:%u\nenrolment = 127.0.0.1:%u\n"
        "shards = %u\nenrolments_per_second = 10000\nlog_level = info\n",
        process->folder, process->socket, process->agents_port, process->enrolment_port, process->shards);
    fclose(file);
    return CS_OK;
}

/* Reads the log until the line with the ports stands there. */
static int wait_until_listening(struct controller_process *process, const char *log, struct cs_err *err)
{
    for (int waited_ms = 0; waited_ms < START_TIMEOUT_MS; waited_ms += 20) {
        char text[16384] = "";
        FILE *file = fopen(log, "r");
        size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
        const char *line, *agents, *enrolment;

        if (file)
            fclose(file);
        text[len] = '\0';
        line = strstr(text, "READY");
        agents = line ? strstr(line, "agents=") : NULL;
        enrolment = line ? strstr(line, "enrolment=") : NULL;
        if (agents && enrolment && strchr(enrolment, '\n')) {
            process->agents_port = (uint16_t)strtoul(strchr(agents, ':') + 1, NULL, 10);
            process->enrolment_port = (uint16_t)strtoul(strchr(enrolment, ':') + 1, NULL, 10);
            return CS_OK;
        }
        if (waitpid(process->pid, NULL, WNOHANG) == process->pid) {
            process->pid = 0;
            return cs_err_set(err, CS_ECLOSED, "countersignd ended: %.200s", text);
        }
        usleep(20000);
    }
    return cs_err_set(err, CS_ETIMEOUT, "countersignd does not listen after %d s", START_TIMEOUT_MS / 1000);
}

int controller_process_start(struct controller_process *process, const char *program, unsigned shards,
                             struct cs_err *err)
{
    char log[PATH_MAX];
    int rc;

    process->shards = shards;
    if (process->folder[0] == '\0') {
        snprintf(process->folder, sizeof process->folder, "/tmp/countersign-bench-XXXXXX");
        if (!mkdtemp(process->folder))
            return cs_err_set(err, CS_EIO, "cannot make %s: %s", process->folder, strerror(errno));
        snprintf(process->socket, sizeof process->socket, "%s/admin.sock", process->folder);
    }
    rc = write_config(process, err);
    if (rc != CS_OK)
        return rc;
    snprintf(log, sizeof log, "%s/log", process->folder);
    unlink(log);
    process->pid = fork();
    if (process->pid == 0) {
        char config[PATH_MAX];
        int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        snprintf(config, sizeof config, "%s/countersignd.conf", process->folder);
        dup2(out, STDERR_FILENO);
        execl(program, program, "--config", config, (char *)NULL);
        _exit(127);
    }
    return wait_until_listening(process, log, err);
}

void controller_process_stop(struct controller_process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGTERM);
        waitpid(process->pid, NULL, 0);
    }
    process->pid = 0;
}

void controller_process_destroy(struct controller_process *process)
{
    controller_process_stop(process);
    if (strncmp(process->folder, "/tmp/countersign-bench-", 23) != 0)
        return;
    if (!folder_remove(process->folder))
        fprintf(stderr, "cannot remove %s\n", process->folder);
}

uint64_t controller_process_resident(const struct controller_process *process)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

uint64_t controller_process_cpu_ms(const struct controller_process *process)
{
    char path[64], line[1024];
    unsigned long user = 0, system_time = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)process->pid);
    file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file)) {
        const char *fields = strrchr(line, ')');

        if (fields)
            sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system_time);
    }
    if (file)
        fclose(file);
    return (uint64_t)(user + system_time) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}
