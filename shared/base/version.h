/* version.h - the one place of the version: all programs, and the build, which reads this line. */
#ifndef CS_BASE_VERSION_H
#define CS_BASE_VERSION_H

#define CS_VERSION "0.1.0"

#endif
