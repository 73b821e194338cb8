# The kit's pure half is compiled into its tests; the flow runs on an in-memory Mirror.
set(kit ${PROJECT_SOURCE_DIR}/sdk/gitops)
set(manifest_sources ${kit}/manifest.cpp ${kit}/manifest_marker.cpp ${kit}/manifest_scalar.cpp ${kit}/manifest_scan.cpp)

promotiond_test(gitops_manifest
    SOURCES gitops_manifest_test.cpp ${manifest_sources}
    LINKS promotiond::sdk PkgConfig::libyaml
    LABELS unit)
