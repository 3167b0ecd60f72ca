# What the toolchain files of all cross targets have in common. One sets CS_TARGET (the builder's name for
# it), CS_TRIPLET (Debian's cross compiler) and CS_QEMU before. The C library is one of the components, so
# CMake's first look at the compiler links nothing; deps.cmake adds the flags with which it finds musl.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${CS_TRIPLET}-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
find_program(CMAKE_AR ${CS_TRIPLET}-gcc-ar REQUIRED)
find_program(CMAKE_RANLIB ${CS_TRIPLET}-gcc-ranlib REQUIRED)
find_program(CMAKE_STRIP ${CS_TRIPLET}-strip REQUIRED)
find_program(CS_SIZE ${CS_TRIPLET}-size REQUIRED)
# Tests run only where it is installed; building does not need it.
if(CS_QEMU)
  find_program(CMAKE_CROSSCOMPILING_EMULATOR ${CS_QEMU})
endif()
