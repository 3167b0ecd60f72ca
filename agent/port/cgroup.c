#include "agent/port/cgroup.h"

#include "agent/core/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum version { V1, V2 };

static const char agent_name[] = "countersign-agent", prefix[] = "countersign-command-";

/* ---- small files, as the kernel has them */

static int write_in(const char *folder, const char *name, const char *text)
{
    char path[AG_CGROUP_PATH_BYTES + 32];
    size_t len = strlen(text);

    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    int number = write(fd, text, len) == (ssize_t)len ? 0 : errno;

    close(fd);
    return number;
}

/* The file is one line of words. */
static bool has_word(const char *folder, const char *name, const char *word)
{
    char path[AG_CGROUP_PATH_BYTES + 32], text[512];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, sizeof text - 1);

    close(fd);
    text[len > 0 ? len : 0] = '\0';
    for (char *rest = text, *found; (found = strtok_r(rest, " \n", &rest));)
        if (strcmp(found, word) == 0)
            return true;
    return false;
}

/* ---- where the agent is: proc(5), cgroups(7) */

static bool lists(char *words, const char *word)
{
    for (char *rest = words, *found; (found = strtok_r(rest, ",", &rest));)
        if (strcmp(found, word) == 0)
            return true;
    return false;
}

static FILE *open_proc(const char *proc, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", proc, name);
    return fopen(path, "re");
}

/* A line without its end. One that is too long for `line` is passed over: none of ours is. */
static bool next_line(FILE *file, char *line, int size)
{
    bool whole = true;

    while (fgets(line, size, file)) {
        char *end = strchr(line, '\n');
        bool was_whole = whole;

        whole = end != NULL;
        if (!end || !was_whole)
            continue;
        *end = '\0';
        return true;
    }
    return false;
}

/* "0::/path" of v2, "7:cpu,pids:/path" of v1. */
static bool find_own(const char *proc, enum version version, char *ret, size_t size)
{
    FILE *file = open_proc(proc, "cgroup");
    char line[AG_CGROUP_PATH_BYTES + 128];
    bool found = false;

    while (file && !found && next_line(file, line, sizeof line)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        controllers++;
        found = (version == V2 ? *controllers == '\0' : lists(controllers, "pids")) && strlen(path) < size &&
                strncmp(path, "/..", 3) != 0;
        if (found)
            memcpy(ret, path, strlen(path) + 1);
    }
    if (file)
        fclose(file);
    return found;
}

/* Blanks stand in mountinfo as \040. */
static void unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
            *out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 3;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* Where a mount shows the group `own`, if it does: "ID PARENT DEVICE ROOT POINT OPTIONS… - TYPE SOURCE
 * OPTIONS". */
static bool read_mount(char *line, enum version version, const char *own, char *ret, size_t size)
{
    char *fields[5] = {NULL}, *rest = line, *word, *type, *options;
    size_t root_len;

    for (size_t i = 0; i < 5; i++)
        if (!(fields[i] = strtok_r(rest, " ", &rest)))
            return false;
    while ((word = strtok_r(rest, " ", &rest)) && strcmp(word, "-") != 0)
        ;
    type = strtok_r(rest, " ", &rest);
    if (!type || strcmp(type, version == V2 ? "cgroup2" : "cgroup") != 0 || !strtok_r(rest, " ", &rest))
        return false;
    options = strtok_r(rest, " ", &rest);
    if (version == V1 && (!options || !lists(options, "pids")))
        return false;
    unescape(fields[3]);
    unescape(fields[4]);
    root_len = strcmp(fields[3], "/") == 0 ? 0 : strlen(fields[3]);
    if (strncmp(own, fields[3], root_len) != 0 || (own[root_len] != '/' && own[root_len] != '\0'))
        return false;
    own += root_len;
    int len = snprintf(ret, size, "%s%s", fields[4], strcmp(own, "/") == 0 ? "" : own);

    return len > 0 && (size_t)len < size;
}

