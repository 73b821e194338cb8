add_library(promotiond_http_simulator STATIC
    ${PROJECT_SOURCE_DIR}/tests/simulators/connect_proxy.cpp ${PROJECT_SOURCE_DIR}/tests/simulators/http_server.cpp)
target_include_directories(promotiond_http_simulator PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(promotiond_http_simulator PUBLIC OpenSSL::SSL Threads::Threads PRIVATE promotiond_warnings)

promotiond_test(net SOURCES ${CMAKE_CURRENT_LIST_DIR}/net_api_budget_test.cpp ${CMAKE_CURRENT_LIST_DIR}/net_egress_test.cpp ${CMAKE_CURRENT_LIST_DIR}/net_http_client_test.cpp
                        ${CMAKE_CURRENT_LIST_DIR}/net_routes_test.cpp ${CMAKE_CURRENT_LIST_DIR}/net_stream_test.cpp
                LINKS promotiond::net promotiond_http_simulator LABELS "unit;threads")
promotiond_test(plugin_webhook SOURCES ${CMAKE_CURRENT_LIST_DIR}/plugin_webhook_test.cpp LINKS webhook_generic_parts LABELS "unit;threads")
