promotiond_test(http_requests
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_requests_test.cpp LINKS promotiond::http_core LABELS unit)
promotiond_test(http_events
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_events_test.cpp LINKS promotiond::http_core LABELS unit)
promotiond_test(http_api
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_api_test.cpp LINKS promotiond::http_core LABELS unit)