/* A mount may be hidden by another, or read-only. */
static bool can_be_written(const char *folder)
{
    char path[AG_CGROUP_PATH_BYTES + 16];

    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    return access(path, W_OK) == 0;
}

static bool find_folder(const char *proc, enum version version, char *ret, size_t size)
{
    char own[AG_CGROUP_PATH_BYTES], line[2048];
    FILE *file = find_own(proc, version, own, sizeof own) ? open_proc(proc, "mountinfo") : NULL;
    bool found = false;

    while (file && !found && next_line(file, line, sizeof line))
        found = read_mount(line, version, own, ret, size) && can_be_written(ret);
    if (file)
        fclose(file);
    return found;
}

/* ---- where groups are made */

static int complain(struct cs_err *err, const char *doing, const char *folder, int number)
{
    return cs_err_set(err, CS_EIO,
                      "%s the control group %s: %s; the service manager must delegate it to the agent "
                      "(Delegate=pids)",
                      doing, folder, strerror(number));
}

/* Of v2, where the whole system begins: only there may processes stay beside the groups that are limited. */
static bool is_root(const char *folder)
{
    char path[AG_CGROUP_PATH_BYTES + 16];

    snprintf(path, sizeof path, "%s/cgroup.events", folder);
    return access(path, F_OK) != 0;
}

static bool has_processes(const char *folder)
{
    char path[AG_CGROUP_PATH_BYTES + 16], first;

    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool has = fd < 0 || read(fd, &first, 1) != 0;

    if (fd >= 0)
        close(fd);
    return has;
}

static int turn_on(const char *base)
{
    return has_word(base, "cgroup.subtree_control", "pids")
               ? 0
               : write_in(base, "cgroup.subtree_control", "+pids");
}

/* The agent's processes move out of `base`. With another one left there the kernel would turn the controller
 * on, too, but let no process into the groups below ("domain invalid"). */
static int move_agent(const char *base, struct cs_err *err)
{
    char place[AG_CGROUP_BASE_BYTES + sizeof agent_name + 1];

    snprintf(place, sizeof place, "%s/%s", base, agent_name);
    int number = mkdir(place, 0755) == 0 || errno == EEXIST ? 0 : errno;

    if (number == 0)
        number = write_in(place, "cgroup.procs", "0");
    if (number == 0)
        number = has_processes(base) ? EBUSY : turn_on(base);
    if (number == 0)
        return CS_OK;
    write_in(base, "cgroup.procs", "0");
    rmdir(place);
    return complain(err, "making a place for the agent alone in", base, number);
}

/* `base` comes as the agent's own group and leaves as the one in which groups are made. */
static int prepare_v2(char *base, bool *ret_below_agent, struct cs_err *err)
{
    char *last = strrchr(base, '/');

    if (last && strcmp(last + 1, agent_name) == 0) {
        *last = '\0';
        *ret_below_agent = true;
        int number = turn_on(base);

        return number == 0 ? CS_OK : complain(err, "limiting processes below", base, number);
    }
    if (!has_word(base, "cgroup.controllers", "pids"))
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "the control group %s cannot limit processes: the service manager must delegate "
                          "that to the agent (Delegate=pids)",
                          base);
    *ret_below_agent = !is_root(base);
    if (*ret_below_agent)
        return move_agent(base, err);
    int number = turn_on(base);

    return number == 0 ? CS_OK : complain(err, "limiting processes below", base, number);
}

static int find_base(const char *proc, char base[AG_CGROUP_BASE_BYTES], bool *ret_below_agent,
                     struct cs_err *err)
{
    struct cs_err v2 = {0};
    if (find_folder(proc, V2, base, AG_CGROUP_BASE_BYTES) && prepare_v2(base, ret_below_agent, &v2) == CS_OK)
        return CS_OK;
    *ret_below_agent = false;
    if (find_folder(proc, V1, base, AG_CGROUP_BASE_BYTES))
        return CS_OK;
    if (!v2.code)
        cs_err_set(&v2, CS_EUNSUPPORTED,
                   "there are no control groups here that limit processes and that the agent may write; a "
                   "service manager can delegate one to it (Delegate=pids)");
    *err = v2;
    return v2.code;
}

