/* fuzz_replay.c - the main() of a fuzz target outside of libFuzzer: runs it once on nothing and once on
 * each file of the folders named on the command line. A folder that is not there has no files. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fail(const char *doing, const char *path)
{
    fprintf(stderr, "fuzz_replay: %s %s: %s\n", doing, path, strerror(errno));
    return -1;
}

/* The input is copied into an allocation of exactly its size, so that a read past its end is seen. */
static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size != 0 ? size : 1);
    int result = -1;

    if (file == NULL || data == NULL)
        fail("opening", path);
    else if (fread(data, 1, size, file) != size)
        fail("reading", path);
    else
        result = LLVMFuzzerTestOneInput(data, size) == 0 ? 0 : -1;
    free(data);
    if (file != NULL)
        fclose(file);
    return result;
}

static int replay_folder(const char *folder, unsigned *count)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int result = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : fail("opening", folder);
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        char path[4096];
        struct stat info;

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) {
            errno = ENAMETOOLONG;
            result = fail("opening", folder);
        } else if (stat(path, &info) != 0) {
            result = fail("looking at", path);
        } else if (S_ISREG(info.st_mode)) {
            fprintf(stderr, "%s\n", path);
            result = replay_file(path, (size_t)info.st_size);
            ++*count;
        }
    }
    closedir(dir);
    return result;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    uint8_t *nothing = calloc(1, 1);
    int result = nothing != NULL ? LLVMFuzzerTestOneInput(nothing, 0) : -1;

    free(nothing);
    for (int i = 1; result == 0 && i < argc; i++)
        result = replay_folder(argv[i], &count);
    printf("replayed %u files\n", count);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
