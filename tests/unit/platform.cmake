promotiond_test(platform
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/platform_application_state_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_events_test.cpp ${CMAKE_CURRENT_LIST_DIR}/platform_pipelines_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_secrets_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_status_test.cpp
    LINKS promotiond::platform Boost::json LABELS "unit;threads")
promotiond_test(platform_kube
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/platform_kube_applications_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_callers_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_client_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_config_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_lease_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_pipelines_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_report_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_status_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_kube_watch_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/platform_told_promotions_test.cpp
    LINKS promotiond::platform promotiond_http_simulator LABELS "unit;threads")