/* ---- groups of commands */

/* Those of this agent and of agents that are no more. One in which something runs cannot be removed. */
static void sweep(const char *base)
{
    DIR *folder = opendir(base);

    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0)
            continue;
        long maker = strtol(entry->d_name + sizeof prefix - 1, NULL, 10);
        bool lives = maker > 0 && maker != getpid() && (kill((pid_t)maker, 0) == 0 || errno != ESRCH);

        if (!lives)
            unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
    closedir(folder);
}

int ag_cgroup_enter(const char *proc, unsigned processes, struct ag_cgroup *ret, struct cs_err *err)
{
    char base[AG_CGROUP_BASE_BYTES], limit[16];
    struct timespec now;
    int number;

    ret->path[0] = '\0';
    int code = find_base(proc, base, &ret->below_agent, err);

    if (code)
        return code;
    sweep(base);
    /* A name that none of this agent's had before: one that is still being ended must not be taken for it. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(ret->path, sizeof ret->path, "%s/%s%ld-%" PRIx64, base, prefix, (long)getpid(),
             (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    snprintf(limit, sizeof limit, "%u", processes);
    number = mkdir(ret->path, 0755) == 0 ? 0 : errno;
    if (number == 0)
        number = write_in(ret->path, "pids.max", limit);
    if (number == 0)
        number = write_in(ret->path, "cgroup.procs", "0");
    if (number == 0)
        return CS_OK;
    rmdir(ret->path);
    ret->path[0] = '\0';
    return complain(err, "making a group for a command in", base, number);
}

int ag_cgroup_leave(struct ag_cgroup *group, struct cs_err *err)
{
    char home[AG_CGROUP_PATH_BYTES + sizeof agent_name];
    int base_len = (int)(strrchr(group->path, '/') - group->path) + 1;

    snprintf(home, sizeof home, "%.*s%s", base_len, group->path, group->below_agent ? agent_name : ".");
    int number = write_in(home, "cgroup.procs", "0");

    if (number == 0)
        return CS_OK;
    write_in(group->path, "pids.max", "max");
    group->path[0] = '\0';
    return complain(err, "going back to", home, number);
}

/* Kills the processes that `text` lists, line by line; returns how many there were. The last line may go on
 * in the next piece: *ret_rest is where. */
static unsigned kill_listed(char *text, char **ret_rest)
{
    unsigned count = 0;

    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        long pid = strtol(text, NULL, 10);

        /* 0 is one whom this process cannot see. */
        if (pid > 1 && pid != getpid())
            kill((pid_t)pid, SIGKILL);
        count++;
    }
    *ret_rest = text;
    return count;
}

bool ag_cgroup_end(const struct ag_cgroup *group)
{
    char path[AG_CGROUP_PATH_BYTES + 16], text[512], *rest = text;
    unsigned count = 0;
    ssize_t got;

    write_in(group->path, "pids.max", "0");
    snprintf(path, sizeof path, "%s/cgroup.procs", group->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT;
    while ((got = read(fd, rest, (size_t)(text + sizeof text - 1 - rest))) > 0) {
        rest[got] = '\0';
        count += kill_listed(text, &rest);
        size_t left = strlen(rest);

        memmove(text, rest, left + 1);
        rest = text + left;
    }
    close(fd);
    return count == 0 && (rmdir(group->path) == 0 || errno == ENOENT);
}

void ag_cgroup_let_go(const struct ag_cgroup *group)
{
    if (group->path[0])
        rmdir(group->path);
}
