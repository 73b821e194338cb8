promotiond_test(engine
    SOURCES engine_awaiting_test.cpp engine_commands_test.cpp engine_observe_test.cpp engine_overtaking_test.cpp engine_renewals_test.cpp
            engine_takeover_test.cpp engine_test.cpp engine_trouble_test.cpp
    LINKS promotiond::engine promotiond::sdk SQLite::SQLite3 LABELS "unit;threads")
