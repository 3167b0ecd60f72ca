/* folder.h - folders that tests make under /tmp go with everything in them. */
#ifndef CS_TESTS_FOLDER_H
#define CS_TESTS_FOLDER_H

#include <stdbool.h>

/* Follows no link and leaves no file system. False when something of it stays. */
bool folder_remove(const char *path);

#endif
