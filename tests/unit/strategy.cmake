promotiond_test(strategy SOURCES strategy_test.cpp strategy_answer_test.cpp strategy_instance_test.cpp strategy_fake_http.cpp
    LINKS promotiond::strategy LABELS "unit;threads")
target_include_directories(test_strategy PRIVATE ${PROJECT_SOURCE_DIR}/tests)
