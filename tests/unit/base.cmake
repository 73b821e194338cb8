promotiond_test(base SOURCES ${CMAKE_CURRENT_LIST_DIR}/base_test.cpp LINKS promotiond::base LABELS unit)

# The house's floors: who may include whom.
add_test(NAME floors COMMAND ${CMAKE_CURRENT_LIST_DIR}/floors_test.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(floors PROPERTIES LABELS unit)

# What the log says, and what the documents say of it.
add_test(NAME log-messages COMMAND ${CMAKE_CURRENT_LIST_DIR}/log_messages_test.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(log-messages PROPERTIES LABELS unit)
