promotiond_test(model
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/model_event_test.cpp ${CMAKE_CURRENT_LIST_DIR}/model_pipeline_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/model_promotion_test.cpp ${CMAKE_CURRENT_LIST_DIR}/model_yaml_test.cpp
    LINKS promotiond::model LABELS unit)
target_compile_definitions(test_model PRIVATE PROMOTIOND_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
