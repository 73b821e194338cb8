promotiond_test(decision
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/decision_arrival_test.cpp ${CMAKE_CURRENT_LIST_DIR}/decision_classify_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/decision_observe_test.cpp ${CMAKE_CURRENT_LIST_DIR}/decision_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/decision_why_test.cpp
    LINKS promotiond::decision LABELS unit)
