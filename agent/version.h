/* version.h - what this program calls itself, and the kind of machine that it was built for. */
#ifndef AG_VERSION_H
#define AG_VERSION_H

#define AG_VERSION "0.1.0"

#if defined(__x86_64__)
#define AG_MACHINE "amd64"
#elif defined(__aarch64__)
#define AG_MACHINE "arm64"
#elif defined(__arm__)
#define AG_MACHINE "armhf"
#elif defined(__mips__) && defined(__MIPSEL__)
#define AG_MACHINE "mipsel"
#elif defined(__riscv) && __riscv_xlen == 64
#define AG_MACHINE "riscv64"
#else
#define AG_MACHINE "other"
#endif
#define AG_PLATFORM "linux/" AG_MACHINE

#endif
