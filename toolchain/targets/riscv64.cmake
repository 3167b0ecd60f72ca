# RV64GC, lp64d.
set(CS_TARGET riscv64)
set(CS_TRIPLET riscv64-linux-gnu)
set(CS_QEMU qemu-riscv64)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
