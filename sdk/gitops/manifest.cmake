# The manifest editor and the pull-request flow.
target_sources(promotiond_gitops PRIVATE
    ${CMAKE_CURRENT_LIST_DIR}/commit_lookup.cpp
    ${CMAKE_CURRENT_LIST_DIR}/feature.cpp
    ${CMAKE_CURRENT_LIST_DIR}/follow.cpp
    ${CMAKE_CURRENT_LIST_DIR}/kustomization.cpp
    ${CMAKE_CURRENT_LIST_DIR}/kustomization_merge.cpp
    ${CMAKE_CURRENT_LIST_DIR}/kustomization_operations.cpp
    ${CMAKE_CURRENT_LIST_DIR}/kustomization_patch.cpp
    ${CMAKE_CURRENT_LIST_DIR}/manifest.cpp
    ${CMAKE_CURRENT_LIST_DIR}/manifest_image.cpp
    ${CMAKE_CURRENT_LIST_DIR}/manifest_marker.cpp
    ${CMAKE_CURRENT_LIST_DIR}/manifest_scalar.cpp
    ${CMAKE_CURRENT_LIST_DIR}/manifest_scan.cpp
    ${CMAKE_CURRENT_LIST_DIR}/manifest_tree.cpp
    ${CMAKE_CURRENT_LIST_DIR}/merge_gate.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mirrored_base.cpp
    ${CMAKE_CURRENT_LIST_DIR}/promotion_rules.cpp
    ${CMAKE_CURRENT_LIST_DIR}/promotion_state.cpp
    ${CMAKE_CURRENT_LIST_DIR}/pull_request.cpp
    ${CMAKE_CURRENT_LIST_DIR}/pull_request_answer.cpp
    ${CMAKE_CURRENT_LIST_DIR}/pull_request_change.cpp
    ${CMAKE_CURRENT_LIST_DIR}/pull_request_text.cpp
    ${CMAKE_CURRENT_LIST_DIR}/rebuild.cpp)
target_link_libraries(promotiond_gitops PRIVATE PkgConfig::libyaml Poco::JSON)
