promotiond_test(config SOURCES ${CMAKE_CURRENT_LIST_DIR}/config_test.cpp LINKS promotiond::config LABELS unit)
target_compile_definitions(test_config PRIVATE PROMOTIOND_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

promotiond_test(app SOURCES ${CMAKE_CURRENT_LIST_DIR}/app_check_test.cpp ${CMAKE_CURRENT_LIST_DIR}/app_passing_on_test.cpp
    LINKS promotiond::app LABELS unit)
promotiond_test(app_notify SOURCES ${CMAKE_CURRENT_LIST_DIR}/app_notify_test.cpp ${CMAKE_CURRENT_LIST_DIR}/app_sockets_test.cpp
    LINKS promotiond::app LABELS unit)
target_compile_definitions(test_app_notify PRIVATE PROMOTIOND_PROGRAM="$<TARGET_FILE:promotiond>")
add_dependencies(test_app_notify promotiond)

# GCC 12 sees an uninitialised member in its own <regex> when a sanitizer is on.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/config_test.cpp PROPERTIES COMPILE_OPTIONS -Wno-maybe-uninitialized)
