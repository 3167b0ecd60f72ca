# cs_proto(TARGET file.proto...) makes the static library TARGET of nanopb's C for these files.
#
# The files are named relative to this folder, which is the root of imports and of includes:
#   proto/countersign/v1/push.proto   says `import "countersign/v1/core.proto";`
#   C says                            #include "countersign/v1/push.pb.h"
# A file's limits are beside it: push.options. Generated headers are system headers: our warnings do not
# look into them.
find_program(CS_PROTOC protoc REQUIRED)
set(_nanopb_generator ${CS_DEPS}/share/nanopb/nanopb_generator.py)

function(cs_proto target)
  set(root ${CMAKE_CURRENT_SOURCE_DIR})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/gen)
  set(new ${CMAKE_CURRENT_BINARY_DIR}/new)
  # What is made of one file depends on the options of those that it imports, so all depend on all; a result
  # that comes out the same is left alone, so that nothing is compiled again for it.
  file(GLOB_RECURSE options CONFIGURE_DEPENDS ${root}/*.options)
  set(inputs ${options} ${_nanopb_generator})
  foreach(proto ${ARGN})
    list(APPEND inputs ${root}/${proto})
  endforeach()
  set(sources)
  foreach(proto ${ARGN})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    get_filename_component(folder ${stem} DIRECTORY)
    file(MAKE_DIRECTORY ${out}/${folder} ${new}/${folder})
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.c ${out}/${stem}.pb.h
      COMMAND ${CMAKE_COMMAND} -E env PATH=/usr/bin:/bin
              /usr/bin/python3 -B ${_nanopb_generator} -q -I . -D ${new} ${proto}
      COMMAND ${CMAKE_COMMAND} -E copy_if_different ${new}/${stem}.pb.c ${new}/${stem}.pb.h ${out}/${folder}
      WORKING_DIRECTORY ${root}
      DEPENDS ${inputs}
      COMMENT "nanopb ${proto}" VERBATIM)
    list(APPEND sources ${out}/${stem}.pb.c)
  endforeach()
  if(sources)
    add_library(${target} STATIC ${sources})
    target_compile_options(${target} PRIVATE -w)
    target_include_directories(${target} SYSTEM PUBLIC ${out})
    target_link_libraries(${target} PUBLIC dep::nanopb)
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE dep::nanopb)
  endif()
endfunction()
