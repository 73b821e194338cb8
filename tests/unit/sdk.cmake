promotiond_test(sdk SOURCES sdk_strategy_test.cpp LINKS promotiond::sdk LABELS unit)
# The template is what authors copy, so it is built and tested with every build.
add_subdirectory(${PROJECT_SOURCE_DIR}/sdk/template ${CMAKE_CURRENT_BINARY_DIR}/sdk_template)
