# Two halves of one library: the mirror and the manifests.
include(${CMAKE_CURRENT_LIST_DIR}/gitops_mirror.cmake OPTIONAL)
include(${CMAKE_CURRENT_LIST_DIR}/gitops_manifest.cmake OPTIONAL)
