#include "agent/port/os_error.h"

#include <string.h>

int ag_os_error(struct cs_err *err, const char *doing, const char *path)
{
    int number = errno;
    int code = number == ENOENT                                         ? CS_ENOTFOUND
               : number == EEXIST                                       ? CS_EEXISTS
               : number == ENOSPC || number == EDQUOT                   ? CS_EFULL
               : number == EACCES || number == EPERM || number == EROFS ? CS_EDENIED
                                                                        : CS_EIO;

    return cs_err_set(err, code, "%s %s: %s", doing, path, strerror(number));
}
