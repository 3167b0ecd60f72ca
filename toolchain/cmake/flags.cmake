# How our own code is compiled. CS_VARIANT comes from the preset and says which way.

set(CS_VARIANT dev CACHE STRING "dev, release, tsan, fuzz, coverage or agent")
set_property(CACHE CS_VARIANT PROPERTY STRINGS dev release tsan fuzz coverage agent)
option(CS_LTO "link-time optimisation in the release variant" OFF)
option(CS_AGENT_LTO "link-time optimisation in the agent variant; the components are built for it in any case" ON)

# The flags below are complete: CMake's build types would add -DNDEBUG, and assertions stay on.
set(CMAKE_BUILD_TYPE "" CACHE STRING "not used" FORCE)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

add_compile_definitions(_GNU_SOURCE)
include_directories(${CMAKE_SOURCE_DIR})
add_compile_options(-fno-strict-aliasing -fstack-protector-strong -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
add_link_options(-Wl,-z,noexecstack)
if(NOT CS_VARIANT STREQUAL "agent")
  add_link_options(-Wl,-z,relro,-z,now)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-fno-omit-frame-pointer)
  add_link_options(-pie)
endif()

if(CS_VARIANT STREQUAL "dev")
  set(CS_DEPS_TARGET asan)
  add_compile_options(-Og -g -fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(CS_VARIANT STREQUAL "release")
  set(CS_DEPS_TARGET host)
  add_compile_options(-O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  if(CS_LTO)
    add_compile_options(-flto=auto)
    add_link_options(-flto=auto -O2)
  endif()
elseif(CS_VARIANT STREQUAL "tsan")
  set(CS_DEPS_TARGET tsan)
  add_compile_options(-O1 -g -fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(CS_VARIANT STREQUAL "fuzz")
  set(CS_DEPS_TARGET fuzz)
  add_compile_options(-O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(CS_VARIANT STREQUAL "coverage")
  # Without optimisation, so that each line and branch of the source is one of the program.
  set(CS_DEPS_TARGET host)
  add_compile_options(-O0 -g --coverage -fprofile-update=atomic)
  add_link_options(--coverage)
elseif(CS_VARIANT STREQUAL "agent")
  # For devices: small before fast. Unwind tables would be loaded and never read.
  set(CS_DEPS_TARGET ${CS_TARGET})
  add_compile_options(-Os -g -fno-pie -fno-pic -fomit-frame-pointer -ffunction-sections -fdata-sections
    -fno-asynchronous-unwind-tables -fno-unwind-tables)
  # With link-time optimisation the code is made here, and asks these flags again. What -z relro would protect is
  # 100 bytes in a program at a fixed address (tables of functions are in .rodata), and it pads by up to 64 KB.
  add_link_options(-no-pie -Wl,--gc-sections -Wl,--build-id=sha1 -Wl,-z,norelro)
  add_link_options(-flto=auto -flto-partition=one -Os -fno-asynchronous-unwind-tables -fno-unwind-tables)
  add_link_options(${CS_TARGET_LINK_OPTIONS})
  if(CS_TARGET_FLAGS)
    add_compile_options(${CS_TARGET_FLAGS})
    add_link_options(${CS_TARGET_FLAGS})
  endif()
  if(CS_AGENT_LTO)
    add_compile_options(-flto=auto)
  endif()
else()
  message(FATAL_ERROR "CS_VARIANT is '${CS_VARIANT}'; use a preset: dev, release, tsan, fuzz, coverage, or a target's")
endif()

# For our sources only: generated and third-party code has cs_no_warnings instead.
set(CS_WARNINGS
  -Werror -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align -Wformat=2 -Wundef -Wwrite-strings -Wvla
  -Wimplicit-fallthrough)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # Outputs are untouched on failure, and gcc cannot see through cs_err_set() that a failure is one: it warns of
  # outputs that nobody reads. clang's analysis and the sanitizers look for the real ones.
  list(APPEND CS_WARNINGS -Wno-maybe-uninitialized)
endif()
