/* platform.h - the kind of machine that this program was built for. */
#ifndef AG_PLATFORM_H
#define AG_PLATFORM_H

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
