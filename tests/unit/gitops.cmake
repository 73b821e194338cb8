# Two halves of one library: the mirror and the manifests.
include(${CMAKE_CURRENT_LIST_DIR}/gitops_mirror.cmake OPTIONAL)
include(${CMAKE_CURRENT_LIST_DIR}/gitops_manifest.cmake OPTIONAL)
promotiond_test(gitops_source
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/gitops_source_test.cpp LINKS promotiond::gitops_source promotiond::decision LABELS "unit;threads")
