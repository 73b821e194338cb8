set(github ${CMAKE_CURRENT_LIST_DIR}/plugin_github)
promotiond_test(plugin_github
    SOURCES ${github}_test.cpp ${github}_options_test.cpp ${github}_merge_test.cpp ${github}_app_test.cpp ${github}_config_test.cpp
            ${github}_look_test.cpp ${github}_status_test.cpp
            ${PROJECT_SOURCE_DIR}/plugins/pullrequest-github/strategy.cpp
    LINKS pullrequest_github_parts promotiond::gitops Poco::JSON Poco::JWT Poco::Crypto
    LABELS unit)
# The entry is compiled in, with the schema that the plugin's build makes for it.
target_include_directories(test_plugin_github PRIVATE ${PROJECT_BINARY_DIR}/plugins/pullrequest-github)

set(azdo ${CMAKE_CURRENT_LIST_DIR}/plugin_azdo)
promotiond_test(plugin_azdo
    SOURCES ${azdo}_test.cpp ${azdo}_options_test.cpp ${azdo}_config_test.cpp ${azdo}_site_test.cpp
            ${azdo}_status_test.cpp
            ${PROJECT_SOURCE_DIR}/plugins/pullrequest-azdo/strategy.cpp
    LINKS pullrequest_azdo_parts promotiond::gitops Poco::JSON
    LABELS unit)
target_include_directories(test_plugin_azdo PRIVATE ${PROJECT_BINARY_DIR}/plugins/pullrequest-azdo)

promotiond_test(plugin_notification
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/plugin_notification_test.cpp
    LINKS notification_flux_parts Boost::json
    LABELS unit)
