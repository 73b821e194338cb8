# promotiond_add_strategy(<name> SOURCES ... [LINKS ...] [OUTPUT_DIRECTORY dir] [NO_INSTALL])
#   A strategy plugin: a module library <name>.so that exports exactly one symbol, needs nothing undefined, and is
#   installed into <libdir>/promotiond/strategies. Built into <binary dir>/strategies unless told otherwise.
include(GNUInstallDirs)
include(CMakeParseArguments)

function(promotiond_add_strategy name)
    cmake_parse_arguments(STRATEGY "NO_INSTALL" "OUTPUT_DIRECTORY" "SOURCES;LINKS" ${ARGN})
    if(NOT STRATEGY_SOURCES)
        message(FATAL_ERROR "promotiond_add_strategy(${name}): SOURCES is missing")
    endif()
    if(NOT STRATEGY_OUTPUT_DIRECTORY)
        set(STRATEGY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/strategies)
    endif()

    add_library(${name} MODULE ${STRATEGY_SOURCES})
    target_link_libraries(${name} PRIVATE promotiond::sdk ${STRATEGY_LINKS})
    if(TARGET promotiond_warnings)
        target_link_libraries(${name} PRIVATE promotiond_warnings)
    endif()

    # Hidden visibility alone still leaks weak and unique symbols of templates and inline functions; unique ones are
    # merged between libraries even with local loading. Only the version script brings it to one.
    set(script ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/strategy.map)
    target_link_options(${name} PRIVATE -Wl,--version-script=${script} -Wl,-z,relro -Wl,-z,now)
    # Clang leaves the sanitizer's runtime undefined in shared libraries on purpose.
    if(NOT (CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_FLAGS MATCHES "-fsanitize"))
        target_link_options(${name} PRIVATE -Wl,-z,defs)
    endif()
    set_target_properties(${name} PROPERTIES
        PREFIX "" SUFFIX ".so"
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
        LINK_DEPENDS ${script} LIBRARY_OUTPUT_DIRECTORY ${STRATEGY_OUTPUT_DIRECTORY})

    if(NOT STRATEGY_NO_INSTALL)
        install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/promotiond/strategies)
    endif()
endfunction()
