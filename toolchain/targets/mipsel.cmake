# MIPS32r2, little-endian, o32, hard float (FPXX). Devices without an FPU need a kernel that emulates one.
set(CS_TARGET mipsel)
set(CS_TRIPLET mipsel-linux-gnu)
set(CS_QEMU qemu-mipsel)
set(CMAKE_SYSTEM_PROCESSOR mipsel)
# Calls and data by their addresses: Debian's compiler would make position-independent code.
set(CS_TARGET_FLAGS -mno-shared -mplt)
# Kernels for MIPS have pages of 4 or 16 KB; for the 64 KB that it may have, the file would be padded.
set(CS_TARGET_LINK_OPTIONS -Wl,-z,max-page-size=16384)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
