promotiond_test(sdk SOURCES sdk_strategy_test.cpp LINKS promotiond::sdk LABELS unit)
# The template is what authors copy, so it is built and tested with every build.
add_subdirectory(${PROJECT_SOURCE_DIR}/sdk/template ${CMAKE_CURRENT_BINARY_DIR}/sdk_template)
# What crosses as JSON is written by the model, the plugins and the kit, and judged as the daemon judges it. The kit's sources: gitops_manifest.cmake.
promotiond_test(sdk_schema
    SOURCES sdk_schema_test.cpp gitops_pull_request_fake.cpp gitops_memory_forge.cpp ${pull_request_sources}
    LINKS promotiond::strategy promotiond::model promotiond::sdk webhook_generic_parts PkgConfig::libyaml Poco::JSON
    LABELS unit)
target_compile_definitions(test_sdk_schema PRIVATE PROMOTIOND_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
