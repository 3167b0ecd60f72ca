# The pinned components as imported targets dep::NAME. Configuring builds them if they are not there yet.

set(_builder ${CMAKE_SOURCE_DIR}/toolchain/deps/build)
message(STATUS "components: ${CS_DEPS_TARGET}")
execute_process(COMMAND ${_builder} ${CS_DEPS_TARGET}
  OUTPUT_VARIABLE CS_DEPS OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _failed)
if(_failed)
  message(FATAL_ERROR "the third-party components are not there: see what toolchain/deps/build ${CS_DEPS_TARGET} says above")
endif()
message(STATUS "components: ${CS_DEPS}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${_builder} ${CMAKE_SOURCE_DIR}/toolchain/deps/recipes.sh ${CMAKE_SOURCE_DIR}/toolchain/deps/lock
  ${CMAKE_SOURCE_DIR}/toolchain/deps/mbedtls/config.h)

if(CS_VARIANT STREQUAL "agent")
  # The flags of the musl component's bin/cc. They are not in the cache: the folder changes with the recipes.
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
    OUTPUT_VARIABLE _gcc_include OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(_musl ${CS_DEPS}/${CS_TARGET})
  string(APPEND CMAKE_C_FLAGS " -B${_musl}/lib -nostdinc -isystem ${_musl}/include -isystem ${_gcc_include}")
  string(APPEND CMAKE_EXE_LINKER_FLAGS " -static")
  # Wider atomics than the processor has are calls to it.
  link_libraries(-Wl,--as-needed atomic)
endif()
find_package(Threads REQUIRED)

# cs_dep(NAME include-folder archive [library...]): one static library and what it needs after it. A target for
# devices has fewer of them.
function(cs_dep name folder archive)
  if(NOT EXISTS ${CS_DEPS}/lib/${archive})
    return()
  endif()
  add_library(dep::${name} STATIC IMPORTED GLOBAL)
  set_target_properties(dep::${name} PROPERTIES
    IMPORTED_LOCATION ${CS_DEPS}/lib/${archive}
    INTERFACE_INCLUDE_DIRECTORIES ${CS_DEPS}/include/${folder}
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

cs_dep(mbedcrypto mbedtls libmbedcrypto.a Threads::Threads)
cs_dep(mbedx509 mbedtls libmbedx509.a dep::mbedcrypto)
cs_dep(mbedtls mbedtls libmbedtls.a dep::mbedx509)
cs_dep(nghttp2 nghttp2 libnghttp2.a)
set_property(TARGET dep::nghttp2 PROPERTY INTERFACE_COMPILE_DEFINITIONS NGHTTP2_STATICLIB)
cs_dep(llhttp llhttp libllhttp.a)
cs_dep(uv libuv libuv.a Threads::Threads dl rt)
cs_dep(lmdb lmdb liblmdb.a Threads::Threads)
cs_dep(nanopb nanopb libnanopb.a)
cs_dep(yyjson yyjson libyyjson.a)
cs_dep(inih inih libinih.a)
cs_dep(cmocka cmocka libcmocka.a)
