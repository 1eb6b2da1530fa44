# The dashboard (contrib/dashboard) as one C++ source, BINDCAST_DASHBOARD_SOURCE, that holds its files compressed.
#
# Its packages go where npm puts them, beside package.json, and all builds of one working copy share them.
set(dashboard ${CMAKE_SOURCE_DIR}/contrib/dashboard)
set(BINDCAST_DASHBOARD_SOURCE ${dashboard}/left_out.cpp)
set(BINDCAST_HAS_DASHBOARD OFF CACHE INTERNAL "The dashboard is part of the build")
# Only a plain build tests it.
if(BINDCAST_DASHBOARD AND NOT FUZZ AND NOT ASAN AND NOT TSAN)
  find_program(NODE node)
  find_program(NPM npm)
  set(node_version 0)
  if(NODE)
    execute_process(COMMAND ${NODE} --version OUTPUT_VARIABLE node_version OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE v "" node_version "${node_version}")
  endif()
  if(NPM AND node_version VERSION_GREATER_EQUAL 20.19)
    set(BINDCAST_HAS_DASHBOARD ON CACHE INTERNAL "")
    set(BINDCAST_DASHBOARD_SOURCE ${CMAKE_BINARY_DIR}/dashboard/files.cpp)
  else()
    message(NOTICE "Node.js 20.19 or newer, and npm, are not there: Bindcast is built without its dashboard")
  endif()
endif()

if(BINDCAST_HAS_DASHBOARD)
  set(installed ${dashboard}/node_modules/.installed)
  add_custom_command(OUTPUT ${installed}
    DEPENDS ${dashboard}/package.json ${dashboard}/package-lock.json
    COMMAND ${NPM} ci --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${installed}
    WORKING_DIRECTORY ${dashboard}
    COMMENT "Dashboard: installing its packages (-DBINDCAST_DASHBOARD=OFF does without)" VERBATIM)
  file(GLOB_RECURSE dashboard_sources CONFIGURE_DEPENDS ${dashboard}/src/* ${dashboard}/client/src/*)
  add_custom_command(OUTPUT ${BINDCAST_DASHBOARD_SOURCE}
    DEPENDS ${installed} ${dashboard_sources} ${dashboard}/index.html ${dashboard}/vite.config.ts
      ${dashboard}/tsconfig.json ${dashboard}/client/tsconfig.json ${dashboard}/embed.mjs
      ${CMAKE_SOURCE_DIR}/events/types.def
    COMMAND ${NPM} run --silent build -- --outDir ${CMAKE_BINARY_DIR}/dashboard/dist
    COMMAND ${NODE} embed.mjs ${CMAKE_BINARY_DIR}/dashboard/dist ${BINDCAST_DASHBOARD_SOURCE}
    WORKING_DIRECTORY ${dashboard}
    COMMENT "Dashboard: building the page" VERBATIM)
endif()
