# promotiond_module(<name> [SOURCES ...] [LINKS ...] [PRIVATE_LINKS ...])
#   A static library promotiond::<name> of the current folder. Includes are spelled from daemon/ ("model/event.hpp").
#   LINKS are the module's arrows to other floors, PRIVATE_LINKS what stays indoors. Without sources: headers only.
#
# promotiond_test(<name> SOURCES ... LINKS ... [LABELS ...] [ENVIRONMENT ...] [ARGUMENTS ...] [TIMEOUT seconds])
#   A Catch2 program that is one ctest entry.
include(CMakeParseArguments)

add_library(promotiond_warnings INTERFACE)
target_compile_options(promotiond_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow
    $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wnon-virtual-dtor -Woverloaded-virtual>)

function(promotiond_module name)
    cmake_parse_arguments(MODULE "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
    if(MODULE_SOURCES)
        add_library(promotiond_${name} STATIC ${MODULE_SOURCES})
        target_include_directories(promotiond_${name} PUBLIC ${PROJECT_SOURCE_DIR}/daemon)
        target_link_libraries(promotiond_${name} PUBLIC ${MODULE_LINKS} Threads::Threads
                              PRIVATE promotiond_warnings ${MODULE_PRIVATE_LINKS})
    else()
        add_library(promotiond_${name} INTERFACE)
        target_include_directories(promotiond_${name} INTERFACE ${PROJECT_SOURCE_DIR}/daemon)
        target_link_libraries(promotiond_${name} INTERFACE ${MODULE_LINKS} Threads::Threads)
    endif()
    add_library(promotiond::${name} ALIAS promotiond_${name})
endfunction()

# What the thread sanitizer has to see: `cmake --build --preset tsan --target thread_tests`.
add_custom_target(thread_tests)

function(promotiond_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LINKS;LABELS;ENVIRONMENT;ARGUMENTS" ${ARGN})
    add_executable(test_${name} ${TEST_SOURCES})
    target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/daemon)
    target_link_libraries(test_${name} PRIVATE promotiond_catch_main promotiond_warnings ${TEST_LINKS})
    add_test(NAME ${name} COMMAND test_${name} ${TEST_ARGUMENTS})
    if("threads" IN_LIST TEST_LABELS)
        add_dependencies(thread_tests test_${name})
    endif()
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 300)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}"
                         ENVIRONMENT "${TEST_ENVIRONMENT}")
endfunction()
