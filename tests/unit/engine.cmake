promotiond_test(engine
    SOURCES engine_test.cpp
    LINKS promotiond::engine LABELS unit)
