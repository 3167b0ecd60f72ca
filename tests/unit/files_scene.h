/* files_scene.h - a folder for a test of the real machine's files, and what stands in it without the port. */
#ifndef CS_TESTS_FILES_SCENE_H
#define CS_TESTS_FILES_SCENE_H

#include "tests/support/check.h"
#include "tests/support/folder.h"

#include "agent/port/posix.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct ag_posix *posix;
static struct ag_port *port;
static struct cs_err err;

static const struct ag_file_look plain = {.mode = 0640};

enum { PATH_BYTES = 512 };

/* "%" is the test's folder. Some paths live at the same time. */
static inline const char *at(const char *path)
{
    static char paths[4][PATH_BYTES];
    static unsigned next;
    char *out = paths[next++ % CS_ARRAY_LEN(paths)];

    int len = snprintf(out, PATH_BYTES, "%s%s", path[0] == '%' ? root : "", path[0] == '%' ? path + 1 : path);

    assert_true(len >= 0 && len < PATH_BYTES);
    return out;
}

static inline int set_up(void **unused CS_UNUSED)
{
    snprintf(root, sizeof root, "/tmp/countersign-files-XXXXXX");
    assert_non_null(mkdtemp(root));
    check_ok(ag_posix_new(NULL, &posix, &err), err);
    port = ag_posix_port(posix);
    return 0;
}

static inline int tear_down(void **unused CS_UNUSED)
{
    ag_posix_close(posix);
    assert_true(folder_remove(root));
    return 0;
}

/* ---- what is there, without the port */

static inline void put(const char *path, const char *content)
{
    FILE *file = fopen(at(path), "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static inline void check_content(const char *path, const char *wanted)
{
    char content[256] = "";
    FILE *file = fopen(at(path), "r");

    if (!file)
        fail_msg("%s is not there", path);
    content[fread(content, 1, sizeof content - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(content, wanted);
}

static inline bool is_there(const char *path)
{
    struct stat info;

    return lstat(at(path), &info) == 0;
}

static inline struct stat stat_of(const char *path)
{
    struct stat info;

    assert_int_equal(lstat(at(path), &info), 0);
    return info;
}

static inline void check_link(const char *path, const char *wanted)
{
    char target[PATH_BYTES];
    ssize_t len = readlink(at(path), target, sizeof target - 1);

    assert_true(len > 0);
    target[len] = '\0';
    assert_string_equal(target, at(wanted));
}

static inline int replace(const char *path, const char *content)
{
    return port->replace_file(port, at(path), cs_slice_str(content), &plain, &err);
}

static inline int read_into(const char *path, size_t limit_bytes, struct cs_buf *out)
{
    return port->read_file(port, at(path), limit_bytes, out, &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
