promotiond_test(sdk SOURCES sdk_strategy_test.cpp LINKS promotiond::sdk LABELS unit)
