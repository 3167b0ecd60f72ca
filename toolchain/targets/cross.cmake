# What the toolchain files of all cross targets have in common. One sets CS_TARGET (the builder's name for
# it), CS_TRIPLET (Debian's cross compiler) and CS_QEMU before. The components are built here, before CMake
# looks at the compiler, because the compiler's C library is one of them.
set(CMAKE_SYSTEM_NAME Linux)
if(NOT DEFINED ENV{CS_PREFIX_${CS_TARGET}})
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../deps/build ${CS_TARGET}
    OUTPUT_VARIABLE _prefix OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _failed)
  if(_failed)
    message(FATAL_ERROR "the components for ${CS_TARGET} are not there: see what toolchain/deps/build says above")
  endif()
  set(ENV{CS_PREFIX_${CS_TARGET}} ${_prefix})
endif()

set(CMAKE_C_COMPILER $ENV{CS_PREFIX_${CS_TARGET}}/bin/cc)
find_program(CMAKE_AR ${CS_TRIPLET}-gcc-ar REQUIRED)
find_program(CMAKE_RANLIB ${CS_TRIPLET}-gcc-ranlib REQUIRED)
find_program(CMAKE_STRIP ${CS_TRIPLET}-strip REQUIRED)
find_program(CS_SIZE ${CS_TRIPLET}-size REQUIRED)
# Tests run only where it is installed; building does not need it.
find_program(CMAKE_CROSSCOMPILING_EMULATOR ${CS_QEMU})
set(CMAKE_FIND_ROOT_PATH $ENV{CS_PREFIX_${CS_TARGET}})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
