# ARMv7-A with VFPv3-D16 (hard float), little-endian.
set(CS_TARGET armhf)
set(CS_TRIPLET arm-linux-gnueabihf)
set(CS_QEMU qemu-arm)
set(CMAKE_SYSTEM_PROCESSOR arm)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
