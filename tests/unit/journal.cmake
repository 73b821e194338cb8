promotiond_test(journal SOURCES journal_fault_test.cpp journal_test.cpp
    LINKS promotiond::journal SQLite::SQLite3 LABELS unit)
