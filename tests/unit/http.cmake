promotiond_test(http_requests
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_requests_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
promotiond_test(http_events
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_events_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
promotiond_test(http_api
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_api_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
promotiond_test(http_forwarding
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_forwarding_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
promotiond_test(http_openapi
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_openapi_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
promotiond_test(http_tls
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_tls_test.cpp LINKS promotiond::http_core OpenSSL::SSL OpenSSL::Crypto LABELS "unit;threads")
promotiond_test(http_endings
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_endings_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
promotiond_test(http_hooks
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_hooks_test.cpp LINKS promotiond::http_core OpenSSL::Crypto LABELS "unit;threads")
promotiond_test(http_releases
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_releases_test.cpp LINKS promotiond::http_core OpenSSL::Crypto Poco::JSON LABELS "unit;threads")
promotiond_test(http_callers
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_callers_test.cpp LINKS promotiond::http_core LABELS "unit;threads")
