# The kit's pure half is compiled into its tests; the flow runs on an in-memory Mirror instead of mirror.cpp's.
set(kit ${PROJECT_SOURCE_DIR}/sdk/gitops)
set(manifest_sources ${kit}/manifest.cpp ${kit}/manifest_marker.cpp ${kit}/manifest_scalar.cpp ${kit}/manifest_scan.cpp)
set(pull_request_sources ${kit}/pull_request.cpp ${kit}/pull_request_answer.cpp ${kit}/pull_request_change.cpp
    ${kit}/pull_request_text.cpp ${kit}/manifest_image.cpp ${manifest_sources})

promotiond_test(gitops_manifest
    SOURCES gitops_image_test.cpp gitops_manifest_test.cpp ${manifest_sources} ${kit}/manifest_image.cpp
    LINKS promotiond::sdk PkgConfig::libyaml
    LABELS unit)
promotiond_test(gitops_pull_request
    SOURCES gitops_pull_request_test.cpp gitops_pull_request_text_test.cpp gitops_rebuild_test.cpp gitops_pull_request_fake.cpp
            gitops_memory_forge.cpp ${kit}/rebuild.cpp ${pull_request_sources}
    LINKS promotiond::sdk PkgConfig::libyaml Poco::JSON
    LABELS unit)
promotiond_test(gitops_merge_gate
    SOURCES gitops_merge_gate_test.cpp gitops_memory_forge.cpp ${kit}/commit_lookup.cpp ${kit}/merge_gate.cpp
    LINKS promotiond::sdk Poco::JSON
    LABELS unit)
promotiond_test(gitops_promotion
    SOURCES gitops_feature_test.cpp gitops_kustomization_test.cpp gitops_kustomization_merge_test.cpp gitops_promotion_rules_test.cpp gitops_promotion_state_test.cpp ${kit}/commit_lookup.cpp
            ${kit}/feature.cpp ${kit}/kustomization.cpp ${kit}/kustomization_merge.cpp
            ${kit}/kustomization_operations.cpp ${kit}/kustomization_patch.cpp
            ${kit}/promotion_rules.cpp ${kit}/promotion_state.cpp
            ${kit}/manifest_image.cpp ${kit}/manifest_tree.cpp ${manifest_sources}
    LINKS promotiond::sdk PkgConfig::libyaml Poco::JSON
    LABELS unit)
