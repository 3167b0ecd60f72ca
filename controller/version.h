/* version.h - which program this is. */
#ifndef CTL_VERSION_H
#define CTL_VERSION_H

#define CTL_VERSION "0.1.0"

#endif
