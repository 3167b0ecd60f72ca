# x86-64, static with musl: for appliances of that kind, and to measure what the others cost, on the machine itself.
set(CS_TARGET amd64)
set(CS_TRIPLET x86_64-linux-gnu)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
