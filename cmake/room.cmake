# bindcast_room(<room> SOURCES … USES <room …> LIBS …): one folder of the house as a static library.
#
# A room is included as "room/file.hpp". Each room gets an include folder of its own that holds nothing but a link to
# it, so a file can include only rooms that its target uses: an upward include does not compile.
function(bindcast_room room)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;USES;LIBS")
  set(target bindcast_${room})
  set(doors ${CMAKE_BINARY_DIR}/doors/${room})
  file(MAKE_DIRECTORY ${doors})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${room} ${doors}/${room} SYMBOLIC)
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/${room}/)
  add_library(${target} STATIC ${ARG_SOURCES})
  target_include_directories(${target} PUBLIC ${doors})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${target} PUBLIC bindcast_${used})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_LIBS} PRIVATE bindcast_flags)
endfunction()
