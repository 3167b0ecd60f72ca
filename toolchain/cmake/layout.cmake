# Helpers with which each folder says what it is made of.

# cs_library(NAME [FROM folder...] [PUBLIC library...] [PRIVATE library...])
# A static library of *.c in the folders (default: this one), without main.c. Without any source it is an
# empty library with the same links, so that others need not ask. Folders are globbed again at each build.
function(cs_library name)
  cmake_parse_arguments(ARG "" "" "FROM;PUBLIC;PRIVATE" ${ARGN})
  if(NOT ARG_FROM)
    set(ARG_FROM .)
  endif()
  list(TRANSFORM ARG_FROM APPEND /*.c)
  list(TRANSFORM ARG_FROM PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  file(GLOB sources CONFIGURE_DEPENDS ${ARG_FROM})
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_compile_options(${name} PRIVATE ${CS_WARNINGS})
    target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_PUBLIC})
  endif()
endfunction()

# cs_program(NAME main.c library...): skipped while its main.c is not there.
function(cs_program name main)
  file(GLOB source CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${main})
  if(NOT source)
    return()
  endif()
  add_executable(${name} ${source})
  target_compile_options(${name} PRIVATE ${CS_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  cs_strip(${name})
endfunction()

# What goes onto a device is NAME.stripped; NAME has the symbols. The build ends with its sizes.
function(cs_strip name)
  if(CS_VARIANT STREQUAL "agent")
    add_custom_command(TARGET ${name} POST_BUILD
      COMMAND ${CMAKE_STRIP} -s -R .comment -R .note.GNU-stack -R .gnu.attributes -o $<TARGET_FILE:${name}>.stripped $<TARGET_FILE:${name}>
      COMMAND ${CS_SIZE} $<TARGET_FILE:${name}>.stripped
      COMMAND stat -c "%n: %s bytes" $<TARGET_FILE:${name}>.stripped
      VERBATIM)
  endif()
endfunction()

# What a core target may reach through its links, and never does: the proof that the core is pure.
# cs_forbid(TARGET library...) fails the configuration when TARGET links one of them, however far away.
function(cs_forbid target)
  set(todo ${target})
  set(seen)
  while(todo)
    list(POP_FRONT todo one)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" one "${one}")
    if(one IN_LIST seen OR NOT TARGET "${one}")
      continue()
    endif()
    list(APPEND seen ${one})
    get_target_property(links ${one} INTERFACE_LINK_LIBRARIES)
    if(links)
      list(APPEND todo ${links})
    endif()
    get_target_property(type ${one} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      get_target_property(links ${one} LINK_LIBRARIES)
      if(links)
        list(APPEND todo ${links})
      endif()
    endif()
  endwhile()
  foreach(bad ${ARGN})
    if(bad IN_LIST seen)
      message(FATAL_ERROR "${target} must not link ${bad}")
    endif()
  endforeach()
endfunction()
