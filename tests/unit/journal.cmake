promotiond_test(journal SOURCES journal_test.cpp LINKS promotiond::journal LABELS unit)
