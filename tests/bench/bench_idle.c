/* What an agent costs that has nothing to do: it is connected, one certificate is installed, its folders are
 * watched, and its application is an nginx that it probed. Without a word from anybody it should but keep its
 * connection alive, and write nothing.
 *
 *   COUNTERSIGN_AGENT=build/release/bin/countersign-agent bench_idle [SECONDS]
 *
 * measures for ten minutes unless told otherwise. */
#include "tests/support/agent_scene.h"
#include "tests/support/check.h"
#include "tests/support/nginx.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SPAN_S = 600, SETTLE_S = 5, HOUR_S = 3600 };

struct cost {
    unsigned long long rss_kb, anon_kb, sleeps, preempted, written, wchar, descriptors, threads;
};

/* Adds the number behind each line that starts so. */
static void add_field(const char *path, const char *field, unsigned long long *sum)
{
    char line[256];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, field, strlen(field)) == 0)
            *sum += strtoull(line + strlen(field), NULL, 10);
    }
    fclose(file);
}

static void add_entries(pid_t pid, const char *folder, unsigned long long *sum)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, folder);
    DIR *entries = opendir(path);

    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries));)
        *sum += entry->d_name[0] != '.';
    closedir(entries);
}

/* The kernel's word for a wake-up: a thread slept, and was put back to work. */
static void add_switches(pid_t pid, struct cost *cost)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);

    assert_non_null(tasks);
    for (const struct dirent *task; (task = readdir(tasks));) {
        char status[400];

        if (task->d_name[0] == '.')
            continue;
        snprintf(status, sizeof status, "%s/%s/status", path, task->d_name);
        add_field(status, "voluntary_ctxt_switches:", &cost->sleeps);
        add_field(status, "nonvoluntary_ctxt_switches:", &cost->preempted);
    }
    closedir(tasks);
}

static struct cost cost_of(pid_t pid)
{
    struct cost cost = {0};
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    add_field(path, "VmRSS:", &cost.rss_kb);
    add_field(path, "RssAnon:", &cost.anon_kb);
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    add_field(path, "write_bytes:", &cost.written);
    add_field(path, "wchar:", &cost.wchar);
    add_entries(pid, "fd", &cost.descriptors);
    add_entries(pid, "task", &cost.threads);
    add_switches(pid, &cost);
    return cost;
}

/* Files of the state folder that changed since. */
static time_t since;
static unsigned changed;

static int count_changed(const char *path CS_UNUSED, const struct stat *info, int kind CS_UNUSED,
                         struct FTW *walk CS_UNUSED)
{
    changed += info->st_ctime >= since;
    return 0;
}

static void show(const struct agent_scene *scene, const struct cost *before, const struct cost *after,
                 unsigned span_s)
{
    printf("%s, idle for %u s\n", scene->program, span_s);
    printf("  resident              %6llu KB, of these its own %llu KB\n", after->rss_kb, after->anon_kb);
    printf("  wake-ups an hour      %6.0f\n",
           (double)(after->sleeps - before->sleeps) * HOUR_S / (double)span_s);
    printf("  bytes written         %6llu to disks, %llu by write(); %u files of the state folder changed\n",
           after->written - before->written, after->wchar - before->wchar, changed);
    printf("  descriptors, threads  %6llu, %llu\n", after->descriptors, after->threads);
}

static void idle(struct agent_scene *scene, unsigned span_s)
{
    struct cost before, after;

    sleep(SETTLE_S);
    since = time(NULL) + 1;
    before = cost_of(scene->pid);
    sleep(span_s);
    after = cost_of(scene->pid);
    assert_int_equal(nftw(scene->state, count_changed, 8, FTW_PHYS), 0);
    show(scene, &before, &after, span_s);
}

int main(int argc, char **argv)
{
    unsigned span_s = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : SPAN_S;
    char certificate[160], key[160];
    struct delivery_story *story;
    struct agent_scene scene;
    struct nginx nginx;

    if (!nginx_is_here())
        return 77;
    agent_scene_begin(&scene);
    snprintf(certificate, sizeof certificate, "%s", agent_scene_path(&scene, "web.pem"));
    snprintf(key, sizeof key, "%s", agent_scene_path(&scene, "web.key"));
    agent_scene_configure(&scene, "[connector \"web\"]\ncertificate = %s\nkey = %s\n", certificate, key);
    agent_scene_enrol(&scene);
    agent_scene_start(&scene);
    agent_scene_install(&scene, &story);
    delivery_free(story);
    nginx_start(&nginx, scene.folder, certificate, key);
    assert_int_equal(agent_scene_kill(&scene, SIGTERM), 0);
    agent_scene_configure(&scene,
                          "[connector \"web\"]\ncertificate = %s\nkey = %s\nreload = signal HUP %s nginx\n"
                          "probe = 127.0.0.1:%u\n",
                          certificate, key, nginx.pid_file, (unsigned)nginx.port);
    agent_scene_start(&scene);
    agent_scene_install(&scene, &story);
    delivery_free(story);
    idle(&scene, span_s);
    nginx_stop(&nginx);
    agent_scene_end(&scene);
    return 0;
}
