promotiond_test(config SOURCES ${CMAKE_CURRENT_LIST_DIR}/config_test.cpp LINKS promotiond::config LABELS unit)
target_compile_definitions(test_config PRIVATE PROMOTIOND_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
