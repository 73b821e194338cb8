# promotiond_add_strategy(<name> SOURCES ... [LINKS ...])
#   A strategy plugin: a module library <name>.so that exports exactly one symbol.
function(promotiond_add_strategy name)
    cmake_parse_arguments(STRATEGY "" "" "SOURCES;LINKS" ${ARGN})
    add_library(${name} MODULE ${STRATEGY_SOURCES})
    target_link_libraries(${name} PRIVATE promotiond::sdk ${STRATEGY_LINKS})
    set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/strategies)
endfunction()
