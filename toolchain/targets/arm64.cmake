# ARMv8-A, little-endian.
set(CS_TARGET arm64)
set(CS_TRIPLET aarch64-linux-gnu)
set(CS_QEMU qemu-aarch64)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CS_TARGET_FLAGS -mno-outline-atomics)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
