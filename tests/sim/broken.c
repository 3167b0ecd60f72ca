#include "tests/sim/broken.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status = fd < 0 ? -1 : fsync(fd);

    close(fd);
    return status;
}

static void folder_of(const char *path, char out[512])
{
    snprintf(out, 512, "%.*s", (int)(strrchr(path, '/') - path), path);
}

static int write_to(const char *path, struct cs_slice content, unsigned mode, bool synced)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, content.ptr, content.len) == (ssize_t)content.len &&
                fchmod(fd, mode) == 0 && (!synced || fsync(fd) == 0);

    close(fd);
    return good ? CS_OK : CS_EIO;
}

static int replace(const char *path, struct cs_slice content, unsigned mode, bool file_synced,
                   bool folder_synced)
{
    char beside[512], folder[512];

    snprintf(beside, sizeof beside, "%s.new", path);
    folder_of(path, folder);
    if (write_to(beside, content, mode, file_synced) != CS_OK || rename(beside, path) != 0)
        return CS_EIO;
    return !folder_synced || sync_path(folder) == 0 ? CS_OK : CS_EIO;
}

/* ---- what is done wrongly */

static int copies_over(struct ag_port *port, const char *from, const char *to, size_t limit_bytes,
                       struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY;
    int code = port->read_file(port, from, limit_bytes, &content, err);

    return code ? code : write_to(to, cs_buf_slice(&content), 0600, true);
}

static int copies_and_syncs_not(struct ag_port *port, const char *from, const char *to, size_t limit_bytes,
                                struct cs_err *err)
{
    cs_auto(cs_buf_wipe) struct cs_buf content = CS_BUF_EMPTY;
    int code = port->read_file(port, from, limit_bytes, &content, err);

    return code ? code : replace(to, cs_buf_slice(&content), 0600, false, true);
}

static int replaces_before_it_syncs(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                                    const struct ag_file_look *look, struct cs_err *err CS_UNUSED)
{
    int code = replace(path, content, look->mode, false, true);

    return code ? code : sync_path(path) == 0 ? CS_OK : CS_EIO;
}

static int replaces_and_syncs_no_folder(struct ag_port *port CS_UNUSED, const char *path,
                                        struct cs_slice content, const struct ag_file_look *look,
                                        struct cs_err *err CS_UNUSED)
{
    return replace(path, content, look->mode, true, false);
}

static int writes_over(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                       const struct ag_file_look *look, struct cs_err *err CS_UNUSED)
{
    return write_to(path, content, look->mode, true);
}

static int syncs_no_file(struct ag_port *port CS_UNUSED, const char *path, struct cs_slice content,
                         const struct ag_file_look *look, struct cs_err *err CS_UNUSED)
{
    return write_to(path, content, look->mode, false);
}

static int syncs_no_folder(struct ag_port *port CS_UNUSED, const char *path CS_UNUSED,
                           struct cs_err *err CS_UNUSED)
{
    return CS_OK;
}

static int switch_to(const char *path, const char *target, bool synced)
{
    char beside[512], folder[512];

    snprintf(beside, sizeof beside, "%s.next", path);
    folder_of(path, folder);
    unlinkat(AT_FDCWD, beside, 0);
    if (symlinkat(target, AT_FDCWD, beside) != 0 || rename(beside, path) != 0)
        return CS_EIO;
    return !synced || sync_path(folder) == 0 ? CS_OK : CS_EIO;
}

static int switches_and_syncs_not(struct ag_port *port CS_UNUSED, const char *path, const char *target,
                                  struct cs_err *err CS_UNUSED)
{
    return switch_to(path, target, false);
}

static int takes_the_link_away_first(struct ag_port *port CS_UNUSED, const char *path, const char *target,
                                     struct cs_err *err CS_UNUSED)
{
    unlinkat(AT_FDCWD, path, 0);
    return switch_to(path, target, true);
}

static void break_replace_order(struct ag_port *port)
{
    port->replace_file = replaces_before_it_syncs;
}
static void break_replace_sync(struct ag_port *port)
{
    port->replace_file = replaces_and_syncs_no_folder;
}
static void break_replace(struct ag_port *port)
{
    port->replace_file = writes_over;
}
static void break_write(struct ag_port *port)
{
    port->write_file = syncs_no_file;
}
static void break_sync(struct ag_port *port)
{
    port->sync_folder = syncs_no_folder;
}
static void break_switch_sync(struct ag_port *port)
{
    port->switch_link = switches_and_syncs_not;
}
static void break_switch(struct ag_port *port)
{
    port->switch_link = takes_the_link_away_first;
}

static void break_copy(struct ag_port *port)
{
    port->copy = copies_over;
}
static void break_copy_sync(struct ag_port *port)
{
    port->copy = copies_and_syncs_not;
}

const struct broken_port broken_ports[] = {
    {"renames a file before it is synced", false, break_replace_order},
    {"does not sync the folder of a file that is replaced", false, break_replace_sync},
    {"writes over a file instead of replacing it", false, break_replace},
    {"does not sync new files", false, break_write},
    {"does not sync folders of new files", false, break_sync},
    {"does not sync the folder of the link", false, break_switch_sync},
    {"takes the link away before it makes the new one", false, break_switch},
    {"writes over the copies that an application reads", true, break_copy},
    {"does not sync copies", true, break_copy_sync},
};
const size_t broken_port_count = CS_ARRAY_LEN(broken_ports);
