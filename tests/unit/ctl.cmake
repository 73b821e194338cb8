promotiond_test(ctl SOURCES ${CMAKE_CURRENT_LIST_DIR}/ctl_test.cpp LINKS promotiond::ctl promotiond_http_simulator LABELS unit)
