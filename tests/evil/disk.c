#include "tests/evil/disk.h"

#include <stdio.h>

static struct disk *disk_of(struct ag_port *port)
{
    return CS_CONTAINER_OF(port, struct disk, port);
}

static struct disk_file *find(struct disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->count; i++)
        if (strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}

/* Where the name begins that the file has in the folder; NULL: it is not in it. */
static const char *name_in(const struct disk_file *file, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(file->path, folder, len) == 0 && file->path[len] == '/' ? file->path + len + 1 : NULL;
}

void disk_put(struct disk *disk, const char *path, struct cs_slice content)
{
    struct disk_file *file = find(disk, path);

    if (!file) {
        cs_assert(disk->count < DISK_FILES && strlen(path) < sizeof file->path);
        file = &disk->files[disk->count++];
        snprintf(file->path, sizeof file->path, "%s", path);
    }
    cs_buf_wipe(&file->content);
    cs_assert(cs_buf_append(&file->content, content) == CS_OK);
}

static int read_file(struct ag_port *port, const char *path, size_t limit_bytes, struct cs_buf *out,
                     struct cs_err *err)
{
    const struct disk_file *file = find(disk_of(port), path);

    if (!file)
        return cs_err_set(err, CS_ENOTFOUND, "%s is not there", path);
    cs_assert(file->content.len <= limit_bytes);
    return cs_buf_append(out, cs_buf_slice(&file->content));
}

static int replace_file(struct ag_port *port, const char *path, struct cs_slice content,
                        const struct ag_file_look *look CS_UNUSED, struct cs_err *err CS_UNUSED)
{
    disk_put(disk_of(port), path, content);
    return CS_OK;
}

/* Folders are there when files are in them. */
static int make_folder(struct ag_port *port CS_UNUSED, const char *path CS_UNUSED, unsigned mode CS_UNUSED,
                       struct cs_err *err CS_UNUSED)
{
    return CS_OK;
}

/* What has two files is told twice, which those who ask here do not mind. */
static int list_folder(struct ag_port *port, const char *path, void (*on_entry)(void *data, const char *name),
                       void *data, struct cs_err *err)
{
    const struct disk *disk = disk_of(port);
    bool is_there = false;

    for (size_t i = 0; i < disk->count; i++) {
        const char *name = name_in(&disk->files[i], path);
        char entry[AG_LIMIT_PATH_BYTES];

        if (!name)
            continue;
        is_there = true;
        snprintf(entry, sizeof entry, "%.*s", (int)strcspn(name, "/"), name);
        on_entry(data, entry);
    }
    return is_there ? CS_OK : cs_err_set(err, CS_ENOTFOUND, "%s is not there", path);
}

static int remove_folder(struct ag_port *port, const char *path, struct cs_err *err CS_UNUSED)
{
    struct disk *disk = disk_of(port);

    for (size_t i = disk->count; i-- > 0;)
        if (name_in(&disk->files[i], path)) {
            cs_buf_wipe(&disk->files[i].content);
            disk->files[i] = disk->files[--disk->count];
            disk->files[disk->count] = (struct disk_file){.path = ""};
        }
    return CS_OK;
}

static int look_at(struct ag_port *port, const char *path, enum ag_entry_kind *ret,
                   struct cs_err *err CS_UNUSED)
{
    *ret = find(disk_of(port), path) ? AG_ENTRY_FILE : AG_ENTRY_ABSENT;
    return CS_OK;
}

void disk_make(struct disk *ret)
{
    *ret = (struct disk){.port = {.read_file = read_file,
                                  .replace_file = replace_file,
                                  .make_folder = make_folder,
                                  .list_folder = list_folder,
                                  .remove_folder = remove_folder,
                                  .look_at = look_at}};
}

void disk_free(struct disk *disk)
{
    for (size_t i = 0; i < disk->count; i++)
        cs_buf_wipe(&disk->files[i].content);
}
