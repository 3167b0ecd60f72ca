#include "tests/support/folder.h"

#include "shared/base/macros.h"

#include <ftw.h>
#include <stdio.h>

static int remove_one(const char *path, const struct stat *info CS_UNUSED, int kind CS_UNUSED,
                      struct FTW *place CS_UNUSED)
{
    return remove(path);
}

bool folder_remove(const char *path)
{
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0;
}
